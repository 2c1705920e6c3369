"""Writing files so that none is ever half there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.host.files import temporary, write_atomically


def test_a_file_is_written_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for content in (b"first", b"", b"\0" * 100_000):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path], "nothing else is left"


def test_whoever_reads_while_it_is_written_finds_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    seen: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(path.read_bytes()))
    write_atomically(path, b"new")
    assert seen == [b"old"], "it is on the disk before it takes the name"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")

    def fail(fd: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_the_callers_to_explain(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing/report.json", b"new")


def test_a_temporary_name_is_hidden_beside_its_file_and_another_each_time(tmp_path: Path) -> None:
    names = {temporary(tmp_path / "a.json") for _ in range(20)}
    assert len(names) == 20
    assert {name.parent for name in names} == {tmp_path}
    assert all(name.name.startswith(".a.json.") and name.name.endswith(".tmp") for name in names)
