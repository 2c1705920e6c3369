"""Several runs as one: the shards of a run, or what several machines found. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.errors import UsageError
from harness.judge.attribution import attributions
from harness.model import exit_codes
from harness.model.results import (
    CellResult,
    Expectation,
    Fault,
    KernelResult,
    Outcome,
    OutcomeKind,
    Report,
    RunInfo,
    Verdict,
)
from harness.model.shards import Shard

MOST_NAMED = 5
"""How many cells a message names."""
SHARD = "--shard"
"""The option of a command line that chooses a shard."""
AGENT = "agent"
"""Which of a row's inputs is what ran in its guests."""
UNKNOWN = Expectation(outcome=OutcomeKind.WORKS, reason="not known, since its shard is missing")

Cells = dict[tuple[str, str], CellResult]


def merge(reports: Sequence[Report], *, last_wins: bool = False, partial: bool = False) -> Report:
    """Return one report with all rows, cases and cells of some, in their order.

    A cell that is in several reports is an error (UsageError) unless the last of them wins. A cell that none of them
    has is not made up: whoever writes the report finds it `lost`. The run is the first one's, as long as all together;
    it is complete where all are.

    Shards are those of one run, and its rows and cases come in the order that they have without shards. Raises
    UsageError where one is missing, or is of another plan or lock; with `partial` a missing one's cells are `not-run`,
    and the run is not complete.
    """
    whole = _whole(reports)
    missing = _missing(reports, whole) if whole is not None else ()
    if whole is not None:
        _check_same_agent(reports)
    if missing and not partial:
        raise UsageError(
            f"the shards {', '.join(missing)} of this run are missing; give their reports, too, or merge what there "
            "is with --partial"
        )
    if len(reports) < 2 and whole is None:
        raise UsageError("merge needs at least two runs")
    cells = _cells(reports, last_wins=last_wins)
    kernels: dict[str, KernelResult] = {}
    for report in reports:
        for kernel in report.kernels:
            known = kernels.get(kernel.name)
            if known is not None and whole is not None:
                _check_same_build(known, kernel)
            kernels[kernel.name] = _joined(known, kernel) if known is not None else kernel
    titles = {case: title for report in reports for case, title in report.cases}
    if whole is not None:
        kernels = {name: kernels.get(name) or KernelResult(name=name, arch=arch) for name, arch in whole.rows.items()}
        titles = dict(whole.cases)
        cells = _in_order(cells, whole, titles, missing=missing)
    made = Report(
        run=_run([report.run for report in reports], missing=missing),
        kernels=tuple(kernels.values()),
        cases=tuple(titles.items()),
        cells=tuple(cells.values()),
        attributions=attributions(tuple(kernels.values()), tuple(cells.values())),
    )
    return replace(made, run=replace(made.run, exit_code=exit_codes.of_report(made)))


def _whole(reports: Sequence[Report]) -> Shard | None:
    """Return one shard of those that some reports are of, which says what the whole is; None where they are of none.

    Raises UsageError where they are not of one run.
    """
    shards = {report.run.id: report.run.shard for report in reports}
    first = next((shard for shard in shards.values() if shard is not None), None)
    if first is None:
        return None
    for run, shard in shards.items():
        if shard is None:
            raise UsageError(f"{run} is no shard, and others of these runs are; merge the shards of one run alone")
        if shard.lock != first.lock:
            raise UsageError(
                f"{run} (shard {shard.name}) was run with another matrix.lock than shard {first.name}, so they are not "
                "of one run"
            )
        if shard.plan != first.plan:
            raise UsageError(
                f"{run} (shard {shard.name}) is of another plan than shard {first.name}: other kernels or cases, "
                "another --by or --timings, or another bpfmatrix. Give the same to all shards of a run"
            )
    return first


