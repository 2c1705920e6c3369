"""From the facts of a run to its report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit_samples import golden_lines, kernel_facts, record_of, sample_case

from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE
from harness.facts.kernel import BuildFault, KernelFacts
from harness.facts.run import PlannedRow, RunEnd, RunPlan
from harness.judge.report import report
from harness.model.results import OutcomeKind, Report, Verdict
from harness.model.rows import Row

ROWS = ("first", "second")
CASE = sample_case(id="case")
PLAN = RunPlan(
    id="r",
    started="2026-01-31T23:59:59Z",
    version="0.1",
    command="bpfmatrix matrix",
    host={"cpus": "2"},
    jobs=1,
    accel="auto",
    rows=tuple(PlannedRow(row=Row(kernel=name), arch="x86_64") for name in ROWS),
    cases=(CASE,),
    cases_of={"x86_64": (0,)},
)
END = RunEnd(seconds=1.0004, accel="tcg", accel_reason="why", notices=("one",))


def good(name: str, **changes: Any) -> KernelFacts:
    lines = [{**line, "case": "case"} if "case" in line else line for line in golden_lines()]
    environment = {"release": "x", "version": "Debian 6.1.176-1 (x)"}
    keys = {"records": {"case": record_of(lines, "case")}, "environment": environment, "boots": 1, **changes}
    return kernel_facts(row=Row(kernel=name), **keys)


def made(*facts: KernelFacts, end: RunEnd | None = END, plan: RunPlan = PLAN, started: tuple[str, ...] = ()) -> Report:
    return report(plan, {each.row.name: each for each in facts}, end, started=started)


def test_a_run_in_which_all_is_as_expected() -> None:
    found = made(good("second"), good("first"))
    assert [kernel.name for kernel in found.kernels] == list(ROWS), "in the order of the plan"
    assert [(cell.kernel, cell.verdict) for cell in found.cells] == [(name, Verdict.PASS) for name in ROWS]
    assert found.cases == (("case", CASE.title),)
    run = found.run
    assert (run.id, run.seconds, run.accel, run.accel_reason, run.notices) == ("r", 1.0, "tcg", "why", ("one",))
    assert (run.complete, run.exit_code) == (True, EXIT_OK)


def test_a_problem_of_a_kernel_is_no_cells_and_not_green() -> None:
    assert made(good("first", problems=("it did not power off",)), good("second")).run.exit_code == EXIT_UNEXPECTED


def test_a_row_without_facts_is_not_run_or_lost_if_its_guest_had_started() -> None:
    end = replace(END, interrupted="SIGTERM")
    found = made(end=end, started=("second",))
    first, second = found.cells
    assert (first.outcome.kind, first.outcome.reason) == (OutcomeKind.NOT_RUN, "the run was interrupted (SIGTERM)")
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
    assert second.outcome.reason == "the run was interrupted (SIGTERM) while its guest ran"
    assert found.run.notices == ("the run was interrupted (SIGTERM)", "one")
    assert (found.run.complete, found.run.exit_code) == (False, EXIT_HARNESS)


def test_a_run_that_was_killed_is_never_green() -> None:
    found = made(good("first"), good("second"), end=None)
    assert [cell.verdict for cell in found.cells] == [Verdict.PASS] * 2
    assert (found.run.complete, found.run.exit_code) == (False, EXIT_HARNESS)
    assert found.run.notices == ("the run was interrupted (the run was killed)",)
    assert found.run.accel == "auto", "what was asked for, since nobody wrote what it was"


def test_a_run_that_ended_too_early_says_so() -> None:
    found = made(good("first"))
    assert found.cells[1].outcome.reason == "the run ended before it"
    assert found.run.exit_code == EXIT_HARNESS


@pytest.mark.parametrize("started", [(), ("second",)])
def test_a_case_that_could_not_be_built_is_the_users_whatever_befell_its_row(started: tuple[str, ...]) -> None:
    plan = replace(PLAN, faults={"x86_64": {"case": BuildFault(reason="no such header")}})
    faulty = {"case": BuildFault(reason="no such header")}
    found = made(good("first", faults=faulty, records={}), plan=plan, started=started)
    assert [cell.outcome.reason for cell in found.cells] == ["no such header"] * 2
    assert all(cell.outcome.wrong_input for cell in found.cells)
    assert made(good("first", faults=faulty), good("second", faults=faulty), plan=plan).run.exit_code == EXIT_USAGE
