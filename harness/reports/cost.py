"""What a run cost: each kernel's phases and cases, the slowest cases, and what the verifier did. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.model.measures import INSTRUCTIONS, JITED, LIMIT, PEAK_STATES
from harness.model.phases import Phase
from harness.model.results import CellResult, Report
from harness.reports import grid, wording
from harness.reports.programs import Program, programs_of

MOST_CASES = 5
"""How many of the slowest cases are named."""
MOST_PROGRAMS = 50
"""How many programs are named, those that are nearest to their kernels' limits."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """A small table: its columns, and rows of as many texts; `more` is how many rows are left out."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


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


def by_program(report: Report) -> Costs:
    """Return what each program needed: over which range of its kernels, and where it came nearest to the limit.

    Those nearest to their kernel's limit come first. A number that no kernel gave is a `-`.
    """
    found: dict[tuple[str, str], list[Program]] = {}
    for program in programs_of(report):
        if program.accepted:
            found.setdefault((program.case, program.name), []).append(program)
    ranked = sorted(found.items(), key=lambda item: _need(_worst(item[1])), reverse=True)
    rows = tuple((case, name, *_needs(programs)) for (case, name), programs in ranked[:MOST_PROGRAMS])
    columns = ("case", "program", "kernels", "instructions", "most on", "of its limit", "peak states", "JITed bytes")
    return Costs(columns=columns, rows=rows, more=max(len(found) - MOST_PROGRAMS, 0))


def _needs(programs: list[Program]) -> tuple[str, ...]:
    worst = _worst(programs)
    share, limit = worst.share, worst.measured.get(LIMIT)
    return (
        str(len(programs)),
        _range(programs, INSTRUCTIONS),
        worst.kernel,
        "not known" if share is None else f"{share:.1%} of {limit}",
        _range(programs, PEAK_STATES),
        _range(programs, JITED),
    )


def _worst(programs: list[Program]) -> Program:
    return max(programs, key=_need)


def _need(program: Program) -> tuple[float, int]:
    """Return how much a program needs: of its kernel's limit, where that is known, and in instructions."""
    return program.share or 0.0, program.measured.get(INSTRUCTIONS, 0)


def _range(programs: list[Program], measure: str) -> str:
    known = [program.measured[measure] for program in programs if measure in program.measured]
    if not known:
        return "-"
    return str(min(known)) if min(known) == max(known) else f"{min(known)} to {max(known)}"


def _sum(cells: Iterable[CellResult]) -> str:
    """Return the seconds of some cells and how many they are; one whose seconds are not known counts for none."""
    known = [cell.outcome.seconds for cell in cells if cell.outcome.seconds is not None]
    return f"{wording.duration(math.fsum(known))} ({len(known)})" if known else "-"
