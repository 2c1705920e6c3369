"""Triggers that are processes: real ones of this machine."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from agent_samples import Played

from harness.agent import commands, triggers_processes
from harness.agent.case_state import CaseState
from harness.agent.triggers_processes import trigger_exec, trigger_fork, trigger_signal


@pytest.fixture
def state(tmp_path: Path) -> CaseState:
    state = CaseState(Played(), {})
    state.own = {"folder": str(tmp_path), "env": {"OWN": "1"}}
    state.sent = []  # type: ignore[attr-defined]
    state.send = lambda text, _cut: state.sent.append(text)  # type: ignore[attr-defined]
    return state


def step(*command: str, deadline: float = 20.0, **env: str) -> dict[str, Any]:
    return {"command": list(command), "env": env, "deadline": deadline}


def test_a_program_runs_in_the_cases_folder_and_its_output_is_sent(state: CaseState, tmp_path: Path) -> None:
    here = Path.cwd()
    code = "import os; print(os.getcwd(), os.environ['OWN'], os.environ['MORE'], os.getpid()); raise SystemExit(3)"
    found = trigger_exec(state, step(sys.executable, "-c", code, MORE="2"))
    assert (found["exit"], found["signal"], found["timed_out"]) == (3, None, False)
    assert state.sent == [f"{tmp_path} 1 2 {found['child']}\n"]  # type: ignore[attr-defined]
    assert state.child == found["child"] != os.getpid()
    assert Path.cwd() == here


def test_a_relative_path_begins_at_the_cases_folder(state: CaseState, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mine").write_text('#!/bin/sh\necho "$0 $1"\n')
    (tmp_path / "bin/mine").chmod(0o755)
    assert trigger_exec(state, step("./bin/mine", "x"))["exit"] == 0
    assert state.sent == [f"{tmp_path}/bin/mine x\n"]  # type: ignore[attr-defined]


def test_a_program_with_a_loader_of_its_own_is_started_by_that(state: CaseState, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    state.own = {**state.own, "starts": {f"{tmp_path}/mine": ["/bin/echo", "--library-path"]}}
    assert trigger_exec(state, step("./mine", "x"))["exit"] == 0
    assert state.sent == [f"--library-path {tmp_path}/mine x\n"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "mode", "detail"),
    [
        ("echo", 0o755, "is nothing that this kernel can run"),
        ("#!/no/such/shell\n", 0o755, "needs /no/such/shell, which is not in the guest"),
        ("#!/bin/sh\n", 0o644, "may not be run: its file is not executable"),
    ],
)
def test_a_program_that_cannot_be_started_is_the_cases_mistake(
    state: CaseState, tmp_path: Path, text: str, mode: int, detail: str
) -> None:
    (tmp_path / "it").write_text(text)
    (tmp_path / "it").chmod(mode)
    found = trigger_exec(state, step("./it"))
    assert (found["ok"], found["mistake"]) == (False, True)
    assert detail in found["detail"]


@pytest.mark.parametrize("name", ["./none", "no-such-program"])
def test_so_is_one_that_is_not_there(state: CaseState, name: str) -> None:
    found = trigger_exec(state, step(name))
    assert (found["ok"], found["mistake"]) == (False, True)
    assert found["detail"].endswith(f"{name.removeprefix('./')} is not in the guest")


def test_busybox_stands_in_for_a_usual_program_until_the_case_ends(
    state: CaseState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_text('#!/bin/sh\ncase $0 in */mine) exit 5;; esac\necho "x: applet not found"; exit 127\n')
    busybox.chmod(0o755)
    (tmp_path / "bin").mkdir()
    for module, name, value in (
        (triggers_processes, "BUSYBOX", str(busybox)),
        (triggers_processes, "STANDARD", (f"{tmp_path}/bin",)),
        (commands, "OWN_FOLDER", str(tmp_path)),
    ):
        monkeypatch.setattr(module, name, value)
    for _ in range(2):
        assert trigger_exec(state, step(f"{tmp_path}/bin/mine"))["exit"] == 5
    assert "is not in the guest" in trigger_exec(state, step(f"{tmp_path}/bin/other"))["detail"]
    state.remove_made()
    assert list((tmp_path / "bin").iterdir()) == []


def test_at_its_deadline_a_program_is_killed(state: CaseState) -> None:
    found = trigger_exec(state, step("sleep", "600", deadline=0.2))
    assert (found["timed_out"], found["exit"]) == (True, None)


def test_a_long_output_keeps_its_head_and_tail(state: CaseState) -> None:
    found = trigger_exec(state, step(sys.executable, "-c", "print('a' + 'x' * 10**6 + 'z', end='')"))
    text = "".join(state.sent)  # type: ignore[attr-defined]
    assert (text[0], text[-1], len(text)) == ("a", "z", 32 * 1024)
    assert found["cut"] == 10**6 + 2 - 32 * 1024


def test_a_child_ends_with_its_exit_code(state: CaseState) -> None:
    found = trigger_fork(state, {"exit": 7})
    assert (found["exit"], found["signal"], found["timed_out"]) == (7, None, False)
    assert state.child == found["child"]


def test_a_signal_to_oneself_does_nothing_and_leaves_the_handler(state: CaseState) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    assert trigger_signal(state, {"number": signal.SIGUSR1, "to": "self"}) == {}
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.parametrize(
    ("number", "by"),
    [
        (signal.SIGUSR1, "SIGUSR1"),
        (signal.SIGINT, "SIGINT"),
        (signal.SIGKILL, "SIGKILL"),
        (signal.SIGSTOP, "SIGKILL"),
        (signal.SIGWINCH, None),
    ],
)
def test_a_signal_to_a_child_does_what_it_does_to_any_process(state: CaseState, number: int, by: str | None) -> None:
    found = trigger_signal(state, {"number": number, "to": "child"})
    assert found == {"child": state.child, "by": by}
