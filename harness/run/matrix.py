"""A whole run: the plan, the guests in parallel, and the reports, which are written whatever happens."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import importlib
import os
import platform
import shlex
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__
from harness.config.case import CASE_FILE, Case, load_cases
from harness.config.matrix import Kernel, Matrix, PathKernel, load_matrix
from harness.errors import (
    EXIT_USAGE,
    BpfmatrixError,
    BuildError,
    ConfigError,
    InterruptedRunError,
    UsageError,
)
from harness.guest.snapshots import Snapshots
from harness.guest.starting import Starter
from harness.host import emulators, process
from harness.host.cache import DEFAULT_MAX_GIB, Cache
from harness.host.paths import shown
from harness.host.signals import signals_as_errors
from harness.judge.known_splats import AllowList, expiry_notices
from harness.model.architectures import ARCHITECTURES, Architecture, host_name
from harness.model.results import CellResult, KernelResult, OutcomeKind, Report, RunInfo
from harness.qemu.accel import Accel, forget_versions, qemu_version
from harness.qemu.process import end_all
from harness.reports.folder import make_run_directory, point_latest
from harness.reports.grid import exit_code
from harness.run.one_kernel import cells_of, error_reason, kernel_result, run_kernel, unreached
from harness.run.plan import Plan, make_plan
from harness.run.schedule import last_seconds, longest_first
from harness.scenario.jobs import signature_problems
from harness.supply.image.keys import RunKeys, make_keys
from harness.supply.project import Project
from harness.supply.supplies import Built, Supplies

if TYPE_CHECKING:
    from harness.screen.terminal import Progress

QEMU_OVERHEAD_MIB = 200
"""Memory of a QEMU process beyond its guest's (measured: 120-180 MiB under TCG)."""
STOP_SECONDS = 5.0
"""How long an interrupted run waits for its threads: a guest is gone at once, but a fetch may take its time, and
the reports must not wait for it."""

LATER = ("paramiko", "tenacity", "harness.reports.writer")
"""Modules that no guest needs in order to start, in the order of their use: they are imported while the first starts.
Where one is missing or broken the run ends at once, as with any other that lacks."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asks for; None or empty leaves the choice to matrix.yaml."""

    project: Project
    kernels: Sequence[str] = ()
    arches: Sequence[str] = ()
    cases: Sequence[str] = ()
    results: Path | None = None
    accel: str | None = None
    jobs: int | None = None
    locked: bool = False
    cold: bool = False


@dataclass(frozen=True, kw_only=True)
class KernelOutput:
    """What one kernel gave."""

    result: KernelResult
    cells: Sequence[CellResult]


def load_plan(options: Options) -> tuple[Matrix, Plan]:
    """Read matrix.yaml and the cases and apply the filters; raise ConfigError or UsageError."""
    matrix = load_matrix(options.project.matrix_file)
    cases = load_cases(options.project.matrix_file, matrix.cases, only=options.cases)
    _check_signatures(cases)
    plan = make_plan(
        matrix,
        cases,
        kernel_globs=options.kernels,
        arches=options.arches,
        case_globs=options.cases,
        host_arch=host_name(),
    )
    return matrix, plan


def _check_signatures(cases: Sequence[Case]) -> None:
    """Raise ConfigError where the signature of a known bug cannot be that of its case."""
    problems = [f"{shown(case.folder / CASE_FILE)}: {text}" for case in cases for text in signature_problems(case)]
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))


def run_matrix(options: Options, *, cache: Cache | None = None) -> tuple[Report, Path]:
    """Run every cell that was asked for and write the reports; return the report and its folder.

    Wrong configuration and kernel files that are none are raised before any guest starts. Every other trouble, such
    as a source that does not compile, is a cell's, and the reports are written in any case; Ctrl-C and SIGTERM
    end the guests and leave the rest as `not-run`.
    """
    matrix, plan = load_plan(options)
    emulators.require(kernel.arch for kernel in plan.kernels)
    run = MatrixRun(options, matrix, plan, cache=cache or Cache())
    run.check()
    return run.run()


