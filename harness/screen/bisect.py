"""What a terminal shows of a bisection: the two builds, what changed between them, and how to see both again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console

from harness.answers.bisected import Bisected, Tried
from harness.host.called_as import command
from harness.host.paths import shown
from harness.reports import wording
from harness.screen.lines import print_text

MOST_LINES = 60
"""Lines of a changelog that are shown."""


def print_bisected(found: Bisected, *, words: Sequence[str] = (), console: Console) -> None:
    """Print what a bisection found. `words` are looked for in the changelogs beside the usual ones."""
    for which, build in (("before", found.before), ("after", found.after)):
        _line(console, f"{which}: {build.version} is {build.is_}: {_seen(build)} ({shown(build.folder)})", "bold")
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


def _seen(build: Tried) -> str:
    return "-" if build.seen is None else wording.brief(build.seen.outcome)


def _line(console: Console, text: str, style: str, *, whole: bool = False) -> None:
    print_text(console, text, style=style, indent=4, whole=whole)
