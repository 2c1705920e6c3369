"""What is known of a run beside its rows: its plan, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.facts.kernel import BuildFault
from harness.model.rows import Row


@dataclass(frozen=True, kw_only=True)
class PlannedRow:
    """A row that was asked for, and its architecture."""

    row: Row
    arch: str


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What a run set out to do, known when it starts.

    `id` is the name of its folder; `started` is ISO 8601 in UTC; `host` is what the reports say of the host; `accel` is
    the accelerator that was asked for, `auto` among them; `jobs` is how many guests run at once. `faults` are the cases
    that cannot be built, by architecture.
    """

    id: str
    started: str
    version: str
    command: str
    host: Mapping[str, str]
    jobs: int
    accel: str
    rows: tuple[PlannedRow, ...]
    faults: Mapping[str, Mapping[str, BuildFault]] = field(default_factory=dict)


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
