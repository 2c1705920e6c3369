"""What is measured of a program, and whether it ran once it was attached."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.facts.records import CaseRecord
from harness.judge.outcome import outcome_of
from harness.judge.runs import with_runs
from harness.judge.verdict import judge
from harness.model.results import DifferenceKind, Expectation, Mark, Outcome, OutcomeKind, Stage, Verdict
from harness.scenario.case import AgentStep, Case

WORKS = Outcome(kind=OutcomeKind.WORKS, reason="all of it")
STEPS = (
    AgentStep(stage=Stage.ATTACH_TARGET, op="attach", what="p"),
    AgentStep(stage=Stage.TRIGGER, op="workload"),
    AgentStep(stage=Stage.OBSERVE, op="measure", what="p"),
)


def case(**changes: Any) -> Case:
    return Case(id="object/p", title="p", steps=STEPS, **changes)


def record(*, runs: dict[str, int] | None = None, uncounted: str = "", idle: str = "", **measured: int) -> CaseRecord:
    steps: list[dict[str, Any]] = [{"op": "attach", "ok": True}]
    if runs is not None:
        steps.append({"op": "workload", "ok": True, "runs": runs, "uncounted": uncounted, "idle": idle})
    steps.append({"op": "measure", "ok": True, "measured": measured})
    return CaseRecord(steps=tuple(steps))


def test_a_program_that_ran_has_its_count_and_no_mark() -> None:
    found = with_runs(case(), record(runs={"o.p": 3}, stack=8), WORKS)
    assert (found.kind, found.mark, found.measured) == (OutcomeKind.WORKS, None, {"runs": 3, "stack": 8})


def test_a_program_that_did_not_run_has_a_mark_and_is_not_refused() -> None:
    found = with_runs(case(), record(runs={"o.p": 0}), WORKS)
    assert (found.kind, found.mark) == (OutcomeKind.WORKS, Mark.DID_NOT_RUN)
    assert "did not run" in found.mark_reason


def test_why_a_program_cannot_have_run_is_said() -> None:
    found = with_runs(case(), record(runs={"o.p": 0}, idle="no hook calls it"), WORKS)
    assert found.mark_reason == "attached, but it did not run while the workload did: no hook calls it"
    must = with_runs(case(require_run=True), record(runs={"o.p": 0}, idle="no hook calls it"), WORKS)
    assert must.reason == must.differences[0].text == found.mark_reason


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


ATTACHED = {"stage": "attach-target", "op": "attach", "what": "p", "ok": True}
KILLED: dict[str, Any] = {"seconds": 0.1, "complete": False, "signal": "SIGKILL", "timed_out": False, "left": []}


def ended(*, steps: tuple[AgentStep, ...] = STEPS, reported: int = 1, **end: Any) -> Outcome:
    record = CaseRecord(steps=(ATTACHED,) * reported, end={**KILLED, **end})
    return outcome_of(Case(id="o/p", title="t", steps=steps), record)


@pytest.mark.parametrize(
    ("end", "stage"),
    [
        ({"step": 1}, Stage.TRIGGER),
        ({"step": 1, "signal": "SIGSEGV"}, Stage.TRIGGER),
        ({"step": 2, "signal": "SIGTERM"}, Stage.OBSERVE),
        ({"step": 0, "reported": 0}, Stage.ATTACH_TARGET),
    ],
)
def test_a_signal_once_a_program_is_attached_is_the_programs_not_the_harness(end: dict[str, Any], stage: Stage) -> None:
    found = ended(**end)
    assert (found.kind, found.stage) == (OutcomeKind.MISBEHAVES, stage)
    assert [each.kind for each in found.differences] == [DifferenceKind.KILLED]
    assert f"killed by {end.get('signal', 'SIGKILL')} while the program was attached" in found.reason


@pytest.mark.parametrize(
    ("count", "known"),
    [
        (2, "these were attached, the last one first: p1, p0"),
        (10, "these were attached, the last one first: p9, p8, p7, p6, p5, p4, p3, p2 and 2 before"),
    ],
)
def test_of_several_programs_the_last_are_named(count: int, known: str) -> None:
    steps = (*(replace(STEPS[0], what=f"p{index}") for index in range(count)), *STEPS[1:])
    found = ended(steps=steps, reported=count, step=count)
    assert found.reason.endswith(f"killed by SIGKILL while {known}")


@pytest.mark.parametrize(
    "end",
    [
        {"step": 1, "timed_out": True},
        {"step": None, "reported": 0},
        {"step": 0, "reported": 0, "signal": "SIGSEGV"},
        {"step": 1, "kernel_log": ["<3> Out of memory: Killed process 80 (python3) total-vm:1"]},
        {"step": 0, "reported": 0, "steps": STEPS[:1]},
        {"step": 0, "reported": 0, "steps": STEPS[1:2][::-1] + STEPS[:1], "signal": None},
    ],
    ids=["deadline", "no-step", "own-mistake", "no-memory", "no-workload", "no-signal"],
)
def test_what_else_ends_a_process_is_no_programs_doing(end: dict[str, Any]) -> None:
    assert ended(**end).kind == OutcomeKind.LOST


def test_what_of_the_workload_failed_is_said_and_is_no_failure() -> None:
    steps = (
        {
            "op": "workload",
            "ok": True,
            "runs": {"o.p": 3},
            "failed": {"files": "EPERM", "tcp": "ETIMEDOUT", "pipes": "EPERM"},
        },
    )
    found = with_runs(case(), CaseRecord(steps=steps), WORKS)
    assert found.kind == OutcomeKind.WORKS
    assert found.reason == (
        "all of it; while it was attached, of the workload files and pipes failed (EPERM); tcp failed (ETIMEDOUT)"
    )
    assert with_runs(case(), record(runs={"o.p": 3}), WORKS).reason == "all of it"


def test_a_module_that_bpfmatrix_attaches_by_is_no_precondition_of_the_case() -> None:
    unmet = {"cause": "module", "name": "sch_ingress", "value": None, "errno_name": "ENOENT", "missing": True}
    refused = {**ATTACHED, "ok": False, "errno_name": "ENOENT", "detail": "no", "precondition": unmet}
    end = {**KILLED, "signal": None, "complete": True}
    found = outcome_of(Case(id="o/p", title="t", steps=STEPS), CaseRecord(steps=(refused,), end=end))
    assert (found.kind, found.cause, found.cause_name) == (OutcomeKind.NOT_APPLICABLE, "module", "sch_ingress")
    assert found.ours
    assert "by the module sch_ingress, which this kernel does not have (ENOENT)" in found.reason
    assert judge(found, Expectation(outcome=OutcomeKind.WORKS, reason="r")) == (Verdict.NOT_APPLICABLE, found.reason)
    theirs = replace(found, ours=False)
    assert judge(theirs, Expectation(outcome=OutcomeKind.WORKS, reason="r"))[0] == Verdict.FAIL
