"""What one measurement gave, as values, and where a run's time went. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.model.phases import Phase
from harness.model.results import OutcomeKind, Report, Start

KERNEL, USERLAND, REST, PROCESS = "kernel", "userland", "rest", "process"
DIVIDED = {Phase.BOOT: (KERNEL, USERLAND), Phase.TOTAL: (REST, PROCESS)}
PHASES = tuple(str(name) for phase in Phase for name in DIVIDED.get(phase, (phase,)))
"""Where the seconds of a whole process go, in their order. A warm run has no `kernel`.

`process` is what the process takes beside its run: Python's start, and building the objects before; the reports after.
`rest` is what the run takes beside its guest.
"""


@dataclass(frozen=True, kw_only=True)
class RunSample:
    """One process of `invoke matrix`.

    `process` is its whole time, `run` that from the plan to the last result (run.seconds of its report), `single` the
    sum of what each kernel took, `guest` that of the cases in the guest by their own clock; all in seconds. `phases`
    adds up to `process` where one kernel was run. `memory` is the peak of one QEMU in MiB. `problems` are outcomes
    other than `works`, `notes` what else makes the sample another than was asked for.
    """

    process: float
    run: float
    single: float
    guest: float
    memory: float
    phases: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the sample as bench.json has it."""
        return {
            "process": self.process,
            "run": self.run,
            "single": self.single,
            "guest": self.guest,
            "memory": self.memory,
            "phases": dict(self.phases),
        }


def run_sample(report: Report, *, process: float, start: Start) -> RunSample:
    """Return the sample that a process of `process` seconds left in its report; `start` is what was asked for."""
    totals = [kernel.seconds.get(Phase.TOTAL, 0.0) for kernel in report.kernels]
    phases: dict[str, float] = {}
    if len(report.kernels) == 1:
        kernel = report.kernels[0]
        phases = _phases(kernel.seconds, kernel.environment, start=start)
        phases[REST] = report.run.seconds - math.fsum(phases.values())
        phases[PROCESS] = process - report.run.seconds
        phases = {name: round(max(0.0, phases[name]), 4) for name in PHASES if name in phases}
    return RunSample(
        process=round(process, 4),
        run=round(report.run.seconds, 4),
        single=round(math.fsum(totals), 4),
        guest=round(math.fsum(cell.outcome.seconds or 0.0 for cell in report.cells), 6),
        memory=max((kernel.memory for kernel in report.kernels), default=0.0),
        phases=phases,
        problems=tuple(_problems(report)),
        notes=tuple(_notes(report, start=start)),
    )


def _phases(seconds: Mapping[str, float], environment: Mapping[str, Any], *, start: Start) -> dict[str, float]:
    """Return a kernel's phases, with the boot of a cold one divided at the start of its init.

    The guest's clock begins with its kernel. So what the host saw from QEMU's start to the agent's first line, less
    what that clock showed then, is the firmware (and QEMU's own); and the kernel came to its init at `init_uptime`.
    """
    phases = {name: value for name, value in seconds.items() if name not in DIVIDED}
    boot = seconds.get(Phase.BOOT, 0.0)
    at_init, at_hello = _seconds(environment.get("init_uptime")), _seconds(environment.get("uptime"))
    if start is Start.COLD and at_init is not None and at_hello is not None:
        between = math.fsum(seconds.get(name, 0.0) for name in (Phase.CONNECT, Phase.PUSH, Phase.AGENT))
        before_kernel = boot + between - at_hello
        phases[KERNEL] = min(boot, max(0.0, before_kernel + at_init))
    phases[USERLAND] = boot - phases.get(KERNEL, 0.0)
    return phases


def _seconds(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _problems(report: Report) -> Iterable[str]:
    for cell in report.cells:
        if cell.outcome.kind is not OutcomeKind.WORKS:
            yield f"{cell.kernel} x {cell.case}: {cell.outcome.kind}: {cell.outcome.reason}"


def _notes(report: Report, *, start: Start) -> Iterable[str]:
    for cell in report.cells:
        if cell.start is not None and cell.start is not start:
            yield f"{cell.kernel} x {cell.case}: a {start} start was asked for, but it was {cell.start}"
    for kernel in report.kernels:
        if kernel.boots > 1:
            yield f"{kernel.name}: it took {kernel.boots} guests"


@dataclass(frozen=True, kw_only=True)
class KernelSize:
    """What one kernel takes: bytes on disk without a snapshot, of its snapshot, and downloaded. None: not known."""

    name: str
    disk: int | None
    modules: int | None
    snapshot: int | None
    downloaded: int | None


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the image takes that all kernels share, and what each kernel takes, in bytes."""

    image: int
    image_downloaded: int | None
    kernels: tuple[KernelSize, ...]


@dataclass(frozen=True, kw_only=True)
class VirtmeSamples:
    """The same job on the same generic kernel, in turns: by virtme-ng (in seconds), cold and warm."""

    version: str
    kernel: str
    release: str
    command: str
    seconds: tuple[float, ...]
    cold: tuple[RunSample, ...]
    warm: tuple[RunSample, ...]


@dataclass(frozen=True, kw_only=True)
class MatrixSamples:
    """The whole matrix: samples by how guests were started and how many ran at once (1 or 2)."""

    kernels: tuple[str, ...]
    runs: Mapping[Start, Mapping[int, tuple[RunSample, ...]]]


@dataclass(frozen=True, kw_only=True)
class CaseSamples:
    """Rounds of runs over several copies of one simple case: (how many, the sample)."""

    case: str
    rounds: tuple[tuple[tuple[int, RunSample], ...], ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was measured, and where. `seconds` is how long it all took."""

    started: str
    seconds: float
    version: str
    command: str
    host: Mapping[str, str]
    qemu: str
    accel: str
    accel_reason: str
    kernel: str
    release: str
    kernel_version: str
    memory: int
    cpus: int
    case: str
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """All that `invoke bench` has measured. What is None was not; `notes` says why, by the name of the ratio.

    `floor` and `floor_shipped` are seconds, with our guests' settings and without. `other_problems` are outcomes other
    than `works` that no run of ours had (virtme-ng's).
    """

    facts: Facts
    floor: tuple[float, ...]
    floor_shipped: tuple[float, ...]
    cold: tuple[RunSample, ...]
    warm: tuple[RunSample, ...]
    sizes: Sizes
    virtme: VirtmeSamples | None = None
    matrix: MatrixSamples | None = None
    added: tuple[CaseSamples, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    other_problems: tuple[str, ...] = ()

    def samples(self) -> Iterable[RunSample]:
        """Yield every run, in no order that means anything."""
        yield from (*self.cold, *self.warm)
        if self.virtme is not None:
            yield from (*self.virtme.cold, *self.virtme.warm)
        if self.matrix is not None:
            for by_jobs in self.matrix.runs.values():
                for samples in by_jobs.values():
                    yield from samples
        yield from (sample for added in self.added for points in added.rounds for _, sample in points)
