"""What is measured of a case's program, and whether it ran once it was attached. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.facts.records import CaseRecord
from harness.model.measures import RUNS
from harness.model.results import Difference, DifferenceKind, Mark, Outcome, OutcomeKind, Stage
from harness.scenario.case import Case, step_names

MEASURE, WORKLOAD = "measure", "workload"
"""The steps that report what is measured of programs, and how often they ran."""
NOT_RUN = "attached, but it did not run while the workload did"


def with_runs(case: Case, record: CaseRecord, outcome: Outcome) -> Outcome:
    """Return an outcome with what is measured of the case's program, and with a mark where it did not run.

    A program of which nobody counts the runs has another mark. Where the case requires that its program runs, one that
    did not is a difference, which makes the outcome `misbehaves`. Several programs at once have no mark.
    """
    measured: dict[str, int] = {}
    for report in record.steps:
        if report["op"] == MEASURE and report.get("ok"):
            measured |= {name: int(value) for name, value in report.get("measured", {}).items()}
    workload = next((each for each in record.steps if each["op"] == WORKLOAD and each.get("ok")), None)
    programs = dict(workload.get("runs", {})) if workload else {}
    if len(programs) == 1:
        (runs,) = programs.values()
        measured[RUNS] = int(runs)
    outcome = replace(outcome, measured=measured)
    if workload and outcome.kind == OutcomeKind.WORKS and (failed := hindered(workload.get("failed", {}))):
        outcome = replace(outcome, reason=f"{outcome.reason}; while it was attached, {failed}")
    if outcome.kind != OutcomeKind.WORKS or len(programs) > 1 or measured.get(RUNS):
        return outcome
    why = case.uncounted or (str(workload.get("uncounted", "")) if workload else "")
    if why:
        measured.pop(RUNS, None)
        return replace(outcome, mark=Mark.NOT_COUNTED, mark_reason=f"nobody knows whether it ran: {why}")
    if workload is None:
        return outcome
    idle = str(workload.get("idle", ""))
    said = f"{NOT_RUN}: {idle}" if idle else NOT_RUN
    if not case.require_run:
        return replace(outcome, mark=Mark.DID_NOT_RUN, mark_reason=said)
    index = [step.op for step in case.steps].index(WORKLOAD)
    wrong = Difference(
        step=step_names(case.steps)[index], stage=Stage.TRIGGER, kind=DifferenceKind.RUNS, text=said, seen=0
    )
    return replace(outcome, kind=OutcomeKind.MISBEHAVES, reason=said, stage=Stage.TRIGGER, differences=(wrong,))


def hindered(failed: Mapping[str, str]) -> str:
    """Return a clause about the pieces of the workload that failed, each with its errno; "" where none did."""
    by_errno: dict[str, list[str]] = {}
    for piece, errno in failed.items():
        by_errno.setdefault(errno, []).append(piece)
    clauses = [f"{' and '.join(pieces)} failed ({errno})" for errno, pieces in by_errno.items()]
    return f"of the workload {'; '.join(clauses)}" if clauses else ""
