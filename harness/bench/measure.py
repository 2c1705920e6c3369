"""Measuring: guests and processes in turns, so that what slows the host down slows all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.bench.project import generic, make_project, multiply
from harness.bench.runner import HostRunner, Runner
from harness.bench.samples import (
    CaseSamples,
    Facts,
    MatrixSamples,
    Measurements,
    RunSample,
    VirtmeSamples,
    run_sample,
)
from harness.bench.virtme import Virtme, find_virtme, kernel_tree, run_vng, vng_argv, write_busybox, write_job
from harness.config.case import WrittenCase
from harness.config.matrix import Kernel
from harness.errors import BenchError, BpfmatrixError, UsageError
from harness.host import emulators
from harness.host.cache import Cache
from harness.host.resources import host_facts
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.model.results import Start
from harness.qemu.accel import qemu_version
from harness.run.options import Options
from harness.run.plan import ALL
from harness.run.prepared import load_plan
from harness.supply.guest_plan import GuestPlan
from harness.supply.lock import KernelPin, Lock
from harness.supply.project import Project
from harness.supply.supplies import Supplies
from harness.supply.unbuilt import yaml_cases

SEED = "kprobe-fentry-fexit"
SIMPLE = ("subprog-global", "xdp")
"""Simple cases: two objects, a test run, no connection. The first is of the simplest kind (a third of the suite's cases
cost less on 6.1); the second also has an object that libbpf relocates, which reads the kernel's BTF, and a device."""
COUNTS, QUICK_COUNTS = (1, 10, 30), (1, 10)
JOBS = (1, 2)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What `invoke bench` is asked for. Without `matrix_kernels` the matrix is not measured."""

    options: Options
    kernel: str | None = None
    rounds: int = 5
    matrix_kernels: str | None = "*"
    counts: Sequence[int] = COUNTS
    command: str = ""


def choose_kernel(kernels: Sequence[Kernel], *, host: Architecture | None) -> Kernel:
    """Return the kernel to measure where none is named: 6.1 of the host's architecture, else its first, else any."""
    own = [kernel for kernel in kernels if host is not None and kernel.arch == host.name] or list(kernels)
    return next((kernel for kernel in own if kernel.name.startswith("6.1-")), own[0])


