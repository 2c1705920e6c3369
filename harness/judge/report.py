"""From the facts of a run to its report: every row x every case that was asked for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from harness.errors import EXIT_OK
from harness.facts.kernel import Failure, KernelFacts
from harness.facts.run import PlannedRow, RunEnd, RunPlan
from harness.judge.cells import cells, kernel_result
from harness.judge.known_splats import NOTHING_ALLOWED, AllowList
from harness.model import exit_codes
from harness.model.results import CellResult, KernelResult, OutcomeKind, Report, RunInfo
from harness.scenario.case import Case

KILLED = "the run was killed"
"""What has interrupted a run that did not even write how it ended."""


def report(
    plan: RunPlan,
    facts: Mapping[str, KernelFacts],
    end: RunEnd | None,
    *,
    cases: Mapping[str, Sequence[Case]],
    started: Collection[str] = (),
    allow: AllowList = NOTHING_ALLOWED,
) -> Report:
    """Return the report of a run.

    `facts` are those of the rows that finished, by the row's name; `end` is None for a run that was killed; `cases` are
    by architecture; `started` names the rows whose guest had started.
    """
    kernels: list[KernelResult] = []
    found: list[CellResult] = []
    for planned in plan.rows:
        known = facts.get(planned.row.name)
        own = known or absent(plan, planned, end, started=planned.row.name in started)
        kernels.append(kernel_result(own, allow=allow))
        found += cells(own, cases[planned.arch], allow=allow)
    titles = {case.id: case.title for planned in plan.rows for case in cases[planned.arch]}
    complete = len(facts) == len(plan.rows) and end is not None and not end.interrupted
    made = Report(
        run=_run_info(plan, end, complete=complete),
        kernels=tuple(kernels),
        cases=tuple(titles.items()),
        cells=tuple(found),
    )
    return replace(made, run=replace(made.run, exit_code=exit_codes.of_report(made)))


def absent(plan: RunPlan, planned: PlannedRow, end: RunEnd | None, *, started: bool) -> KernelFacts:
    """Return the facts of a row that did not finish: its cells are `lost` if its guest had started, else `not-run`."""
    why = _interruption(end)
    reason = f"the run was interrupted ({why})" if why else "the run ended before it"
    if started:
        failure = Failure(kind=OutcomeKind.LOST, reason=f"{reason} while its guest ran")
    else:
        failure = Failure(kind=OutcomeKind.NOT_RUN, reason=reason)
    faults = plan.faults.get(planned.arch, {})
    return KernelFacts(row=planned.row, arch=planned.arch, faults=faults, failure=failure)


def _interruption(end: RunEnd | None) -> str:
    return KILLED if end is None else end.interrupted


def _run_info(plan: RunPlan, end: RunEnd | None, *, complete: bool) -> RunInfo:
    why = _interruption(end)
    known = end or RunEnd(seconds=0.0)
    return RunInfo(
        id=plan.id,
        started=plan.started,
        seconds=round(known.seconds, 3),
        version=plan.version,
        command=plan.command,
        host=dict(plan.host),
        accel=known.accel or plan.accel,
        accel_reason=known.accel_reason,
        jobs=plan.jobs,
        complete=complete,
        exit_code=EXIT_OK,
        notices=(*([f"the run was interrupted ({why})"] if why else []), *known.notices),
    )
