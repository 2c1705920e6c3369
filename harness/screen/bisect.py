"""What a terminal shows of a bisection: the two builds, what changed between them, and how to see both again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console

from harness.answers.bisected import Bisected, Tried
from harness.answers.bisection import Is
from harness.answers.commits import BisectedCommits
from harness.answers.seen import Seen
from harness.host.called_as import command
from harness.host.paths import shown
from harness.reports import wording
from harness.screen.lines import print_text

SHOWN = 12
"""Digits of a commit that are shown."""
MOST_LINES = 60
"""Lines of a changelog that are shown."""


def print_bisected(found: Bisected, *, words: Sequence[str] = (), console: Console) -> None:
    """Print what a bisection found. `words` are looked for in the changelogs beside the usual ones."""
    for which, build in (("before", found.before), ("after", found.after)):
        is_ = f" is {build.is_}" if found.named else ""
        _line(console, f"{which}: {build.version}{is_}: {_seen(build)} ({shown(build.folder)})", "bold")
    undecided = [found.tried[index] for index in found.found.between]
    if undecided:
        said = ", ".join(f"{build.version} ({build.is_})" for build in undecided)
        _line(console, f"builds between them that decide nothing: {said}", "yellow")
    lines, count = found.changes(tuple(words))
    if not count:
        _line(console, "their packages have no changelogs that differ", "")
    else:
        _line(console, f"{len(lines)} of {count} new lines of the changelog may be the cause:", "")
    for line in lines[:MOST_LINES]:
        _line(console, f"  {line}", "")
    if len(lines) > MOST_LINES:
        _line(console, f"  ... and {len(lines) - MOST_LINES} more", "")
    again = ["bisect", "--kernel", found.kernel, "--case", found.case]
    ends = [build.version for build in (found.before, found.after)]
    ends = ends if found.before.is_ == "good" else ends[::-1]
    _line(console, f"both again: {command(shlex.join([*again, '--good', ends[0], '--bad', ends[1]]))}", "", whole=True)


def print_commits(found: BisectedCommits, *, console: Console) -> None:
    """Print which commit changed the answer, or which may have, what was skipped, and how to see both."""
    if len(found.suspects) == 1:
        (first,) = found.suspects
        _line(console, f"the first {found.new} commit: {_named(found, first)}", "bold")
    else:
        _line(console, f"the first {found.new} commit is one of these {len(found.suspects)}:", "bold")
        for commit in found.suspects:
            _line(console, f"  {_named(found, commit)}", "")
    for each in found.skipped:
        why = each.seen.reason if each.seen is not None else "it was not run"
        _line(console, f"skipped, {each.is_}: {_named(found, each.commit)}: {why}", "yellow")
    newest = found.suspects[0]
    older = [each.commit for each in found.tried if each.is_ is not found.new and each not in found.skipped]
    last = older[-1] if older else found.old
    for which, commit in (("last", last), ("first", newest)):
        seen = next((each.seen for each in found.tried if each.commit == commit), None)
        _line(console, f"{which}: {commit[:SHOWN]}: {_brief(seen)}", "")
    _line(console, f"what it changes: git -C {shlex.quote(found.clone)} show {newest[:SHOWN]}", "", whole=True)
    good, bad = (last, newest) if found.new is Is.BAD else (newest, last)
    kernel = ["--kernel", found.kernel] if found.kernel else []
    again = ["bisect", *kernel, "--case", found.case, "--commits", found.clone, "--good", good[:SHOWN]]
    _line(console, f"both again: {command(shlex.join([*again, '--bad', bad[:SHOWN]]))}", "", whole=True)


def _named(found: BisectedCommits, commit: str) -> str:
    return f"{commit[:SHOWN]} {found.subjects.get(commit, '')}".strip()


def _seen(build: Tried) -> str:
    return _brief(build.seen)


def _brief(seen: Seen | None) -> str:
    return "-" if seen is None else wording.brief(seen.outcome)


def _line(console: Console, text: str, style: str, *, whole: bool = False) -> None:
    print_text(console, text, style=style, indent=4, whole=whole)