class Bench:
    """One run of `invoke bench`. `scratch` is an empty folder; `say` is given what is being done, a line at a time."""

    def __init__(
        self,
        wanted: Wanted,
        *,
        cache: Cache,
        scratch: Path,
        say: Callable[[str], None],
        runner: Runner | None = None,
    ) -> None:
        """`runner` is this host's where none is given."""
        self._wanted, self._cache, self._scratch, self._say = wanted, cache, scratch, say
        self._project = wanted.options.project
        self._matrix, plan = load_plan(replace(wanted.options, arches=[ALL], cases=[SEED]))
        self._kernel = self._named(plan.kernels)
        emulators.require([self._kernel.arch])
        self._arch = ARCHITECTURES[self._kernel.arch]
        (self._seed,) = self._project.load_cases(self._matrix, only=[SEED])
        self._supplies = Supplies(self._project, self._matrix, cache=cache)
        self._runner = runner or HostRunner(
            self._supplies,
            self._matrix,
            arch=self._arch,
            case=self._seed,
            cache=cache,
            scratch=scratch,
            accel=wanted.options.accel,
        )
        self._notes: dict[str, str] = {}
        self._vng_problems: list[str] = []

    def run(self) -> Measurements:
        """Measure everything that is asked for.

        Raises BenchError where a measurement cannot be made, and whatever obtaining kernel and image raises.
        """
        begun, started = time.monotonic(), datetime.now(UTC)
        self._say(f"{self._kernel.name}: preparing (kernel, image, objects, snapshot)")
        guest = self._runner.guest(self._kernel)
        # Two runs that do not count: afterwards everything is in the cache, and the snapshot is made.
        for start in Start:
            last = self._runner.report(self._project, [self._kernel.name], [SEED], start=start)[0]
        floors, shipped, cold, warm = self._rounds(guest)
        added = tuple(self._added(name) for name in self._simple())
        virtme = self._virtme()
        matrix = self._whole_matrix()
        measured = matrix.kernels if matrix is not None else (self._kernel.name,)
        accel = self._runner.accel(guest)
        return Measurements(
            facts=Facts(
                started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds=round(time.monotonic() - begun, 1),
                version=__version__,
                command=self._wanted.command,
                host=host_facts(),
                qemu=qemu_version(self._arch),
                accel=accel.name,
                accel_reason=accel.reason,
                kernel=self._kernel.name,
                release=last.kernels[0].release,
                kernel_version=last.kernels[0].version,
                memory=guest.settings.memory,
                cpus=guest.settings.cpus,
                case=SEED,
                rounds=self._wanted.rounds,
            ),
            floor=floors,
            floor_shipped=shipped,
            cold=cold,
            warm=warm,
            sizes=self._runner.sizes([kernel for kernel in self._matrix.kernels if kernel.name in measured]),
            virtme=virtme,
            matrix=matrix,
            added=added,
            notes=self._notes,
            other_problems=tuple(dict.fromkeys(self._vng_problems)),
        )

    def _named(self, kernels: Sequence[Kernel]) -> Kernel:
        if self._wanted.kernel is None:
            return choose_kernel(kernels, host=host_architecture())
        found = next((kernel for kernel in kernels if kernel.name == self._wanted.kernel), None)
        if found is None:
            names = ", ".join(kernel.name for kernel in kernels)
            raise UsageError(f'--kernel: the matrix has no kernel "{self._wanted.kernel}" (there are: {names})')
        return found

    def _rounds(
        self, guest: GuestPlan
    ) -> tuple[tuple[float, ...], tuple[float, ...], tuple[RunSample, ...], tuple[RunSample, ...]]:
        floors: list[float] = []
        shipped: list[float] = []
        runs: dict[Start, list[RunSample]] = {Start.COLD: [], Start.WARM: []}
        for number in range(self._wanted.rounds):
            floors.append(round(self._runner.floor(guest), 4))
            for start, samples in runs.items():
                samples.append(self._sample(self._project, [self._kernel.name], [SEED], start=start))
            shipped.append(round(self._runner.floor(guest, shipped=True), 4))
            summary = ", ".join(f"{start} {samples[-1].run:.2f} s" for start, samples in runs.items())
            self._say(f"round {number + 1} of {self._wanted.rounds}: floor {floors[-1]:.2f} s, {summary}")
        return tuple(floors), tuple(shipped), tuple(runs[Start.COLD]), tuple(runs[Start.WARM])

    def _simple(self) -> list[str]:
        cases = self._project.load_cases(self._matrix)
        found = [name for name in SIMPLE if name in {case.id for case in cases}]
        if missing := [name for name in SIMPLE if name not in found]:
            self._notes["added_case"] = f"the matrix has no case {', '.join(missing)}"
        return found

    def _added(self, name: str) -> CaseSamples:
        (simple,) = self._project.load_cases(self._matrix, only=[name])
        project = self._made(
            self._scratch / f"copies-{name}", kernel=self._kernel, lock=self._supplies.lock, case=self._seed
        )
        ids = multiply(project, simple, count=max(self._wanted.counts))
        kernels = [self._kernel.name]
        self._sample(project, kernels, ids, start=Start.WARM)  # builds the objects; does not count
        rounds = []
        for number in range(self._wanted.rounds):
            points = [
                (count, self._sample(project, kernels, ids[:count], start=Start.WARM)) for count in self._wanted.counts
            ]
            rounds.append(tuple(points))
            summary = ", ".join(f"{count} in {sample.run:.2f} s" for count, sample in points)
            self._say(f"added cases ({name}), round {number + 1} of {self._wanted.rounds}: {summary}")
        return CaseSamples(case=name, rounds=tuple(rounds))

    def _virtme(self) -> VirtmeSamples | None:
        found, why = find_virtme()
        kernel = generic(self._kernel)
        if found is not None and (kernel is None or self._arch != host_architecture()):
            why = f"{self._kernel.name} is no kernel of Debian's for this host's architecture"
        elif found is not None and kernel is not None:
            try:
                return self._beside_virtme(found, kernel)
            except BpfmatrixError as error:  # a peer that does not work here must not cost what else was measured
                why = str(error)
        self._note(("virtme_ng_over_cold", "virtme_ng_over_warm"), why)
        return None

    def _beside_virtme(self, found: Virtme, kernel: Kernel) -> VirtmeSamples:
        source = self._supplies.source(kernel)
        self._say(f"virtme-ng {found.version}: preparing {source.describe(kernel, None).origin}")
        pin = source.pin(kernel).pin
        lock = self._supplies.lock
        lock = replace(lock, kernels={**lock.kernels, kernel.name: KernelPin(kernel.source, pin)})
        project = self._made(self._scratch / "generic", kernel=kernel, lock=lock, case=self._seed)
        runs: dict[Start, list[RunSample]] = {Start.COLD: [], Start.WARM: []}
        for start in runs:
            report, _ = self._runner.report(project, [kernel.name], [SEED], start=start)
        release = report.kernels[0].release
        if not release:
            raise BenchError(f"{kernel.name} was not run: {report.cells[0].outcome.reason}")
        tree = kernel_tree(source, kernel, pin, release=release, cache=self._cache)
        shared = self._scratch / "vng"
        shared.mkdir()
        base = self._supplies.base(self._arch)
        write_busybox(base, shared / "busybox")
        built = self._supplies.build_all(yaml_cases([self._seed]), self._arch)
        seed = built.cases[SEED]
        settings = kernel.settings(self._matrix.defaults)
        write_job(seed, objects=built.files[SEED], deadline=settings.deadlines.case, path=shared / "job.json")
        argv = vng_argv(
            found.program,
            kernel=tree / f"boot/vmlinuz-{release}",
            busybox=shared / "busybox",
            job=shared / "job.json",
            folder=shared,
            kvm=self._runner.accel(self._runner.guest(self._kernel)).name == "kvm",
            cpus=settings.cpus,
        )
        seconds: list[float] = []
        for number in range(self._wanted.rounds):
            for start, samples in runs.items():
                samples.append(self._sample(project, [kernel.name], [SEED], start=start))
            took, problem = run_vng(argv, case=seed, folder=shared)
            seconds.append(round(took, 4))
            self._vng_problems += [problem] if problem else []
            summary = ", ".join(f"{start} {samples[-1].process:.2f} s" for start, samples in runs.items())
            self._say(f"virtme-ng, round {number + 1} of {self._wanted.rounds}: {took:.2f} s, {summary}")
        return VirtmeSamples(
            version=found.version,
            kernel=kernel.name,
            release=release,
            command=" ".join(argv),
            seconds=tuple(seconds),
            cold=tuple(runs[Start.COLD]),
            warm=tuple(runs[Start.WARM]),
        )

    def _whole_matrix(self) -> MatrixSamples | None:
        if self._wanted.matrix_kernels is None:
            self._note(("jobs2_over_ideal",), "the matrix was left out (--quick)")
            return None
        plan = load_plan(
            replace(
                self._wanted.options,
                kernels=[self._wanted.matrix_kernels],
                arches=[self._kernel.arch],
                cases=[SEED],
            )
        )[1]
        names = [kernel.name for kernel in plan.kernels]
        self._say(f"matrix: {len(names)} kernels; preparing those that are not in the cache")
        project = self._project
        self._runner.report(project, names, [SEED], start=Start.WARM)  # does not count
        runs: dict[Start, dict[int, list[RunSample]]] = {start: {jobs: [] for jobs in JOBS} for start in Start}
        for number in range(self._wanted.rounds):
            for start, by_jobs in runs.items():
                for jobs, samples in by_jobs.items():
                    samples.append(self._sample(project, names, [SEED], start=start, jobs=jobs))
                summary = ", ".join(f"{jobs} at once {samples[-1].run:.1f} s" for jobs, samples in by_jobs.items())
                self._say(f"matrix, round {number + 1} of {self._wanted.rounds}, {start}: {summary}")
        return MatrixSamples(
            kernels=tuple(names),
            runs={
                start: {jobs: tuple(samples) for jobs, samples in by_jobs.items()} for start, by_jobs in runs.items()
            },
        )

    def _sample(
        self, project: Project, kernels: Sequence[str], cases: Sequence[str], *, start: Start, jobs: int = 1
    ) -> RunSample:
        begun = time.time()
        report, seconds = self._runner.report(project, kernels, cases, start=start, jobs=jobs)
        sample = run_sample(report, process=seconds, start=start)
        if start is Start.WARM and self._runner.snapshot_made_since(begun):
            note = "a snapshot was made during a warm run; does another process use the same cache?"
            sample = replace(sample, notes=(*sample.notes, note))
        return sample

    def _made(self, folder: Path, *, kernel: Kernel, lock: Lock, case: WrittenCase) -> Project:
        like = self._project
        return make_project(folder, like=like, matrix=self._matrix, kernels=[kernel], lock=lock, cases=[case])

    def _note(self, ratios: Sequence[str], why: str) -> None:
        self._notes.update(dict.fromkeys(ratios, why))
        self._say(f"not measured: {', '.join(ratios)}: {why}")
