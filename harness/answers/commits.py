"""Which commit changed an answer: which one to try next, and when it is found, as `git bisect` does. Pure.

A history is a graph: each commit of a range with those of its parents that are in the range, children before parents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.answers.bisection import Is
from harness.answers.seen import Seen

History = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class CommitTried:
    """What a commit is, and what was seen on it (None: nothing)."""

    commit: str
    is_: Is
    seen: Seen | None


@dataclass(frozen=True, kw_only=True)
class BisectedCommits:
    """What came of a bisection over commits.

    `suspects` are those of which one is the first with the new answer, the newest first: one where it was found,
    several where those between could not be tried. `new` says which of the user's ends has that answer. `subjects` has
    the first line of the message of each commit that is named.
    """

    clone: str
    kernel: str
    case: str
    old: str
    suspects: tuple[str, ...]
    new: Is
    tried: tuple[CommitTried, ...]
    subjects: Mapping[str, str]

    @property
    def skipped(self) -> tuple[CommitTried, ...]:
        """The commits that were tried and decide nothing."""
        return tuple(each for each in self.tried if each.is_ not in (Is.GOOD, Is.BAD))


def suspects(history: History, tried: Mapping[str, Is], *, new: Is) -> list[str]:
    """Return the commits of a history of which one may be the first that answers as its newest does (`new`).

    They are in the past of every commit that does, or are that commit, and not in the past of one that does not.
    """
    left = set(history)
    for commit, is_ in tried.items():
        if commit not in history or is_ not in (Is.GOOD, Is.BAD):
            continue
        past = _past(history, commit)
        left = left & past if is_ is new else left - past
    return [commit for commit in history if commit in left]


def next_commit(history: History, tried: Mapping[str, Is], *, new: Is) -> str | None:
    """Return the commit to try next, None where there is nothing left to try.

    It is the one that halves the suspects best; those that decide nothing are passed over.
    """
    left = suspects(history, tried, new=new)
    open_ones = [commit for commit in left if commit not in tried]
    inside = set(left)
    counts = _counts({commit: [each for each in history[commit] if each in inside] for commit in left})
    return max(open_ones, key=lambda commit: min(counts[commit], len(left) - counts[commit]), default=None)


def most_tries(history: History) -> int:
    """Return how many commits are tried about, where each has an answer."""
    return max(len(history) - 1, 0).bit_length()


def _past(history: History, commit: str) -> set[str]:
    """Return a commit and all commits of a history that are in its past."""
    found, waiting = {commit}, [commit]
    while waiting:
        for parent in history.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _counts(history: History) -> dict[str, int]:
    """Return how many commits of a history are each commit or in its past; sets are kept only while they are needed."""
    place = {commit: number for number, commit in enumerate(history)}
    users = dict.fromkeys(history, 0)
    for parents in history.values():
        for parent in parents:
            users[parent] += 1
    sets: dict[str, int] = {}
    counts: dict[str, int] = {}
    for commit in reversed(list(history)):  # parents before their children
        own = 1 << place[commit]
        for parent in history[commit]:
            own |= sets[parent]
            users[parent] -= 1
            if not users[parent]:
                del sets[parent]
        counts[commit] = own.bit_count()
        if users[commit]:
            sets[commit] = own
    return counts
