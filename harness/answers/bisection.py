"""Between which two neighbouring builds an answer changes: which one to try next, and when it is found. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.answers.seen import Seen, Signature, signature_of


class Is(StrEnum):
    """What a build is, compared with the two ends."""

    GOOD = "good"
    """It answers as the good end does."""
    BAD = "bad"
    """It answers as the bad end does."""
    NEITHER = "neither"
    """It has an answer, and another one than both ends."""
    UNANSWERED = "no answer"
    """It does not boot, or has no complete answer."""


DECIDES = frozenset({Is.GOOD, Is.BAD})


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """The last build that answers as the first does, and the first that answers as the last does, by index.

    `between` are those between the two that were tried and decide nothing: the boundary is somewhere among them.
    """

    before: int
    after: int
    between: tuple[int, ...]


def next_build(tried: Mapping[int, Is]) -> int | None:
    """Return the index of the build to try next, None where there is nothing left to try.

    `tried` has the builds that were tried, by their place in the order of versions: the two ends, which decide, and
    others. Those that decide nothing are passed over, as `git bisect skip` does: the one nearest to the middle of what
    is not known comes next.
    """
    low, high = _ends(tried)
    open_ones = [index for index in range(low + 1, high) if index not in tried]
    middle = (low + high) / 2
    return min(open_ones, key=lambda index: (abs(index - middle), index), default=None)


def boundary(tried: Mapping[int, Is]) -> Boundary:
    """Return where the answer changes, from what was tried; there may be more to try."""
    low, high = _ends(tried)
    return Boundary(before=low, after=high, between=tuple(index for index in range(low + 1, high) if index in tried))


def _ends(tried: Mapping[int, Is]) -> tuple[int, int]:
    """Return the neighbours, among the builds that decide, of which one is as the first end and one as the last."""
    deciding = sorted(index for index, found in tried.items() if found in DECIDES)
    first = tried[deciding[0]]
    high = next(index for index in deciding if tried[index] is not first)
    return max(index for index in deciding if index < high), high


def most_tries(count: int) -> int:
    """Return how many builds are tried at most between the ends of `count` builds, where each has an answer."""
    return max(count - 2, 0).bit_length()


_UNNAMED = {Is.GOOD: "as the older end", Is.BAD: "as the newer end"}


def called(is_: Is, *, named: bool) -> str:
    """Return what a build is in a reader's words; nobody has said which end is good where the ends are not `named`."""
    return str(is_) if named else _UNNAMED.get(is_, str(is_))


def what_it_is(seen: Seen | None, *, good: Signature, bad: Signature) -> Is:
    """Return what a build is whose cell was seen so (None: there is no cell), from what the ends did."""
    if seen is None or not seen.has_answer:
        return Is.UNANSWERED
    found = signature_of(seen.outcome)
    if found == good:
        return Is.GOOD
    return Is.BAD if found == bad else Is.NEITHER


def interesting(changes: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Return those lines of a changelog that have one of some words in them, whatever the case of its letters."""
    lowered = [word.lower() for word in words]
    return tuple(line for line in changes if any(word in line.lower() for word in lowered))


def between_changelogs(older: str, newer: str) -> tuple[str, ...]:
    """Return the lines that the newer of two changelogs has and the older has not, in their order.

    A changelog has its newest entries first; a line that was there before is no news, wherever it is now.
    """
    known = set(_lines(older))
    return tuple(line for line in _lines(newer) if line not in known)


def _lines(changelog: str) -> list[str]:
    """Return the items of a changelog, each on one line: what is indented further goes on with the line before."""
    found: list[str] = []
    for line in changelog.splitlines():
        text = line.strip()
        if not text or text.startswith("-- "):
            continue
        if found and line[:1].isspace() and not text.startswith(("*", "-", "[")):
            found[-1] += f" {text}"
        else:
            found.append(text)
    return found
