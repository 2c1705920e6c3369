"""Writing the files of a run: whole or not at all, each for itself."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reports_sample import nasty_report, quiet_report

from harness.errors import EXIT_HARNESS, ReportError
from harness.model.results import Report
from harness.reports import writer
from harness.reports.json_report import parse

NAMES = ["report.json", "junit.xml", "report.md", "report.html", "matrix.svg"]


def test_it_writes_all_of_them(tmp_path: Path) -> None:
    directory = tmp_path / "results" / "run"
    written = writer.write(quiet_report(), directory=directory)
    assert [path.name for path in written] == NAMES
    assert sorted(p.name for p in directory.iterdir()) == sorted(NAMES)
    assert parse((directory / "report.json").read_text()) == quiet_report()


def test_it_replaces_older_files(tmp_path: Path) -> None:
    writer.write(nasty_report(), directory=tmp_path)
    (tmp_path / "console.log").write_text("kept")
    writer.write(quiet_report(), directory=tmp_path)
    assert parse((tmp_path / "report.json").read_text()) == quiet_report()
    assert (tmp_path / "console.log").read_text() == "kept"


def test_rows_with_programs_have_files_for_veristat_and_others_have_none(tmp_path: Path) -> None:
    written = writer.write(nasty_report(), directory=tmp_path)
    files = [path for path in written if path.parent.name == "veristat"]
    assert files == sorted((tmp_path / "veristat").iterdir())
    assert files
    writer.write(quiet_report(), directory=tmp_path)
    assert list((tmp_path / "veristat").iterdir()) == []


def test_files_have_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        written = writer.write(quiet_report(), directory=tmp_path)
    finally:
        os.umask(old)
    assert {path.stat().st_mode & 0o777 for path in written} == {0o644}


def test_a_renderer_that_fails_keeps_no_other_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(report: Report) -> str:
        raise KeyError("oops")

    monkeypatch.setitem(writer.RENDERERS, "junit.xml", broken)
    with pytest.raises(ReportError) as caught:
        writer.write(quiet_report(), directory=tmp_path)
    assert f"{tmp_path}/junit.xml was not written, since rendering it failed: KeyError: 'oops'" in str(caught.value)
    assert "Written all the same: report.json, report.md, report.html, matrix.svg." in str(caught.value)
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.exit_code == EXIT_HARNESS
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(set(NAMES) - {"junit.xml"})


def failing_fsync(code: int) -> Callable[[int], None]:
    def fsync(_: int) -> None:
        raise OSError(code, os.strerror(code))

    return fsync


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.json").write_text("the old one")
    monkeypatch.setattr(os, "fsync", failing_fsync(errno.ENOSPC))
    with pytest.raises(ReportError) as caught:
        writer.write(quiet_report(), directory=tmp_path)
    for name in NAMES:
        said = f"{tmp_path}/{name} could not be written: No space left on device. The disk is full: free some"
        assert said in str(caught.value)
    assert "Written all the same: none." in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text() == "the old one"


def test_one_file_that_cannot_be_written_keeps_no_other_from_it(tmp_path: Path) -> None:
    (tmp_path / "report.md").mkdir()
    with pytest.raises(ReportError, match=r"report\.md could not be written: Is a directory\. A folder of that"):
        writer.write(quiet_report(), directory=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NAMES)


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        writer.write(quiet_report(), directory=tmp_path)
    assert list(tmp_path.iterdir()) == []
