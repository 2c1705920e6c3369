"""From the facts of a run to its report: every row x every case that was asked for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from harness.errors import EXIT_OK
from harness.facts.kernel import Failure, KernelFacts
from harness.facts.run import PlannedRow, RunEnd, RunPlan
from harness.judge.attribution import attributions
from harness.judge.cells import cells, kernel_result
from harness.judge.known_splats import AllowList
from harness.model import exit_codes
from harness.model.results import CellResult, Fault, KernelResult, OutcomeKind, Report, RunInfo

KILLED = "the run was killed"
"""What has interrupted a run that did not even write how it ended."""


def report(
    plan: RunPlan, facts: Mapping[str, KernelFacts], end: RunEnd | None, *, started: Collection[str] = ()
) -> Report:
    """Return the report of a run.

    `facts` are those of the rows that finished, by the row's name; `end` is None for a run that was killed; `started`
    names the rows whose guest had started.
    """
    allow = allowed(plan)
    kernels: list[KernelResult] = []
    found: list[CellResult] = []
    for planned in plan.rows:
        known = facts.get(planned.row.name)
        own = known or absent(plan, planned, end, started=planned.row.name in started)
        kernels.append(kernel_result(own, allow=allow))
        found += cells(own, plan.cases_on(planned.objects), allow=allow)
    titles = {case.id: case.title for planned in plan.rows for case in plan.cases_on(planned.objects)}
    complete = len(facts) == len(plan.rows) and end is not None and not end.interrupted
    made = Report(
        run=_run_info(plan, end, complete=complete, more=from_elsewhere(facts)),
        kernels=tuple(kernels),
        cases=tuple(titles.items()),
        cells=tuple(found),
        attributions=attributions(kernels, found),
    )
    return replace(made, run=replace(made.run, exit_code=exit_codes.of_report(made)))


def allowed(plan: RunPlan) -> AllowList:
    """Return the known splats of a run, on the day (UTC) on which it started."""
    return AllowList(entries=plan.known_splats, today=datetime.fromisoformat(plan.started).date())


def absent(plan: RunPlan, planned: PlannedRow, end: RunEnd | None, *, started: bool) -> KernelFacts:
    """Return the facts of a row that did not finish: its cells are `lost` if its guest had started, else `not-run`."""
    why = _interruption(end)
    reason = f"the run was interrupted ({why})" if why else "the run ended before it"
    if started:
        failure = Failure(kind=OutcomeKind.LOST, reason=f"{reason} while its guest ran", fault=Fault.ENDED)
    else:
        failure = Failure(kind=OutcomeKind.NOT_RUN, reason=reason, fault=Fault.ENDED)
    faults = plan.faults.get(planned.objects, {})
    return KernelFacts(row=planned.row, arch=planned.arch, faults=faults, failure=failure)


def _interruption(end: RunEnd | None) -> str:
    return KILLED if end is None else end.interrupted


def from_elsewhere(facts: Mapping[str, KernelFacts]) -> list[str]:
    """Return a sentence for each earlier run of which some rows are: which, and that nothing of them is different."""
    earlier = dict.fromkeys(each.run for each in facts.values() if each.run)
    return [
        f"of the run {run}, with the same inputs: {', '.join(name for name, each in facts.items() if each.run == run)}"
        for run in earlier
    ]


def _run_info(plan: RunPlan, end: RunEnd | None, *, complete: bool, more: Sequence[str]) -> RunInfo:
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
        shard=plan.shard,
        notices=(*([f"the run was interrupted ({why})"] if why else []), *more, *known.notices),
    )
