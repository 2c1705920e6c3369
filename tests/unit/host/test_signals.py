"""Signals that end a run, as errors of what is under way."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from harness.errors import InterruptedRunError
from harness.host.signals import signals_as_errors

THESE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _nobody_dies() -> Iterator[None]:
    """Signals that nobody takes do nothing here, so that a test is red and not the end of all tests."""
    before = {number: signal.signal(number, lambda number, frame: None) for number in THESE}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in THESE]


@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, InterruptedRunError), (signal.SIGHUP, InterruptedRunError)],
)
def test_each_ends_the_block_and_is_named(number: signal.Signals, error: type[BaseException]) -> None:
    before = handlers()
    with pytest.raises(error) as caught, signals_as_errors() as came:
        os.kill(os.getpid(), number)
        pytest.fail("the block went on")
    assert came == [number.name]
    assert str(caught.value) == ("" if number == signal.SIGINT else number.name)
    assert handlers() == before, "afterwards all is as it was"


def test_one_whose_error_was_swallowed_is_still_known() -> None:
    with signals_as_errors() as came:
        for number in (signal.SIGTERM, signal.SIGHUP):
            with pytest.raises(InterruptedRunError):
                os.kill(os.getpid(), number)
    assert came == ["SIGTERM", "SIGHUP"]


def test_ctrl_c_works_where_a_shell_has_had_it_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with pytest.raises(KeyboardInterrupt), signals_as_errors():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_another_thread_than_the_main_one_leaves_signals_alone() -> None:
    found: list[object] = []

    def look() -> None:
        with signals_as_errors() as came:
            found.extend([came, handlers()])

    before = handlers()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [[], before]