class MatrixRun:
    """One run in progress. `supplies`, `keys` and `progress` may be those of a run before it.

    `folder` is the run's folder once there is one; `interrupted` says at the end what has interrupted it, if anything.
    """

    def __init__(
        self,
        options: Options,
        matrix: Matrix,
        plan: Plan,
        *,
        cache: Cache,
        supplies: Supplies | None = None,
        keys: RunKeys | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._options = options
        self._matrix = matrix
        self._plan = plan
        self._cache = cache
        self._accel = options.accel or matrix.defaults.accel
        self._supplies = supplies or Supplies(options.project, matrix, cache=cache, locked_only=options.locked)
        self._given = progress, keys
        self._built: dict[str, Built] = {}
        self._notices: list[str] = []
        self._outputs: dict[str, KernelOutput] = {}
        self._stopping = threading.Event()
        self._prepared = threading.Event()
        """Set once a guest has all that it needs to start."""
        self._accels: dict[str, Accel] = {}
        self._started = datetime.now(UTC)
        self._allow = AllowList(entries=matrix.known_splats, today=self._started.date())
        self.jobs = options.jobs or auto_jobs(matrix, plan)
        self._max_cache_bytes = max_cache_bytes(os.environ)
        self.folder: Path | None = None
        self.interrupted = ""

    @functools.cached_property
    def _progress(self) -> Progress:
        from harness.screen.terminal import Progress  # noqa: PLC0415  (check)

        return self._given[0] or Progress([kernel.name for kernel in self._plan.kernels])

    @functools.cached_property
    def _keys(self) -> RunKeys:
        return self._given[1] or make_keys()

    def check(self) -> None:
        """Do all that may find the user's own mistakes: compile the objects, look at `path` kernels.

        What is compiled here is what all kernels get, whatever is saved while they run. A case that cannot be built
        is in `faults`; its cells will be `error`.
        """
        forget_versions()
        arches = [ARCHITECTURES[name] for name in sorted({kernel.arch for kernel in self._plan.kernels})]
        with concurrent.futures.ThreadPoolExecutor(max_workers=2, thread_name_prefix="check") as beside:
            # While one program is waited for, another can be, and what is loaded then costs nothing.
            versions = [beside.submit(qemu_version, arch) for arch in arches]
            made = beside.submit(lambda: (self._progress, self._keys))
            for arch in arches:
                self._built[arch.name] = self._supplies.build(self._plan.cases, arch)
            for version in versions:
                version.result()
            made.result()
        mistakes = dict.fromkeys(line for built in self._built.values() for line in built.mistakes)
        if mistakes:
            raise ConfigError("\n".join(mistakes))
        for kernel in self._plan.kernels:
            if isinstance(kernel, PathKernel):
                self._supplies.kernel(kernel, cases=self._plan.cases)

    @property
    def faults(self) -> tuple[BuildError, ...]:
        """What is wrong with the cases that cannot be built, each thing once; known after `check`."""
        found = {str(fault): fault for built in self._built.values() for fault in built.faults.values()}
        return tuple(found.values())

    def run(self) -> tuple[Report, Path]:
        """Run all kernels, then write the reports."""
        results = self._options.results or self._options.project.folder / "results"
        self.folder = folder = make_run_directory(results, now=self._started)
        begun = time.monotonic()
        try:
            with self._progress.shown(), signals_as_errors():
                try:
                    for notice in expiry_notices(self._allow, file=self._options.project.matrix_file.name):
                        self._notices.append(notice)
                        self._progress.note(notice, style="bold red")
                    for fault in self.faults:
                        self._progress.note(str(fault), style="red")
                    self._run_all(folder)
                except (KeyboardInterrupt, InterruptedRunError) as error:
                    self.interrupted = str(error) or "Ctrl-C"
                    self._stopping.set()
                    end_all()
        finally:
            from harness.reports.writer import write  # noqa: PLC0415  (LATER)

            report = self._report(seconds=time.monotonic() - begun, run_id=folder.name)
            write(report, directory=folder)
            point_latest(results, folder)
        with contextlib.suppress(
            BpfmatrixError, OSError
        ):  # the run is over; a cache that is too large harms it no more
            self._cache.keep_within(self._max_cache_bytes, keep_newer_than=self._started.timestamp())
        return report, folder

    def _run_all(self, folder: Path) -> None:
        pool = concurrent.futures.ThreadPoolExecutor(max_workers=self.jobs, thread_name_prefix="guest")
        ahead = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="fetch")
        later = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="import")
        futures: list[concurrent.futures.Future[None]] = []
        try:
            order = longest_first(self._plan.kernels, last_seconds(folder.parent))
            imported = later.submit(self._import_later)
            ahead.submit(self._fetch_ahead, order)
            futures += [pool.submit(self._one, kernel, folder) for kernel in order]
            waiting = {imported, *futures}
            while waiting:  # in short steps, so that signals are seen at once
                done, waiting = concurrent.futures.wait(waiting, timeout=0.2)
                for future in done:
                    future.result()
        finally:
            self._stopping.set()
            self._prepared.set()
            end_all()
            process.end_all()
            later.shutdown(wait=False)
            ahead.shutdown(wait=False, cancel_futures=True)
            pool.shutdown(wait=False, cancel_futures=True)
            begun = [future for future in futures if not future.cancelled()]  # the others never end
            concurrent.futures.wait(begun, timeout=STOP_SECONDS)

    def _fetch_ahead(self, kernels: Sequence[Kernel]) -> None:
        """Obtain the kernels' files while the first guests run; who needs one that failed will say so."""
        for kernel in kernels:
            if self._stopping.is_set():
                return
            if len(self._built[kernel.arch].faults) < len(self._plan.cases):
                with contextlib.suppress(BpfmatrixError, OSError):
                    self._supplies.kernel(kernel, cases=self._plan.cases)

    def _import_later(self) -> None:
        """Import the modules of `LATER` once a guest starts: before, they would hold up what it starts with."""
        self._prepared.wait()
        for name in LATER:
            importlib.import_module(name)

    def _one(self, kernel: Kernel, folder: Path) -> None:
        if self._stopping.is_set():
            return
        begun = time.monotonic()
        try:
            output = self._run_one(kernel, folder / kernel.name)
        except Exception as error:  # whatever it is, the other kernels go on, and this one's cells are not green
            if not isinstance(error, (BpfmatrixError, OSError)):
                self._progress.note(traceback.format_exc(), style="red")
            result, cells = unreached(
                kernel=kernel.name,
                arch=kernel.arch,
                cases=self._plan.cases,
                kind=OutcomeKind.LOST,
                reason=error_reason(error),
                wrong_input=isinstance(error, BpfmatrixError) and error.exit_code == EXIT_USAGE,
                faults=self._built[kernel.arch].faults,
            )
            output = KernelOutput(result=result, cells=cells)
        finally:
            self._prepared.set()
        if self._stopping.is_set():
            return  # what came after the interruption is not to be trusted
        self._outputs[kernel.name] = output
        self._progress.done(kernel.name, output.cells, seconds=time.monotonic() - begun, release=output.result.release)

    def _run_one(self, kernel: Kernel, folder: Path) -> KernelOutput:
        arch = ARCHITECTURES[kernel.arch]
        built = self._built[arch.name]
        cases = [built.cases.get(case.id, case) for case in self._plan.cases if case.id not in built.faults]
        if not cases:
            reason = "none of the cases can be built"
            result, cells = unreached(
                kernel=kernel.name,
                arch=arch.name,
                cases=self._plan.cases,
                kind=OutcomeKind.NOT_RUN,
                reason=reason,
                faults=built.faults,
            )
            return KernelOutput(result=result, cells=cells)
        begun = time.monotonic()
        self._progress.state(kernel.name, "fetching")
        plan = self._supplies.guest(
            kernel,
            self._plan.cases,
            keys=self._keys,
            folder=folder,
            accel=self._accel,
            objects=built.files,
            stopping=self._stopping,
        )
        if plan.kernel.notice:
            self._progress.note(plan.kernel.notice)
        self._accels[arch.name] = self._supplies.accel(self._accel, plan.kernel)
        fetched = time.monotonic() - begun
        self._progress.state(kernel.name, "running")
        self._prepared.set()
        run = run_kernel(plan, cases, boot=self._starter(arch))
        for notice in run.notices:
            self._notices.append(notice)
            self._progress.note(notice)
        result = kernel_result(plan, run, qemu_version=qemu_version(arch), fetch_seconds=fetched, allow=self._allow)
        asked = [built.cases.get(case.id, case) for case in self._plan.cases]
        cells = cells_of(plan, asked, run, allow=self._allow, faults=built.faults)
        return KernelOutput(result=result, cells=cells)

    def _starter(self, arch: Architecture) -> Starter:
        if self._options.cold:
            return Starter(None)
        return Starter(Snapshots(self._cache, qemu_version=qemu_version(arch)))

    def _report(self, *, seconds: float, run_id: str) -> Report:
        interrupted = self.interrupted
        kernels: list[KernelResult] = []
        cells: list[CellResult] = []
        for kernel in self._plan.kernels:
            output = self._outputs.get(kernel.name)
            if output is None:
                reason = f"the run was interrupted ({interrupted})" if interrupted else "the run ended before it"
                result, missing = unreached(
                    kernel=kernel.name,
                    arch=kernel.arch,
                    cases=self._plan.cases,
                    kind=OutcomeKind.NOT_RUN,
                    reason=reason,
                    faults=self._built[kernel.arch].faults,
                )
                output = KernelOutput(result=result, cells=missing)
            kernels.append(output.result)
            cells += output.cells
        complete = len(self._outputs) == len(self._plan.kernels) and not interrupted
        notices = [f"the run was interrupted ({interrupted})"] if interrupted else []
        info = RunInfo(
            id=run_id,
            started=self._started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=round(seconds, 3),
            version=__version__,
            command=shlex.join(["bpfmatrix", *sys.argv[1:]]),
            host=host_facts(),
            accel=", ".join(dict.fromkeys(accel.name for accel in self._accels.values())) or self._accel,
            accel_reason="; ".join(dict.fromkeys(accel.reason for accel in self._accels.values())),
            jobs=self.jobs,
            complete=complete,
            exit_code=0,
            notices=(*notices, *self._supplies.notices, *self._notices),
        )
        cases = tuple((case.id, case.title) for case in self._plan.cases)
        report = Report(run=info, kernels=tuple(kernels), cases=cases, cells=tuple(cells))
        return _with_exit_code(report)


