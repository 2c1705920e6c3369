"""What is measured of a program, and whether it ran once it was attached."""

from __future__ import annotations

from typing import Any

import pytest

from harness.facts.records import CaseRecord
from harness.judge.outcome import outcome_of
from harness.judge.runs import with_runs
from harness.model.results import DifferenceKind, Mark, Outcome, OutcomeKind, Stage
from harness.scenario.case import AgentStep, Case

WORKS = Outcome(kind=OutcomeKind.WORKS, reason="all of it")
STEPS = (
    AgentStep(stage=Stage.ATTACH_TARGET, op="attach", what="p"),
    AgentStep(stage=Stage.TRIGGER, op="workload"),
    AgentStep(stage=Stage.OBSERVE, op="measure", what="p"),
)


def case(**changes: Any) -> Case:
    return Case(id="object/p", title="p", steps=STEPS, **changes)


def record(*, runs: dict[str, int] | None = None, uncounted: str = "", **measured: int) -> CaseRecord:
    steps: list[dict[str, Any]] = [{"op": "attach", "ok": True}]
    if runs is not None:
        steps.append({"op": "workload", "ok": True, "runs": runs, "uncounted": uncounted})
    steps.append({"op": "measure", "ok": True, "measured": measured})
    return CaseRecord(steps=tuple(steps))


def test_a_program_that_ran_has_its_count_and_no_mark() -> None:
    found = with_runs(case(), record(runs={"o.p": 3}, stack=8), WORKS)
    assert (found.kind, found.mark, found.measured) == (OutcomeKind.WORKS, None, {"runs": 3, "stack": 8})


def test_a_program_that_did_not_run_has_a_mark_and_is_not_refused() -> None:
    found = with_runs(case(), record(runs={"o.p": 0}), WORKS)
    assert (found.kind, found.mark) == (OutcomeKind.WORKS, Mark.DID_NOT_RUN)
    assert "did not run" in found.mark_reason


def test_a_program_that_must_run_and_did_not_misbehaves() -> None:
    found = with_runs(case(require_run=True), record(runs={"o.p": 0}), WORKS)
    assert (found.kind, found.mark, found.stage) == (OutcomeKind.MISBEHAVES, None, Stage.TRIGGER)
    (wrong,) = found.differences
    assert (wrong.kind, wrong.step, wrong.seen) == (DifferenceKind.RUNS, "workload", 0)


@pytest.mark.parametrize("must", [False, True])
def test_what_is_not_counted_is_never_called_not_run(must: bool) -> None:
    by_kernel = with_runs(case(require_run=must), record(runs={"o.p": 0}, uncounted="this kernel counts none"), WORKS)
    by_kind = with_runs(case(require_run=must, uncounted="no kernel counts these"), record(runs={"o.p": 0}), WORKS)
    unattached = with_runs(case(require_run=must, uncounted="it is called by another program"), record(), WORKS)
    for found, why in ((by_kernel, "this kernel counts none"), (by_kind, "no kernel"), (unattached, "another program")):
        assert (found.kind, found.mark) == (OutcomeKind.WORKS, Mark.NOT_COUNTED)
        assert why in found.mark_reason
        assert "runs" not in found.measured


def test_what_ran_is_counted_whatever_was_said_before() -> None:
    found = with_runs(case(uncounted="no kernel counts these"), record(runs={"o.p": 1}), WORKS)
    assert (found.mark, found.measured) == (None, {"runs": 1})


def test_several_programs_at_once_have_no_mark() -> None:
    found = with_runs(case(require_run=True), record(runs={"o.p": 0, "o.q": 4}), WORKS)
    assert (found.kind, found.mark, found.measured) == (OutcomeKind.WORKS, None, {})


def test_what_was_refused_has_its_numbers_and_no_mark() -> None:
    refused = Outcome(kind=OutcomeKind.REFUSED, reason="no", stage=Stage.ATTACH_TARGET)
    found = with_runs(case(), record(stack=16), refused)
    assert (found.kind, found.mark, found.measured) == (OutcomeKind.REFUSED, None, {"stack": 16})


def test_a_signal_in_a_workload_is_the_programs_not_the_harness() -> None:
    steps = (AgentStep(stage=Stage.ATTACH_TARGET, op="attach", what="p"), AgentStep(stage=Stage.TRIGGER, op="workload"))
    case = Case(id="o/p", title="t", steps=steps)
    attached = {"stage": "attach-target", "op": "attach", "what": "p", "ok": True}
    end = {"seconds": 0.1, "complete": False, "signal": "SIGKILL", "timed_out": False, "step": 1, "left": []}
    found = outcome_of(case, CaseRecord(steps=(attached,), end=end))
    assert (found.kind, found.stage) == (OutcomeKind.MISBEHAVES, Stage.TRIGGER)
    assert [each.kind for each in found.differences] == [DifferenceKind.KILLED]
    assert "killed by SIGKILL while the program was attached" in found.reason
    for other in ({"step": 0}, {"timed_out": True}, {"step": None}):
        assert outcome_of(case, CaseRecord(steps=(attached,), end={**end, **other})).kind == OutcomeKind.LOST
