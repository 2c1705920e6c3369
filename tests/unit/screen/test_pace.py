"""How far a run is in one line, and how long it may still take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.screen.pace import MOST_NAMED, At, line_of, promise, seconds_left, shown_rows, span

ROWS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.4, "0 s"), (99.4, "99 s"), (100, "1 min 40 s"), (3599, "59 min 59 s"), (3900, "1 h 05 min")],
)
def test_a_span_of_time(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("left", "text"), [(None, ""), (3.0, ", about a minute left"), (540.0, ", about 9 min left")])
def test_a_promise(left: float | None, text: str) -> None:
    assert promise(left) == text


def test_what_is_under_way_is_named_and_the_rest_counted() -> None:
    states = {"a": At(text="booting", since=5.0), "b": At(text="2.0 s", since=7.0)}
    line = line_of([*ROWS, "d"], states, {"b"}, now=19.0, begun=1.0, left=None)
    assert line == "1 of 4 kernels done after 18 s: a booting 14 s; 2 wait"


def test_of_many_under_way_some_are_named() -> None:
    rows = [f"r{number}" for number in range(MOST_NAMED + 3)]
    states = {row: At(text="booting", since=0.0) for row in rows}
    assert line_of(rows, states, (), now=1.0, begun=0.0, left=None).endswith("; 3 more are under way")


def test_nothing_is_promised_before_the_first_row_is_over() -> None:
    assert seconds_left({"a": 1.0}, took={}, busy={"a": 0.5}, waiting=[], jobs=1) is None


def test_nothing_is_promised_where_a_row_was_never_seen() -> None:
    expected = {"a": 1.0, "b": 1.0}
    assert seconds_left(expected, took={"a": 1.0}, busy={}, waiting=["b", "new"], jobs=1) is None
    assert seconds_left(expected, took={"a": 1.0}, busy={"new": 1.0}, waiting=["b"], jobs=1) is None
    assert seconds_left(expected, took={"new": 1.0}, busy={}, waiting=["b"], jobs=1) is None


def test_a_slower_run_is_expected_to_go_on_as_slowly() -> None:
    assert seconds_left({"a": 10.0, "b": 20.0}, took={"a": 30.0}, busy={"b": 15.0}, waiting=[], jobs=1) == 45.0


def test_rows_that_wait_share_the_jobs() -> None:
    expected = dict.fromkeys("abcde", 10.0)
    left = seconds_left(expected, took={"a": 10.0}, busy={"b": 4.0}, waiting=["c", "d", "e"], jobs=2)
    assert left == 20.0


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=9), st.integers(1, 4))
def test_the_rest_is_never_shorter_than_its_longest_row(seconds: list[float], jobs: int) -> None:
    expected = {str(number): each for number, each in enumerate(seconds)}
    left = seconds_left(expected, took={"0": seconds[0]}, busy={}, waiting=list(expected)[1:], jobs=jobs)
    assert left is not None
    assert max(seconds[1:]) * 0.999 <= left <= sum(seconds[1:]) * 1.001


def test_of_more_rows_than_lines_those_under_way_are_shown() -> None:
    states = {"c": At(text="booting", since=0.0), "a": At(text="1 s", since=1.0), "b": At(text="1 s", since=2.0)}
    rows = ["a", "b", "c", "d", "e"]
    assert shown_rows(rows, states, {"a", "b"}, room=5) == (rows, 0)
    assert shown_rows(rows, states, {"a", "b"}, room=2) == (["b", "c"], 3)
    assert shown_rows(rows, states, {"a", "b"}, room=0) == (["c"], 4)
