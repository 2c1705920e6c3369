from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from answers_samples import report

from harness.answers.bisection import Is, boundary
from harness.answers.seen import Seen, seen_in
from harness.config.matrix import DebianKernel
from harness.errors import BisectError, UsageError
from harness.run.bisect import Build, search

DEBIAN = DebianKernel(
    name="6.1-x86_64", arch="x86_64", source="debian", suite="bookworm", package="linux-image-cloud-amd64"
)
VERSIONS = ("6.1.170-1", "6.1.176-1", "6.1.190-1", "6.1.192-1", "6.1.192-2", "6.12.1-1~bpo12+1")


def build(version: str) -> Build:
    return Build(row=DEBIAN.model_copy(update={"name": f"row-{version}"}), version=version, pin=version)


BUILDS = [build(version) for version in VERSIONS]


class Guests:
    """Stands for guests: has an answer for each version, and knows which were asked."""

    def __init__(self, *words: str) -> None:
        self.words: Mapping[str, str] = dict(zip(VERSIONS, words, strict=True))
        self.asked: list[list[str]] = []

    def __call__(self, builds: Sequence[Build]) -> tuple[Sequence[Seen | None], Path]:
        self.asked.append([build.version for build in builds])
        found = [next(iter(seen_in(report({"r": {"a": self.words[build.version]}})).values())) for build in builds]
        return found, Path("results")


def found(guests: Guests, *, good: str = "", bad: str = "") -> tuple[str, str, list[Is]]:
    said: list[str] = []
    chosen, tried = search(BUILDS, guests, good=good, bad=bad, say=said.append)
    where = boundary({index: each.is_ for index, each in tried.items()})
    assert len(said) == 1 + len(tried)
    return chosen[where.before].version, chosen[where.after].version, [each.is_ for each in tried.values()]


def test_both_ends_are_tried_at_once_and_then_one_by_one() -> None:
    guests = Guests("pass", "pass", "pass", "fail", "fail", "fail")
    assert found(guests)[:2] == ("6.1.190-1", "6.1.192-1")
    assert guests.asked == [["6.1.170-1", "6.12.1-1~bpo12+1"], ["6.1.190-1"], ["6.1.192-1"]]


def test_the_good_end_may_be_the_newer_one() -> None:
    guests = Guests("fail", "fail", "pass", "pass", "pass", "pass")
    before, after, states = found(guests, good="6.1.192-2", bad="6.1.170-1")
    assert (before, after) == ("6.1.176-1", "6.1.190-1")
    assert states[0] is Is.BAD


def test_only_what_lies_between_the_ends_is_tried() -> None:
    guests = Guests("lost", "pass", "fail", "fail", "lost", "lost")
    assert found(guests, good="6.1.176-1", bad="6.1.192-1")[:2] == ("6.1.176-1", "6.1.190-1")
    assert {version for asked in guests.asked for version in asked} == {"6.1.176-1", "6.1.190-1", "6.1.192-1"}


def test_a_build_without_an_answer_is_passed_over() -> None:
    guests = Guests("pass", "pass", "lost", "other", "fail", "fail")
    before, after, states = found(guests)
    assert (before, after) == ("6.1.176-1", "6.1.192-2")
    assert Is.UNANSWERED in states and Is.NEITHER in states


@pytest.mark.parametrize("wanted", ["6.1.192", "6.1.192-2", "row-6.1.192-2"])
def test_a_version_may_be_the_beginning_of_one_and_is_the_newest_then(wanted: str) -> None:
    guests = Guests("pass", "pass", "pass", "pass", "fail", "fail")
    assert found(guests, bad=wanted)[:2] == ("6.1.192-1", "6.1.192-2")


def test_the_beginning_ends_where_a_number_does() -> None:
    with pytest.raises(UsageError, match=r'no build "6\.1\.19"; the source lists 6\.1\.170-1, '):
        found(Guests(*["pass"] * 6), good="6.1.19")


def test_ends_that_answer_alike_are_refused() -> None:
    with pytest.raises(UsageError, match=r"6\.1\.170-1 and on 6\.12\.1-1~bpo12\+1 are alike"):
        found(Guests("pass", "fail", "fail", "fail", "fail", "xpass"))


def test_an_end_without_an_answer_is_named() -> None:
    with pytest.raises(BisectError, match=r"6\.1\.170-1 has no answer.*the guest fell silent"):
        found(Guests("lost", "pass", "pass", "pass", "pass", "fail"))


def test_one_build_is_no_range() -> None:
    with pytest.raises(UsageError, match="the same build"):
        found(Guests(*["pass"] * 6), good="6.1.170-1", bad="6.1.170-1")
