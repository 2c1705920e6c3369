"""In which order rows are run: those that took longest the last time first, so that none is alone at the end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from harness.errors import ConfigError
from harness.model.phases import Phase


class Named(Protocol):
    """What is run, by a name."""

    @property
    def name(self) -> str:
        """Its name in reports."""


Row = TypeVar("Row", bound=Named)


def longest_first(rows: Sequence[Row], seconds: Mapping[str, float]) -> list[Row]:
    """Return the rows, longest first by `seconds` of each name; those without a time come before all."""
    return sorted(rows, key=lambda row: -seconds.get(row.name, math.inf))


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """The last run: how many seconds each row's guests took, by its name, and which cases it had."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    cases: frozenset[str] = frozenset()

    def expected(self, cases: Iterable[str]) -> Mapping[str, float]:
        """Return what each row takes to run these cases: what it took, if they were the same; else nothing is known."""
        return self.seconds if self.cases == frozenset(cases) else {}


def last_run(results: Path) -> LastRun:
    """Return the last run below `results`, an empty one where there is none.

    Only the order and what is shown depend on it, so a report that cannot be read is no trouble.
    """
    from harness.reports.json_report import parse  # noqa: PLC0415  a run of one kernel starts its guest without it

    try:
        report = parse((results / "latest" / "report.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ConfigError):
        return LastRun()
    return LastRun(
        seconds={
            kernel.name: kernel.seconds[Phase.TOTAL] - kernel.seconds.get(Phase.FETCH, 0.0)
            for kernel in report.kernels
            if Phase.TOTAL in kernel.seconds
        },
        cases=frozenset(case for case, _ in report.cases),
    )
