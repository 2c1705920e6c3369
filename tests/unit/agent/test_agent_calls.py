"""Calls that the agent makes: that each which a case can name is there, and does what its name says."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
from agent_samples import Played

from harness.agent import calls
from harness.agent.calls import CALLS, rewrite_sysctl
from harness.agent.case_state import CaseState
from harness.agent.workload import PIECES
from harness.config.triggers import CALL_NAMES, PIECE_NAMES


def test_every_call_and_piece_that_a_case_can_name_is_one_of_the_agents() -> None:
    assert sorted(CALLS) == sorted(CALL_NAMES)
    assert list(PIECES) == list(PIECE_NAMES)


def test_a_sysctl_is_written_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "domainname").write_text("(none)\n")
    monkeypatch.setattr("harness.agent.calls.sysctl_path", lambda name: str(tmp_path / name))
    rewrite_sysctl("domainname")
    assert (tmp_path / "domainname").read_text() == "(none)\n"


@pytest.mark.parametrize(
    "name", ["openat", "rename", "unlink", "mkdir", "rmdir", "link", "chmod", "read", "write", "kill"]
)
def test_a_call_can_be_made_again_and_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for constant in ("FILE", "RENAMED", "NEW_FOLDER"):
        monkeypatch.setattr(calls, constant, str(tmp_path / constant.lower()))
    state, libc = CaseState(Played(), {}), ctypes.CDLL("libc.so.6", use_errno=True)
    for _ in range(2):
        CALLS[name](state, libc)
    state.remove_made()
    assert list(tmp_path.iterdir()) == []


def test_a_call_that_fails_says_with_which_errno(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "FILE", str(tmp_path / "file"))
    monkeypatch.setattr(calls, "RENAMED", str(tmp_path / "nothing/renamed"))
    with pytest.raises(FileNotFoundError):
        CALLS["rename"](CaseState(Played(), {}), ctypes.CDLL("libc.so.6", use_errno=True))
