"""A case in a process of its own, with real processes; and what the host makes of how it ended."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_pipe import Pipe
from agent_samples import Clean, Played, Quiet, ended
from unit_samples import CASE_ID, ROOT

from harness.agent.child import run_child
from harness.agent.reporter import Reporter
from harness.agent.serve import PROTOCOL, run_case
from harness.errors import AgentError
from harness.facts.transcript import Transcript
from harness.model.results import OutcomeKind


class StandIn:
    """Takes the place of Case in the child process: reports a step, then behaves as told."""

    behave: Callable[[Any], None] = staticmethod(lambda reporter: None)

    def __init__(self, reporter: Any, lib: Any, case: Any) -> None:
        self.reporter = reporter

    def run(self) -> None:
        step(self.reporter)
        type(self).behave(self.reporter)


def step(reporter: Any) -> None:
    reporter.send("step", case=CASE_ID, index=0, stage="open", op="open", what="", ok=True, seconds=0.0)


def raising(reporter: Any) -> None:
    raise KeyError("a bug")


def segfault(reporter: Any) -> None:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # pytest's faulthandler would say something about it
    os.kill(os.getpid(), signal.SIGSEGV)


def hanging(reporter: Any) -> None:
    time.sleep(60)


def holding(reporter: Any) -> None:
    reporter.hold("event", case=CASE_ID, phase="p", ours=True, event={"kind": "kept"})
    os.kill(os.getpid(), signal.SIGKILL)


def cut(reporter: Any) -> None:
    os.write(reporter.fd, b'{"n": 99, "type": "st')
    os.kill(os.getpid(), signal.SIGKILL)


def chattering(reporter: Any) -> None:
    os.write(reporter.fd, b"free(): invalid pointer\n")


def leaving(reporter: Any) -> None:
    raise SystemExit(3)


def child(pipe: Pipe, behave: Callable[[Any], None], *, seconds: float = 10) -> tuple[dict[str, Any], Any]:
    reporter = Reporter(pipe.writing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.agent.child.Case", type("Case", (StandIn,), {"behave": staticmethod(behave)}))
        end = run_child(reporter, Played(), {"id": CASE_ID, "deadline": seconds})
    return end, reporter


def test_a_child_that_ends_well(pipe: Pipe) -> None:
    end, reporter = child(pipe, step)
    assert end == {"complete": True, "signal": None, "timed_out": False}
    assert [line["n"] for line in pipe.lines()] == [1, 2]
    assert reporter.lines == 2, "the parent goes on counting where the child ended"


@pytest.mark.parametrize(("behave", "detail"), [(raising, "KeyError: 'a bug'"), (leaving, "SystemExit: 3")])
def test_a_child_that_fails_says_why(pipe: Pipe, behave: Callable[[Any], None], detail: str) -> None:
    end, reporter = child(pipe, behave)
    assert end == {"complete": False, "signal": None, "timed_out": False}
    (_, trouble) = pipe.lines()
    assert (trouble["type"], trouble["detail"], trouble["n"]) == ("agent-error", detail, 2)
    assert reporter.lines == 2


@pytest.mark.parametrize(("behave", "name"), [(segfault, "SIGSEGV"), (cut, "SIGKILL")])
def test_a_child_that_is_killed_is_never_complete(pipe: Pipe, behave: Callable[[Any], None], name: str) -> None:
    end, _ = child(pipe, behave)
    assert end == {"complete": False, "signal": name, "timed_out": False}


def test_what_a_killed_child_has_held_back_is_not_lost(pipe: Pipe) -> None:
    _, reporter = child(pipe, holding)
    assert [line["type"] for line in pipe.lines()] == ["step"]
    reporter.send("done")
    assert [(line["n"], line["type"]) for line in pipe.lines()] == [(2, "event"), (3, "done")]


def test_a_child_that_hangs_is_ended_at_its_deadline(pipe: Pipe) -> None:
    begun = time.monotonic()
    end, _ = child(pipe, hanging, seconds=0.1)
    assert end == {"complete": False, "signal": "SIGKILL", "timed_out": True}
    assert time.monotonic() - begun < 5


def open_files() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_nothing_is_left_of_a_child(pipe: Pipe) -> None:
    before = open_files()
    for behave in (segfault, raising, hanging):
        child(pipe, behave, seconds=0.1)
    assert open_files() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def transcript_of(pipe: Pipe, behave: Callable[[Any], None], *, seconds: float = 10) -> Transcript:
    """What the host makes of a case whose child behaves so, and of the case after it."""
    reporter = Reporter(pipe.writing)
    reporter.send("hello", protocol=PROTOCOL, uptime=1.5, environment={"release": "6.1"}, **Quiet().read())
    with pytest.MonkeyPatch.context() as patch:
        for case, how in ((CASE_ID, behave), ("next", lambda reporter: None)):
            patch.setattr("harness.agent.child.Case", type("Case", (StandIn,), {"behave": staticmethod(how)}))
            patch.setattr(sys.modules[__name__], "CASE_ID", case)
            run_case(reporter, Played(), Quiet(), {"id": case, "deadline": seconds}, before=Clean())
    reporter.send("done", cases=2, left=[], stopped=None, lines=reporter.lines + 1, **Quiet().read())
    transcript = Transcript()
    for line in pipe.text().split(b"\n"):
        transcript.feed(line)
    return transcript


@pytest.mark.parametrize(
    ("behave", "seconds", "reason"),
    # A slow host takes a second to let a child die of its signal: that deadline must not pass first.
    [(segfault, 30, "was killed by SIGSEGV"), (hanging, 0.2, "the case deadline passed inside the guest")],
)
def test_the_host_follows_a_child_that_is_killed(
    pipe: Pipe, behave: Callable[[Any], None], seconds: float, reason: str
) -> None:
    transcript = transcript_of(pipe, behave, seconds=seconds)
    assert transcript.done
    assert ended(transcript).kind == OutcomeKind.LOST
    assert reason in ended(transcript).reason
    assert transcript.ended() == [CASE_ID, "next"], "the next case goes on in the same guest"


def test_a_child_that_dies_in_the_middle_of_a_line_never_makes_a_good_cell(pipe: Pipe) -> None:
    reporter = Reporter(pipe.writing)
    reporter.send("hello", protocol=PROTOCOL, uptime=1.5, environment={}, **Quiet().read())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.agent.child.Case", type("Case", (StandIn,), {"behave": staticmethod(cut)}))
        run_case(reporter, Played(), Quiet(), {"id": CASE_ID, "deadline": 5}, before=Clean())
    transcript = Transcript()
    with contextlib.suppress(AgentError):
        for line in pipe.text().split(b"\n"):
            transcript.feed(line)
    assert ended(transcript).kind == OutcomeKind.LOST


def test_the_step_that_was_under_way_is_named(pipe: Pipe) -> None:
    def stuck(reporter: Any) -> None:
        reporter.mark(CASE_ID, 0)
        reporter.at(-1)
        reporter.mark(CASE_ID, 1)
        time.sleep(60)

    transcript = transcript_of(pipe, stuck, seconds=0.2)
    end = transcript.record(CASE_ID).end
    assert end is not None
    assert (end["step"], end["timed_out"]) == (1, True)
    end = transcript.record("next").end
    assert end is not None
    assert end["step"] is None


def test_the_host_follows_a_child_that_fails(pipe: Pipe) -> None:
    transcript = transcript_of(pipe, raising)
    assert transcript.done
    assert (ended(transcript).kind, ended(transcript).reason) == (OutcomeKind.LOST, "KeyError: 'a bug'")


def test_garbage_between_lines_is_not_taken_for_an_answer(pipe: Pipe) -> None:
    with pytest.raises(AgentError):
        transcript_of(pipe, chattering)


def test_processes_that_a_case_has_started_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose parent has ended becomes the agent's."""
    script = f"""
import os, sys, time
sys.path.insert(0, {str(ROOT)!r})
from harness.agent import child, leftovers
leftovers.LEFTOVERS = []
leftovers.Surroundings()
if os.fork() == 0:
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
    os.write(1, b"%d\\n" % pid)
    os._exit(0)
os.wait()
child.end_processes()
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("none")
"""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=50)
    pid, none = done.stdout.split()
    assert none == "none"
    assert not Path(f"/proc/{pid}").exists()
    assert time.monotonic() - begun < 50
