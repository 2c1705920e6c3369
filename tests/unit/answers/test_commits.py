from __future__ import annotations

import random
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.answers.bisection import Is
from harness.answers.commits import most_tries, next_commit, suspects

LINE = {"e": ["d"], "d": ["c"], "c": ["b"], "b": ["a"], "a": []}
"""Five commits in a row, the newest first."""
FORK = {"m": ["x2", "y2"], "x2": ["x1"], "x1": ["r"], "y2": ["y1"], "y1": ["r"], "r": []}
"""Two branches that were merged."""


def past(history: dict[str, list[str]], commit: str) -> set[str]:
    found, waiting = {commit}, [commit]
    while waiting:
        new = set(history[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def found_by(history: dict[str, list[str]], first: str, *, skipped: Collection[str] = ()) -> tuple[list[str], int]:
    """Search for a commit that changed the answer of all that have it in their past; return what is left, the tries."""
    tried = {next(iter(history)): Is.BAD}
    while (commit := next_commit(history, tried, new=Is.BAD)) is not None:
        changed = first in past(history, commit)
        tried[commit] = Is.UNANSWERED if commit in skipped else Is.BAD if changed else Is.GOOD
    return suspects(history, tried, new=Is.BAD), len(tried) - 1


@pytest.mark.parametrize("first", LINE)
def test_in_a_line_the_first_is_found_in_about_log2_tries(first: str) -> None:
    left, tries = found_by(LINE, first)
    assert left == [first]
    assert tries <= most_tries(LINE)


@pytest.mark.parametrize("first", FORK)
def test_of_merged_branches_the_first_is_found_on_its_own(first: str) -> None:
    assert found_by(FORK, first)[0] == [first]


@st.composite
def histories(draw: st.DrawFn) -> dict[str, list[str]]:
    """Commits with up to three parents each, of which each is in the past of the newest."""
    size = draw(st.integers(1, 40))
    parents = {
        number: sorted(draw(st.sets(st.integers(number + 1, size - 1), max_size=3))) if number < size - 1 else []
        for number in range(size)
    }
    history = {str(number): [str(each) for each in parents[number]] for number in range(size)}
    there = past(history, "0")
    return {commit: of for commit, of in history.items() if commit in there}


@given(histories(), st.randoms(use_true_random=False))
def test_in_any_history_the_first_is_found(history: dict[str, list[str]], some: random.Random) -> None:
    first = some.choice(list(history))
    left, tries = found_by(history, first)
    assert left == [first]
    assert tries <= len(history)


@given(histories(), st.randoms(use_true_random=False))
def test_what_cannot_be_tried_stays_under_suspicion_and_nothing_else(
    history: dict[str, list[str]], some: random.Random
) -> None:
    first = some.choice(list(history))
    skipped = {commit for commit in list(history)[1:] if some.random() < 0.3}
    left, _ = found_by(history, first, skipped=skipped)
    assert first in left
    assert len([commit for commit in left if commit not in skipped]) <= 1, "of the others each is known"


def test_the_change_may_be_a_fix() -> None:
    tried = {"e": Is.GOOD, "c": Is.BAD}
    assert suspects(LINE, tried, new=Is.GOOD) == ["e", "d"]
    assert next_commit(LINE, tried, new=Is.GOOD) == "d"


def test_a_commit_that_answers_otherwise_than_both_ends_decides_nothing() -> None:
    tried = {"e": Is.BAD, "c": Is.NEITHER}
    assert suspects(LINE, tried, new=Is.BAD) == list(LINE)
    assert next_commit(LINE, tried, new=Is.BAD) in ("b", "d")


def test_a_long_history_takes_no_time() -> None:
    history = {str(number): [str(number + 1)] if number < 19_999 else [] for number in range(20_000)}
    assert next_commit(history, {"0": Is.BAD}, new=Is.BAD) in ("9999", "10000")
