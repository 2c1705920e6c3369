"""What a run cost: each kernel's phases and cases, and the slowest cases. Pure, in seconds until it is laid out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.model.phases import Phase
from harness.model.results import CellResult, Report
from harness.reports import grid, wording

MOST_CASES = 5
"""How many of the slowest cases are named."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """A small table: its columns, and rows of as many texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def by_kernel(report: Report) -> Costs:
    """Return each kernel's seconds by phase, and what the cases of its shared guest and the isolated ones add up to.

    A phase that no kernel has is no column.
    """
    phases = [phase for phase in Phase if any(phase in kernel.seconds for kernel in report.kernels)]
    cells = grid.cells_in_order(report)
    rows = []
    for kernel in report.kernels:
        own = [cell for cell in cells if cell.kernel == kernel.name]
        shared = _sum(cell for cell in own if not cell.isolated)
        isolated = _sum(cell for cell in own if cell.isolated)
        rows.append((kernel.name, *(wording.duration(kernel.seconds.get(phase)) for phase in phases), shared, isolated))
    return Costs(columns=("kernel", *map(str, phases), "cases sharing a guest", "isolated cases"), rows=tuple(rows))


def slowest(report: Report) -> Costs:
    """Return the cases that took longest, added up over all kernels, each with the kernel that took longest for it."""
    took: dict[str, list[tuple[float, str]]] = {}
    for cell in grid.cells_in_order(report):
        if cell.outcome.seconds is not None:
            took.setdefault(cell.case, []).append((cell.outcome.seconds, cell.kernel))
    ranked = sorted(took.items(), key=lambda item: -math.fsum(seconds for seconds, _ in item[1]))
    rows = []
    for case, parts in ranked[:MOST_CASES]:
        most, kernel = max(parts, key=lambda part: part[0])
        total = wording.duration(math.fsum(seconds for seconds, _ in parts))
        rows.append((case, total, grid.plural(len(parts), "kernel"), wording.duration(most), kernel))
    return Costs(columns=("case", "all kernels", "ran on", "at most", "on"), rows=tuple(rows))


def _sum(cells: Iterable[CellResult]) -> str:
    """Return the seconds of some cells and how many they are; one whose seconds are not known counts for none."""
    known = [cell.outcome.seconds for cell in cells if cell.outcome.seconds is not None]
    return f"{wording.duration(math.fsum(known))} ({len(known)})" if known else "-"