def _missing(reports: Sequence[Report], whole: Shard) -> tuple[str, ...]:
    """Return the names of the shards that no report is of."""
    there = {report.run.shard.index for report in reports if report.run.shard is not None}
    return tuple(replace(whole, index=index).name for index in range(1, whole.count + 1) if index not in there)


def _cells(reports: Sequence[Report], *, last_wins: bool) -> Cells:
    """Return the cells of some reports by row and case; raise UsageError for one in two of them that none may win."""
    cells: Cells = {}
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
    return cells


def _in_order(cells: Cells, whole: Shard, titles: dict[str, str], *, missing: Sequence[str]) -> Cells:
    """Return the cells of shards in the order of the whole, with those of missing shards as `not-run`."""
    found: Cells = {}
    for row in whole.rows:
        for case in whole.cases:
            if (row, case) in cells:
                found[row, case] = cells[row, case]
            elif missing:
                found[row, case] = _not_run(row, case, titles[case], missing=missing)
    return found


def _not_run(row: str, case: str, title: str, *, missing: Sequence[str]) -> CellResult:
    reason = f"its shard is missing: {' or '.join(missing)}"
    return CellResult(
        kernel=row,
        case=case,
        title=title,
        outcome=Outcome(kind=OutcomeKind.NOT_RUN, reason=reason, fault=Fault.ENDED),
        expectation=UNKNOWN,
        verdict=Verdict.NOT_RUN,
        verdict_reason=reason,
    )


def _check_same_agent(reports: Sequence[Report]) -> None:
    """Raise UsageError where the shards were run by different agents: what one says is not what another would."""
    agents: dict[str, str] = {}
    for report in reports:
        for kernel in report.kernels:
            if agent := kernel.inputs.get(AGENT):
                agents.setdefault(agent, report.run.id)
    if len(agents) > 1:
        raise UsageError(
            f"{' and '.join(agents.values())} were run by different versions of bpfmatrix (another agent was in their "
            "guests), so they are not of one run; run all shards from the same commit"
        )


def _check_same_build(one: KernelResult, other: KernelResult) -> None:
    """Raise UsageError where a row that two shards have a part of was of another build in each."""
    if one.release and other.release and (one.release, one.package) != (other.release, other.package):
        builds = " and ".join(each.package.version if each.package else each.release for each in (one, other))
        raise UsageError(f"{one.name} is {builds} in two shards, so they are not of one run; pin it with `lock`")


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


def _run(runs: Sequence[RunInfo], *, missing: Sequence[str]) -> RunInfo:
    """Return what the merged runs are together: the seconds of the longest, since shards run beside each other."""
    accels = tuple(dict.fromkeys(run.accel for run in runs if run.accel))
    said = [f"merged of {', '.join(run.id for run in runs)}"]
    said += [f"the shards {', '.join(missing)} are missing"] if missing else []
    return RunInfo(
        id=runs[0].id,
        started=min(run.started for run in runs),
        seconds=max(run.seconds for run in runs),
        version=", ".join(dict.fromkeys(run.version for run in runs)),
        command=" && ".join(dict.fromkeys(_unsharded(run) for run in runs)),
        host=dict(runs[0].host),
        accel=", ".join(accels),
        accel_reason="; ".join(dict.fromkeys(run.accel_reason for run in runs if run.accel_reason)),
        jobs=sum(run.jobs for run in runs),
        complete=all(run.complete for run in runs) and not missing,
        exit_code=0,
        notices=tuple(dict.fromkeys((*said, *(notice for run in runs for notice in run.notices)))),
    )


def _unsharded(run: RunInfo) -> str:
    """Return the command of a run as that of the whole, without the choice of a shard."""
    return run.command if run.shard is None else shlex.join(_without_shard(shlex.split(run.command)))


def _without_shard(words: Sequence[str]) -> Iterator[str]:
    skip = False
    for number, word in enumerate(words):
        if word == "--":
            yield from words[number:]
            return
        if not skip and word != SHARD and not word.startswith(f"{SHARD}="):
            yield word
        skip = word == SHARD
