"""A clock that stands still while a process waits for a processor: deadlines by it hold on a busy host, too."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

LOOK_SECONDS = 0.25
"""How often it is looked up how long the process has waited: reading it takes some 0.1 ms for a QEMU."""


class RunClock:
    """The seconds of the host's monotonic clock, less those that a process has waited for a processor.

    A guest whose QEMU a busy host lets run for a tenth of the time has ten times as long for its work; one that
    hangs, sleeps or is stopped has the deadline's seconds as they are, since it waits for no processor.
    """

    def __init__(
        self, pid: int, *, proc: Path = Path("/proc"), monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._pid, self._proc, self._monotonic = pid, proc, monotonic
        self._waited, self._looked = 0.0, float("-inf")

    def __call__(self) -> float:
        """Return a time in seconds, of no particular start."""
        now = self._monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._waited = max(self._waited, waited_for_processor(self._pid, proc=self._proc))
            self._looked = now
        return now - self._waited


def waited_for_processor(pid: int, *, proc: Path = Path("/proc")) -> float:
    """Return for how many seconds that thread of a process that waited longest has waited for a processor, in all.

    The second number of `schedstat` (Documentation/scheduler/sched-stats.rst), in nanoseconds. 0 where the host's
    kernel does not say it, or the process has ended.
    """
    longest = 0
    for path in (proc / str(pid) / "task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            longest = max(longest, int(path.read_text().split()[1]))
    return longest / 1e9
