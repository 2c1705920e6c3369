"""All cases of a job: when no other may run, and what a case has left."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import resource
from typing import Any

import pytest
from agent_pipe import Pipe
from agent_samples import Clean, Played, Quiet
from unit_samples import Line

from harness.agent.reporter import Reporter
from harness.agent.serve import run_case, serve


def served(pipe: Pipe, monkeypatch: pytest.MonkeyPatch, *ends: str | None) -> list[Line]:
    """The agent's lines of as many cases; each end says why no other case may run in the guest, or None."""
    why = iter(ends)

    def run_case(reporter: Any, lib: Any, log: Any, case: Any, *, before: Any, loads: Any) -> str | None:
        reporter.hold("case", case=case["id"])
        return next(why)

    monkeypatch.setattr("harness.agent.serve.run_case", run_case)
    monkeypatch.setattr("harness.agent.serve.Surroundings", Clean)
    monkeypatch.setattr(resource, "setrlimit", lambda *anything: None)
    job = {"cases": [{"id": str(number)} for number in range(len(ends))]}
    serve(job, lib=Played(), log=Quiet(), fd=pipe.writing)
    return pipe.lines()


def test_no_other_case_runs_in_a_guest_that_is_not_as_it_was_before(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = served(pipe, monkeypatch, None, "a program is left", None)
    assert [line.get("case") for line in lines] == [None, "0", "1", None]
    assert (lines[-1]["cases"], lines[-1]["stopped"]) == (2, "a program is left")


def test_after_the_last_case_that_does_not_matter(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = served(pipe, monkeypatch, None, "a program is left")
    assert (lines[-1]["cases"], lines[-1]["stopped"]) == (2, None)


def test_what_a_case_leaves_behind_is_in_its_end(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [{"kind": "program", "name": "7 main"}, {"kind": "module", "name": "veth"}]
    monkeypatch.setattr(
        "harness.agent.serve.run_child", lambda *anything: {"complete": True, "signal": None, "timed_out": False}
    )
    monkeypatch.setattr("harness.agent.serve.load_modules", lambda modules: None)
    monkeypatch.setattr("harness.agent.serve.loaded_modules", lambda: {"veth", "virtio"})
    reporter = Reporter(pipe.writing)
    case: Line = {"id": "c", "deadline": 1}
    why = run_case(reporter, Played(), Quiet(), case, before=Clean(*left))
    assert why == "after c the guest is not as it was before: the program 7 main, the module veth"
    case["modules"] = [{"name": "veth", "files": [], "built_in": False}]
    run_case(reporter, Played(), Quiet(), case, before=Clean(*left))
    reporter.flush()
    ends = [line["left"] for line in pipe.lines() if line["type"] == "case-end"]
    assert ends == [left, left[:1]], "that a kernel keeps a module is nothing that the case did"


KILLED = {"complete": False, "signal": "SIGKILL", "timed_out": False}
DONE = {"complete": True, "signal": None, "timed_out": False}


@pytest.mark.parametrize(
    ("case", "end", "stuck"),
    [
        ({"steps": [{"op": "trigger", "kind": "mkdir"}]}, KILLED, True),
        ({"scenario": "scenario.py"}, KILLED, True),
        ({"scenario": "scenario.py"}, DONE, False),
        ({"steps": [{"op": "trigger", "kind": "tcp-connect"}, {"op": "attach"}]}, KILLED, False),
        ({"steps": [{"op": "trigger", "kind": "open"}]}, DONE, False),
    ],
)
def test_a_case_that_died_with_files_of_its_own_is_the_last_of_its_guest(
    case: Line, end: Line, stuck: bool, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.agent.serve.run_child", lambda *anything: end)
    why = run_case(Reporter(pipe.writing), Played(), Quiet(), {"id": "c", "deadline": 1, **case}, before=Clean())
    assert (
        why == "after c the guest is not as it was before: files that its process may have made and could not remove"
    ) == stuck
    assert bool(why) == stuck
