"""How a command ends: what each exit code means, which one wins, and what a cell asks for. Pure.

The numbers are in errors.py, since each error has one of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE
from harness.model.results import CellResult, Report, Verdict

PRECEDENCE = (EXIT_HARNESS, EXIT_USAGE, EXIT_UNEXPECTED, EXIT_OK)
"""Which exit code wins where a run asks for several: what may have made the others wrong comes first."""

EXIT_MEANINGS = {
    EXIT_OK: "every cell came out as its case expects",
    EXIT_UNEXPECTED: "something came out otherwise than expected",
    EXIT_USAGE: "wrong usage, configuration or inputs",
    EXIT_HARNESS: "not every cell has an answer, or the harness or its host failed",
}
"""What the exit code of a run says about it."""

_OF_VERDICTS = {
    Verdict.PASS: EXIT_OK,
    Verdict.XFAIL: EXIT_OK,
    Verdict.KNOWN_BUG: EXIT_OK,
    Verdict.NOT_APPLICABLE: EXIT_OK,
    Verdict.ANSWERED: EXIT_OK,
    Verdict.FAIL: EXIT_UNEXPECTED,
    Verdict.XPASS: EXIT_UNEXPECTED,
    Verdict.ERROR: EXIT_HARNESS,
    Verdict.NOT_RUN: EXIT_HARNESS,
}


def worst(codes: Iterable[int]) -> int:
    """Return the one of some exit codes that wins; 0 without any."""
    return min(codes, key=PRECEDENCE.index, default=EXIT_OK)


def of_cell(cell: CellResult) -> int:
    """Return the exit code that one cell asks for.

    A cell without an answer is the user's (2) where the user's input is why: a source that does not compile, a
    mistake in the case. Every other one is ours or the host's (3).
    """
    if cell.verdict is Verdict.ERROR and cell.outcome.wrong_input:
        return EXIT_USAGE
    return _OF_VERDICTS[cell.verdict]


def of_report(report: Report) -> int:
    """Return the exit code that a run asks for; `report` has every cell of its grid.

    A kernel with problems that no cell carries asks for 1, a run that is not complete for 3. `report.run.exit_code`
    is not looked at.
    """
    codes = {of_cell(cell) for cell in report.cells}
    if any(kernel.problems for kernel in report.kernels):
        codes.add(EXIT_UNEXPECTED)
    if not report.run.complete:
        codes.add(EXIT_HARNESS)
    return worst(codes)


def exit_meaning(code: int) -> str:
    """Return what exit code `code` means, as a clause without a full stop."""
    return EXIT_MEANINGS.get(code, "no exit code of bpfmatrix")
