"""What a run shows while it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.judge.parts import summary_of
from harness.model.results import UNEXPECTED, CellResult, Report, Verdict

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

NOT_A_TERMINAL = 200
"""Columns where the output goes to a file or a pipe: wide enough that nothing is wrapped."""

WIDE = 4
"""With more cases than this the terminal's grid counts verdicts instead of naming each."""


def make_console() -> Console:
    """Return the console of a command: as wide as the terminal, and wide where there is none."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=NOT_A_TERMINAL)


class Progress:
    """Tells the person at the terminal how far each kernel is. Safe to use from several threads."""

    def __init__(self, kernels: Sequence[str], *, console: Console | None = None) -> None:
        self._console = console or make_console()
        self._kernels = list(kernels)
        self._states: dict[str, tuple[str, float]] = {}
        self._cells: dict[str, list[CellResult]] = {}
        self._guard = threading.Lock()
        self._live: Live | None = None

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the table on the terminal for the duration of the block."""
        with self._redrawn(self._table):
            yield

    @contextlib.contextmanager
    def _redrawn(self, draw: Callable[[], RenderableType]) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with Live(get_renderable=draw, console=self._console, refresh_per_second=4) as self._live:
            yield
        self._live = None

    def state(self, kernel: str, text: str) -> None:
        """Say what a kernel is at: `fetching`, `booting`, ...; `compiling: 3 files`, for what takes minutes.

        Where there is no table, each step of what takes minutes is a line.
        """
        with self._guard:
            before, since = self._states.get(kernel, ("", 0.0))
            same = step_of(before) == step_of(text)
            self._states[kernel] = (text, since if same else time.monotonic())
        if self._live is None and not same and step_of(text) not in BRIEF:
            self._console.print(f"{kernel:<20} {step_of(text)}", markup=False)

    def done(self, kernel: str, cells: Sequence[CellResult], *, seconds: float, release: str) -> None:
        """Say what came of a kernel."""
        with self._guard:
            self._cells[kernel] = list(cells)
            self._states[kernel] = (f"{seconds:.1f} s", time.monotonic())
        if self._live is None:
            # The release is the guest's word, which may hold anything.
            line = f"{kernel:<20} {printable(release):<32} {seconds:6.1f} s  {self._summary(cells)}"
            self._console.print(line, markup=False)
        for cell in cells:
            if cell.verdict in UNEXPECTED or cell.verdict == Verdict.ERROR:
                why = summary_of(cell.parts) if cell.parts else cell.verdict_reason
                self.note(f"{kernel} x {cell.case}: {cell.verdict}: {why}", style="red")

    def output(self, kernel: str, text: str) -> None:
        """Take what a command has written; the reports have it."""

    def write(self, line: str) -> None:
        """Write a line as it is, above the table."""
        self._console.print(line, markup=False, soft_wrap=True)

    def note(self, text: str, *, style: str = "yellow") -> None:
        """Say something that belongs to no cell, in full."""
        # Without the guard: whoever draws the table has the console and waits for the guard.
        self._console.print(Text(printable(text), style=style), soft_wrap=True)

    def _summary(self, cells: Sequence[CellResult]) -> str:
        return summary(cells)

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("kernel", "state", "verdicts"):
            table.add_column(heading)
        with self._guard:
            for kernel in self._kernels:
                table.add_row(kernel, self._at(kernel), verdict_text(self._cells.get(kernel) or []))
        return table

    def _at(self, kernel: str) -> str:
        """Return what a kernel is at, and for how long; the guard is held."""
        state, since = self._states.get(kernel, ("waiting", time.monotonic()))
        busy = kernel not in self._cells and state != "waiting"
        return f"{state} {time.monotonic() - since:.0f} s" if busy else state


BRIEF = frozenset({"fetching", "booting", "running"})
"""What a kernel is at for seconds."""


def step_of(state: str) -> str:
    """Return which step of its work a kernel is at, without how far it is in it."""
    return state.partition(":")[0]


def printable(text: str) -> str:
    """Return a text without the control characters that a terminal would obey; newlines and tabs stay."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)


def summary(cells: Sequence[CellResult]) -> str:
    """Return the verdicts of some cells as plain text: the one of a single cell, else how many of each."""
    if len(cells) == 1:
        return str(cells[0].verdict)
    counts = {verdict: sum(cell.verdict == verdict for cell in cells) for verdict in Verdict}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


def verdict_text(cells: Sequence[CellResult]) -> Text:
    """Return the verdicts of some cells in their colours."""
    text = Text()
    for verdict in Verdict:
        count = sum(cell.verdict == verdict for cell in cells)
        if count:
            text.append(f"{'' if len(cells) == 1 else f'{count} '}{verdict} ", style=STYLES[verdict])
    return text


def print_grid(report: Report, *, console: Console) -> None:
    """Print the grid: kernels as rows, cases as columns."""
    wide = len(report.cases) > WIDE
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("kernel", "release", *([] if wide else [case for case, _ in report.cases]), *(["verdicts"] * wide)):
        table.add_column(heading, overflow="fold")
    for kernel in report.kernels:
        cells = [report.cell(kernel.name, case) for case, _ in report.cases]
        verdicts = [verdict_text(cells)] if wide else [verdict_text([cell]) for cell in cells]
        table.add_row(escape(kernel.name), escape(printable(kernel.release)), *verdicts)
    console.print(table)
