"""What watch mode shows: the last verdict of every cell, how it changed, and whether it still counts."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.answers.explain import explain
from harness.errors import EXIT_OK
from harness.host.called_as import command
from harness.model.results import CellResult, Report, Verdict
from harness.screen.answers import print_causes
from harness.screen.grid import STYLES, WIDE
from harness.screen.lines import printable
from harness.screen.terminal import Progress

NOTHING = "-"
"""Stands where a cell has no answer yet."""
MOST_NAMED = 3
"""So many files are named of those that were saved at once."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A cell as watch mode shows it.

    `was` is the verdict of the run before, where it was another; an `old` cell is an earlier run's: something that it
    depends on was saved since, and there is no answer yet.
    """

    verdict: Verdict
    was: Verdict | None = None
    old: bool = False


Grid = Mapping[tuple[str, str], Shown]
"""Kernel and case -> cell. A cell that never had an answer is missing."""


def merged(grid: Grid, cells: Iterable[CellResult]) -> Grid:
    """Return the grid with the answers of a run in it; the cells that it did not run stay as they are."""
    found = dict(grid)
    for cell in cells:
        place = (cell.kernel, cell.case)
        before = grid.get(place)
        changed = before is not None and before.verdict != cell.verdict
        found[place] = Shown(verdict=cell.verdict, was=before.verdict if before and changed else None)
    return found


def aged(grid: Grid, cases: Collection[str]) -> Grid:
    """Return the grid as it is when a run of `cases` begins: their cells are old, and no cell has changed yet."""
    return {place: replace(shown, was=None, old=shown.old or place[1] in cases) for place, shown in grid.items()}


def cell_words(shown: Shown | None) -> str:
    """Return a cell in words: `pass`, `pass (was fail)`, `pass (old)`."""
    if shown is None:
        return NOTHING
    if shown.old:
        return f"{shown.verdict} (old)"
    return f"{shown.verdict} (was {shown.was})" if shown.was else str(shown.verdict)


def cell_text(shown: Shown | None) -> Text:
    """Return a cell in its verdict's colour, without colour where it no longer counts."""
    return Text(cell_words(shown), style="dim" if shown is None or shown.old else STYLES[shown.verdict])


def row_words(cells: Mapping[str, Shown | None]) -> str:
    """Return the cells of one kernel by case in one line.

    Each is named while they are few; else they are counted, and those that changed are named.
    """
    if len(cells) <= WIDE:
        return ", ".join(f"{case}: {cell_words(shown)}" for case, shown in cells.items())
    changed = [f"{case}: {cell_words(shown)}" for case, shown in cells.items() if shown is not None and shown.was]
    return "; ".join([", ".join(f"{count} {word}" for word, count in _counted(cells).items()), *changed])


def _counted(cells: Mapping[str, Shown | None]) -> dict[str, int]:
    counts: dict[str, int] = {}
    ordered = [
        shown for verdict in Verdict for shown in cells.values() if shown is not None and shown.verdict == verdict
    ]
    for shown in [*ordered, *(shown for shown in cells.values() if shown is None)]:
        word = cell_words(None if shown is None else replace(shown, was=None))
        counts[word] = counts.get(word, 0) + 1
    return counts


def grid_table(
    grid: Grid, *, kernels: Sequence[str], cases: Sequence[str], states: Mapping[str, str] | None = None
) -> Table:
    """Return the grid laid out, kernels as rows; `states` says what each kernel is at."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    wide = len(cases) > WIDE
    for heading in ("kernel", "state", *(["verdicts"] if wide else cases)):
        table.add_column(escape(heading), overflow="fold")
    for kernel in kernels:
        row = {case: grid.get((kernel, case)) for case in cases}
        shown = [Text(row_words(row))] if wide else [cell_text(cell) for cell in row.values()]
        table.add_row(escape(kernel), escape((states or {}).get(kernel, "")), *shown)
    return table


def named(paths: Sequence[str]) -> str:
    """Return some paths in one line: the first few, and how many there are beside them."""
    more = len(paths) - MOST_NAMED
    return ", ".join(paths[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


class WatchScreen(Progress):
    """The progress of run after run: one table that stays on a terminal, plain lines elsewhere."""

    def __init__(self, *, console: Console | None = None) -> None:
        super().__init__([], console=console)
        self._grid: Grid = {}
        self._cases: Sequence[str] = ()
        self._status = ""

    @property
    def grid(self) -> Grid:
        """The cells as they are shown now."""
        return self._grid

    @contextlib.contextmanager
    def live(self) -> Iterator[None]:
        """Keep the table on the terminal for the duration of the block."""
        with self._redrawn(self._drawn):
            yield

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Do nothing: the table of one run is that of all of them."""
        yield

    def saved(self, *, cases: Sequence[str], concerned: Collection[str], what: str) -> None:
        """Say what was saved; `cases` are all that are watched now, the cells of those `concerned` become old."""
        with self._guard:
            self._cases = list(cases)
            self._grid = aged(self._grid, concerned)
        self.status(what)

    def begun(self, kernels: Sequence[str]) -> None:
        """Say which kernels a run has that begins now; the cells of others are forgotten."""
        with self._guard:
            self._forget(kernels)
            self._grid = {
                place: shown
                for place, shown in self._grid.items()
                if place[0] in self._kernels and place[1] in self._cases
            }

    def done(self, kernel: str, cells: Sequence[CellResult], *, seconds: float, release: str) -> None:
        """Take the answers of a kernel into the table, and say them."""
        with self._guard:
            self._grid = merged(self._grid, cells)
        super().done(kernel, cells, seconds=seconds, release=release)

    def causes(self, report: Report) -> None:
        """Say what is unexpected in a run that is over: each cause once, with all the kernels that it hit."""
        if report.run.exit_code != EXIT_OK:
            print_causes(explain(report, program=command("").strip()), console=self._console)

    def _is_new(self, cell: CellResult) -> bool:  # noqa: ARG002
        """Leave it to `causes`: a run is over in seconds."""
        return False

    def status(self, text: str, *, style: str = "") -> None:
        """Say what watch mode is at: below the table on a terminal, as a line elsewhere."""
        self._status = text
        if self._live is None:
            self._console.print(Text(printable(text), style=style))

    def _summary(self, cells: Sequence[CellResult]) -> str:
        return row_words({cell.case: self._grid.get((cell.kernel, cell.case)) for cell in cells})

    def _drawn(self) -> Group:
        with self._guard:
            states = {kernel: self._at(kernel) for kernel in self._kernels}
            table = grid_table(self._grid, kernels=self._kernels, cases=self._cases, states=states)
        # The console does not wrap by itself, so that plain lines stay whole; below the table they would be cut.
        return Group(table, Text(printable(self._status), style="bold", no_wrap=False, overflow="fold"))
