"""A run's folder, and the link to the latest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from harness.errors import ReportError
from harness.reports import folder

NOON = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)


def test_run_directories_are_named_after_their_time_in_utc(tmp_path: Path) -> None:
    results = tmp_path / "a" / "results"
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    made = [folder.make_run_directory(results, now=now) for now in (NOON, east, NOON)]
    assert [path.name for path in made] == ["20260131T120005Z", "20260131T120005Z-2", "20260131T120005Z-3"]
    assert all(path.is_dir() and path.parent == results for path in made)


def test_a_run_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ReportError, match=r"could not be made below .*results: File exists\. A file is where"):
        folder.make_run_directory(tmp_path / "results", now=NOON)


def test_latest_is_a_relative_link_and_follows(tmp_path: Path) -> None:
    runs = [folder.make_run_directory(tmp_path / "results", now=NOON) for _ in range(2)]
    for run in runs:
        link = folder.point_latest(tmp_path / "results", run)
        assert link == tmp_path / "results" / "latest"
        assert str(link.readlink()) == run.name
        assert link.resolve() == run.resolve()
    assert len(list((tmp_path / "results").iterdir())) == 3


def test_latest_replaces_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    run = folder.make_run_directory(tmp_path, now=NOON)
    (tmp_path / "latest").symlink_to("gone")
    folder.point_latest(tmp_path, run)
    assert (tmp_path / "latest").resolve() == run.resolve()


def test_latest_does_not_replace_a_folder(tmp_path: Path) -> None:
    run = folder.make_run_directory(tmp_path, now=NOON)
    (tmp_path / "latest").mkdir()
    with pytest.raises(ReportError, match=r"latest could not be pointed to .*: Is a directory\. A folder of that name"):
        folder.point_latest(tmp_path, run)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["20260131T120005Z", "latest"]
