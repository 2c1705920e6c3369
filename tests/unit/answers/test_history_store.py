from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from answers_samples import cell, kernel, part, report

from harness.answers.history import answers_of, history
from harness.answers.history_store import answers_in, put
from harness.errors import HistoryError

ROW = "6.1-x86_64"
ONE = report(
    {ROW: {"a": "pass", "b": cell(ROW, "b", "fail", parts=(part("p", "fail"),))}},
    kernels={ROW: kernel(ROW, inputs={"kernel": "x"})},
)
TWO = report({ROW: {"a": "fail"}}, name="20260102T000000Z")


def test_what_is_put_in_comes_out(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    answers = [*answers_of(ONE), *answers_of(TWO)]
    assert put(file, answers) == 4
    assert sorted(answers_in(file), key=lambda each: (each.run, each.place)) == sorted(
        answers, key=lambda each: (each.run, each.place)
    )


def test_a_run_that_is_put_in_again_replaces_itself(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    for _ in range(3):
        put(file, answers_of(ONE))
    assert put(file, answers_of(TWO)) == 4
    smaller = report({ROW: {"a": "pass"}})
    assert put(file, answers_of(smaller)) == 2
    assert len(history(answers_in(file)).by_date) == 1


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no database" * 100)
    with pytest.raises(HistoryError, match=r"text: .*not a database"):
        answers_in(text)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE users (name TEXT)")
    with pytest.raises(HistoryError, match="no history of this bpfmatrix"):
        put(other, answers_of(ONE))
    with sqlite3.connect(other) as database:
        assert [name for (name,) in database.execute("SELECT name FROM sqlite_master")] == ["users"]


def test_a_younger_schema_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    put(file, answers_of(ONE))
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="schema 99, this one has 1"):
        answers_in(file)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"nowhere/history\.db"):
        put(tmp_path / "nowhere/history.db", answers_of(ONE))
