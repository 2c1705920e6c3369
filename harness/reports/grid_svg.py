"""matrix.svg: the whole grid as a picture, for a README: rows by architecture, a column for each case. Pure.

It has both themes (the reader's own decides), and its content as text for screen readers. It has no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from harness.model.results import CellResult, KernelResult, Report, Verdict
from harness.reports import grid
from harness.reports.text import one_line

CELL_WIDTH, CELL_HEIGHT, GAP = 7, 13, 1
"""Pixels of a cell, and between two."""
LABEL_WIDTH, MARGIN, LINE = 190, 12, 16
"""Pixels of the rows' names, around everything, and of a line of text."""
NARROWEST = 640
"""Pixels that the legend needs."""
LONGEST_LABEL = 28
"""Characters of a row's name."""

COLOURS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.PASS: ("#1a7f37", "#3fb950"),
    Verdict.XFAIL: ("#8fb8e8", "#3d5f86"),
    Verdict.KNOWN_BUG: ("#d4a72c", "#bb8009"),
    Verdict.FAIL: ("#cf222e", "#f85149"),
    Verdict.XPASS: ("#a475f9", "#bc8cff"),
    Verdict.ANSWERED: ("#0969da", "#58a6ff"),
    Verdict.ERROR: ("#82071e", "#ff7b72"),
    Verdict.NOT_RUN: ("#afb8c1", "#484f58"),
    Verdict.NOT_APPLICABLE: ("#eaeef2", "#21262d"),
}
"""The colours of each verdict: on a light ground, on a dark one."""

_TEXT, _DIM = ("#1f2328", "#e6edf3"), ("#59636e", "#9198a1")


def render(report: Report) -> str:
    """Return matrix.svg for `report`; no text of a guest is markup in it."""
    report = grid.completed(report)
    cells = {(cell.kernel, cell.case): cell for cell in grid.cells_in_order(report)}
    cases = [case for case, _ in report.cases]
    width = max(NARROWEST, 2 * MARGIN + LABEL_WIDTH + len(cases) * (CELL_WIDTH + GAP))
    body, paths, bottom = _rows(report, cells, cases, width=width)
    legend, height = _legend(report, top=bottom, width=width)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{_text(f"bpfmatrix {report.run.id}: {grid.headline(report)}")}</title>',
            f'<desc id="desc">{_text(_described(report, cells, cases))}</desc>',
            f"<style>{_style()}</style>",
            f'<text class="head" x="{MARGIN}" y="{MARGIN + LINE}">{_text(_heading(report))}</text>',
            *body,
            *(f'<path class="v-{verdict}" d="{"".join(boxes)}"/>' for verdict, boxes in paths.items()),
            *legend,
            "</svg>",
            "",
        ]
    )


def _heading(report: Report) -> str:
    kernels, cases = grid.plural(len(report.kernels), "kernel"), grid.plural(len(report.cases), "case")
    return f"{kernels} x {cases}, {report.run.started[:10]} ({report.run.accel})"


def _rows(
    report: Report, cells: Mapping[tuple[str, str], CellResult], cases: Sequence[str], *, width: int
) -> tuple[list[str], dict[Verdict, list[str]], int]:
    """Return the rows' names as elements, the boxes of each verdict as parts of one path, and where they end."""
    body: list[str] = []
    boxes: dict[Verdict, list[str]] = {}
    top = MARGIN + 2 * LINE
    for arch, kernels in _by_architecture(report.kernels).items():
        body.append(f'<text class="dim" x="{MARGIN}" y="{top + LINE - 4}">{_text(arch or "unknown")}</text>')
        body.append(f'<path class="rule" d="M{MARGIN + 60} {top + LINE - 8}H{width - MARGIN}"/>')
        top += LINE + 4
        for kernel in kernels:
            body.append(f'<text x="{MARGIN}" y="{top + CELL_HEIGHT - 3}">{_text(_label(kernel.name))}</text>')
            for column, case in enumerate(cases):
                boxes.setdefault(cells[kernel.name, case].verdict, []).append(_box(column, top))
            top += CELL_HEIGHT + GAP
        top += 6
    return body, {verdict: boxes[verdict] for verdict in Verdict if verdict in boxes}, top


def _label(name: str) -> str:
    name = one_line(name)
    return f"{name[: LONGEST_LABEL - 1]}…" if len(name) > LONGEST_LABEL else name


def _by_architecture(kernels: Sequence[KernelResult]) -> dict[str, list[KernelResult]]:
    found: dict[str, list[KernelResult]] = {}
    for kernel in kernels:
        found.setdefault(kernel.arch, []).append(kernel)
    return found


def _box(column: int, top: int) -> str:
    left = MARGIN + LABEL_WIDTH + column * (CELL_WIDTH + GAP)
    return f"M{left} {top}h{CELL_WIDTH}v{CELL_HEIGHT}h-{CELL_WIDTH}z"


def _legend(report: Report, *, top: int, width: int) -> tuple[list[str], int]:
    """Return the legend's elements, and where they end."""
    counts, found, left = grid.counts(report), list[str](), MARGIN
    top += 4
    for symbol, verdict, _ in grid.legend(report):
        label = f"{symbol} {verdict}: {counts[verdict]}"
        needed = 24 + 8 * len(label)
        if left > MARGIN and left + needed > width - MARGIN:
            left, top = MARGIN, top + LINE + 2
        found.append(f'<rect class="v-{verdict}" x="{left}" y="{top}" width="10" height="{CELL_HEIGHT}"/>')
        found.append(f'<text x="{left + 15}" y="{top + CELL_HEIGHT - 3}">{_text(label)}</text>')
        left += needed
    return found, top + LINE + MARGIN


def _described(report: Report, cells: Mapping[tuple[str, str], CellResult], cases: Sequence[str]) -> str:
    """Return the grid in words: of each kernel how many cells have which verdict."""
    lines = []
    for kernel in report.kernels:
        own = [cells[kernel.name, case].verdict for case in cases]
        said = ", ".join(f"{own.count(verdict)} {verdict}" for verdict in Verdict if verdict in own)
        lines.append(f"{kernel.name}: {said}.")
    return " ".join(lines)


def _style() -> str:
    light = "".join(f".v-{verdict}{{fill:{light}}}" for verdict, (light, _) in COLOURS.items())
    dark = "".join(f".v-{verdict}{{fill:{dark}}}" for verdict, (_, dark) in COLOURS.items())
    return (
        f"text{{font:11px ui-sans-serif,system-ui,sans-serif;fill:{_TEXT[0]}}}.head{{font-weight:600;font-size:13px}}"
        f".dim{{fill:{_DIM[0]}}}.rule{{stroke:{_DIM[0]};stroke-opacity:.3}}{light}"
        f"@media(prefers-color-scheme:dark){{text{{fill:{_TEXT[1]}}}.dim{{fill:{_DIM[1]}}}"
        f".rule{{stroke:{_DIM[1]}}}{dark}}}"
    )


def _text(text: str) -> str:
    return escape(one_line(text, limit=20_000))
