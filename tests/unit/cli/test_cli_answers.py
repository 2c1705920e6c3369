from __future__ import annotations

import json
from pathlib import Path

import pytest
from answers_samples import kernel, report

from harness.cli import answers
from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, ConfigError, ReportError, UsageError
from harness.model.results import Report
from harness.reports.json_report import parse, render

OLD, ROW, LATER = "5.10-x86_64", "6.1-x86_64", "20260102T000000Z"


def kept(folder: Path, made: Report) -> Path:
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(render(made))
    return folder


def test_a_regression_ends_with_1_and_writes_what_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kept(tmp_path / "before", report({ROW: {"a": "pass"}}))
    now = kept(tmp_path / "now", report({ROW: {"a": "fail"}}, name=LATER))
    page, document = tmp_path / "out/page.md", tmp_path / "out/page.json"
    code = answers.compare(before, now / "report.json", common=False, markdown=page, json=document)
    assert code == EXIT_UNEXPECTED
    assert "## New failures" in page.read_text()
    assert json.loads(document.read_text())["exit_code"] == EXIT_UNEXPECTED
    assert "new failure: a on 6.1-x86_64" in capsys.readouterr().out


def test_failures_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = kept(tmp_path / "run", report({ROW: {"a": "fail"}}))
    assert answers.explain(where, markdown=None, json=tmp_path / "x.json") == EXIT_OK
    assert "the kernel's (1)" in capsys.readouterr().out
    assert json.loads((tmp_path / "x.json").read_text())["causes"][0]["party"] == "kernel"


def test_a_statement_is_shown_unless_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = kept(tmp_path / "run", report({ROW: {"a": "pass", "b": "fail"}}))
    badge = tmp_path / "badge.json"
    assert answers.support([where], cases=["a"], markdown=None, json=None, badge=badge) == EXIT_OK
    assert "| a | 1 of 1 |" in capsys.readouterr().out
    assert json.loads(badge.read_text())["message"].startswith("1 of 1 kernel seen")
    picture = tmp_path / "badge.svg"
    answers.support([where], cases=["a"], markdown=None, json=None, badge=picture)
    assert picture.read_text().startswith("<svg")
    page = tmp_path / "page.md"
    answers.support([where], cases=[], markdown=page, json=None, badge=None)
    assert "| b | 0 of 1 |" in page.read_text()
    assert "0 of 1" not in capsys.readouterr().out


def test_a_statement_is_put_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "support.md"
    page.write_text("# Mine\n\n<!-- support: begin -->\nold\n<!-- support: end -->\n\nMine.\n")
    answers.statement(page, reports=[kept(tmp_path / "run", report({ROW: {"a": "pass"}}))])
    text = page.read_text()
    assert text.startswith("# Mine\n\n<!-- support: begin -->\n## The statement\n")
    assert text.endswith("<!-- support: end -->\n\nMine.\n")
    assert "| a | 1 of 1 |" in text
    assert "old" not in text
    with pytest.raises(UsageError, match="name the runs"):
        answers.statement(page, reports=[])
    with pytest.raises(UsageError, match="cannot be read"):
        answers.statement(tmp_path / "no.md", reports=[tmp_path / "run"])


def test_a_statement_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name the runs"):
        answers.support([], cases=[], markdown=None, json=None, badge=None)
    where = kept(tmp_path / "run", report({ROW: {"a": "pass"}}))
    with pytest.raises(UsageError, match='no case matches "c"'):
        answers.support([where], cases=["c"], markdown=None, json=None, badge=None)


def test_runs_are_merged_into_reports_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = kept(tmp_path / "one", report({OLD: {"a": "pass"}}))
    two = kept(tmp_path / "two", report({ROW: {"a": "pass"}}, name=LATER))
    assert answers.merge([one, two], output=tmp_path / "all", last_wins=False, partial=False) == EXIT_OK
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == [
        "junit.xml",
        "matrix.svg",
        "report.html",
        "report.json",
        "report.md",
    ]
    assert "2 cells" in capsys.readouterr().out


def test_a_hole_of_merged_runs_is_not_green(tmp_path: Path) -> None:
    one = kept(tmp_path / "one", report({OLD: {"a": "pass"}}))
    two = kept(tmp_path / "two", report({ROW: {"b": "pass"}}, name=LATER))
    assert answers.merge([one, two], output=tmp_path / "all", last_wins=False, partial=False) == EXIT_HARNESS
    found = parse((tmp_path / "all/report.json").read_text())
    assert (len(found.cells), found.run.exit_code) == (4, EXIT_HARNESS)


def test_a_file_that_is_no_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing/report\.json: there is no report|nothing: there is no report"):
        answers.report_at(tmp_path / "nothing")
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"report\.json"):
        answers.report_at(tmp_path)
    (tmp_path / "report.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"report\.json: this is not JSON"):
        answers.report_at(tmp_path)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    where = kept(tmp_path / "run", report({ROW: {"a": "pass"}}))
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"page\.md could not be written"):
        answers.explain(where, markdown=tmp_path / "file/page.md", json=None)


def test_a_history_is_of_runs_or_of_folders_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results"
    one = kept(results / "20260101T000000Z", report({ROW: {"a": "pass"}}))
    kept(results / "20260102T000000Z", report({ROW: {"a": "fail"}}, name=LATER))
    (results / "latest").symlink_to("20260102T000000Z")
    assert answers.history([results], database=None, cases=[], markdown=None, json=None) == EXIT_OK
    assert "by date: a on 6.1-x86_64: pass: works until 2026-01-01" in capsys.readouterr().out
    assert answers.history([one], database=None, cases=[], markdown=None, json=None) == EXIT_OK
    assert "by date" not in capsys.readouterr().out
    with pytest.raises(UsageError, match="there is no run"):
        answers.history([tmp_path], database=None, cases=[], markdown=None, json=None)
    with pytest.raises(UsageError, match="name the runs"):
        answers.history([], database=None, cases=[], markdown=None, json=None)


def test_a_history_is_kept_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "history.db"
    one = kept(tmp_path / "one", report({ROW: {"a": "pass"}}))
    two = kept(tmp_path / "two", report({ROW: {"a": "fail"}}, name=LATER))
    for run in (one, one, two):
        answers.history([run], database=file, cases=[], markdown=None, json=None)
    assert "2 runs" in capsys.readouterr().out.splitlines()[-1]
    answers.history([], database=file, cases=[], markdown=None, json=tmp_path / "h.json")
    assert len(json.loads((tmp_path / "h.json").read_text())["by_date"]) == 1


def test_different_answers_for_the_same_inputs_end_with_1(tmp_path: Path) -> None:
    rows = {ROW: kernel(ROW, inputs={"kernel": "x"})}
    one = kept(tmp_path / "one", report({ROW: {"a": "pass"}}, kernels=rows))
    two = kept(tmp_path / "two", report({ROW: {"a": "fail"}}, kernels=rows, name=LATER))
    assert answers.history([one, two], database=None, cases=[], markdown=None, json=None) == EXIT_UNEXPECTED
