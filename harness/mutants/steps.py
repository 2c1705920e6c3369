"""Mutants of steps: a step is left out but reports success, or is done with another program, function or slot.

The judge compares the steps that were reported with those of the case, so a step that is simply missing would always be
noticed, whatever the case looks at. Here a step that is left out is still reported, with what it should have found, and
whatever else needs it is left out with it. Only what the kernel shows afterwards counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.mutants.elf import Function
from harness.mutants.programs import representatives
from harness.scenario.case import AgentStep

LOOKS = frozenset({"observe", "read-trace", "inspect", "info"})
"""Steps that show something of what came before them."""
NEVER_LEFT_OUT = frozenset(
    {"make", "open", "load", "load-raw", "listen", "listen-records", "listen-printk", "wait", *LOOKS}
)
"""Without these nothing that follows can be asked, nothing is looked at any more, or it is looked at too early."""
SOCKET_KINDS = frozenset({"socket", "sk_reuseport"})
"""Programs that the agent attaches to sockets which the trigger `socket-send` needs."""

Programs = Mapping[str, Sequence[Function]]
"""The functions of each object of a case, by the object's name."""
Changes = dict[int, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Script:
    """The steps of a case as far as they are of use: `reached` is how many of them the case gets to.

    `programs` are those of the objects that are loaded by then: of no other does any program run.
    """

    steps: Sequence[AgentStep]
    programs: Programs
    reached: int

    def section(self, owner: str, name: str) -> str:
        """Return the section of a program, or "" where the object has no such program."""
        return next((one.section for one in self.programs.get(owner, ()) if one.name == name), "")

    def kind(self, owner: str, name: str) -> str:
        """Return what a program's section says it is."""
        return self.section(owner, name).split("/", 1)[0]

    def others(self, owner: str, name: str) -> list[str]:
        """Return the other programs of an object that are of the same kind."""
        kind = self.kind(owner, name)
        return [one.name for one in self.programs.get(owner, ()) if kind and one.kind == kind and one.name != name]


def step_mutants(script: Script) -> Iterator[tuple[str, Changes]]:
    """Yield the mutants of a case's steps as (what is changed, keys of the job's steps to set, by index)."""
    kept = _representatives(script)
    for index in range(script.reached):
        step = script.steps[index]
        if index not in kept or step.refused or not _looked_at(script, index):
            continue
        if step.op == "share-map" and step.args["object"] not in script.programs:
            continue
        name = _name(script, index)
        if step.op not in NEVER_LEFT_OUT:
            yield f"{name}: left out", left_out(script, index)
        for what, keys in _done_otherwise(script, step):
            yield f"{name}: {what}", {index: keys}


def _name(script: Script, index: int) -> str:
    """Return a step's name, with its number among those of the same name."""
    name, before = _words(script.steps[index]), script.steps[:index]
    number = 1 + sum(_words(step) == name for step in before)
    return name if number == 1 else f"{name} #{number}"


def _words(step: AgentStep) -> str:
    owner = step.args.get("object", "")
    what = f"{owner}.{step.what}" if owner else step.what
    return f"{step.op} {what}".strip()


def _representatives(script: Script) -> set[int]:
    """Return the steps without those that others stand for: many in a row that differ only in their number."""
    kept: set[int] = set()
    run: list[int] = []

    def close() -> None:
        named = [Function(name=script.steps[index].what, section="", place=index, code=()) for index in run]
        kept.update(one.place for one in representatives(named))
        run.clear()

    for index, step in enumerate(script.steps):
        if run and (step.op, step.args.get("object")) != (
            script.steps[run[-1]].op,
            script.steps[run[-1]].args.get("object"),
        ):
            close()
        run.append(index)
    close()
    return kept


def _looked_at(script: Script, index: int) -> bool:
    """Return whether anything after a step shows something: a look, a result, a step that may be refused."""
    return any(
        step.op in LOOKS or step.retval is not None or step.refused or step.op == "attach"
        for step in script.steps[index + 1 :]
    ) or (script.steps[index].op == "trigger" and script.steps[index].retval is not None)


def left_out(script: Script, index: int) -> Changes:
    """Return the changes that leave a step out, and with it the steps that need it to have been done."""
    step = script.steps[index]
    changes: Changes = {index: {"skip": pretended(step)}}
    if step.op != "attach":
        return changes
    link, owner, program = _link(step), str(step.args["object"]), str(step.args["program"])
    for later in range(index + 1, len(script.steps)):
        other = script.steps[later]
        if other.op == "attach" and _link(other) == link:
            break
        args = other.args
        needs = (
            (other.op in ("detach", "info") and args.get("link") == link)
            or (args.get("kind") == "read-iterator" and args.get("program") == f"{owner}.{program}")
            or (args.get("name") == "socket-send" and script.kind(owner, program) in SOCKET_KINDS)
        )
        if needs:
            changes[later] = {"skip": pretended(other)}
    return changes


def pretended(step: AgentStep) -> dict[str, Any]:
    """Return what the agent would report of a step that did what the case says."""
    if step.op == "info":
        texts = {name: value for name, value in step.fields.items() if isinstance(value, str)}
        info = {name: 1 if name in texts else value for name, value in step.fields.items()}
        info.update({name: value[1:] for name, value in texts.items() if value.startswith("=")})
        programs: dict[str, dict[str, int]] = {}
        for program, _, field in (value.partition(":") for value in texts.values() if not value.startswith("=")):
            programs.setdefault(program, {})[field] = 1
        return {"info": info, "ids": dict.fromkeys(texts.values(), 1), "programs": programs}
    if step.op != "trigger":
        return {}
    if step.args.get("kind") == "tcp-connect":
        address = step.args["address"]
        return {"ends": {"client": [address, 1], "server": [address, 2]}}
    if step.waits:
        return {"exit": step.exit or 0, "signal": None, "timed_out": False, "bytes": 0, "cut": 0, "child": 1}
    if "arrive" in step.args:
        return {"arrived": step.args["count"] if step.arrived is None else step.arrived, "of": step.args["count"]}
    return {"retval": step.retval or 0} if step.args.get("kind") == "run" else {}


def _link(step: AgentStep) -> str:
    return str(step.args.get("link", step.args["program"]))


def _done_otherwise(script: Script, step: AgentStep) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield other ways to do a step: (what, keys of the job's step)."""
    args = step.args
    if step.op == "attach":
        for other in script.others(args["object"], args["program"])[:1]:
            yield f"attaches {other} instead", {"program": other, "link": _link(step)}
    elif step.op == "set-attach-target":
        yield from _another_target(script, args)
    elif step.op == "tail-call" and args["program"]:
        for other in script.others(args["program_object"], args["program"])[:1]:
            yield f"puts {other} into the slot instead", {"program": other}
        yield "fills the next slot instead", {"index": args["index"] + 1}
    elif step.op == "trigger" and args.get("kind") == "run":
        owner, name = args["program"].split(".")
        for other in script.others(owner, name)[:1]:
            yield f"runs {other} instead", {"program": f"{owner}.{other}"}


def _another_target(script: Script, args: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    owner, target, function = args["target_object"], args["target"], args["function"]
    for other in script.others(owner, target)[:1]:
        yield f"traces {other} instead", {"target": other, "function": other}
    inner = [one.name for one in script.programs.get(owner, ()) if one.section == ".text" and one.name != function]
    if function != target:
        inner = [target, *inner]
    for other in inner[:1]:
        yield f"traces the function {other} of {target} instead", {"function": other}
