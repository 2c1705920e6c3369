"""Triggers that are files: real ones of this machine, and that nothing is left of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agent_samples import Played

from harness.agent import triggers_files
from harness.agent.case_state import CaseState
from harness.agent.triggers_files import trigger_mkdir, trigger_open, trigger_rename, trigger_unlink


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CaseState:
    monkeypatch.setattr(triggers_files, "FREE", (f"{tmp_path}/free/",))
    return CaseState(Played(), {})


def opened(path: Path, mode: str = "read", count: int = 0) -> dict[str, Any]:
    return {"path": str(path), "mode": mode, "bytes": count}


def test_a_file_that_is_missing_is_made_and_removed_with_its_folders(state: CaseState, tmp_path: Path) -> None:
    path = tmp_path / "a/b/file"
    assert trigger_open(state, opened(path, count=10)) == {}
    assert path.stat().st_size == 10
    assert trigger_open(state, opened(path, "append", 5)) == {}
    assert path.stat().st_size == 15
    state.remove_made()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_as_it_is(state: CaseState, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    assert trigger_open(state, opened(path, count=100)) == {}
    state.remove_made()
    assert path.read_text() == "text"


def test_a_new_file_is_new_each_time(state: CaseState, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for _ in range(2):
        assert trigger_open(state, opened(path, "create", 3)) == {}
        assert path.read_text() == "xxx"
    state.remove_made()
    assert not path.exists()


def test_a_file_is_renamed_each_time(state: CaseState, tmp_path: Path) -> None:
    for _ in range(2):
        assert trigger_rename(state, {"path": str(tmp_path / "one"), "to": str(tmp_path / "two")}) == {}
        assert [path.name for path in tmp_path.iterdir()] == ["two"]
    state.remove_made()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_removed_and_a_folder_made_each_time(state: CaseState, tmp_path: Path) -> None:
    for _ in range(2):
        assert trigger_unlink(state, {"path": str(tmp_path / "one")}) == {}
        assert trigger_mkdir(state, {"path": str(tmp_path / "folder")}) == {}
        assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    state.remove_made()
    assert list(tmp_path.iterdir()) == []


def test_what_is_the_guests_is_not_taken_away(state: CaseState, tmp_path: Path) -> None:
    path, free = tmp_path / "file", tmp_path / "free/file"
    free.parent.mkdir()
    for each in (path, free):
        each.touch()
    wrong = [
        trigger_unlink(state, {"path": str(path)}),
        trigger_rename(state, {"path": str(path), "to": str(tmp_path / "two")}),
        trigger_rename(state, {"path": str(tmp_path / "one"), "to": str(path)}),
        trigger_open(state, opened(path, "create")),
    ]
    assert [(each["ok"], each["mistake"]) for each in wrong] == [(False, True)] * 4
    assert path.exists()
    assert trigger_unlink(state, {"path": str(free)}) == {}
    assert not free.exists()
