"""What is known of a run beside its rows: its plan, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.facts.kernel import BuildFault
from harness.model.known_splats import KnownSplat
from harness.model.rows import Row, objects_of
from harness.model.shards import Shard
from harness.scenario.case import Case


@dataclass(frozen=True, kw_only=True)
class PlannedRow:
    """A row that was asked for, and its architecture."""

    row: Row
    arch: str

    @property
    def objects(self) -> str:
        """Which objects it has, by architecture and compiler."""
        return objects_of(self.arch, self.row)


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What a run set out to do, known when it starts.

    `id` is the name of its folder; `started` is ISO 8601 in UTC; `host` is what the reports say of the host; `accel` is
    the accelerator that was asked for, `auto` among them; `jobs` is how many guests run at once. `cases` are all that
    there are: one that has other objects on another architecture is there once for each; `cases_of` says by
    `PlannedRow.objects` which of them, as indexes in the order of the grid. `faults` are the cases that cannot be
    built, by the same; `libbpf` and `clang` are the axes that the command line named; `known_splats` are those of the
    matrix. `suite` names the suite that comes with bpfmatrix, if the cases were its, and not the project's; `own` says
    that its cases were given on the command line (`check`, `exec`). `shard` says which part of a larger run it is.
    """

    id: str
    started: str
    version: str
    command: str
    host: Mapping[str, str]
    jobs: int
    accel: str
    rows: tuple[PlannedRow, ...]
    cases: tuple[Case, ...] = ()
    cases_of: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    known_splats: tuple[KnownSplat, ...] = ()
    suite: str = ""
    own: bool = False
    faults: Mapping[str, Mapping[str, BuildFault]] = field(default_factory=dict)
    libbpf: tuple[str, ...] = ()
    clang: tuple[str, ...] = ()
    shard: Shard | None = None

    def cases_on(self, objects: str) -> list[Case]:
        """Return the cases as they are with the objects of some rows (`PlannedRow.objects`), in the grid's order."""
        return [self.cases[index] for index in self.cases_of[objects]]


def shared_cases(by_objects: Mapping[str, Sequence[Case]]) -> tuple[tuple[Case, ...], dict[str, tuple[int, ...]]]:
    """Return `cases` and `cases_of` of a plan whose cases, by `PlannedRow.objects`, are these."""
    found: list[Case] = []
    indexes: dict[str, tuple[int, ...]] = {}
    for objects, cases in by_objects.items():
        found += [case for case in cases if case not in found]
        indexes[objects] = tuple(found.index(case) for case in cases)
    return tuple(found), indexes


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """How a run ended.

    `accel` names the accelerators that guests had, and `accel_reason` says why; both are empty where none ran.
    `interrupted` says what has interrupted the run, if anything has.
    """

    seconds: float
    accel: str = ""
    accel_reason: str = ""
    notices: tuple[str, ...] = ()
    interrupted: str = ""
