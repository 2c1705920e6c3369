"""The grid of a run on a terminal: by architecture, and in whatever width there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from harness.model.results import CellResult, KernelResult, Report, Verdict
from harness.screen.lines import print_text, printable

STYLES: dict[Verdict, str] = {
    Verdict.PASS: "green",
    Verdict.XFAIL: "cyan",
    Verdict.KNOWN_BUG: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.XPASS: "bold magenta",
    Verdict.ERROR: "bold red",
    Verdict.NOT_RUN: "dim",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.ANSWERED: "blue",
}

WIDE = 4
"""With more cases than this the terminal's grid counts verdicts instead of naming each."""
GAP = 2
"""Columns between two of a table."""

Lines = Sequence[Sequence[Text]]


def summary(cells: Sequence[CellResult]) -> str:
    """Return the verdicts of some cells as plain text: the one of a single cell, else how many of each."""
    if len(cells) == 1:
        return str(cells[0].verdict)
    return ", ".join(f"{count} {verdict}" for verdict, count in counted(cells).items())


def verdict_text(cells: Sequence[CellResult]) -> Text:
    """Return the verdicts of some cells in their colours."""
    text = Text()
    for verdict, count in counted(cells).items():
        text.append(f"{'' if len(cells) == 1 else f'{count} '}{verdict} ", style=STYLES[verdict])
    return text


def counted(cells: Sequence[CellResult]) -> dict[Verdict, int]:
    """Return how many cells have each verdict that there is, in the order of the model."""
    counts = {verdict: sum(cell.verdict == verdict for cell in cells) for verdict in Verdict}
    return {verdict: count for verdict, count in counts.items() if count}


def print_grid(report: Report, *, console: Console) -> None:
    """Print the grid: kernels as rows, by architecture where there are several; cases as columns while they are few.

    In a terminal that is too narrow for that the releases are left out; where that is not enough, each kernel has lines
    of its own.
    """
    cells = {(cell.kernel, cell.case): cell for cell in report.cells}
    rows = {
        kernel.name: [cells[kernel.name, case] for case, _ in report.cases if (kernel.name, case) in cells]
        for kernel in report.kernels
    }
    for releases in (True, False):
        lines = _lines(report, rows, releases=releases)
        widths = [
            max((line[at].cell_len for line in lines if at < len(line)), default=0) for at in range(len(lines[0]))
        ]
        if sum(widths) + GAP * (len(widths) - 1) <= console.width:
            for line in lines:
                console.print(_padded(line, widths), soft_wrap=True)
            return
    _print_narrow(report, rows, console=console)


def _padded(line: Sequence[Text], widths: Sequence[int]) -> Text:
    """Return the texts of a line below each other's headings, with nothing behind the last."""
    text = Text()
    for number, part in enumerate(line):
        last = number == len(line) - 1
        text.append_text(part).append("" if last else " " * (widths[number] - part.cell_len + GAP))
    return text


def _by_architecture(report: Report) -> dict[str, list[KernelResult]]:
    """Return the kernels under the headings that they have: their architectures, "" where there is but one."""
    found: dict[str, list[KernelResult]] = {}
    several = len({kernel.arch for kernel in report.kernels}) > 1
    for kernel in report.kernels:
        found.setdefault(kernel.arch if several else "", []).append(kernel)
    return found


def _lines(report: Report, rows: Mapping[str, Sequence[CellResult]], *, releases: bool) -> Lines:
    counts = len(report.cases) > WIDE
    names = ["verdicts"] if counts else [case for case, _ in report.cases]
    headings = ["kernel", *(["release"] if releases else []), *names]
    lines = [[Text(printable(heading), style="bold") for heading in headings]]
    for arch, kernels in _by_architecture(report).items():
        if arch:
            lines.append([Text(printable(arch), style="bold")])
        for kernel in kernels:
            cells = rows[kernel.name]
            release = [Text(printable(kernel.release))] if releases else []
            verdicts = [verdict_text(cells)] if counts else [verdict_text([cell]) for cell in cells]
            lines.append([Text(printable(kernel.name)), *release, *verdicts])
    for line in lines:
        for text in line:
            text.rstrip()
    return lines


def _print_narrow(report: Report, rows: Mapping[str, Sequence[CellResult]], *, console: Console) -> None:
    counts = len(report.cases) > WIDE
    for arch, kernels in _by_architecture(report).items():
        if arch:
            print_text(console, arch, style="bold")
        for kernel in kernels:
            print_text(console, kernel.name)
            cells = rows[kernel.name]
            said = [(summary(cells), "")] if counts else [(f"{c.case}: {c.verdict}", STYLES[c.verdict]) for c in cells]
            for text, style in said:
                print_text(console, f"  {text}", style=style, indent=4)
