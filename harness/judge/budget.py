"""Whether the programs of a case are within its budget, from what was measured of them. Pure.

What was not measured is within no budget: it is said, as a mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.facts.records import CaseRecord
from harness.judge.runs import MEASURE
from harness.model.budgets import CALLED, Budget, Most
from harness.model.measures import INSTRUCTIONS, JITED, LIMIT
from harness.model.results import Mark, Outcome, OutcomeKind, OverBudget
from harness.scenario.case import LOAD, Case

Measured = Mapping[str, int]
Programs = Mapping[str, Measured]
"""What was measured of programs, by name."""

_HAS_ANSWER = frozenset({OutcomeKind.WORKS, OutcomeKind.REFUSED, OutcomeKind.MISBEHAVES, OutcomeKind.CRASHED})


def with_budget(case: Case, record: CaseRecord, outcome: Outcome) -> Outcome:
    """Return an outcome with what was measured of the case's programs, and with what exceeds the budget.

    Of a case that works, and of which something that has a budget is not known, the mark says so.
    """
    loaded = {
        f"{report['what']}.{name}": {measure: int(value) for measure, value in measured.items()}
        for report in record.steps
        if report["op"] == LOAD and report.get("ok")
        for name, measured in report.get("programs", {}).items()
    }
    outcome = replace(outcome, programs=loaded) if loaded else outcome
    if not case.budget or outcome.kind not in _HAS_ANSWER:
        return outcome
    programs = {**loaded, **_single(record)}
    over = tuple(found for name, own in programs.items() for found in _over(name, own, case.budget))
    if over:
        return replace(outcome, over_budget=over)
    of_programs = (why for name, own in programs.items() for why in _unknown(name, own, case.budget))
    unknown = [*(_unmeasured(record) if case.measures_loads else ()), *of_programs]
    if not unknown or outcome.kind is not OutcomeKind.WORKS:
        return outcome
    said = f"nobody knows whether it is within its budget: {'; '.join(unknown)}"
    if outcome.mark is not None:
        return replace(outcome, mark_reason=f"{outcome.mark_reason}; {said}")
    return replace(outcome, mark=Mark.NOT_MEASURED, mark_reason=said)


def budget_text(outcome: Outcome) -> str:
    """Return what exceeds the budget, as a sentence; "" where nothing does."""
    return f"over budget: {'; '.join(each.text for each in outcome.over_budget)}" if outcome.over_budget else ""


def _single(record: CaseRecord) -> Programs:
    """Return what was measured of programs that are tried by themselves."""
    found: dict[str, Measured] = {}
    for report in record.steps:
        if report["op"] == MEASURE and report.get("ok"):
            found[report["what"]] = {name: int(value) for name, value in report.get("measured", {}).items()}
    return found


def _unmeasured(record: CaseRecord) -> Iterator[str]:
    """Yield a clause for each object that was loaded and of whose programs nothing was measured."""
    for report in record.steps:
        if report["op"] == LOAD and report.get("ok") and "programs" not in report:
            yield f"nothing was measured of {report['what']}"


def _over(name: str, measured: Measured, budget: Budget) -> Iterator[OverBudget]:
    for measure, most in budget.items():
        value, limit = measured.get(measure), measured.get(LIMIT)
        allowed = _allowed(most, limit)
        if value is None or allowed is None or value <= allowed:
            continue
        share = f" ({most.percent:g}% of this kernel's limit of {limit})" if most.percent is not None else ""
        text = f"{name} has {value} {CALLED[measure]}, its budget is {int(allowed)}{share}"
        yield OverBudget(program=name, measure=measure, value=value, most=int(allowed), text=text)


def _allowed(most: Most, limit: int | None) -> float | None:
    """Return the largest number that a budget allows, None where it is a share of a limit that is not known."""
    if most.percent is None:
        return most.number
    return None if not limit else limit * most.percent / 100


def _unknown(name: str, measured: Measured, budget: Budget) -> Iterator[str]:
    for measure, most in budget.items():
        if measure == JITED and measured.get(JITED) == 0:
            yield f"{name} has no machine code on this kernel"
        elif measure not in measured:
            yield f"the number of {CALLED[measure]} of {name} is not known"
        elif measure == INSTRUCTIONS and most.percent is not None and LIMIT not in measured:
            yield f"the limit of this kernel is not known, since it said nothing of {name}"
