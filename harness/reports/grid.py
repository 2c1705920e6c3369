"""The shape of the grid and what it says as a whole: shared by every report and by the terminal.

All functions are pure. Each of them sees the whole grid: a cell that a Report should hold and does not is
taken as `lost`, never left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.errors import EXIT_OK
from harness.model import exit_codes
from harness.model.results import (
    CellResult,
    Expectation,
    KernelResult,
    Outcome,
    OutcomeKind,
    Report,
    Verdict,
)

MOST_COLUMNS = 6
"""With more cases than this the cases become the rows, so that the grid does not grow sideways."""

SYMBOLS = {
    Verdict.PASS: "✓",
    Verdict.XFAIL: "○",
    Verdict.KNOWN_BUG: "△",
    Verdict.FAIL: "✗",
    Verdict.XPASS: "↑",
    Verdict.ANSWERED: "?",
    Verdict.ERROR: "!",
    Verdict.NOT_RUN: "–",
    Verdict.NOT_APPLICABLE: "·",
}
"""One sign per verdict, always shown with the verdict's word."""

MEANINGS = {
    Verdict.PASS: "works, as expected",
    Verdict.XFAIL: "refused, as expected and for the expected reason",
    Verdict.KNOWN_BUG: "misbehaves or crashes in a range that the case names",
    Verdict.FAIL: "did not do what the case expects",
    Verdict.XPASS: "works, though expected not to",
    Verdict.ANSWERED: "has an answer, but no rule of the case covers this kernel",
    Verdict.ERROR: "no complete answer, trouble of the harness itself, or a case that cannot be run",
    Verdict.NOT_RUN: "asked for, but the run ended before it",
    Verdict.NOT_APPLICABLE: "means nothing on this kernel",
}
"""The legend of the grid."""

_WORST_FIRST = (
    Verdict.FAIL,
    Verdict.XPASS,
    Verdict.ERROR,
    Verdict.NOT_RUN,
    Verdict.ANSWERED,
    Verdict.KNOWN_BUG,
    Verdict.XFAIL,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)

_BADNESS = {verdict: number for number, verdict in enumerate(_WORST_FIRST)}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One cell as the grid shows it: its symbol, its verdict's word, and the id of its detail on a page."""

    symbol: str
    verdict: Verdict
    anchor: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the grid: its label and a mark per column."""

    label: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """The grid as it is laid out: what is in the corner, over the columns, and in the rows."""

    corner: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def completed(report: Report) -> Report:
    """Return `report` with every cell of its grid, each that was missing added as `lost` with `error`.

    A kernel or a case that only a cell names is added too. A Report in which nothing is missing is returned as it is.
    """
    known_kernels = {kernel.name for kernel in report.kernels}
    strange_kernels = dict.fromkeys(c.kernel for c in report.cells if c.kernel not in known_kernels)
    known_cases = {case for case, _ in report.cases}
    strange_cases = {cell.case: cell.title for cell in report.cells if cell.case not in known_cases}
    kernels = (*report.kernels, *(KernelResult(name=name, arch="") for name in strange_kernels))
    cases = (*report.cases, *strange_cases.items())
    present = {(cell.kernel, cell.case) for cell in report.cells}
    missing = tuple(
        _lost(kernel=kernel.name, case=case, title=title)
        for kernel in kernels
        for case, title in cases
        if (kernel.name, case) not in present
    )
    if not (missing or strange_kernels or strange_cases):
        return report
    return replace(report, kernels=kernels, cases=cases, cells=(*report.cells, *missing))


def _lost(*, kernel: str, case: str, title: str) -> CellResult:
    reason = "the run left no result for this cell"
    return CellResult(
        kernel=kernel,
        case=case,
        title=title,
        outcome=Outcome(kind=OutcomeKind.LOST, reason=reason),
        expectation=Expectation(outcome=OutcomeKind.WORKS, reason="not known, since the result is missing"),
        verdict=Verdict.ERROR,
        verdict_reason=reason,
    )


def counts(report: Report) -> dict[Verdict, int]:
    """Return how many cells of the whole grid have each verdict; every verdict is a key."""
    cells = completed(report).cells
    found = Counter(cell.verdict for cell in cells)
    return {verdict: found[verdict] for verdict in Verdict}


def exit_code(report: Report) -> int:
    """Return the exit code that the whole grid asks for (exit_codes.py); a cell that is missing counts as lost."""
    return exit_codes.of_report(completed(report))


def headline(report: Report) -> str:
    """Return the run in one or two sentences: the size of the grid, its verdicts, its exit code's meaning."""
    report = completed(report)
    found = ", ".join(f"{count} {verdict}" for verdict, count in counts(report).items() if count)
    code = report.run.exit_code
    meaning = exit_codes.exit_meaning(code)
    if code == EXIT_OK and counts(report)[Verdict.ANSWERED]:
        meaning = "nothing came out otherwise than expected"
    return f"{size(report)}: {found or 'none'}. Exit code {code}: {meaning}."


