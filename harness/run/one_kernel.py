"""One kernel of the matrix: as many guests as it takes until every case has its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from harness.errors import EXIT_USAGE, BpfmatrixError
from harness.facts.kernel import Failure, KernelFacts, with_session
from harness.facts.session import SessionFacts
from harness.guest.session import run_session
from harness.judge.death import may_be_silenced
from harness.model.phases import Phase
from harness.model.results import Fault, OutcomeKind
from harness.model.rows import Row
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.pushed import NOTHING, divided

Boot = Callable[[GuestPlan, Sequence[Case]], SessionFacts]
"""Runs one guest over some cases."""


def facts_of(
    plan: GuestPlan,
    *,
    row: Row | None = None,
    compiler: str = "",
    qemu_version: str = "",
    fetch_seconds: float | None = None,
) -> KernelFacts:
    """Return what is known of a `row` (default: the kernel alone) before its first guest.

    `compiler` is the version of the one that made its objects, where that is an axis; `fetch_seconds` is what obtaining
    the kernel's files took.
    """
    return KernelFacts(
        row=row or Row(kernel=plan.kernel.name),
        compiler=compiler,
        arch=plan.kernel.arch.name,
        release=plan.kernel.release,
        package=plan.kernel.package,
        accel=plan.accel,
        transport="serial" if plan.serial else "network",
        qemu_version=qemu_version,
        seconds={} if fetch_seconds is None else {Phase.FETCH: fetch_seconds},
    )


def run_kernel(
    plan: GuestPlan, cases: Sequence[Case], *, boot: Boot = run_session, known: KernelFacts | None = None
) -> KernelFacts:
    """Run all cases on one kernel and return its facts, added to those that are `known` (default: `facts_of`).

    A case that ends its guest costs another boot, and the rest goes on. Every boot settles at least one case, but for
    one repetition where a guest does not come up; one where it ends while an object is loaded for several cases; and
    one for each case during which a guest falls silent while a program is attached: where the second does, too, the
    program is to blame. There is none any more once `plan.stopping` is set. Raises QemuError where QEMU itself does not
    start.
    """
    facts, may_repeat = known or facts_of(plan), True
    for batch in batches(cases):
        facts, may_repeat = _run_batch(guest_of(plan, batch[0]), batch, boot=boot, facts=facts, may_repeat=may_repeat)
    return facts


def guest_of(plan: GuestPlan, first: Case) -> GuestPlan:
    """Return the plan of the guest of some cases, of which this is the first, and the only one that wants its own.

    Such a guest has the memory, the processors and the kernel parameters of its case, and the archives that it brings;
    its files, too, where they do not go over SSH, with memory for both.
    """
    if not first.alone:
        return plan
    pushed = plan.pushed.get(first.id, NOTHING)
    settings = replace(
        plan.settings,
        memory=max(plan.settings.memory, first.memory or 0) + pushed.memory(serial=plan.serial),
        cpus=first.cpus or plan.settings.cpus,
    )
    return replace(
        plan,
        cmdline=f"{plan.cmdline} {first.cmdline}".strip(),
        settings=settings,
        archives=(*plan.archives, *pushed.archives),
        files=() if pushed.in_parcel(serial=plan.serial) else divided(pushed.files)[0],
    )


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


def _run_batch(
    plan: GuestPlan, cases: Sequence[Case], *, boot: Boot, facts: KernelFacts, may_repeat: bool
) -> tuple[KernelFacts, bool]:
    """Run cases that share a guest; return the facts, and whether a guest may still be repeated."""
    pending, asked = list(cases), set[str]()
    while pending and not plan.stopping.is_set():
        session = boot(plan, pending)
        if not session.environment and may_repeat and not plan.stopping.is_set():
            may_repeat = False
            # No case had begun, so this says nothing of any case. An emulator that stumbles now and then is
            # distinguished from a kernel that does not boot by booting once more, and the report says so.
            reason = next((each.ending.reason for each in session.records.values() if each.ending), "no reason")
            notice = f"{plan.kernel.name}: the guest did not come up ({reason}) and was booted again"
            facts = with_session(facts, replace(session, notices=(*session.notices, notice)), counts=False)
            continue
        if session.apart:
            plan = replace(plan, share=False)
        doubtful = {case.id for case in pending if _in_doubt(case, session)} - asked
        session = _asked_again(session, asked, doubtful, kernel=plan.kernel.name)
        asked |= doubtful
        facts = with_session(facts, session)
        left = [case for case in pending if case.id not in facts.records]
        if len(left) == len(pending) and not doubtful and not session.apart:
            break  # nothing was settled; whoever judges the cells finds them without a record
        pending = left
    return facts, may_repeat


def failure_of(error: Exception) -> Failure:
    """Return why a row has no answers because of an error: with whose fault it is, the user's, the host's or ours."""
    fault = Fault.HARNESS
    if isinstance(error, BpfmatrixError) and error.exit_code == EXIT_USAGE:
        fault = Fault.INPUT
    elif isinstance(error, OSError) or (isinstance(error, BpfmatrixError) and error.of_host):
        fault = Fault.HOST
    return Failure(kind=OutcomeKind.LOST, reason=error_reason(error), wrong_input=fault is Fault.INPUT, fault=fault)


def _in_doubt(case: Case, session: SessionFacts) -> bool:
    """Say whether a guest was silenced, or went too slowly, while a case had its program attached."""
    return case.id in session.records and may_be_silenced(case, session.records[case.id])


def _asked_again(session: SessionFacts, asked: Set[str], doubtful: Set[str], *, kernel: str) -> SessionFacts:
    """Return what a guest gave without the cases that another one is asked; those `asked` before are marked so."""
    records = {name: record for name, record in session.records.items() if name not in doubtful}
    records |= {name: replace(records[name], again=True) for name in asked & records.keys()}
    notices = [
        f"{kernel}: {name} had no answer while its program was attached; another guest is asked"
        for name in sorted(doubtful)
    ]
    return replace(session, records=records, notices=(*session.notices, *notices))


def error_reason(error: Exception) -> str:
    """Return an error's message as the reason of a cell, saying whose trouble it is."""
    if isinstance(error, OSError):
        return f"the host failed: {error}"
    if isinstance(error, BpfmatrixError):
        return f"{type(error).__name__}: {error}"
    return f"a bug of bpfmatrix: {type(error).__name__}: {error}"
