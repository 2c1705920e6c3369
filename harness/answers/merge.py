"""Several runs as one: the shards of a run, or what several machines found. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.errors import UsageError
from harness.judge.attribution import attributions
from harness.model import exit_codes
from harness.model.results import CellResult, KernelResult, Report, RunInfo

MOST_NAMED = 5
"""How many cells a message names."""


def merge(reports: Sequence[Report], *, last_wins: bool = False) -> Report:
    """Return one report with all rows, cases and cells of some, in their order.

    A cell that is in several reports is an error (UsageError) unless the last of them wins. A cell that none of them
    has is not made up: whoever writes the report finds it `lost`. The run is the first one's, as long as all together;
    it is complete where all are.
    """
    if len(reports) < 2:
        raise UsageError("merge needs at least two runs")
    cells: dict[tuple[str, str], CellResult] = {}
    twice: dict[tuple[str, str], None] = {}
    for report in reports:
        for cell in report.cells:
            place = (cell.kernel, cell.case)
            if place in cells:
                twice[place] = None
                del cells[place]
            cells[place] = cell
    if twice and not last_wins:
        named = ", ".join(f"{kernel} x {case}" for kernel, case in list(twice)[:MOST_NAMED])
        more = f" and {len(twice) - MOST_NAMED} more" if len(twice) > MOST_NAMED else ""
        raise UsageError(
            f"these cells are in several of the runs: {named}{more}. Merge runs that have different cells, or let the "
            "last run that has a cell win with --last-wins."
        )
    kernels: dict[str, KernelResult] = {}
    for report in reports:
        for kernel in report.kernels:
            kernels[kernel.name] = _joined(kernels[kernel.name], kernel) if kernel.name in kernels else kernel
    made = Report(
        run=_run([report.run for report in reports]),
        kernels=tuple(kernels.values()),
        cases=tuple({case: title for report in reports for case, title in report.cases}.items()),
        cells=tuple(cells.values()),
        attributions=attributions(tuple(kernels.values()), tuple(cells.values())),
    )
    return replace(made, run=replace(made.run, exit_code=exit_codes.of_report(made)))


def _joined(one: KernelResult, other: KernelResult) -> KernelResult:
    """Return a row that is in two runs, each with some of its cells: what it is from the one that ran, the sums."""
    known, rest = (one, other) if one.release else (other, one)
    seconds = {
        phase: one.seconds.get(phase, 0.0) + other.seconds.get(phase, 0.0) for phase in one.seconds | other.seconds
    }
    return replace(
        known,
        seconds=seconds,
        boots=one.boots + other.boots,
        memory=max(one.memory, other.memory),
        problems=tuple(dict.fromkeys((*one.problems, *other.problems))),
        console_tail=known.console_tail or rest.console_tail,
    )


def _run(runs: Sequence[RunInfo]) -> RunInfo:
    """Return what the merged runs are together: the seconds of the longest, since shards run beside each other."""
    accels = tuple(dict.fromkeys(run.accel for run in runs if run.accel))
    merged = f"merged of {', '.join(run.id for run in runs)}"
    return RunInfo(
        id=runs[0].id,
        started=min(run.started for run in runs),
        seconds=max(run.seconds for run in runs),
        version=", ".join(dict.fromkeys(run.version for run in runs)),
        command=" && ".join(dict.fromkeys(run.command for run in runs)),
        host=dict(runs[0].host),
        accel=", ".join(accels),
        accel_reason="; ".join(dict.fromkeys(run.accel_reason for run in runs if run.accel_reason)),
        jobs=sum(run.jobs for run in runs),
        complete=all(run.complete for run in runs),
        exit_code=0,
        notices=tuple(dict.fromkeys((merged, *(notice for run in runs for notice in run.notices)))),
    )
