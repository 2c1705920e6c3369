"""What a run shows while it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.answers.explain import cause_of
from harness.answers.seen import seen_of
from harness.judge.parts import summary_of
from harness.model.results import CellResult, Verdict
from harness.reports.text import one_line
from harness.screen.grid import summary, verdict_text
from harness.screen.lines import make_console, print_text, printable
from harness.screen.pace import At, line_of, promise, seconds_left, shown_rows, span

SILENCE = 9.0
"""After so many seconds without a line a log gets one that says what is under way; it is looked at every second."""
PATIENCE = 0.5
"""Seconds of preparation after which a terminal says what it is."""
LONGEST = 160
"""Characters of why a cell is wrong, while the run goes on; its end has all of it."""
AROUND = 4
"""Lines of a terminal that are not for rows of the table: its heading, how far all is, and the cursor's."""
NARROW = 72
"""In a terminal with fewer columns the verdicts of a kernel take the place of what it is at."""
WRONG = frozenset({Verdict.FAIL, Verdict.XPASS, Verdict.ERROR})


class Progress:
    """Tells the person at the terminal how far each kernel is. Safe to use from several threads.

    Where nothing can be drawn over (a log, a pipe, a dumb terminal) there is a line for each kernel that is over, and
    one at least every ten seconds. With `quiet` there is nothing but what belongs to no cell and is wrong. `clock`
    gives seconds.
    """

    def __init__(
        self,
        kernels: Sequence[str],
        *,
        console: Console | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or make_console()
        self._quiet = quiet
        self._clock = clock
        self._kernels = list(kernels)
        self._begun = self._said = clock()
        self._states: dict[str, At] = {}
        self._since: dict[str, float] = {}
        self._cells: dict[str, list[CellResult]] = {}
        self._took: dict[str, float] = {}
        self._causes: set[object] = set()
        self._expected: Mapping[str, float] = {}
        self._jobs = 1
        self._guard = threading.Lock()
        self._live: Live | None = None
        self._preparing = False

    def preparing(self, text: str) -> None:
        """Say what is done before any guest, where that takes long; "" where it is over."""
        waited = self._clock() - self._begun
        if self._quiet:
            return
        if not self._console.is_interactive:
            if text and self._clock() - self._said >= SILENCE:
                self.write(f"{text}, {span(waited)}")
        elif self._preparing or (text and waited >= PATIENCE):
            self._preparing = bool(text)
            said = f"{text}, {span(waited)}"[: self._console.width - 1] if text else ""
            self._console.file.write(f"\r\x1b[K{printable(said)}")
            self._console.file.flush()

    def expect(self, seconds: Mapping[str, float], *, jobs: int) -> None:
        """Take what rows took in an earlier run of the same cases, and how many run at once."""
        with self._guard:
            self._expected, self._jobs = dict(seconds), jobs

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the table on the terminal for the duration of the block."""
        with self._redrawn(self._drawn):
            yield

    @contextlib.contextmanager
    def _redrawn(self, draw: Callable[[], RenderableType]) -> Iterator[None]:
        if self._quiet or not self._console.is_interactive:
            with self._heard():
                yield
            return
        with Live(get_renderable=draw, console=self._console, refresh_per_second=4) as self._live:
            yield
        self._live = None

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        """Have a line in the log at least every ten seconds for the duration of the block."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(1.0):
                self.tick()

        thread = threading.Thread(target=watch, name="log", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def tick(self) -> None:
        """Say what is under way, if nothing was said for long and something is."""
        with self._guard:
            if self._quiet or self._clock() - self._said < SILENCE or len(self._cells) == len(self._kernels):
                return
            text = line_of(
                self._kernels, self._states, self._cells, now=self._clock(), begun=self._begun, left=self._left()
            )
        self.write(text)

    def state(self, kernel: str, text: str) -> None:
        """Say what a kernel is at: `fetching`, `booting`, ...; `compiling: 3 files`, for what takes minutes.

        Where there is no table, each step of what takes minutes is a line.
        """
        with self._guard:
            now, before = self._clock(), self._states.get(kernel)
            self._since.setdefault(kernel, now)
            same = before is not None and step_of(before.text) == step_of(text)
            self._states[kernel] = At(text=text, since=before.since if before is not None and same else now)
        if self._live is None and not same and step_of(text) not in BRIEF and not self._quiet:
            self.write(f"{kernel:<20} {step_of(text)}")

    def done(self, kernel: str, cells: Sequence[CellResult], *, seconds: float, release: str) -> None:
        """Say what came of a kernel, and what is wrong: each cause once, whatever cells it hits."""
        with self._guard:
            self._cells[kernel] = list(cells)
            self._took[kernel] = seconds
            self._states[kernel] = At(text=f"{seconds:.1f} s", since=self._clock())
            new = [cell for cell in cells if cell.verdict in WRONG and self._is_new(cell)]
        if self._quiet:
            return
        if self._live is None:
            # The release is the guest's word, which may hold anything.
            line = f"{kernel:<20} {printable(release):<32} {seconds:6.1f} s  {self._summary(cells)}"
            self.write(line if len(line) <= self._console.width else f"{kernel} {seconds:.1f} s {self._summary(cells)}")
        for cell in new:
            why = summary_of(cell.parts) if cell.parts else cell.verdict_reason
            self.note(f"{kernel} x {cell.case}: {cell.verdict}: {one_line(why, limit=LONGEST)}", style="red")

    def _is_new(self, cell: CellResult) -> bool:
        """Say whether a cell's cause was not said yet; the guard is held."""
        cause = cause_of(seen_of(cell))
        known = cause in self._causes
        self._causes.add(cause)
        return not known

    def output(self, kernel: str, text: str) -> None:
        """Take what a command has written; the reports have it."""

    def write(self, line: str) -> None:
        """Write a line as it is, above the table."""
        self._said = self._clock()
        self._console.print(line, markup=False, soft_wrap=True)

    def note(self, text: str, *, style: str = "yellow") -> None:
        """Say something that belongs to no cell, in full."""
        if self._quiet and "red" not in style:
            return
        # Without the guard: whoever draws the table has the console and waits for the guard.
        self._said = self._clock()
        print_text(self._console, text, style=style, indent=4)

    def _summary(self, cells: Sequence[CellResult]) -> str:
        return summary(cells)

    def _left(self) -> float | None:
        """Return how many seconds the run may still take, None where nobody knows; the guard is held."""
        now = self._clock()
        busy = {row: now - since for row, since in self._since.items() if row not in self._cells}
        waiting = [row for row in self._kernels if row not in busy and row not in self._cells]
        return seconds_left(self._expected, took=self._took, busy=busy, waiting=waiting, jobs=self._jobs)

    def _forget(self, kernels: Sequence[str]) -> None:
        """Begin with these kernels, as if nothing had run; the guard is held."""
        self._kernels = list(kernels)
        self._states, self._since, self._cells, self._took, self._causes = {}, {}, {}, {}, set()
        self._begun = self._clock()

    def _drawn(self) -> Group:
        """Return the table, with as many rows as there is room for, and how far all of it is."""
        with self._guard:
            rows, hidden = shown_rows(self._kernels, self._states, self._cells, room=self._console.height - AROUND)
            table = Table(box=None, padding=(0, 2, 0, 0))
            narrow = self._console.width < NARROW
            longest = min(max(map(len, rows), default=0), self._console.width * 2 // 3)
            table.add_column("kernel", no_wrap=True, overflow="ellipsis", min_width=longest)
            for heading in ("state",) if narrow else ("state", "verdicts"):
                table.add_column(heading, no_wrap=True, overflow="ellipsis")
            for kernel in rows:
                at, verdicts = Text(self._at(kernel)), verdict_text(self._cells.get(kernel) or [])
                table.add_row(
                    Text(kernel), *([verdicts if kernel in self._cells else at] if narrow else [at, verdicts])
                )
            far = f"{len(self._cells)} of {len(self._kernels)} done after {span(self._clock() - self._begun)}"
            status = f"{far}{promise(self._left())}{f'; {hidden} not shown' if hidden else ''}"
        return Group(table, Text(status, style="dim", no_wrap=True, overflow="ellipsis"))

    def _at(self, kernel: str) -> str:
        """Return what a kernel is at, and for how long; the guard is held."""
        at = self._states.get(kernel)
        if at is None:
            return "waiting"
        return at.text if kernel in self._cells else f"{at.text} {self._clock() - at.since:.0f} s"


BRIEF = frozenset({"fetching", "starting", "booting", "running", "cases", "ending"})
"""What a kernel is at for seconds."""


def step_of(state: str) -> str:
    """Return which step of its work a kernel is at, without how far it is in it."""
    return state.partition(":")[0]
