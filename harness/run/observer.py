"""Whoever watches a run: what the terminal shows, and watch mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from harness.model.results import CellResult


class Observer(Protocol):
    """Learns how far a run is. All of it may be called from several threads."""

    def shown(self) -> AbstractContextManager[None]:
        """Show it for the duration of the block, which is the whole run."""
        ...

    def preparing(self, text: str) -> None:
        """Take what is done before any guest, as `compiling for arm64: 3 of 41`; "" once that is over."""
        ...

    def expect(self, seconds: Mapping[str, float], *, jobs: int) -> None:
        """Take what rows took in an earlier run of the same cases, and how many run at once."""
        ...

    def state(self, row: str, text: str) -> None:
        """Take what a row is at: `fetching`, `booting`, `cases: 3 of 41`."""
        ...

    def done(self, row: str, cells: Sequence[CellResult], *, seconds: float, release: str) -> None:
        """Take the cells of a row that is over, how long it took, and the release that its kernel says it has."""
        ...

    def output(self, row: str, text: str) -> None:
        """Take what a command in a row's guest has written next; a part of a line, or several."""
        ...

    def note(self, text: str, *, style: str = "yellow") -> None:
        """Take something that belongs to no cell, as a sentence; `style` is that of rich."""
        ...
