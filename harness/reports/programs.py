"""What each program of a report needed on each kernel: for tables, and for veristat. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.model.measures import INSTRUCTIONS, LIMIT
from harness.model.results import CellResult, OutcomeKind, PartResult, Report, Stage
from harness.reports import grid

LOADING = (Stage.LOAD_TARGET, Stage.LOAD_TRACER)
"""The stages at which a kernel refuses programs."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program on one row, and what was measured of it (measures.py): nothing where the kernel has refused it.

    `case` is the case's id; `name` is the program's, behind that of its object where the case has several.
    """

    kernel: str
    case: str
    name: str
    measured: Mapping[str, int] = field(default_factory=dict)
    accepted: bool = True

    @property
    def share(self) -> float | None:
        """Its instructions as a part of the kernel's own limit, None where one of the two is not known."""
        count, limit = self.measured.get(INSTRUCTIONS), self.measured.get(LIMIT)
        return count / limit if count is not None and limit else None


def programs_of(report: Report) -> Iterator[Program]:
    """Yield each program of a report of which a kernel has said what it needs, or that it refuses it, row by row."""
    for cell in grid.cells_in_order(report):
        for name, measured in cell.outcome.programs.items():
            yield Program(kernel=cell.kernel, case=cell.case, name=name, measured=measured)
        for part in cell.parts:
            yield from _of_part(cell, part)


def _of_part(cell: CellResult, part: PartResult) -> Iterator[Program]:
    """Yield the program that a part is; a part that is several of them, or a test, is none."""
    outcome = part.outcome
    if INSTRUCTIONS in outcome.measured:
        yield Program(kernel=cell.kernel, case=cell.case, name=part.name, measured=outcome.measured)
    elif part.about and outcome.kind is OutcomeKind.REFUSED and outcome.stage in LOADING:
        yield Program(kernel=cell.kernel, case=cell.case, name=part.name, accepted=False)
