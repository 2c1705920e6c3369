"""The sub-results of some runs as a page of documentation shows them: a table of parts by kernels. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.model.results import PartResult, Report, Verdict
from harness.reports.grid import MEANINGS, SYMBOLS
from harness.reports.markdown import escape

Parts = Mapping[str, Mapping[str, PartResult]]
"""Parts by name, by the name of a kernel."""


def render_parts(reports: Sequence[Report]) -> str:
    """Return tables in Markdown, one for each architecture: a row for each part, a column for each kernel.

    A kernel has the parts that any of the runs has for it; of a part in several of them the last one counts.
    """
    parts = parts_of(reports)
    arches = {kernel.name: kernel.arch for report in reports for kernel in report.kernels}
    names = sorted({name for found in parts.values() for name in found})
    seen = {part.verdict for found in parts.values() for part in found.values()}
    signs = ", ".join(f"{SYMBOLS[each]} {each}: {MEANINGS[each]}" for each in Verdict if each in seen)
    days = sorted({report.run.started[:10] for report in reports})
    accels = sorted({report.run.accel for report in reports})
    said = [f"From runs of {' and '.join(days)} under {' and '.join(accels)}. {escape(signs)}. Empty: not tried."]
    for arch in dict.fromkeys(arches.values()):
        kernels = [name for name, own in arches.items() if own == arch and name in parts]
        heads = [escape(name.removesuffix(f"-{arch}")) for name in kernels]
        rows = [f"| {arch} | {' | '.join(heads)} |", f"|---|{':-:|' * len(heads)}"]
        for name in names:
            cells = [SYMBOLS[parts[kernel][name].verdict] if name in parts[kernel] else "" for kernel in kernels]
            if any(cells):
                rows.append(f"| {escape(name)} | {' | '.join(cells)} |")
        counts = [_count(parts[kernel]) for kernel in kernels]
        rows.append(f"| **all** | {' | '.join(counts)} |")
        said.append("\n".join(rows))
    return "\n\n".join(said)


def parts_of(reports: Sequence[Report]) -> Parts:
    """Return the parts of all cells of some runs by kernel; kernels without any are absent."""
    found: dict[str, dict[str, PartResult]] = {}
    for report in reports:
        for cell in report.cells:
            for part in cell.parts:
                found.setdefault(cell.kernel, {})[part.name] = part
    return found


def _count(parts: Mapping[str, PartResult]) -> str:
    """Return how many of some parts passed, of those that could be tried."""
    tried = [part.verdict for part in parts.values() if part.verdict != Verdict.NOT_APPLICABLE]
    return f"{sum(verdict in (Verdict.PASS, Verdict.XFAIL) for verdict in tried)}/{len(tried)}"