def max_cache_bytes(environment: Mapping[str, str]) -> int:
    """Return how many bytes the cache may keep: `$BPFMATRIX_CACHE_GIB`, else 8 GiB; raise UsageError."""
    text = environment.get("BPFMATRIX_CACHE_GIB", str(DEFAULT_MAX_GIB))
    try:
        gib = float(text)
    except ValueError:
        gib = -1.0
    if not 0 <= gib < 2**20:
        raise UsageError(f'BPFMATRIX_CACHE_GIB must be a number of GiB, such as 8; it is "{text}"')
    return int(gib * 2**30)


def auto_jobs(matrix: Matrix, plan: Plan) -> int:
    """Return how many guests run at once: as many as matrix.yaml says, or as cores and free memory allow."""
    if isinstance(matrix.defaults.jobs, int):
        return matrix.defaults.jobs
    cores = len(os.sched_getaffinity(0))
    largest = max(kernel.settings(matrix.defaults).memory for kernel in plan.kernels)
    fitting = available_memory_mib() // (largest + QEMU_OVERHEAD_MIB)
    return max(1, min(cores, fitting, len(plan.kernels)))


def available_memory_mib() -> int:
    """Return the host's memory that programs can still have, in MiB (MemAvailable of /proc/meminfo)."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 1024


def host_facts() -> dict[str, str]:
    """Return what the reports say of the host; its name is nobody's business."""
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
    }


def _with_exit_code(report: Report) -> Report:
    return replace(report, run=replace(report.run, exit_code=exit_code(report)))
