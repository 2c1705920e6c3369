"""Comparing an outcome with its expectation. Expectations hold both ways."""

from __future__ import annotations

import re

from harness.judge.budget import budget_text
from harness.judge.signature import signature_differences, wrong_differences
from harness.model.results import CAUSES, THE_KERNELS, WHO, Expectation, Origin, Outcome, OutcomeKind, Verdict

_WITHOUT_EXPECTATION = {
    OutcomeKind.LOST: Verdict.ERROR,
    OutcomeKind.NOT_RUN: Verdict.NOT_RUN,
}
_WHAT_TO_DO = (
    "If this is right, let a rule of the case expect not-applicable on this kernel, with its reason and source"
)


_AS_EXPECTED = frozenset({Verdict.PASS, Verdict.XFAIL, Verdict.KNOWN_BUG, Verdict.ANSWERED})


def judge(outcome: Outcome, expected: Expectation) -> tuple[Verdict, str]:
    """Return the verdict and a sentence that says why. What needs more than its budget fails, whatever else it does."""
    verdict, reason = _compared(outcome, expected)
    too_much = budget_text(outcome)
    if not too_much:
        return verdict, reason
    if verdict in _AS_EXPECTED:
        return Verdict.FAIL, too_much
    return verdict, f"{reason}; {too_much}"


def _compared(outcome: Outcome, expected: Expectation) -> tuple[Verdict, str]:
    """Return the verdict of an outcome, and a sentence that says why, whatever it needs.

    A case is not-applicable only where its expectation says so, and for the cause that it names: a mistyped sysctl must
    not look like a kernel that has no such thing. What bpfmatrix itself needs, and not the case, no rule must expect.
    """
    found = _without_expectation(outcome, expected)
    if found is not None:
        return found
    if outcome.kind == OutcomeKind.NOT_APPLICABLE:
        if expected.outcome == OutcomeKind.NOT_APPLICABLE:
            wrong = precondition_differences(outcome, expected)
            if not wrong:
                return Verdict.NOT_APPLICABLE, expected.reason
            return Verdict.FAIL, f"{outcome.reason}, which is not why the case means nothing here: {'; '.join(wrong)}"
        return Verdict.FAIL, f"expected {expected.outcome} ({expected.reason}), but {outcome.reason}. {_WHAT_TO_DO}"
    if expected.outcome == OutcomeKind.WORKS:
        if outcome.kind == OutcomeKind.WORKS:
            return Verdict.PASS, outcome.reason
        return Verdict.FAIL, f"expected to work ({expected.reason}), but: {outcome.reason}"
    if outcome.kind == OutcomeKind.WORKS:
        return Verdict.XPASS, f"works, though expected not to ({expected.outcome}: {expected.reason})"
    if outcome.kind != expected.outcome:
        return Verdict.FAIL, f"expected {expected.outcome} ({expected.reason}), but {outcome.kind}: {outcome.reason}"
    if expected.known_bug:
        wrong = signature_differences(outcome, expected)
        if wrong:
            return Verdict.FAIL, f"{outcome.kind}, but not as the known bug that the rule describes: {'; '.join(wrong)}"
        return Verdict.KNOWN_BUG, expected.reason
    wrong = refusal_differences(outcome, expected)
    if wrong:
        return Verdict.FAIL, f"refused, as expected, but not in the expected way: {'; '.join(wrong)}"
    return Verdict.XFAIL, expected.reason


def _without_expectation(outcome: Outcome, expected: Expectation) -> tuple[Verdict, str] | None:
    """Return the verdict of a cell that nothing is compared with: without an answer, or without an expectation."""
    verdict = _WITHOUT_EXPECTATION.get(outcome.kind)
    if verdict is not None:
        return verdict, outcome.reason
    if outcome.ours:
        return Verdict.NOT_APPLICABLE, outcome.reason
    if expected.unruled:
        return Verdict.ANSWERED, f"{expected.reason}: {outcome.kind}, {outcome.reason}"
    return None


def precondition_differences(outcome: Outcome, expected: Expectation) -> list[str]:
    """Return how the precondition that was not met differs from the one that the rule names."""
    wrong: list[str] = []
    if (outcome.cause, outcome.cause_name) != (expected.cause, expected.cause_name):
        wrong.append(f"the rule names the {CAUSES[expected.cause]} {expected.cause_name}")
    if outcome.errno_name not in expected.errno:
        wrong.append(f"with {outcome.errno_name}, expected {' or '.join(expected.errno)}")
    return wrong


def refusal_differences(outcome: Outcome, expected: Expectation) -> list[str]:
    """Return how a refusal differs from the expected one: its stage, its errno, the text of its log."""
    wrong: list[str] = []
    if expected.stage is not None and outcome.stage != expected.stage:
        wrong.append(f"at stage {outcome.stage}, expected {expected.stage}")
    if expected.errno and outcome.errno_name not in expected.errno:
        wrong.append(f"with {outcome.errno_name}, expected {' or '.join(expected.errno)}")
    allowed = expected.origin or THE_KERNELS
    if outcome.origin not in allowed:
        by = WHO[outcome.origin or Origin.UNKNOWN]
        wrong.append(f"by {by}, expected by {' or by '.join(WHO[origin] for origin in allowed)}")
    if expected.refusal and outcome.refusal != expected.refusal:
        wrong.append(f"for another reason ({outcome.refusal}), expected {expected.refusal}")
    if expected.message is not None and not re.search(expected.message, f"{outcome.log}\n{outcome.reason}"):
        wrong.append(f"nothing in its log matches /{expected.message}/")
    # The last difference is the refusal itself.
    return [*wrong, *wrong_differences(outcome.differences[:-1], expected.differences)]
