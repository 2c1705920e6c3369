"""How long a process has waited for a processor, and a clock without that time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from harness.host.run_clock import LOOK_SECONDS, RunClock, waited_for_processor

PID = 77


def thread(proc: Path, number: int, schedstat: str) -> None:
    folder = proc / str(PID) / "task" / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schedstat").write_text(schedstat)


def test_the_thread_that_waited_longest_counts(tmp_path: Path) -> None:
    thread(tmp_path, 77, "9000000000 1500000000 12\n")
    thread(tmp_path, 78, "100 2500000000 3\n")
    assert waited_for_processor(PID, proc=tmp_path) == 2.5


@pytest.mark.parametrize("text", ["", "5\n", "a b c\n"])
def test_a_host_that_does_not_say_it_is_taken_as_idle(tmp_path: Path, text: str) -> None:
    thread(tmp_path, 77, text)
    assert waited_for_processor(PID, proc=tmp_path) == 0
    assert waited_for_processor(PID + 1, proc=tmp_path) == 0, "a process that has ended"


def test_what_the_kernel_of_this_host_says_is_read() -> None:
    said = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/schedstat")
    if not said.exists():
        pytest.skip("this host's kernel has no schedstat")
    before = int(said.read_text().split()[1]) / 1e9
    assert waited_for_processor(os.getpid()) >= before


def test_the_clock_stands_still_while_the_process_waits(tmp_path: Path) -> None:
    now = 100.0
    clock = RunClock(PID, proc=tmp_path, monotonic=lambda: now)
    thread(tmp_path, 77, "0 0 0")
    begun = clock()
    now += 10
    thread(tmp_path, 77, "0 9000000000 0")
    assert clock() - begun == 1.0
    now += 10
    assert clock() - begun == 11.0, "one that waits for no processor has the seconds as they are"


def test_a_thread_that_ends_takes_no_time_back(tmp_path: Path) -> None:
    now = 0.0
    clock = RunClock(PID, proc=tmp_path, monotonic=lambda: now)
    thread(tmp_path, 77, "0 0 0")
    thread(tmp_path, 78, "0 5000000000 0")
    begun = clock()
    (tmp_path / "77/task/78/schedstat").unlink()
    now += 2 * LOOK_SECONDS
    assert clock() - begun == 2 * LOOK_SECONDS


def test_it_is_not_looked_up_at_every_turn(tmp_path: Path) -> None:
    now = 0.0
    clock = RunClock(PID, proc=tmp_path, monotonic=lambda: now)
    clock()
    thread(tmp_path, 77, "0 50000000 0")
    now = LOOK_SECONDS / 2
    assert clock() == now
    now = LOOK_SECONDS
    assert clock() == now - 0.05


def test_without_a_word_it_is_the_monotonic_clock(tmp_path: Path) -> None:
    before = time.monotonic()
    assert before <= RunClock(PID, proc=tmp_path)() <= time.monotonic()
