"""notes.md: the grid and the support statement as the notes of a release show them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.answers.support import State, Support
from harness.model.results import Report
from harness.reports import grid, page, support_page
from harness.reports.markdown import escape

LONGEST = 60_000
"""Characters: GitHub takes 125,000 as the notes of a release, and its author's own must fit beside these."""

BEGIN, END = "<!-- bpfmatrix: begin -->", "<!-- bpfmatrix: end -->"
"""Between these lines the notes of a release have this text; what else they have is its author's."""

LEFT_OUT = "Too long for here: see {file} of this release."


def render(report: Report, support: Support, *, limit: int = LONGEST) -> str:
    """Return the text between its marks, in at most `limit` characters: what does not fit is left to the files.

    `limit` must leave room for the summary, which is always there.
    """
    parts: list[tuple[Callable[[], str], str]] = [
        (lambda: _folded("What was seen to work, by case", support_page.markdown(support, depth=3)), "support.md"),
        (lambda: page.render(report), "report.html"),
    ]
    shown = [make() for make, _ in parts]
    text = _joined(report, support, shown)
    # The grid goes first: the statement is what a release is asked about.
    for index in reversed(range(len(parts))):
        if len(text) <= limit:
            break
        shown[index] = LEFT_OUT.format(file=f"`{parts[index][1]}`")
        text = _joined(report, support, shown)
    return text


def _joined(report: Report, support: Support, shown: Sequence[str]) -> str:
    statement, cells = shown
    said = "\n".join(f"- {escape(notice)}" for notice in grid.notices(report))
    blocks = [
        BEGIN,
        "## On which kernels it was seen to work",
        f"{escape(grid.headline(report))}",
        _everywhere(support),
        *([said] if said else []),
        statement,
        "### The grid",
        cells,
        "All of it, with the evidence, is in `report.html`. Check what you downloaded with "
        "`bpfmatrix release-report --verify` and `gh attestation verify`.",
        END,
    ]
    return "\n\n".join(blocks) + "\n"


def _everywhere(support: Support) -> str:
    """Return in a sentence how much works wherever it was tried."""
    tried = [each for each in support.statements if each.tried]
    good = [each for each in tried if each.count(State.WORKS) == each.tried]
    cases = {each.case for each in tried}
    always = cases - {each.case for each in tried if each.count(State.WORKS) != each.tried}
    arches = len({each.arch for each in tried})
    return (
        f"Of {grid.plural(len(cases), 'case')}, {len(always)} {'was' if len(always) == 1 else 'were'} seen to work on "
        f"every kernel that answered, of {grid.plural(arches, 'architecture')}; by case, architecture and distribution "
        f"it is {len(good)} of {len(tried)}. What does not work anywhere may be what a case is there to show."
    )


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text.rstrip()}\n\n</details>"
