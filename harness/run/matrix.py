"""A whole run: the plan, the guests in parallel, and the reports, which are written whatever happens."""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import __version__
from harness.config.axes import absolute
from harness.errors import BpfmatrixError, InterruptedRunError, JournalWriteError
from harness.facts.journal import Journal, read_journal
from harness.facts.kernel import KernelFacts
from harness.facts.run import PlannedRow, RunEnd, RunPlan, shared_cases
from harness.host import emulators
from harness.host.cache import Cache
from harness.host.resources import host_facts
from harness.host.signals import signals_as_errors
from harness.judge.known_splats import expiry_notices
from harness.judge.report import report
from harness.model.results import Report
from harness.reports.folder import make_run_directory, point_latest
from harness.run.again import going_on
from harness.run.observer import Observer
from harness.run.options import Options
from harness.run.prepared import Prepared, auto_jobs, load_plan, prepare
from harness.run.rows import Rows, build_faults
from harness.run.schedule import LastRun, last_run
from harness.run.sharded import shard_of
from harness.supply.kernels.tools import tools_of
from harness.supply.supplies import Supplies


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that is over: its report, its folder, and what interrupted it, or ""."""

    report: Report
    folder: Path
    interrupted: str = ""


def run_matrix(
    options: Options,
    *,
    cache: Cache | None = None,
    showing: Callable[[Sequence[str], int], Observer] | None = None,
) -> Finished:
    """Run every cell that was asked for and write the reports.

    Wrong configuration and kernel files that are none are raised before any guest starts. Every other trouble, such
    as a source that does not compile, is a cell's, and the reports are written in any case; Ctrl-C and SIGTERM
    end the guests and leave the rest as `not-run`. A run that goes on with an earlier one (`resume`) keeps of that the
    rows whose inputs are still the same. `showing` makes the observer, of the rows' names and of how many guests run
    at once; without it the terminal shows how far they are. Raises JournalError where there is no such run.
    """
    earlier = read_journal(options.resume) if options.resume is not None else None
    if earlier is not None:
        options = going_on(options, earlier)
    matrix, plan = load_plan(options)
    shard, plan = shard_of(plan, options)
    if earlier is not None:
        shard = earlier.plan.shard
    emulators.require((kernel.arch for kernel in plan.kernels), tools=tools_of(plan.kernels))
    supplies = Supplies(options.project, matrix, cache=cache or Cache(), locked_only=options.locked)

    def observer() -> Observer:
        names = [row.name for row in plan.rows]
        if showing is not None:
            return showing(names, min(options.jobs or auto_jobs(matrix, plan), len(names)))
        # Loaded while programs are waited for.
        from harness.screen.lines import make_console  # noqa: PLC0415
        from harness.screen.terminal import Progress  # noqa: PLC0415

        return Progress(names, console=make_console(stderr=options.json), quiet=options.quiet)

    return run(prepare(options, matrix, plan, supplies=supplies, observer=observer, earlier=earlier, shard=shard))


def run(prepared: Prepared, *, made: Callable[[Path], object] = lambda _: None) -> Finished:
    """Run all rows of a run that is ready, then write its reports; `made` is given the run's folder once there is one.

    Raises ReportError where the reports cannot be written.
    """
    options, observer = prepared.options, prepared.observer
    results = options.results or options.project.folder / "results"
    folder = make_run_directory(results, now=prepared.started)
    made(folder)
    plan, facts, notices, interrupted = run_plan(prepared, folder.name), dict[str, KernelFacts](), list[str](), ""
    journal = Journal(folder)

    def write(record: Callable[[], None]) -> None:
        """Write to the journal; a run goes on without, and its reports say so."""
        try:
            record()
        except JournalWriteError as error:
            notices.append(str(error))
            observer.note(str(error), style="red")

    def keep(row: KernelFacts) -> None:
        facts[row.row.name] = row
        write(lambda: journal.keep(row))

    last = last_run(results) if len(plan.rows) > 1 else LastRun()
    observer.expect(last.expected(case.id for case in prepared.plan.cases), jobs=prepared.jobs)
    rows = Rows(
        prepared,
        folder,
        begun=lambda: write(lambda: journal.begin(plan)),
        keep=keep,
        note=notices.append,
        seconds=last.seconds,
    )
    begun = time.monotonic()
    try:
        with observer.shown(), signals_as_errors():
            try:
                for notice in expiry_notices(prepared.allow, file=options.project.matrix_file.name):
                    notices.append(notice)
                    observer.note(notice, style="bold red")
                for fault in prepared.faults:
                    observer.note(str(fault), style="red")
                rows.run()
            except (KeyboardInterrupt, InterruptedRunError) as error:
                interrupted = str(error) or "Ctrl-C"
                rows.stop()
    finally:
        from harness.reports import writer  # noqa: PLC0415  (LATER)

        accels = list(rows.accels.values())
        end = RunEnd(
            seconds=time.monotonic() - begun,
            accel=", ".join(dict.fromkeys(accel.name for accel in accels)),
            accel_reason="; ".join(dict.fromkeys(accel.reason for accel in accels)),
            notices=(*prepared.supplies.notices, *notices),
            interrupted=interrupted,
        )
        if not journal.begun:  # no guest has started
            write(lambda: journal.begin(plan))
        write(lambda: journal.end(end))
        done = report(plan, facts, end, started=started_in(folder, plan))
        writer.write(done, directory=folder)
        point_latest(results, folder)
    # The run is over; a cache that is too large harms it no more.
    with contextlib.suppress(BpfmatrixError, OSError):
        prepared.supplies.cache.keep_within(prepared.max_cache_bytes, keep_newer_than=prepared.started.timestamp())
    return Finished(report=done, folder=folder, interrupted=interrupted)


def run_plan(prepared: Prepared, run_id: str) -> RunPlan:
    """Return what a run sets out to do, for its journal and its report."""
    cases, cases_of = shared_cases({objects: prepared.cases(objects) for objects in prepared.built})
    return RunPlan(
        id=run_id,
        started=prepared.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=__version__,
        command=shlex.join(["bpfmatrix", *sys.argv[1:]]),
        host=host_facts(),
        jobs=prepared.jobs,
        accel=prepared.accel,
        rows=tuple(PlannedRow(row=row.row, arch=row.kernel.arch) for row in prepared.plan.rows),
        cases=cases,
        cases_of=cases_of,
        known_splats=prepared.allow.entries,
        suite=prepared.options.project.suite or "",
        own=bool(prepared.options.own_cases),
        faults={objects: build_faults(prepared, objects) for objects in prepared.built},
        libbpf=absolute(prepared.options.libbpf, folder=Path.cwd()),
        clang=absolute(prepared.options.clang, folder=Path.cwd()),
        shard=prepared.shard,
    )


def started_in(folder: Path, plan: RunPlan) -> set[str]:
    """Return the rows whose guest had started: it has a folder there then."""
    return {planned.row.name for planned in plan.rows if (folder / planned.row.name).is_dir()}
