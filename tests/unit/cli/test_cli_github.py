"""What a finished run says in GitHub Actions: its files, its outputs, its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from answers_samples import report

from harness.answers.compare import compare
from harness.cli.github import exit_code, github
from harness.errors import EXIT_OK, EXIT_UNEXPECTED, UsageError
from harness.model.results import Report
from harness.reports import writer
from harness.supply.project import Project

GOOD = report({"6.1-x86_64": {"one": "pass", "two": "pass"}})
BAD = report({"6.1-x86_64": {"one": "fail", "two": "pass"}}, name="20260202T000000Z", exit_code=EXIT_UNEXPECTED)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "step").mkdir()
    writer.write(GOOD, directory=tmp_path / "good")
    writer.write(BAD, directory=tmp_path / "bad")
    return tmp_path


def call(folder: Path, run: str, *, base: str = "", fail_on: str = "unexpected", comment: str = "") -> int:
    return github(
        Path(run),
        project=Project(matrix_file=folder / "matrix.yaml"),
        base=Path(base) if base else None,
        common=False,
        comment=Path(comment) if comment else None,
        fail_on=fail_on,
        environment={
            "GITHUB_STEP_SUMMARY": str(folder / "step/summary"),
            "GITHUB_OUTPUT": str(folder / "step/output"),
            "GITHUB_WORKSPACE": str(folder),
        },
    )


def test_a_run_leaves_its_summary_and_its_outputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(folder, "bad") == EXIT_UNEXPECTED
    outputs = dict(line.split("=", 1) for line in (folder / "step/output").read_text().splitlines())
    assert outputs == {
        "report": "bad/report.json",
        "junit": "bad/junit.xml",
        "summary": "bad/summary.md",
        "failed": "1",
    }
    assert (folder / "step/summary").read_text() == (folder / "bad/summary.md").read_text()
    assert (folder / "bad/report.md").read_text() in (folder / "bad/summary.md").read_text()
    assert "::error title=fail%3A one on 6.1-x86_64::" in capsys.readouterr().out


def test_it_is_compared_and_a_comment_is_written(folder: Path) -> None:
    assert call(folder, "bad", base="good/report.json", comment="comment.md") == EXIT_UNEXPECTED
    assert "New failures" in (folder / "comment.md").read_text()
    assert "New failures" in (folder / "step/summary").read_text()


def test_a_comment_of_nothing_is_empty(folder: Path) -> None:
    assert call(folder, "good", base="missing.json", comment="comment.md") == EXIT_OK
    assert (folder / "comment.md").read_text() == ""


def test_a_first_run_has_nothing_to_be_compared_with(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(folder, "good", base="missing.json") == EXIT_OK
    assert "::warning title=bpfmatrix::nothing is compared: there is no earlier run at" in capsys.readouterr().out
    assert "there is no earlier run" in (folder / "step/summary").read_text()


def test_a_run_of_other_rows_is_nothing_to_compare_with(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer.write(report({"7.0-x86_64": {"three": "pass"}}, name="20250101T000000Z"), directory=folder / "other")
    assert call(folder, "good", base="other/report.json") == EXIT_OK
    assert "::warning title=bpfmatrix::nothing is compared: the runs 20250101T000000Z" in capsys.readouterr().out
    assert "no row and case in common" in (folder / "step/summary").read_text()


def test_what_step_summaries_hold_stays(folder: Path) -> None:
    (folder / "step/summary").write_text("earlier\n")
    call(folder, "good")
    assert (folder / "step/summary").read_text().startswith("earlier\n")


def test_outside_of_github_only_the_file_is_written(folder: Path) -> None:
    code = github(
        Path("good"),
        project=Project(matrix_file=folder / "matrix.yaml"),
        base=None,
        common=False,
        comment=None,
        fail_on="unexpected",
        environment={},
    )
    assert code == EXIT_OK
    assert (folder / "good/summary.md").is_file()


def test_a_run_without_a_report_is_wrong_usage(folder: Path) -> None:
    with pytest.raises(UsageError, match="there is no report"):
        call(folder, "nothing")
    with pytest.raises(UsageError, match="--fail-on takes unexpected, regression, never"):
        call(folder, "good", fail_on="always")


@pytest.mark.parametrize(
    ("base", "head", "fail_on", "code"),
    [
        (GOOD, BAD, "unexpected", 1),
        (GOOD, BAD, "regression", 1),
        (GOOD, BAD, "never", 0),
        (BAD, BAD, "unexpected", 1),
        (BAD, BAD, "regression", 0),
        (None, BAD, "regression", 1),
        (None, BAD, "never", 0),
        (None, GOOD, "unexpected", 0),
    ],
)
def test_what_fails_a_job(base: Report | None, head: Report, fail_on: str, code: int) -> None:
    from dataclasses import replace

    newer = replace(head, run=replace(head.run, id="20260303T000000Z"))
    comparison = compare(base, newer) if base else None
    assert exit_code(newer, comparison, fail_on=fail_on) == code
