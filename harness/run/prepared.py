"""A run that is ready to start: its plan is made, and all that may find the user's own mistakes is done."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.config.case import CASE_FILE, WrittenCase
from harness.config.matrix import Matrix
from harness.errors import BuildError, ConfigError, UsageError
from harness.facts.journal import Recorded
from harness.host.cache import DEFAULT_MAX_GIB
from harness.host.paths import shown
from harness.host.resources import available_memory_mib
from harness.judge.known_splats import AllowList
from harness.model.architectures import ARCHITECTURES, host_name
from harness.model.shards import Shard
from harness.qemu.accel import forget_versions, qemu_version
from harness.run.observer import Observer
from harness.run.options import Options
from harness.run.plan import Plan, make_plan
from harness.scenario.case import Case
from harness.scenario.from_yaml import compile_case
from harness.scenario.signatures import signature_problems
from harness.supply.image.keys import RunKeys, make_keys
from harness.supply.pushed import NOTHING
from harness.supply.supplies import Built, Supplies
from harness.supply.unbuilt import UnbuiltCase, yaml_cases

NOTHING_BUILT: Mapping[str, Built] = {}
"""Before the cases are built."""
QEMU_OVERHEAD_MIB = 200
"""Memory of a QEMU process beyond its guest's (measured: 120-180 MiB under TCG)."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that can start.

    `built` is by architecture and compiler (`PlanRow.objects`); `max_cache_bytes` is what the cache may keep after it;
    `earlier` is the run that this one goes on with; `shard` says which part of a larger one it is.
    """

    options: Options
    matrix: Matrix
    plan: Plan[UnbuiltCase]
    supplies: Supplies
    keys: RunKeys
    observer: Observer
    built: Mapping[str, Built]
    started: datetime
    jobs: int
    max_cache_bytes: int
    earlier: Recorded | None = None
    shard: Shard | None = None

    @property
    def accel(self) -> str:
        """The accelerator that was asked for: `auto`, `kvm` or `tcg`."""
        return self.options.accel or self.matrix.defaults.accel

    @property
    def allow(self) -> AllowList:
        """The known splats, on the day (UTC) of the run's start."""
        return AllowList(entries=self.matrix.allowed_splats(), today=self.started.date())

    @property
    def faults(self) -> tuple[BuildError, ...]:
        """What is wrong with the cases that cannot be built, each thing once."""
        found = {str(fault): fault for built in self.built.values() for fault in built.faults.values()}
        return tuple(found.values())

    @property
    def mistakes(self) -> tuple[BuildError, ...]:
        """Those of `faults` that no other compiler of the axis makes good."""
        found = {
            str(fault): fault
            for objects, built in self.built.items()
            for case, fault in built.faults.items()
            if not self.compiled_elsewhere(case, objects)
        }
        return tuple(found.values())

    def compiled_elsewhere(self, case: str, objects: str) -> bool:
        """Say whether another compiler than that of these `objects` takes a case, for the same architecture."""
        arch = objects.partition("+")[0]
        others = [each for key, each in self.built.items() if key != objects and key.partition("+")[0] == arch]
        return any(case not in other.faults for other in others)

    def cases(self, objects: str) -> list[Case]:
        """Return the cases as they are with the `objects` of some rows: with what these say, where they are there."""
        return [self.built[objects].cases[case.id] for case in self.plan.cases]


def load_plan(options: Options, *, sweeps: bool = False) -> tuple[Matrix, Plan[UnbuiltCase]]:
    """Read matrix.yaml and the cases and apply the filters; raise ConfigError or UsageError.

    With `sweeps` a kernel that is a sweep stands for itself, not for its rows.
    """
    matrix = options.project.load_matrix(sweeps=sweeps).with_guests(memory=options.memory, cpus=options.cpus)
    matrix = with_axes(matrix, libbpf=options.libbpf, clang=options.clang)
    cases: Sequence[UnbuiltCase] = options.own_cases
    if not cases:
        written = options.project.load_cases(matrix, only=options.cases)
        _check_signatures(written)
        cases = yaml_cases(written)
    if not any(case.has_sources for case in cases):
        matrix = _without_compilers(matrix, options)
    plan = make_plan(
        matrix,
        cases,
        kernel_globs=options.kernels,
        arches=options.arches,
        case_globs=options.cases,
        host_arch=host_name(),
    )
    return matrix, plan


