"""One kernel of the matrix: as many guests as it takes until every case has its answer. Then the outcomes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.config.case import Case
from harness.config.expectation import choose
from harness.errors import BpfmatrixError, BuildError, CompileError, ConfigError
from harness.facts.records import CaseRecord, KernelLog
from harness.guest.session import SessionResult, run_session
from harness.judge.known_splats import NOTHING_ALLOWED, AllowList, boot_problems
from harness.judge.outcome import outcome_of
from harness.judge.verdict import judge
from harness.model.results import CellResult, Expectation, KernelResult, Outcome, OutcomeKind, PackageInfo, Stage, Start
from harness.supply.guest_plan import GuestPlan

Boot = Callable[[GuestPlan, Sequence[Case]], SessionResult]

NO_FAULTS: Mapping[str, BuildError] = {}
"""For cases all of which could be built."""

_NO_PACKAGE = PackageInfo(source="", name="", version="", sha256="")


@dataclass(kw_only=True)
class KernelRun:
    """Everything that the guests of one kernel gave, added up."""

    records: dict[str, CaseRecord] = field(default_factory=dict)
    environment: dict[str, object] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    console_tail: tuple[str, ...] = ()
    boots: int = 0
    repeated: bool = False
    starts: dict[str, Start] = field(default_factory=dict)
    memory: float = 0.0
    boot_logs: list[KernelLog] = field(default_factory=list)


def run_kernel(plan: GuestPlan, cases: Sequence[Case], *, boot: Boot = run_session) -> KernelRun:
    """Run all cases on one kernel. A case that ends its guest costs another boot, and the rest goes on.

    Every boot settles at least one case, but for one repetition where a guest does not come up; there is none any
    more once `plan.stopping` is set. Raises QemuError where QEMU itself does not start.
    """
    run = KernelRun()
    for batch in batches(cases):
        _run_batch(replace(plan, cmdline=f"{plan.cmdline} {batch[0].cmdline}".strip()), batch, boot=boot, run=run)
    return run


ONE_WAY = {
    "kernel.unprivileged_bpf_disabled": "1",  # Documentation/admin-guide/sysctl/kernel.rst, as are these:
    "kernel.modules_disabled": "1",
    "kernel.kexec_load_disabled": "1",
    "kernel.yama.ptrace_scope": "3",  # Documentation/admin-guide/LSM/Yama.rst
}
"""Sysctls that cannot be set to anything else once they have this value."""


def batches(cases: Sequence[Case]) -> list[list[Case]]:
    """Return which cases share a guest: all that may, in their order, then each of the others by itself.

    After a case that sets what cannot go back no other runs in its guest (docs/agent-protocol.md); so those are the
    last of their guest, and the others need but one.
    """
    shared = sorted((case for case in cases if not case.alone), key=spends_its_guest)
    return ([shared] if shared else []) + [[case] for case in cases if case.alone]


def spends_its_guest(case: Case) -> bool:
    """Say whether a case sets a sysctl that cannot be set back."""
    return any(str(value) == ONE_WAY.get(name) for name, value in case.sysctls.items())


def _run_batch(plan: GuestPlan, cases: Sequence[Case], *, boot: Boot, run: KernelRun) -> None:
    pending = list(cases)
    while pending and not plan.stopping.is_set():
        result = boot(plan, pending)
        run.boots += 1
        for phase, seconds in result.seconds.items():
            run.seconds[phase] = run.seconds.get(phase, 0.0) + seconds
        run.console_tail = result.console_tail
        run.memory = max(run.memory, result.memory)
        run.notices += result.notices
        if result.start is not None:
            run.starts.update(dict.fromkeys(result.records, result.start))
        if not result.environment and not run.repeated and not plan.stopping.is_set():
            run.repeated = True
            # No case had begun, so this says nothing of any case. An emulator that stumbles now and then is told
            # from a kernel that does not boot by booting once more, and the report says so.
            reason = next((record.ending.reason for record in result.records.values() if record.ending), "no reason")
            run.notices.append(f"{plan.kernel.name}: the guest did not come up ({reason}) and was booted again")
            continue
        run.records.update(result.records)
        run.environment = {**result.environment, **run.environment}
        run.problems += result.problems
        run.boot_logs.append(result.boot_log)
        left = [case for case in pending if case.id not in run.records]
        if len(left) == len(pending):
            break  # nothing was settled; whoever judges the cells finds them without a record
        pending = left


def version_of(environment: dict[str, object], fallback: str) -> str:
    """Return the kernel's version: what a Debian kernel says in `uname -v`, else its release.

    Debian's release names the ABI ("6.1.0-50-cloud-amd64"), its version string the real version
    ("... Debian 6.1.176-1 (2026-...)").
    """
    match = re.search(r"\bDebian (\d\S+)", str(environment.get("version", "")))
    return match.group(1) if match else str(environment.get("release") or fallback)


def cells_of(
    plan: GuestPlan,
    cases: Sequence[Case],
    run: KernelRun,
    *,
    allow: AllowList = NOTHING_ALLOWED,
    faults: Mapping[str, BuildError] = NO_FAULTS,
) -> list[CellResult]:
    """Turn a kernel's records into its cells: outcomes compared with the expectations of the cases.

    `allow` holds the known splats of all kernels; `faults` says by id which cases could not be built, and why.
    """
    version = version_of(run.environment, plan.kernel.package.version or plan.kernel.release)
    own = allow.concerning(arch=plan.kernel.arch.name, version=version)
    cells = []
    for case in cases:
        if case.id in faults:
            expectation = _expectation(case, arch=plan.kernel.arch.name, version=version)
            cell = _cell(plan.kernel.name, case, unbuilt(faults[case.id]), expectation)
        else:
            record = run.records.get(case.id, CaseRecord())
            cell = cell_of(plan.kernel.name, case, record, arch=plan.kernel.arch.name, version=version, allow=own)
        cells.append(replace(cell, start=run.starts.get(case.id)))
    return cells


def cell_of(
    kernel: str, case: Case, record: CaseRecord, *, arch: str, version: str, allow: AllowList = NOTHING_ALLOWED
) -> CellResult:
    """Judge what is known of one case on the kernel of this name. `allow` holds the known splats of that kernel."""
    outcome = outcome_of(case, record, allow=allow)
    return _cell(kernel, case, outcome, _expectation(case, arch=arch, version=version))


def kernel_result(
    plan: GuestPlan,
    run: KernelRun,
    *,
    qemu_version: str,
    fetch_seconds: float,
    allow: AllowList = NOTHING_ALLOWED,
) -> KernelResult:
    """Return what the reports say about a kernel that was run; `allow` holds the known splats of all kernels."""
    version = version_of(run.environment, plan.kernel.package.version)
    own = allow.concerning(arch=plan.kernel.arch.name, version=version)
    seconds = {"fetch": fetch_seconds, **run.seconds}
    seconds["total"] = math.fsum(seconds.values())
    return KernelResult(
        name=plan.kernel.name,
        arch=plan.kernel.arch.name,
        release=str(run.environment.get("release", plan.kernel.release)),
        version=version,
        accel=plan.accel,
        transport="serial" if plan.serial else "network",
        qemu_version=qemu_version,
        libbpf_version=str(run.environment.get("libbpf", "")),
        package=plan.kernel.package,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        environment=run.environment,
        boots=run.boots,
        memory=round(run.memory, 1),
        problems=(*run.problems, *boot_problems(run.boot_logs, allow=own)),
        console_tail=run.console_tail,
    )


def unreached(
    *,
    kernel: str,
    arch: str,
    cases: Sequence[Case],
    kind: OutcomeKind,
    reason: str,
    wrong_input: bool = False,
    faults: Mapping[str, BuildError] = NO_FAULTS,
) -> tuple[KernelResult, list[CellResult]]:
    """Return a kernel that could not be run at all, with a cell for every case: none of them is green.

    `wrong_input` says that the user's own input is why; `faults` are the cases that could not be built in any case.
    """
    outcome = Outcome(kind=kind, reason=reason, wrong_input=wrong_input)
    cells = [
        _cell(
            kernel,
            case,
            unbuilt(faults[case.id]) if case.id in faults else outcome,
            _unknown_version(case, arch=arch),
        )
        for case in cases
    ]
    return KernelResult(name=kernel, arch=arch, package=_NO_PACKAGE), cells


def unbuilt(fault: BuildError) -> Outcome:
    """Return the outcome of a case whose objects cannot be had: no kernel was asked, and the input is why."""
    reason, log = str(fault), ""
    if isinstance(fault, CompileError):
        first = next((line.strip() for line in fault.log.splitlines() if "error:" in line), "")
        reason, log = f"{fault.reason}{': ' if first else ''}{first}", fault.log
    return Outcome(kind=OutcomeKind.LOST, reason=reason, stage=Stage.BUILD, log=log, wrong_input=True)


def error_reason(error: Exception) -> str:
    """Return an error's message as the reason of a cell, saying whose trouble it is."""
    if isinstance(error, OSError):
        return f"the host failed: {error}"
    if isinstance(error, BpfmatrixError):
        return f"{type(error).__name__}: {error}"
    return f"a bug of bpfmatrix: {type(error).__name__}: {error}"


def _cell(kernel: str, case: Case, outcome: Outcome, expectation: Expectation) -> CellResult:
    verdict, reason = judge(outcome, expectation)
    return CellResult(
        kernel=kernel,
        case=case.id,
        title=case.title,
        outcome=outcome,
        expectation=expectation,
        verdict=verdict,
        verdict_reason=reason,
        isolated=case.alone,
    )


def _expectation(case: Case, *, arch: str, version: str) -> Expectation:
    try:
        return choose(case.expect, arch=arch, version=version)
    except ConfigError:  # a kernel of the user's own may call itself anything, or nothing where it never spoke
        return _unknown_version(case, arch=arch)


def _unknown_version(case: Case, *, arch: str) -> Expectation:
    return Expectation(outcome=OutcomeKind.WORKS, reason=f"the kernel's version is not known ({arch}, {case.id})")
