"""What was measured of programs, compared with a budget: too much fails, what is not known is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.facts.kernel import KernelFacts
from harness.facts.records import CaseRecord
from harness.judge.budget import budget_text, with_budget
from harness.judge.cells import cells
from harness.judge.parts import cell_of_parts
from harness.judge.verdict import judge
from harness.model.budgets import Budget, Most
from harness.model.measures import INSTRUCTIONS, JITED, LIMIT, PEAK_STATES
from harness.model.results import Expectation, Mark, Outcome, OutcomeKind, PartResult, Stage, Verdict
from harness.model.rows import Row
from harness.scenario.case import AgentStep, Case

WORKS = Outcome(kind=OutcomeKind.WORKS, reason="all of it")
EXPECTED = Expectation(outcome=OutcomeKind.WORKS, reason="it should")
LOAD = AgentStep(stage=Stage.LOAD_TARGET, op="load", what="target", args={"object": "target"})
MILLION = 1_000_000
SHARE = {INSTRUCTIONS: Most(percent=85.0)}


def case(budget: Budget, **changes: Any) -> Case:
    return Case(id="c", title="c", budget=budget, **{"steps": (LOAD,), **changes})


def loaded(programs: Mapping[str, Mapping[str, int]] | None) -> CaseRecord:
    report = {"op": "load", "what": "target", "ok": True, "stage": "load-target"}
    return CaseRecord(steps=(report if programs is None else {**report, "programs": programs},))


def measured(**numbers: int) -> dict[str, int]:
    names = {"insns": INSTRUCTIONS, "limit": LIMIT, "states": PEAK_STATES, "jited": JITED}
    return {names[name]: value for name, value in numbers.items()}


@pytest.mark.parametrize(
    ("budget", "numbers", "most"),
    [
        (SHARE, {"insns": 850_001, "limit": MILLION}, 850_000),
        (SHARE, {"insns": 111_412, "limit": 131_072}, 111_411),  # 85 % of an old kernel's limit is 111411.2
        ({INSTRUCTIONS: Most(number=99)}, {"insns": 100}, 99),
        ({PEAK_STATES: Most(number=7)}, {"states": 8}, 7),
        ({JITED: Most(number=4096)}, {"jited": 4097}, 4096),
    ],
)
def test_what_is_larger_than_its_budget_fails_with_program_number_and_budget(
    budget: Budget, numbers: dict[str, int], most: int
) -> None:
    found = with_budget(case(budget), loaded({"p": measured(**numbers)}), WORKS)
    (over,) = found.over_budget
    value = next(numbers[name] for name in ("insns", "states", "jited") if name in numbers)
    assert (over.program, over.value, over.most) == ("target.p", value, most)
    verdict, reason = judge(found, EXPECTED)
    assert verdict is Verdict.FAIL
    assert reason.startswith(f"over budget: target.p has {value} ")
    assert f"its budget is {most}" in reason
    assert (found.kind, found.mark) == (OutcomeKind.WORKS, None)


def test_a_share_is_one_of_the_limit_that_the_kernel_names() -> None:
    (over,) = with_budget(case(SHARE), loaded({"p": measured(insns=900_000, limit=MILLION)}), WORKS).over_budget
    assert over.text == (
        "target.p has 900000 verified instructions, its budget is 850000 (85% of this kernel's limit of 1000000)"
    )


@pytest.mark.parametrize(
    ("budget", "numbers"),
    [
        (SHARE, {"insns": 850_000, "limit": MILLION}),
        (SHARE, {"insns": 111_411, "limit": 131_072}),
        ({INSTRUCTIONS: Most(number=100)}, {"insns": 100}),
        ({PEAK_STATES: Most(number=7), JITED: Most(number=9)}, {"states": 7, "jited": 9}),
        ({}, {"insns": 2_000_000, "limit": MILLION}),
    ],
)
def test_what_is_within_its_budget_passes_without_a_mark(budget: Budget, numbers: dict[str, int]) -> None:
    found = with_budget(case(budget), loaded({"p": measured(**numbers)}), WORKS)
    assert (found.over_budget, found.mark, budget_text(found)) == ((), None, "")
    assert judge(found, EXPECTED) == (Verdict.PASS, "all of it")
    assert found.programs == {"target.p": measured(**numbers)}


@pytest.mark.parametrize(
    ("budget", "programs", "said"),
    [
        (SHARE, {"p": measured(insns=5)}, "the limit of this kernel is not known"),
        (SHARE, {"p": {}}, "the number of verified instructions of target.p is not known"),
        (SHARE, None, "nothing was measured of target"),
        (
            {PEAK_STATES: Most(number=7)},
            {"p": measured(insns=5, limit=9)},
            "states of the verifier at a time of target.p",
        ),
        ({JITED: Most(number=7)}, {"p": measured(jited=0)}, "target.p has no machine code on this kernel"),
    ],
)
def test_what_is_not_known_is_said_and_never_within_a_budget(
    budget: Budget, programs: dict[str, dict[str, int]] | None, said: str
) -> None:
    found = with_budget(case(budget), loaded(programs), WORKS)
    assert found.mark is Mark.NOT_MEASURED
    assert found.mark_reason.startswith("nobody knows whether it is within its budget: ")
    assert said in found.mark_reason
    assert judge(found, EXPECTED)[0] is Verdict.PASS
    marked = replace(WORKS, mark=Mark.DID_NOT_RUN, mark_reason="it did not run")
    both = with_budget(case(budget), loaded(programs), marked)
    assert (both.mark, both.mark_reason) == (Mark.DID_NOT_RUN, f"it did not run; {found.mark_reason}")


def test_what_is_too_large_is_said_though_something_else_is_not_known() -> None:
    programs = {"p": measured(insns=5), "q": measured(insns=900_000, limit=MILLION)}
    found = with_budget(case(SHARE), loaded(programs), WORKS)
    assert ([each.program for each in found.over_budget], found.mark) == (["target.q"], None)


def test_without_a_budget_nothing_is_missing() -> None:
    assert with_budget(case({}), loaded(None), WORKS) == WORKS


@pytest.mark.parametrize("kind", [OutcomeKind.LOST, OutcomeKind.NOT_RUN, OutcomeKind.NOT_APPLICABLE])
def test_where_there_is_no_answer_there_is_no_budget(kind: OutcomeKind) -> None:
    outcome = Outcome(kind=kind, reason="r")
    found = with_budget(case(SHARE), loaded({"p": measured(insns=900_000, limit=MILLION)}), outcome)
    assert (found.over_budget, found.mark) == ((), None)


def test_an_expected_refusal_of_the_tracer_does_not_hide_a_target_that_needs_too_much() -> None:
    refused = Outcome(kind=OutcomeKind.REFUSED, reason="no", stage=Stage.ATTACH_TRACER, origin=None)
    found = with_budget(case(SHARE), loaded({"p": measured(insns=900_000, limit=MILLION)}), refused)
    verdict, reason = judge(found, Expectation(outcome=OutcomeKind.WORKS, reason="it should"))
    assert verdict is Verdict.FAIL
    assert "no" in reason
    assert "over budget: target.p" in reason
    unruled = Expectation(outcome=OutcomeKind.WORKS, reason="no rule", unruled=True)
    assert judge(found, unruled)[0] is Verdict.FAIL


def test_a_program_that_is_tried_by_itself_has_its_own_numbers() -> None:
    steps = (replace(LOAD, args={"object": "object", "stats": True}),)
    report = {"op": "measure", "what": "p", "ok": True, "stage": "observe"}
    load = {"op": "load", "what": "object", "ok": True, "stage": "load-target"}
    many = CaseRecord(steps=(load, {**report, "measured": measured(insns=900_000, limit=MILLION)}))
    found = with_budget(case(SHARE, steps=steps), many, WORKS)
    assert [each.program for each in found.over_budget] == ["p"]
    few = CaseRecord(steps=(load, {**report, "measured": measured(insns=9, limit=MILLION)}))
    assert with_budget(case(SHARE, steps=steps), few, WORKS) == WORKS
    together = CaseRecord(steps=(load,))
    assert with_budget(case(SHARE, steps=steps), together, WORKS) == WORKS


def test_a_cell_fails_with_its_part_and_says_why() -> None:
    over = with_budget(case(SHARE), loaded({"p": measured(insns=900_000, limit=MILLION)}), WORKS)
    parts = [
        PartResult(name="p", outcome=over, verdict=Verdict.FAIL, verdict_reason=budget_text(over)),
        PartResult(name="q", outcome=WORKS, verdict=Verdict.PASS, verdict_reason="works"),
    ]
    outcome, verdict, reason = cell_of_parts(parts)
    assert (outcome.kind, verdict) == (OutcomeKind.WORKS, Verdict.FAIL)
    assert "target.p has 900000 verified instructions" in reason


def test_the_judge_compares_with_the_budget_of_the_case() -> None:
    record = replace(loaded({"p": measured(insns=900_000, limit=MILLION)}), end={"complete": True, "seconds": 1.0})
    facts = KernelFacts(row=Row(kernel="k"), arch="x86_64", records={"c": record}, environment={"release": "6.1.0"})
    found = {name: cells(facts, [case(budget)])[0] for name, budget in (("with", SHARE), ("without", {}))}
    assert found["with"].verdict is Verdict.FAIL
    assert found["without"].verdict is Verdict.PASS
