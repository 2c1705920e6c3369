"""Parts of documentation pages that are made again, between marks; and the grid of a run as such a page shows it."""

from __future__ import annotations

import re
from collections import Counter

from harness.errors import UsageError
from harness.model.results import Report, Verdict
from harness.reports.grid import SYMBOLS, legend
from harness.reports.markdown import escape

FOLD_ABOVE = 20
"""With more cases than this a table is folded."""
GRID, BENCH, SUPPORT = "grid", "bench", "support"
"""The parts that a page may have a place for."""


def render(report: Report) -> str:
    """Return the tables of a report in Markdown, with their legend.

    A large grid begins with a count per kernel; its tables are folded.
    """
    signs = ", ".join(f"{sign} {verdict}: {meaning}" for sign, verdict, meaning in legend(report))
    parts = [f"From a run of {report.run.started[:10]} under {report.run.accel}. {escape(signs)}."]
    large = len(report.cases) > FOLD_ABOVE
    if large:
        parts.append(_counts(report))
    for arch in dict.fromkeys(kernel.arch for kernel in report.kernels):
        names = [kernel.name for kernel in report.kernels if kernel.arch == arch]
        heads = [name.removesuffix(f"-{arch}") for name in names]
        rows = [f"| {arch} | {' | '.join(map(escape, heads))} |", f"|---|{':-:|' * len(heads)}"]
        for case, _ in report.cases:
            cells = [SYMBOLS[report.cell(name, case).verdict] for name in names]
            rows.append(f"| {escape(case)} | {' | '.join(cells)} |")
        table = "\n".join(rows)
        title = f"{arch}: {len(names)} kernels × {len(report.cases)} cases"
        parts.append(f"<details><summary>{title}</summary>\n\n{table}\n\n</details>" if large else table)
    return "\n\n".join(parts)


def _counts(report: Report) -> str:
    """Return the table of how many cells of each kernel have which verdict."""
    seen = {cell.verdict for cell in report.cells}
    verdicts = [verdict for verdict in Verdict if verdict in seen]
    rows = [f"| kernel | {' | '.join(verdicts)} |", f"|---|{'--:|' * len(verdicts)}"]
    for kernel in report.kernels:
        counts = Counter(cell.verdict for cell in report.cells if cell.kernel == kernel.name)
        rows.append(f"| {escape(kernel.name)} | {' | '.join(str(counts[each] or '') for each in verdicts)} |")
    return "\n".join(rows)


def marks(part: str) -> tuple[str, str]:
    """Return the two lines between which a page has its place for `part`."""
    return f"<!-- {part}: begin -->", f"<!-- {part}: end -->"


def insert(text: str, made: str, *, part: str = GRID) -> str:
    """Return `text` with what is between the marks of `part` replaced by `made`; raise UsageError without marks."""
    begin, end = marks(part)
    if begin not in text or end not in text:
        raise UsageError(f"the page has no place for the {part}: put the lines {begin} and {end} into it")
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{made}\n{end}", text, flags=re.DOTALL)
