"""In which order rows are run: those that took longest the last time first, so that none is alone at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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


def last_seconds(results: Path) -> dict[str, float]:
    """Return how many seconds each row's guests took in the last run below `results`; {} where that is not known.

    Only the order depends on it, so a report that cannot be read is no trouble.
    """
    from harness.reports.json_report import parse  # noqa: PLC0415  a run of one kernel starts its guest without it

    try:
        kernels = parse((results / "latest" / "report.json").read_text(encoding="utf-8")).kernels
    except (OSError, UnicodeDecodeError, ConfigError):
        return {}
    return {
        kernel.name: kernel.seconds[Phase.TOTAL] - kernel.seconds.get(Phase.FETCH, 0.0)
        for kernel in kernels
        if Phase.TOTAL in kernel.seconds
    }
