"""What the parts of a case come to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.model.results import Expectation, Outcome, OutcomeKind, PartResult, Verdict

WORST_FIRST = (
    Verdict.ERROR,
    Verdict.FAIL,
    Verdict.XPASS,
    Verdict.NOT_RUN,
    Verdict.ANSWERED,
    Verdict.KNOWN_BUG,
    Verdict.XFAIL,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)
"""Which verdict a cell has of those of its parts: `not-applicable` only where all of them are."""
MOST_NAMED = 5
"""How many parts a sentence names."""
EXPECTED = (Verdict.PASS, Verdict.XFAIL, Verdict.KNOWN_BUG, Verdict.NOT_APPLICABLE, Verdict.ANSWERED)


def cell_of_parts(parts: Sequence[PartResult]) -> tuple[Outcome, Verdict, str]:
    """Return outcome, verdict and the sentence for it of a cell with these parts, of which there is at least one.

    The outcome is that of the worst part, with a reason that counts them: how many work, and which others do not.
    """
    worst = min(parts, key=lambda part: (WORST_FIRST.index(part.verdict), part.outcome.kind == OutcomeKind.WORKS))
    reason = summary_of(parts)
    outcome = worst.outcome
    if outcome.kind == OutcomeKind.WORKS:
        outcome = Outcome(kind=OutcomeKind.WORKS, reason=reason, seconds=_seconds(parts))
    else:
        outcome = replace(
            outcome,
            reason=reason,
            seconds=_seconds(parts),
            measured={},
            mark=None,
            mark_reason="",
            programs={},
            over_budget=(),
        )
    if worst.verdict in EXPECTED:
        return outcome, worst.verdict, reason
    return outcome, worst.verdict, f"{reason}: {worst.verdict_reason}"


def summary_of(parts: Sequence[PartResult]) -> str:
    """Return a sentence of how many parts work, and which do not, by what they did and at which stage."""
    works = sum(part.outcome.kind == OutcomeKind.WORKS for part in parts)
    groups: dict[str, list[str]] = {}
    for part in parts:
        if part.outcome.kind != OutcomeKind.WORKS:
            at = f" at {part.outcome.stage}" if part.outcome.kind == OutcomeKind.REFUSED else ""
            groups.setdefault(f"{part.outcome.kind}{at}", []).append(part.name)
        elif part.outcome.mark is not None:
            groups.setdefault(str(part.outcome.mark), []).append(part.name)
    clauses = [f"{kind}: {_listed(names)}" for kind, names in groups.items()]
    return "; ".join([f"{works} of {len(parts)} work", *clauses])


def expectation_of_parts() -> Expectation:
    """Return what a cell with parts is expected to do: its parts have rules, it has none."""
    return Expectation(outcome=OutcomeKind.WORKS, reason="each of its parts as it is expected")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _seconds(parts: Sequence[PartResult]) -> float | None:
    known = [part.outcome.seconds for part in parts if part.outcome.seconds is not None]
    return round(sum(known), 6) if known else None
