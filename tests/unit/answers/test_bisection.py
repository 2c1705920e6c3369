from __future__ import annotations

import pytest
from answers_samples import report
from hypothesis import given
from hypothesis import strategies as st

from harness.answers.bisection import (
    Boundary,
    Is,
    between_changelogs,
    boundary,
    called,
    interesting,
    most_tries,
    next_build,
    what_it_is,
)
from harness.answers.seen import Seen, seen_in, signature_of

ROW = "6.1-x86_64"


def seen(word: str) -> Seen:
    return next(iter(seen_in(report({ROW: {"a": word}})).values()))


def found(builds: list[Is]) -> tuple[Boundary, int]:
    """What is found among some builds of which one asks one by one, and how many were tried beside the ends."""
    tried = {0: builds[0], len(builds) - 1: builds[-1]}
    while (index := next_build(tried)) is not None:
        assert index not in tried
        tried[index] = builds[index]
    return boundary(tried), len(tried) - 2


@given(good=st.integers(1, 300), bad=st.integers(1, 300), turned=st.booleans())
def test_the_boundary_is_found_in_a_logarithm_of_tries(good: int, bad: int, turned: bool) -> None:
    builds = [Is.GOOD] * good + [Is.BAD] * bad
    builds = [Is.BAD if each is Is.GOOD else Is.GOOD for each in builds] if turned else builds
    where, tries = found(builds)
    assert where == Boundary(before=good - 1, after=good, between=())
    assert tries <= most_tries(len(builds))


@given(st.lists(st.sampled_from([Is.NEITHER, Is.UNANSWERED]), max_size=9), st.integers(1, 20), st.integers(1, 20))
def test_builds_that_decide_nothing_are_passed_over_and_named(others: list[Is], good: int, bad: int) -> None:
    where, _ = found([Is.GOOD] * good + others + [Is.BAD] * bad)
    assert where == Boundary(before=good - 1, after=good + len(others), between=tuple(range(good, good + len(others))))


@given(st.lists(st.sampled_from(list(Is)), max_size=40))
def test_whatever_the_builds_are_the_boundary_is_one(middle: list[Is]) -> None:
    builds = [Is.GOOD, *middle, Is.BAD]
    where, _ = found(builds)
    assert (builds[where.before], builds[where.after]) == (Is.GOOD, Is.BAD)
    assert all(builds[index] not in (Is.GOOD, Is.BAD) for index in where.between)
    assert set(where.between) == set(range(where.before + 1, where.after))


def test_two_neighbours_need_no_try() -> None:
    assert next_build({0: Is.GOOD, 1: Is.BAD}) is None
    assert [most_tries(count) for count in (2, 3, 4, 10, 11)] == [0, 1, 2, 4, 4]


@pytest.mark.parametrize(
    ("word", "is_"),
    [
        ("pass", Is.GOOD),
        ("xpass", Is.GOOD),
        ("fail", Is.BAD),
        ("xfail", Is.BAD),
        ("other", Is.NEITHER),
        ("lost", Is.UNANSWERED),
        ("not-run", Is.UNANSWERED),
    ],
)
def test_a_build_is_what_it_does_not_what_is_expected_of_it(word: str, is_: Is) -> None:
    good, bad = (signature_of(seen(each).outcome) for each in ("pass", "fail"))
    assert what_it_is(seen(word), good=good, bad=bad) is is_
    assert what_it_is(None, good=good, bad=bad) is Is.UNANSWERED


OLDER = """\
linux (6.1.10-1) bookworm; urgency=medium

  * New upstream stable update:
    - bpf: Fix a leak
      in the verifier

 -- Somebody <a@b>  Mon, 01 Jan 2024 00:00:00 +0000
"""
NEWER = """\
linux (6.1.11-1) bookworm; urgency=medium

  * New upstream stable update:
    - net: Something
    - bpf, x86: Fix the trampoline of
      programs that end early

 -- Somebody <a@b>  Tue, 02 Jan 2024 00:00:00 +0000

"""


def test_a_build_is_called_good_or_bad_only_where_somebody_said_which_end_is() -> None:
    assert [called(is_, named=True) for is_ in Is] == [str(is_) for is_ in Is]
    unnamed = [called(is_, named=False) for is_ in (Is.GOOD, Is.BAD, Is.NEITHER)]
    assert unnamed == ["as the older end", "as the newer end", str(Is.NEITHER)]


def test_what_a_changelog_has_more_than_the_one_before() -> None:
    assert between_changelogs(OLDER, NEWER + OLDER) == (
        "linux (6.1.11-1) bookworm; urgency=medium",
        "- net: Something",
        "- bpf, x86: Fix the trampoline of programs that end early",
    )


def test_lines_are_chosen_by_their_words() -> None:
    changes = between_changelogs("", NEWER + OLDER)
    assert interesting(changes, ["BPF", "tcp_connect"]) == (
        "- bpf, x86: Fix the trampoline of programs that end early",
        "- bpf: Fix a leak in the verifier",
    )
