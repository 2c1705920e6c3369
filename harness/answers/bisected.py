"""What a bisection found, as a value: the builds that were tried, and the two between which the answer changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.answers.bisection import Boundary, Is, between_changelogs, interesting
from harness.answers.seen import Seen

WORDS = ("bpf", "trampoline", "ftrace", "verifier", "fprobe", "kprobe")
"""What a line of a changelog has in it that may be the cause."""

SHORTEST_WORD = 4
"""Letters of a word of a case's name that says something."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a build is, what was seen on it (None: nothing), and the folder of the run that has seen it."""

    version: str
    row: str
    is_: Is
    seen: Seen | None
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Bisected:
    """What came of a bisection of a case over the builds of an entry of the matrix.

    `versions` are all builds, the oldest first; `tried` those that were tried and `found` the boundary, by their index
    there. `changelogs` are those of the last build before the change and of the first after it, "" where there is none.
    `named` says whether somebody named a good or a bad end; else they are the oldest build and the newest.
    """

    kernel: str
    case: str
    versions: tuple[str, ...]
    tried: Mapping[int, Tried]
    found: Boundary
    changelogs: tuple[str, str]
    named: bool = True

    @property
    def before(self) -> Tried:
        """The last build that answers as the older end does."""
        return self.tried[self.found.before]

    @property
    def after(self) -> Tried:
        """The first build that answers as the newer end does."""
        return self.tried[self.found.after]

    def changes(self, words: tuple[str, ...] = ()) -> tuple[tuple[str, ...], int]:
        """Return the new lines of the changelog that may be the cause, and how many new lines there are in all.

        `words` are looked for beside those of `WORDS`. Lines with these, or with words of the case's name, come first.
        """
        older, newer = self.changelogs
        new = between_changelogs(older, newer) if newer else ()
        own = (*words, *(word for word in self.case.split("-") if len(word) >= SHORTEST_WORD))
        found = interesting(new, (*WORDS, *words))
        return tuple(sorted(found, key=lambda line: -sum(word.lower() in line.lower() for word in own))), len(new)
