"""What GitHub Actions shows of a run: annotations beside the files, the summary of a job, a comment. Pure.

Guests, compilers and verifiers write what they like, and a line that begins with `::` is a command to the runner: all
text goes through the escapes here (github.com/actions/toolkit, packages/core/src/command.ts and utils.ts).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.answers.compare import ChangeKind, Comparison, CostWord
from harness.answers.explain import Cause, Explanation
from harness.reports import comparison as comparisons
from harness.reports import explanation as explanations
from harness.reports.grid import plural
from harness.reports.text import clean, one_line

MOST_ANNOTATIONS = 10
"""Annotations of one level that GitHub shows of a step; it drops the others without a word."""

LARGEST_SUMMARY = 1_048_576
"""Bytes of a step's summary; GitHub drops one that is larger as a whole."""

LARGEST_COMMENT = 65_536
"""Characters of a comment that GitHub takes."""

ROOM_OF_MARKER = 1_000
"""Characters of a comment that are left to whoever posts it."""

CUT = "**Cut here: {what} may not be longer. The files of the run have all of it.**"

LONGEST_ANNOTATION = 4_000
"""Characters of the text of one annotation."""

_DATA: Mapping[int, str] = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Mapping[int, str] = {**_DATA, **str.maketrans({":": "%3A", ",": "%2C"})}

_FENCES = ("```", "~~~")


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place in a file of the repository: its path from the repository's top, and a line (0: the whole file)."""

    file: str
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A message of a run beside a place in a file, or beside none (None)."""

    title: str
    text: str
    spot: Spot | None = None


def command(annotation: Annotation) -> str:
    """Return the line that makes the runner show an error; nothing in it can be another command."""
    spot = annotation.spot
    properties = {
        "file": spot.file if spot else "",
        "line": str(spot.line) if spot and spot.line else "",
        "title": one_line(annotation.title),
    }
    said = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items() if value)
    return f"::error {said}::{clean(annotation.text)[:LONGEST_ANNOTATION].translate(_DATA)}"


def warning(text: str) -> str:
    """Return the line that makes the runner show a warning beside no file."""
    return f"::warning title=bpfmatrix::{clean(text).translate(_DATA)}"


def failures(
    explanation: Explanation, *, where: Callable[[Cause], Spot | None], most: int = MOST_ANNOTATIONS
) -> tuple[Annotation, ...]:
    """Return what failed as at most `most` annotations, one for each cause and then one for each problem of a row.

    They are in the order of `explain`: what the kernel did before what bpfmatrix or its host did, and of these what hit
    most places first. Where they are more, the last one counts the rest. `where` finds the file of a cause.
    """
    found = [_of_cause(cause, where(cause)) for cause in explanation.causes]
    found += [Annotation(title=kernel, text=problem) for kernel, problem in explanation.problems]
    if len(found) <= most:
        return tuple(found)
    rest = len(found) - (most - 1)
    more = f"{plural(rest, 'more cause')}: the summary of the job and the report have all of them."
    return (*found[: most - 1], Annotation(title="bpfmatrix", text=more))


def _of_cause(cause: Cause, spot: Spot | None) -> Annotation:
    rows = cause.kernels
    on = rows[0] if len(rows) == 1 else f"{rows[0]} and {plural(len(rows) - 1, 'more row')}"
    lines = [f"{label}: {text}" for label, text in explanations.lines_of(cause)]
    return Annotation(title=f"{cause.seen.verdict}: {cause.what[0]} on {on}", text="\n".join(lines), spot=spot)


def summary(report: str, *, comparison: Comparison | None = None, notes: Sequence[str] = ()) -> str:
    """Return the summary of a job: notes, what changed, then report.md (`report`); no longer than GitHub takes."""
    blocks = [*(f"> **Notice:** {note}" for note in notes)]
    if comparison is not None:
        blocks.append(comparisons.markdown(comparison).rstrip("\n"))
    return cut("\n\n".join([*blocks, report]), most=LARGEST_SUMMARY, what="a summary")


def has_changed(comparison: Comparison) -> bool:
    """Whether there is something to say of a comparison: an answer or a cost, not a machine or a package alone."""
    said = [each for each in comparison.changes if not (comparison.common and each.kind in _OF_SELECTION)]
    return bool(said) or any(cost.word is not CostWord.STABLE for cost in comparison.costs)


_OF_SELECTION = frozenset({ChangeKind.GONE, ChangeKind.NEW})
"""What a run of only some of the cells says of the others."""


def comment(comparison: Comparison) -> str:
    """Return what a pull request shows of a comparison, as Markdown; "" where nothing changed.

    Nobody is notified by a name in it: behind each `@` is a character without width.
    """
    if not has_changed(comparison):
        return ""
    text = comparisons.markdown(comparison).replace("@", "@\u200b")
    return cut(text, most=LARGEST_COMMENT - ROOM_OF_MARKER, what="a comment", size=len)


def cut(text: str, *, most: int, what: str, size: Callable[[str], int] = lambda line: len(line.encode("utf-8"))) -> str:
    """Return Markdown of a `size` of at most `most`: cut where a block ends, never in a fence, with a note.

    Text without any such place in what fits is cut at the end of a line, and what is open there is closed.
    """
    if size(text) <= most:
        return text
    note = f"\n\n{CUT.format(what=what)}\n"
    room = most - size(note) - _ROOM_TO_CLOSE
    taken, kept, end = 0, list[str](), 0
    state = _Open()
    for line in text.splitlines(keepends=True):
        taken += size(line)
        if taken > room:
            break
        state = state.after(line)
        kept.append(line)
        if state == _Open() and not line.strip():
            end = len(kept)
    if end:
        return "".join(kept[:end]).rstrip("\n") + note
    return "".join(kept).rstrip("\n") + state.closing() + note


_ROOM_TO_CLOSE = 200
_LONGEST_FENCE = 100


@dataclass(frozen=True)
class _Open:
    """What is open after a line of Markdown: a fence, and how many elements that fold."""

    fence: str = ""
    folds: int = 0

    def after(self, line: str) -> _Open:
        bare = line.strip()
        if self.fence:
            return _Open("", self.folds) if bare == self.fence else self
        if bare.startswith(_FENCES):
            return _Open(bare[: len(bare) - len(bare.lstrip(bare[0]))], self.folds)
        return _Open("", self.folds + bare.count("<details") - bare.count("</details>"))

    def closing(self) -> str:
        fence = f"\n{self.fence}" if self.fence and len(self.fence) <= _LONGEST_FENCE else ""
        return fence + "\n</details>" * min(max(self.folds, 0), 5)
