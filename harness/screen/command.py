"""What `exec` shows while it runs: what the command writes, as it comes, and how far each kernel is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from rich.console import Console

from harness.model.results import CellResult
from harness.screen.lines import printable
from harness.screen.terminal import Progress


class CommandProgress(Progress):
    """As for a matrix, and with `streams` what the commands write: by whole lines, with the kernel before each.

    Of one kernel alone nothing stands before a line. While it streams there is no live table, and so without `live`.
    """

    def __init__(
        self,
        kernels: Sequence[str],
        *,
        streams: bool,
        live: bool = True,
        console: Console | None = None,
        quiet: bool = False,
    ) -> None:
        super().__init__(kernels, console=console, quiet=quiet)
        self._streams, self._table_wanted = streams, live and not streams
        self._alone = len(kernels) == 1
        self._rest: dict[str, str] = {}
        self._writing = threading.Lock()

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the table on the terminal for the duration of the block, where it is wanted."""
        drawn = self._table_wanted or not self._console.is_interactive  # a log has its lines in any case
        with super().shown() if drawn else contextlib.nullcontext():
            yield

    def output(self, kernel: str, text: str) -> None:
        """Show the lines that are whole now; the rest waits for its end."""
        if not self._streams:
            return
        with self._writing:
            *lines, self._rest[kernel] = (self._rest.get(kernel, "") + text).split("\n")
            self._write(kernel, lines)

    def done(self, kernel: str, cells: Sequence[CellResult], *, seconds: float, release: str) -> None:
        """Show what is left of the output, and what came of the kernel."""
        with self._writing:
            rest = self._rest.pop(kernel, "")
            self._write(kernel, [rest] if rest else [])
        super().done(kernel, cells, seconds=seconds, release=release)

    def _write(self, kernel: str, lines: Sequence[str]) -> None:
        before = "" if self._alone else f"{kernel}: "
        for line in lines:
            self.write(f"{before}{printable(line)}")
