"""What reports say of each thing that was tried: where it was tried, and what was seen there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.judge.parts import WORST_FIRST
from harness.model.results import (
    INCOMPLETE,
    UNEXPECTED,
    CellResult,
    Mark,
    Origin,
    Outcome,
    OutcomeKind,
    PartResult,
    Report,
    Stage,
    Verdict,
)

_NUMBERS = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\b\d+\b", re.IGNORECASE)
"""What differs between two deaths of the same cause: addresses, process ids, line numbers, times."""


class Place(NamedTuple):
    """Where something was tried: a row of the grid, a case, and a sub-result of their cell ("" for the cell itself)."""

    kernel: str
    case: str
    part: str = ""

    @property
    def what(self) -> str:
        """What was tried there: the case, or a sub-result of it."""
        return f"{self.case}: {self.part}" if self.part else self.case


class Signature(NamedTuple):
    """What the kernel did, without what differs each time: two runs of the same cause have the same one."""

    kind: OutcomeKind
    stage: Stage | None = None
    errno: str = ""
    origin: Origin | None = None
    refusal: str = ""
    step: str = ""
    complaint: str = ""
    differences: tuple[tuple[str, str, str, str], ...] = ()
    cause: str = ""
    mark: Mark | None = None
    over: tuple[tuple[str, str], ...] = ()


class Seen(NamedTuple):
    """What was seen in one place."""

    verdict: Verdict
    outcome: Outcome
    reason: str
    has_parts: bool = False

    @property
    def has_answer(self) -> bool:
        """Whether there is an answer: the kernel's own, or that the case means nothing on it."""
        return self.verdict not in INCOMPLETE

    @property
    def is_wrong(self) -> bool:
        """Whether the kernel did something else than the case says."""
        return self.verdict in UNEXPECTED


def seen_in(report: Report) -> dict[Place, Seen]:
    """Return what a report says of each cell, and of each sub-result, in its order.

    Of two in one place, which no run leaves, the worse one counts, as in the grid.
    """
    found = dict(_of_cells(report.cells))
    if len(found) == sum(1 + len(cell.parts) for cell in report.cells):
        return found
    for place, seen in _of_cells(report.cells):
        found[place] = min(found[place], seen, key=lambda each: WORST_FIRST.index(each.verdict))
    return found


def _of_cells(cells: tuple[CellResult, ...]) -> Iterator[tuple[Place, Seen]]:
    for cell in cells:
        yield Place(cell.kernel, cell.case), seen_of(cell, has_parts=bool(cell.parts))
        for part in cell.parts:
            yield Place(cell.kernel, cell.case, part.name), seen_of(part)


def seen_of(judged: CellResult | PartResult, *, has_parts: bool = False) -> Seen:
    """Return what was seen in a cell, or in a sub-result."""
    return Seen(judged.verdict, judged.outcome, judged.verdict_reason, has_parts)


def signature_of(outcome: Outcome) -> Signature:
    """Return what an outcome has in common with others of the same cause."""
    return Signature(
        kind=outcome.kind,
        stage=outcome.stage,
        errno=outcome.errno_name or (str(outcome.errno) if outcome.errno else ""),
        origin=outcome.origin,
        refusal=outcome.refusal,
        step=outcome.step,
        complaint=_complaint(outcome),
        differences=()
        if not outcome.differences
        else tuple(
            (each.step, str(each.kind), each.of, str(each.seen) if isinstance(each.seen, int | str) else "")
            for each in outcome.differences
        ),
        cause=f"{outcome.cause} {outcome.cause_name}".strip(),
        mark=None if outcome.mark is Mark.NOT_MEASURED else outcome.mark,  # the budget's, not the kernel's
        over=tuple((each.program, each.measure) for each in outcome.over_budget),
    )


def _complaint(outcome: Outcome) -> str:
    """Return the first line of what the kernel complained about or died of, without its numbers."""
    said = outcome.crash or outcome.reset or next(iter(outcome.counted_splats), "")
    return without_numbers(next(iter(said.strip().splitlines()), "")) if said else ""


def without_numbers(text: str) -> str:
    """Return a line of a log with each number and address as `N`: what two logs of the same cause have in common."""
    return _NUMBERS.sub("N", text)
