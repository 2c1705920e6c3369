"""What runs in guests: a case, or each of its parts."""

from __future__ import annotations

from pydantic import TypeAdapter

from harness.model.results import Expectation, OutcomeKind, Stage
from harness.scenario.case import AgentStep, Case, Part, units

STEP = AgentStep(stage=Stage.OPEN, op="open", what="o")
LATE = Expectation(outcome=OutcomeKind.WORKS, reason="the case's")
OWN = Expectation(outcome=OutcomeKind.REFUSED, reason="the part's")


def test_a_case_without_parts_is_what_runs() -> None:
    case = Case(id="a", title="t", steps=(STEP,))
    assert units(case) == (case,)


def test_each_part_runs_as_a_case_with_what_the_case_has() -> None:
    parts = (Part(name="p", steps=(STEP,), expect=(OWN,), uncounted="why", attachers=("m",)), Part(name="q"))
    case = Case(id="a", title="t", sysctls={"s": 1}, expect=(LATE,), parts=parts, require_run=True)
    first, second = units(case)
    assert (first.id, first.steps, first.expect, first.uncounted) == ("a/p", (STEP,), (OWN, LATE), "why")
    assert (second.id, second.steps, second.expect, second.uncounted) == ("a/q", (), (LATE,), "")
    assert (first.attachers, second.attachers) == (("m",), ())
    assert all(unit.sysctls == {"s": 1} and unit.require_run and not unit.parts for unit in (first, second))


def test_a_case_with_parts_is_read_back_equal() -> None:
    case = Case(id="a", title="t", parts=(Part(name="p", steps=(STEP,), expect=(OWN,)),))
    adapter = TypeAdapter(Case)
    assert adapter.validate_json(adapter.dump_json(case)) == case
