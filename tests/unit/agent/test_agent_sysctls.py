"""The sysctls of a case."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from agent_pipe import Pipe
from agent_samples import Clean, Played, Quiet
from unit_samples import Line

from harness.agent.reporter import Reporter
from harness.agent.serve import run_case


def case_with(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, sysctls: dict[str, Any], refused: str = ""
) -> tuple[list[Any], Line]:
    """Run a case with sysctls; return what was set in which order, and the case's last line."""
    done: list[Any] = []

    def set_sysctl(name: str, value: Any) -> str:
        if name == refused:
            raise OSError(errno.EINVAL, "Invalid argument")
        done.append((name, value))
        return "before"

    def run(reporter: Any, lib: Any, case: Any, load: Any) -> dict[str, Any]:
        done.append("run")
        return {"complete": True, "signal": None, "timed_out": False}

    monkeypatch.setattr("harness.agent.sysctls.set_sysctl", set_sysctl)
    monkeypatch.setattr("harness.agent.serve.run_child", run)
    reporter = Reporter(pipe.writing)
    run_case(reporter, Played(), Quiet(), {"id": "c", "deadline": 1, "sysctls": sysctls}, before=Clean())
    reporter.flush()
    return done, pipe.lines()[-1]


def test_sysctls_are_set_before_a_case_and_put_back_after_it(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    done, end = case_with(pipe, monkeypatch, {"a.b": 0, "c.d": "x"})
    assert done == [("a.b", 0), ("c.d", "x"), "run", ("c.d", "before"), ("a.b", "before")]
    assert "precondition" not in end


@pytest.mark.parametrize("there", [True, False])
def test_a_sysctl_that_cannot_be_set_ends_the_case_before_it_begins(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool
) -> None:
    monkeypatch.setattr("harness.agent.sysctls.sysctl_path", lambda name: str(tmp_path / name))
    if there:
        (tmp_path / "c.d").touch()
    done, end = case_with(pipe, monkeypatch, {"a.b": 0, "c.d": "x"}, refused="c.d")
    assert done == [("a.b", 0), ("a.b", "before")]
    precondition = {"cause": "sysctl", "name": "c.d", "value": "x", "errno_name": "EINVAL", "missing": not there}
    assert end["precondition"] == precondition


def test_a_sysctl_that_cannot_be_put_back_ends_the_guest(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("harness.agent.sysctls.sysctl_path", lambda name: str(tmp_path / name))
    monkeypatch.setattr(
        "harness.agent.serve.run_child", lambda *anything: {"complete": True, "signal": None, "timed_out": False}
    )
    (tmp_path / "a.b").write_text("0\n")
    reporter = Reporter(pipe.writing)
    case = {"id": "c", "deadline": 1, "sysctls": {"a.b": 1}}
    assert run_case(reporter, Played(), Quiet(), case, before=Clean()) is None
    assert (tmp_path / "a.b").read_text() == "0"
    monkeypatch.setattr("harness.agent.serve.put_back", list)
    why = run_case(reporter, Played(), Quiet(), case, before=Clean())
    assert why == "after c the guest is not as it was before: the sysctl a.b"


def test_a_sysctl_that_does_not_exist_is_told_by_its_errno(pipe: Pipe) -> None:
    case = {"id": "c", "deadline": 1, "sysctls": {"kernel.no_such_sysctl": 1}}
    reporter = Reporter(pipe.writing)
    run_case(reporter, Played(), Quiet(), case, before=Clean())
    reporter.flush()
    wanted = {"cause": "sysctl", "name": "kernel.no_such_sysctl", "value": 1, "errno_name": "ENOENT", "missing": True}
    assert pipe.lines()[-1]["precondition"] == wanted
