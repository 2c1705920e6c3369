"""report.md: the grid and its details as GitHub shows them, small enough for a job summary."""

from __future__ import annotations

import re

from harness.model.results import Report, Verdict
from harness.reports import grid, view
from harness.reports.templating import template
from harness.reports.text import one_line

LONGEST_EVIDENCE = 8_000
"""Characters of one block of evidence in report.md."""

ALL_EVIDENCE = 400_000
"""Characters that all blocks together may take: GitHub refuses a job summary over 1 MiB."""

_SHORTEST_EVIDENCE = 400

_MARKUP = re.compile(r"[\\`*\[\]|~$#]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_BACKTICKS = re.compile("`+")


def render(report: Report) -> str:
    """Return report.md for `report`; nothing that a guest wrote acts as Markdown or HTML in it."""
    return PAGE.render(v=view.build(report, limit=_limit(report)))


def escape(text: str) -> str:
    """Return `text` on one line, so that Markdown and HTML show it as it is, also in a table's cell.

    It must not be at the start of a line, where `-` and `1.` would still begin a list.
    """
    return _MARKUP.sub(r"\\\g<0>", one_line(text)).translate(_ENTITIES)


def fence(text: str) -> str:
    """Return `text` as a fenced block, its fence longer than any run of backticks in it."""
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    bar = "`" * max(3, longest + 1)
    return f"{bar}text\n{text.rstrip()}\n{bar}"


PAGE = template("report.md.j2", autoescape=False, filters=(("md", escape), ("fence", fence)))
"""Compiled with the import, which comes while guests run."""


def _limit(report: Report) -> int:
    """Return the characters that each block of evidence may take, fewer where there are many blocks."""
    blocks = sum(
        2 + len(cell.outcome.splats)
        for cell in grid.cells_in_order(report)
        if cell.verdict is not Verdict.PASS or cell.outcome.allowed_splats
    )
    return min(LONGEST_EVIDENCE, max(_SHORTEST_EVIDENCE, ALL_EVIDENCE // max(1, blocks)))
