"""What a case says must be seen beside events, from its YAML to steps. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.config.inspected import AtLeast, HowMuch, PrintedLook, RecordsLook
from harness.config.steps import Observation
from harness.model.listing import AT_LEAST
from harness.model.results import Stage
from harness.scenario.case import AgentStep, Inspected, Look

MAPS, VARIABLES, PROGRAMS = "maps", "variables", "programs"
"""What names are of, by the fields of a listing."""
MATCHES = "~"
"""The key of a pattern that is a regular expression; no member has this name."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """The objects of a case, the one that a bare name means first, and the names that each has.

    Without `of` (a case whose objects nobody has looked into) all bare names are those of the first object.
    """

    objects: Sequence[str] = ()
    of: Mapping[str, Mapping[str, Collection[str]]] = field(default_factory=dict)

    def placed(self, kind: str, name: str) -> tuple[str, str]:
        """Return object and name in it of a name as a case gives it: `hits`, `tracer.hits`, `config.level`.

        `kind` is one of MAPS, VARIABLES, PROGRAMS; a path of a variable begins with the variable.
        """
        owner, _, behind = name.partition(".")
        if owner in self.objects and behind:
            return owner, behind
        bare = root(name) if kind == VARIABLES else name
        first = next((each for each in self.objects if bare in self.of.get(each, {}).get(kind, ())), None)
        return first or self.objects[0], name


def root(path: str) -> str:
    """Return the variable of a path: `limits` of `limits.ports[2]`."""
    return path.partition(".")[0].partition("[")[0]


def listened(looks: Sequence[Observation], names: Names, *, loaded: str) -> Iterator[AgentStep]:
    """Yield the steps that begin to read the records of an object that is loaded now."""
    found: dict[str, None] = {}
    for look in looks:
        for name in look.records:
            owner, of_map = names.placed(MAPS, name)
            if owner == loaded:
                found[of_map] = None
    for of_map in found:
        yield AgentStep(stage=Stage.OPEN, op="listen-records", what=of_map, args={"object": loaded, "map": of_map})


def prepared(looks: Sequence[Observation], *, counted: bool) -> Iterator[AgentStep]:
    """Yield the steps that must come before all others; `counted`: a step of the case counts runs already."""
    if any(look.printk is not None for look in looks):
        yield AgentStep(stage=Stage.OPEN, op="listen-printk")
    if not counted and any(look.runs for look in looks):
        yield AgentStep(stage=Stage.OPEN, op="enable-stats")


def inspecting(look: Observation, names: Names, *, phase: str, stage: Stage, seconds: float) -> Iterator[AgentStep]:
    """Yield the step that looks at what is no event, if there is any; `seconds` is how long it waits for records."""
    asked = [*_records(look, names), *_state(look, names)]
    if asked:
        items = [item for item, _ in asked]
        inspected = tuple(one for _, one in asked)
        what = ", ".join(dict.fromkeys(one.kind for one in inspected))
        args = {"items": items, "seconds": seconds}
        yield AgentStep(stage=stage, op="inspect", what=what, phase=phase, args=args, look=Look(inspected=inspected))


def _records(look: Observation, names: Names) -> Iterator[tuple[dict[str, Any], Inspected]]:
    for name, asked in look.records.items():
        owner, of_map = names.placed(MAPS, name)
        one = _compared("records", name, asked)
        item = {"kind": "records", "object": owner, "map": of_map, "count": _awaited(one)}
        if isinstance(asked, RecordsLook):
            if asked.record is not None:
                item["record"] = asked.record if isinstance(asked.record, str) else dict(asked.record)
            if asked.of_trigger is not None:
                item["of_trigger"] = asked.of_trigger
        yield item, one
    if look.printk is not None:
        one = _compared("printk", "", look.printk)
        of_trigger = {"of_trigger": "pid"} if isinstance(look.printk, PrintedLook) and look.printk.of_trigger else {}
        yield {"kind": "printk", "count": _awaited(one), **of_trigger}, one


def _state(look: Observation, names: Names) -> Iterator[tuple[dict[str, Any], Inspected]]:
    for name, value in look.globals.items():
        owner, path = names.placed(VARIABLES, name)
        yield {"kind": "global", "object": owner, "path": path}, Inspected(kind="global", name=name, wanted=(value,))
    for name, contents in look.maps.items():
        owner, of_map = names.placed(MAPS, name)
        yield {"kind": "map", "object": owner, "map": of_map}, _contents(name, contents)
    for name, count in look.runs.items():
        owner, program = names.placed(PROGRAMS, name)
        wanted = _number(count)
        yield {"kind": "runs", "object": owner, "program": program}, Inspected(kind="runs", name=name, wanted=(wanted,))


def _compared(kind: str, name: str, asked: Any) -> Inspected:
    """Return how records are compared: a number stands for that many of any kind."""
    how, wanted = asked.compared() if isinstance(asked, HowMuch) else ("exactly", asked)
    patterns = [{}] * wanted if isinstance(wanted, int) else [_pattern(each) for each in wanted]
    return Inspected(kind=kind, name=name, how=how, wanted=tuple(patterns))


def _pattern(written: Any) -> dict[str, Any]:
    return {"text": {MATCHES: written}} if isinstance(written, str) else dict(written)


def _awaited(one: Inspected) -> int:
    return 0 if one.how == "none" else len(one.wanted)


def _contents(name: str, contents: Any) -> Inspected:
    if isinstance(contents, int | AtLeast):
        return Inspected(kind="map", name=name, how="count", wanted=(_number(contents),))
    if isinstance(contents, Mapping):
        return Inspected(kind="map", name=name, how="values", wanted=tuple((key, contents[key]) for key in contents))
    return Inspected(kind="map", name=name, how="values", wanted=tuple((each.key, each.value) for each in contents))


def _number(asked: int | AtLeast) -> Any:
    return {AT_LEAST: asked.at_least} if isinstance(asked, AtLeast) else asked