def _without_compilers(matrix: Matrix, options: Options) -> Matrix:
    """Return the matrix without its axis of compilers, for cases of which none is compiled; raise UsageError."""
    if options.clang:
        raise UsageError("--clang makes no difference: nothing is compiled here. Leave it out, or give sources")
    if not any(each.clang for each in (matrix, *matrix.kernels)):
        return matrix
    kernels = tuple(kernel.model_copy(update={"clang": None}) for kernel in matrix.kernels)
    return matrix.model_copy(update={"clang": None, "kernels": kernels})


def with_axes(matrix: Matrix, *, libbpf: Sequence[str], clang: Sequence[str]) -> Matrix:
    """Return the matrix with the axes that a command line names in place of its own; raise UsageError."""
    if not (libbpf or clang):
        return matrix
    from harness.config.axes import CLANG, LIBBPF  # noqa: PLC0415  few runs name them

    own = [*matrix.kernels, matrix]
    return matrix.with_axes(
        libbpf=LIBBPF.chosen(libbpf, [each for of in own for each in of.libbpf or ()], folder=Path.cwd()),
        clang=CLANG.chosen(clang, [each for of in own for each in of.clang or ()], folder=Path.cwd()),
    )


def _check_signatures(cases: Sequence[WrittenCase]) -> None:
    """Raise ConfigError where the signature of a known bug cannot be that of its case."""
    problems = [
        f"{shown(case.folder / CASE_FILE)}: {text}" for case in cases for text in signature_problems(compile_case(case))
    ]
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))


def prepare(
    options: Options,
    matrix: Matrix,
    plan: Plan[UnbuiltCase],
    *,
    supplies: Supplies,
    observer: Callable[[], Observer],
    keys: RunKeys | None = None,
    earlier: Recorded | None = None,
    shard: Shard | None = None,
) -> Prepared:
    """Do all that may find the user's own mistakes: compile the objects, check the entries of the kernels.

    What is compiled here is what all kernels get, whatever is saved while they run. A case that cannot be built is in
    `faults`; its cells will be `error`. `observer` makes the observer, and keys are made where none are given, while
    programs of the host are waited for. `earlier` is a run to go on with. Raises ConfigError, UsageError,
    KernelFileError or MissingToolError.
    """
    started, limit = datetime.now(UTC), max_cache_bytes(os.environ)
    forget_versions()
    arches = [ARCHITECTURES[name] for name in sorted({kernel.arch for kernel in plan.kernels})]
    different = {row.objects: row for row in plan.rows}
    built: dict[str, Built] = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=2, thread_name_prefix="check") as beside:
        # While one program is waited for, another can be, and what is loaded then costs nothing.
        versions = [beside.submit(qemu_version, arch) for arch in arches]
        made = beside.submit(lambda: (observer(), keys or make_keys()))

        def say(text: str) -> None:
            if made.done() and made.exception() is None:
                made.result()[0].preparing(text)

        supplies.building = say
        try:
            for objects, row in sorted(different.items()):
                built[objects] = supplies.build(plan.cases, ARCHITECTURES[row.kernel.arch], clang=row.clang)
        finally:
            say("")
        for version in versions:
            version.result()
        shows, own_keys = made.result()
    mistakes = dict.fromkeys(line for each in built.values() for line in each.mistakes)
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    for kernel in plan.kernels:
        supplies.check(kernel, cases=plan.cases)
    for row in plan.rows:
        if row.libbpf is not None:
            supplies.check_libbpf(row.libbpf, row.kernel)
    return Prepared(
        options=options,
        matrix=matrix,
        plan=plan,
        supplies=supplies,
        keys=own_keys,
        observer=shows,
        built=built,
        started=started,
        jobs=options.jobs or auto_jobs(matrix, plan, built),
        max_cache_bytes=limit,
        earlier=earlier,
        shard=shard,
    )


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


def auto_jobs(matrix: Matrix, plan: Plan[UnbuiltCase], built: Mapping[str, Built] = NOTHING_BUILT) -> int:
    """Return how many guests run at once: as many as matrix.yaml says, or as cores and free memory allow.

    Once the cases are built, the guest that takes the most counts: one case may want more memory, or bring much.
    """
    if isinstance(matrix.defaults.jobs, int):
        return matrix.defaults.jobs
    cores = len(os.sched_getaffinity(0))
    largest = max((kernel.settings(matrix.defaults).memory for kernel in plan.kernels), default=0)
    cases = [(case, each.pushed.get(case.id, NOTHING)) for each in built.values() for case in each.cases.values()]
    largest = max(
        (max(largest, case.memory or 0) + pushed.memory(serial=False) for case, pushed in cases), default=largest
    )
    fitting = available_memory_mib() // (largest + QEMU_OVERHEAD_MIB)
    return max(1, min(cores, fitting, len(plan.rows)))