def size(report: Report) -> str:
    """Return how large the whole grid is: `8 cells (2 kernels × 4 cases)`."""
    report = completed(report)
    cells, kernels, cases = len(report.cells), len(report.kernels), len(report.cases)
    return f"{plural(cells, 'cell')} ({plural(kernels, 'kernel')} × {plural(cases, 'case')})"


def plural(count: int, word: str) -> str:
    """Return `count` with `word`, in the plural where it is not one: `1 kernel`, `3 kernels`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def table(report: Report) -> Table:
    """Return the grid laid out: kernels as rows, or cases as rows where they are more than `MOST_COLUMNS`."""
    report = completed(report)
    marks = {
        place: Mark(symbol=SYMBOLS[cell.verdict], verdict=cell.verdict, anchor=anchor)
        for (place, cell), anchor in zip(_by_place(report).items(), anchors(report).values(), strict=True)
    }
    kernels = [kernel.name for kernel in report.kernels]
    cases = [case for case, _ in report.cases]
    if len(cases) > MOST_COLUMNS:
        rows = [Row(label=case, marks=tuple(marks[k, case] for k in kernels)) for case in cases]
        return Table(corner="case", columns=tuple(kernels), rows=tuple(rows))
    rows = [Row(label=kernel, marks=tuple(marks[kernel, c] for c in cases)) for kernel in kernels]
    return Table(corner="kernel", columns=tuple(cases), rows=tuple(rows))


def _by_place(report: Report) -> dict[tuple[str, str], CellResult]:
    """Return the cells by kernel and case, in the grid's order; of two in one place the worse one."""
    found: dict[tuple[str, str], CellResult] = {}
    for cell in sorted(report.cells, key=lambda cell: _BADNESS[cell.verdict]):
        found.setdefault((cell.kernel, cell.case), cell)
    return {(k.name, case): found[k.name, case] for k in report.kernels for case, _ in report.cases}


def cells_in_order(report: Report) -> tuple[CellResult, ...]:
    """Return one cell for each place of the grid, kernel by kernel in the order of the plan."""
    return tuple(_by_place(completed(report)).values())


def anchors(report: Report) -> dict[tuple[str, str], str]:
    """Return an id for each cell's place, `KERNEL/CASE`, unique on a page and fit for an HTML id and a URL fragment."""
    report = completed(report)
    kernels, cases = slugs(kernel.name for kernel in report.kernels), slugs(case for case, _ in report.cases)
    return {(kernel, case): f"{kernels[kernel]}/{cases[case]}" for kernel in kernels for case in cases}


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Return each name as a part of an id: each sign that is no letter, digit, `.`, `_` or `-` is a `-`; all differ."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        wanted = slug = "".join(sign if _plain(sign) else "-" for sign in name)
        number = 1
        while slug in taken:
            number += 1
            slug = f"{wanted}.{number}"
        taken.add(slug)
        found[name] = slug
    return found


def _plain(sign: str) -> bool:
    return sign.isascii() and (sign.isalnum() or sign in "._-")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of some, at least one, that most wants to be looked at."""
    return min(verdicts, key=_BADNESS.__getitem__)


def legend(report: Report) -> tuple[tuple[str, Verdict, str], ...]:
    """Return symbol, verdict and meaning of each verdict that the grid holds, in the order of the model."""
    found = counts(report)
    return tuple((SYMBOLS[v], v, MEANINGS[v]) for v in Verdict if found[v])


def _unruled(report: Report) -> str:
    """Return a sentence of the cells that are neither good nor bad, since no rule covers their kernels; "" without."""
    cells = [cell for cell in report.cells if cell.verdict is Verdict.ANSWERED]
    if not cells:
        return ""
    whose = {kernel.name: kernel.distribution for kernel in report.kernels}
    names = dict.fromkeys(f"{cell.kernel} ({whose.get(cell.kernel) or 'unknown'})" for cell in cells)
    return (
        f"{plural(len(cells), 'cell')} {'has' if len(cells) == 1 else 'have'} an answer that no rule covers, on "
        f"{', '.join(names)}: nothing is expected there until a rule says what, such as one with `distribution`"
    )


def notices(report: Report) -> tuple[str, ...]:
    """Return what the reader of any report must see first: the run's notices and those of its packages."""
    said = list(report.run.notices)
    for kernel in report.kernels:
        notice = kernel.package.notice if kernel.package else ""
        if notice and not any(notice in earlier for earlier in said):
            said.append(f"{kernel.name}: {notice}")
    said += [text] if (text := _unruled(report)) else []
    if not report.run.complete:
        unrun = counts(report)[Verdict.NOT_RUN]
        said.append(f"the run ended before its time; {plural(unrun, 'cell')} did not run")
    return tuple(said)
