"""What keeps a program that is attached from silencing the agent; with real processes, and timers of the kernel."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from agent_pipe import Pipe
from unit_samples import ROOT

from harness.agent import guard
from harness.agent.reporter import Reporter


def test_lines_wait_once_something_is_attached(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.agent.reporter.HELD_SECONDS", 0.0)
    monkeypatch.setattr(guard, "end_within", lambda seconds: True)
    reporter = Reporter(pipe.writing)
    reporter.hold("step", index=0)
    assert len(pipe.lines()) == 1
    guard.guard(reporter, seconds=1.0, alone=False)
    reporter.hold("step", index=1)
    assert pipe.text() == b""
    reporter.flush()
    assert [line["index"] for line in pipe.lines()] == [1]


@pytest.mark.parametrize(("alone", "before"), [(True, 1), (False, 0)])
def test_what_came_before_is_written_where_the_guest_may_end(
    alone: bool, before: int, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.agent.reporter.HELD_SECONDS", 60.0)
    monkeypatch.setattr(guard, "end_within", lambda seconds: True)
    reporter = Reporter(pipe.writing)
    reporter.hold("step", index=0)
    guard.guard(reporter, seconds=1.0, alone=alone)
    assert len(pipe.text().splitlines()) == before


TIMED = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from harness.agent.guard import end_within
assert end_within(float(sys.argv[1]))
print("begun", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize(("seconds", "sleeps", "status"), [(0.2, 600, -signal.SIGKILL), (600, 0, 0)])
def test_a_process_ends_at_its_deadline_by_a_timer_of_the_kernel(seconds: float, sleeps: float, status: int) -> None:
    argv = [sys.executable, "-c", TIMED, str(seconds), str(sleeps)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=50)
    assert (done.stdout, done.returncode) == ("begun\n", status), done.stderr


@pytest.mark.parametrize(
    ("text", "count"),
    [("0.20 0.18 0.12 3/80 11206", 3), ("0.20 0.18 0.12 1/80 11206", 1), ("", 0), ("nothing of that kind at all", 0)],
)
def test_how_many_processes_want_to_run(text: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "read_text", lambda path: text)
    assert guard.runnable() == count


def test_others_are_waited_for_until_they_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([3, 2, 1])
    monkeypatch.setattr(guard, "runnable", lambda: next(counts))
    guard.let_rest()
    assert next(counts, None) is None
    counts = iter([2] * 1000)
    guard.let_rest()  # and not for ever
    assert next(counts, None) == 2


@pytest.mark.skipif(not Path("/proc/loadavg").exists(), reason="a system without /proc")
def test_this_machine_says_it() -> None:
    assert guard.runnable() >= 1
    assert os.getpid() > 0
