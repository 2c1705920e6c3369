"""Paths as messages show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.host.paths import shown


def test_a_path_under_the_present_folder_is_shown_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "bpf/case") == "bpf/case"
    assert shown(Path("bpf/case")) == "bpf/case"
    assert shown(tmp_path) == "."


def test_any_other_path_is_shown_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert shown(tmp_path / "there") == str(tmp_path / "there")
    assert shown(tmp_path / "here-too") == str(tmp_path / "here-too"), "the beginning of its name is no folder"
    assert shown(Path("../there")) == "../there"


def test_a_message_can_be_written_though_the_present_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert shown(tmp_path / "x") == str(tmp_path / "x")
