"""report.html: one page that needs no other file: what failed, the grid, and the evidence of every cell in packs."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.answers.explain import Again, Cause, explain
from harness.model import exit_codes
from harness.model.results import Report, Verdict
from harness.reports import assets, cell_evidence, explanation, grid, view, wording
from harness.reports.layout import Layout, cells_of, layout_of
from harness.reports.packing import Packs, pack
from harness.reports.page_index import as_json, index_of, name_of
from harness.reports.templating import template

MOST_CAUSES = 40
"""Causes of failures that are described; the grid has all."""
MOST_NAMED = 4
"""Names in the heading of a cause."""
UNFOLDED = 3
"""Causes that are open when the page is."""
MOST_PLACES = 24
"""Cells that a cause links to."""
PAGE = template("report.html.j2", autoescape=True)
"""Compiled with the import, which comes while guests run."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Cells that failed for one cause: what is said of them, and (text, fragment) of the links to them."""

    verdict: Verdict
    symbol: str
    what: str
    party: str
    places: str
    lines: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    more: int


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the template lays out."""

    summary: view.Summary
    size: str
    when: str
    exit_code: int
    meaning: str
    counts: tuple[tuple[str, Verdict, str, int], ...]
    failures: tuple[Failure, ...]
    more_failures: int
    layout: Layout
    arches: tuple[str, ...]
    refusals: tuple[tuple[str, int], ...]
    index: Markup
    packs: Packs


def render(report: Report) -> str:
    """Return report.html for `report`: its only script is ours, and no text of a guest is markup."""
    return PAGE.render(
        p=page_of(report),
        policy=assets.policy(),
        script=Markup(assets.script()),
        style=Markup(assets.style()),
        name_of=name_of,
        symbols=grid.SYMBOLS,
        unfolded=UNFOLDED,
        cells_of=cells_of,
        worst=lambda cells: grid.worst(cell.verdict for cell in cells),
    )


def page_of(report: Report) -> Page:
    """Return what report.html shows of a report."""
    report = view.cleaned(report)
    layout = layout_of(report)
    program = program_of(report)
    failures = explain(report, program=program).causes
    counts = grid.counts(report)
    refusals = Counter(cell.refusal for row in layout.cells for cell in row if cell.refusal)
    return Page(
        summary=view.summary(report),
        size=grid.size(report),
        when=f"{report.run.started[:10]}, {wording.duration(report.run.seconds)}, {report.run.accel}",
        exit_code=report.run.exit_code,
        meaning=exit_codes.exit_meaning(report.run.exit_code),
        counts=tuple((sign, verdict, meaning, counts[verdict]) for sign, verdict, meaning in grid.legend(report)),
        failures=tuple(_failure(cause, layout) for cause in failures[:MOST_CAUSES]),
        more_failures=max(0, len(failures) - MOST_CAUSES),
        layout=layout,
        arches=tuple(dict.fromkeys(group.arch for group in layout.groups)),
        refusals=tuple(sorted(refusals.items())),
        index=Markup(as_json(index_of(layout))),
        packs=packs_of(report, layout, again=Again(report, program=program)),
    )


def program_of(report: Report) -> str:
    """Return how the command line was called, `bpfmatrix` where that is not known."""
    try:
        return next(iter(shlex.split(report.run.command)), "bpfmatrix")
    except ValueError:
        return "bpfmatrix"


def packs_of(report: Report, layout: Layout, *, again: Again) -> Packs:
    """Return the evidence in a pack for each kernel: its own, then that of its cells in the order of the cases."""
    cells = {(cell.kernel, cell.case): cell for cell in grid.cells_in_order(report)}
    return pack(
        [
            [
                cell_evidence.of_kernel(kernel),
                *(cell_evidence.of_cell(cells[kernel.name, case], again=again) for case, _ in layout.cases),
            ]
            for kernel in layout.kernels
        ]
    )


def _failure(cause: Cause, layout: Layout) -> Failure:
    kernels = {kernel.name: slug for kernel, slug in zip(layout.kernels, layout.slugs, strict=True)}
    cases = {case: slug for (case, _), slug in zip(layout.cases, layout.case_slugs, strict=True)}
    places = tuple(dict.fromkeys((place.kernel, place.case) for place in cause.places))
    links = tuple((_link_text(place, places), f"{kernels[place[0]]}/{cases[place[1]]}") for place in places)
    return Failure(
        verdict=cause.seen.verdict,
        symbol=grid.SYMBOLS[cause.seen.verdict],
        what=f"{_named(cause.what)} on {_named(cause.kernels)}",
        party=str(cause.party),
        places=grid.plural(len(places), "cell"),
        lines=tuple((label, text) for label, text in explanation.lines_of(cause) if label not in ("What", "Where")),
        links=links[:MOST_PLACES],
        more=max(0, len(links) - MOST_PLACES),
    )


def _named(names: Sequence[str]) -> str:
    """Return a few names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _link_text(place: tuple[str, str], places: Sequence[tuple[str, str]]) -> str:
    """Return what tells one of some cells from the others: its kernel, its case, or both."""
    kernel, case = place
    if len({each for _, each in places}) == 1:
        return kernel
    return case if len({each for each, _ in places}) == 1 else f"{kernel} × {case}"
