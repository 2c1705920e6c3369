"""Signals that end a run, as errors: what is under way is ended by way of all `finally`, and reports are written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from harness.errors import InterruptedRunError


@contextlib.contextmanager
def signals_as_errors() -> Iterator[list[str]]:
    """Turn signals that end a run into errors for the duration of the block (main thread only).

    SIGINT, too: a shell starts its background jobs with that signal ignored, and then Python does not handle it.
    Gives a list to which the names of those that came are added, for whoever may have missed the error.
    """
    came: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(signal.Signals(number).name)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise InterruptedRunError(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
