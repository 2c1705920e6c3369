"""What the steps of a written case are made of: what it says, and what its objects have. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.config.case import WrittenCase
from harness.config.steps import Observation, ObserveStep
from harness.scenario.inspected import Names
from harness.scenario.sections import section_of

TARGET = "target"
"""The object that is traced or replaced; its maps carry the events and the trace, if it has them."""
TRACER = "tracer"
"""The object with the tracers, in the usual order."""
OWN = "own"
"""What `share` says of a map that an object keeps to itself."""


@dataclass(frozen=True, kw_only=True)
class Carriers:
    """The objects whose maps carry the events and the trace (harness/supply/names.py finds them in built objects).

    `trace_maps` has the maps of the trace, of each object that has one; `names` the names that each object has, as
    `Names` takes them, `sections` the section of each program, and `maps_of_programs` the struct_ops variables.
    """

    events_in: str = TARGET
    trace_in: str = TARGET
    trace_maps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, Collection[str]]] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    maps_of_programs: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    def shared_by(self, name: str, *, loaded: Collection[str]) -> tuple[str, ...]:
        """Return the maps that an object shares unasked: those of the trace, once the object that is read is loaded."""
        if name == self.trace_in or self.trace_in not in loaded or self.trace_in not in self.trace_maps:
            return ()
        return self.trace_maps.get(name, ())


UNSEEN = Carriers()
"""Those of a case whose objects nobody has looked into."""


def numbered(name: str, times: int | None, *, first: int = 1) -> list[str]:
    """Return the name itself, or that many names with numbers behind them."""
    return [name] if times is None else [f"{name}_{number}" for number in range(first, first + times)]


def variable_of(programs: Mapping[str, Sequence[str]], name: str) -> str | None:
    """Return the struct_ops variable of an object that `name` is, or that has a program of that name; None if none.

    `programs` are those of each variable.
    """
    if programs.get(name):
        return name
    return next((variable for variable, own in programs.items() if name in own), None)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What the steps are made of."""

    written: WrittenCase
    carriers: Carriers
    files: Mapping[str, str]

    @property
    def names(self) -> Names:
        """Where bare names are looked for: in the object named target first."""
        order = sorted(self.files, key=lambda name: name != TARGET)  # stable
        return Names(objects=order, of=self.carriers.names)

    def before_load(self, name: str, program: str) -> bool:
        """Whether a program's target is chosen before it is loaded."""
        section = self.carriers.sections.get(name, {}).get(program)
        return section is not None and section_of(section).before_load

    def looks(self) -> list[Observation]:
        """Return all that the case says must be seen."""
        case = self.written
        found = [case.observe, case.again.observe if case.again else None, case.control]
        found += [step.expect for step in case.steps if isinstance(step, ObserveStep)]
        return [look for look in found if look is not None]
