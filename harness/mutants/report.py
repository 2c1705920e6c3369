"""What a search for mutants found: as a table for people, as JSON for programs. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import EXIT_HARNESS, EXIT_UNEXPECTED
from harness.model.exit_codes import of_cell, worst
from harness.model.results import CellResult, Verdict
from harness.mutants.model import IN_GUESTS, Fate, Judged, Kind
from harness.reports.text import one_line


@dataclass(frozen=True, kw_only=True)
class KernelCost:
    """What one kernel's mutants cost: `guests` were started, `mutants` ran in them; seconds of wall time."""

    kernel: str
    cases: int
    mutants: int
    guests: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that a search found.

    `red` are cells of cases by themselves that are not as expected, so that nothing can be said of their mutants;
    `stale` are patterns of mutants.yaml that mean no survivor; `transcripts` says where the records come from.
    """

    judged: Sequence[Judged]
    red: Sequence[CellResult] = ()
    stale: Sequence[str] = ()
    costs: Sequence[KernelCost] = ()
    notices: Sequence[str] = ()
    transcripts: str = ""
    seconds: float = 0.0
    run: dict[str, str] = field(default_factory=dict)


def exit_code(found: Found) -> int:
    """Return 0 where every mutant is killed or explained, 1 where not, 3 where that could not be found out."""
    codes = {of_cell(cell) for cell in found.red}
    fates = {each.fate for each in found.judged}
    if Fate.NOT_RUN in fates:
        codes.add(EXIT_HARNESS)
    if Fate.SURVIVED in fates or found.stale:
        codes.add(EXIT_UNEXPECTED)
    return worst(codes)


def counts(found: Found, *kinds: Kind) -> Counter[Fate]:
    """Return how many mutants of some kinds met which fate."""
    return Counter(each.fate for each in found.judged if each.mutant.kind in kinds)


def headline(found: Found) -> str:
    """Return the result in one sentence."""
    return "; ".join(
        (_numbers("in guests", counts(found, *IN_GUESTS)), _numbers("on transcripts", _judged_only(found)))
    )


def _judged_only(found: Found) -> Counter[Fate]:
    return counts(found, Kind.EXPECTATIONS)


def _numbers(where: str, fates: Counter[Fate]) -> str:
    tried = sum(fates.values()) - fates[Fate.VOID]
    parts = [f"{fates[fate]} {meaning}" for fate, meaning in _WORDS.items() if fates[fate]]
    void = f" ({fates[Fate.VOID]} more could not be loaded)" if fates[Fate.VOID] else ""
    return f"{tried} mutants {where}: {', '.join(parts) or 'none'}{void}"


_WORDS = {
    Fate.KILLED: "killed",
    Fate.EQUIVALENT: "equivalent",
    Fate.SURVIVED: "survived",
    Fate.NOT_RUN: "not run",
}


def markdown(found: Found) -> str:
    """Return the report as Markdown."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Found) -> Iterator[str]:
    yield "# Mutants"
    yield ""
    yield "A mutant is one change of one case. Each must turn its cell red; docs/mutants.md says how to read this."
    yield ""
    yield f"{headline(found)}. {found.seconds:.0f} s."
    yield ""
    yield "| kind | tried | killed | only by an error | equivalent | survived | not run | could not be loaded |"
    yield "|---|---|---|---|---|---|---|---|"
    for kind in Kind:
        fates = counts(found, kind)
        tried = sum(fates.values()) - fates[Fate.VOID]
        errors = sum(each.verdict == Verdict.ERROR for each in _of(found, Fate.KILLED) if each.mutant.kind == kind)
        row = (kind, tried, fates[Fate.KILLED], errors, fates[Fate.EQUIVALENT], fates[Fate.SURVIVED])
        yield f"| {' | '.join(map(str, (*row, fates[Fate.NOT_RUN], fates[Fate.VOID])))} |"
    yield ""
    yield "| kernel | cases | mutants in guests | guests | seconds |"
    yield "|---|---|---|---|---|"
    for cost in found.costs:
        yield f"| {cost.kernel} | {cost.cases} | {cost.mutants} | {cost.guests} | {cost.seconds:.0f} |"
    if found.transcripts:
        yield ""
        yield f"Transcripts: {found.transcripts}."
    for title, lines in _sections(found):
        if lines:
            yield ""
            yield f"## {title}"
            yield ""
            yield from lines


def _sections(found: Found) -> Iterator[tuple[str, list[str]]]:
    survivors = [_line(each) for each in _of(found, Fate.SURVIVED)]
    yield "Survivors: strengthen the case, or say in mutants.yaml why nothing could show it", survivors
    yield (
        "Entries of mutants.yaml that no survivor is meant by any more: delete them",
        [f"- {each}" for each in found.stale],
    )
    red = [f"- {cell.kernel}, {cell.case}: {cell.verdict}: {one_line(cell.verdict_reason)}" for cell in found.red]
    yield "Cases that are not as expected by themselves, so that their mutants say nothing", red
    yield "Not run", [_line(each) for each in _of(found, Fate.NOT_RUN)]
    yield "Notices", [f"- {one_line(notice)}" for notice in found.notices]
    yield "Equivalent mutants", [_line(each) for each in _of(found, Fate.EQUIVALENT)]
    errors = [each for each in _of(found, Fate.KILLED) if each.verdict == Verdict.ERROR]
    yield "Killed only by an error", [_line(each) for each in errors]


def _of(found: Found, fate: Fate) -> list[Judged]:
    return [each for each in found.judged if each.fate == fate]


def _line(each: Judged) -> str:
    return f"- {each.kernel}, {each.mutant.case.id}: {each.mutant.name} ({each.verdict}): {one_line(each.why)}"


def as_json(found: Found) -> str:
    """Return all that was found as JSON, every mutant with its fate."""
    mutants: list[dict[str, Any]] = [
        {
            "kernel": each.kernel,
            "case": each.mutant.case.id,
            "kind": each.mutant.kind,
            "mutant": each.mutant.name,
            "expected": each.expected,
            "verdict": each.verdict,
            "fate": each.fate,
            "why": each.why,
        }
        for each in found.judged
    ]
    document = {
        "schema": 1,
        "run": {**found.run, "seconds": round(found.seconds, 3), "transcripts": found.transcripts},
        "exit_code": exit_code(found),
        "kernels": [vars(cost) for cost in found.costs],
        "red": [{"kernel": cell.kernel, "case": cell.case, "verdict": cell.verdict} for cell in found.red],
        "stale": list(found.stale),
        "notices": list(found.notices),
        "mutants": mutants,
    }
    return json.dumps(document, indent=1) + "\n"
