"""One guest from boot to power-off: boots a kernel, runs the agent over some cases, and says what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import (
    AgentEndedError,
    BpfmatrixError,
    DeadlineError,
    GuestClockError,
    GuestConnectionError,
    WrongKernelError,
)
from harness.facts.records import SHARED_LOAD, CaseRecord, Ending, console_tail, ending_of
from harness.facts.session import SessionFacts
from harness.facts.transcript import Transcript
from harness.guest.boot import SETTLE, booted, connected
from harness.guest.clock import uptime_problem
from harness.guest.connection import Connection
from harness.guest.parcel import IN_GUEST, PARCELS, job_parcel
from harness.model.phases import Phase
from harness.qemu.process import QemuProcess, wait_until
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.kernels.files import KernelFiles

AGENT_COMMAND = f"dd bs=64k status=none if={IN_GUEST}/out; exec >&- 2>&-; read -r _ && exec poweroff -f"
"""Runs the agent: brings the lines of what waits in the guest (harness/guest_service.py), and powers off when it is
given a line; not where the connection just ends.

One command for both, and dd, which busybox's shell does in a copy of itself: in an emulated guest a program takes 10 ms
to start.
"""
APART = "the guest ended while an object was loaded for all of its programs; from then on each is loaded by itself"
GRACE = 5.0
"""Seconds that the harness gives a case beyond its deadline, so that the agent itself can end it first."""


Starting = Callable[[GuestPlan], AbstractContextManager[QemuProcess]]
"""Starts a guest and holds it for the duration of a block."""
Connecting = Callable[[GuestPlan, QemuProcess], AbstractContextManager[Connection]]
"""Connects to a guest and holds the connection for the duration of a block."""


class Stopwatch:
    """Adds up the seconds of phases, one at a time."""

    def __init__(self, seconds: dict[str, float], *, at: Callable[[Phase, str], None]) -> None:
        """`at` is given each phase that begins."""
        self._seconds, self._since, self._at = seconds, time.monotonic(), at
        self._phase: Phase | None = None

    def switch(self, phase: Phase | None) -> None:
        """End the present phase and begin `phase`; None begins no other."""
        now = time.monotonic()
        if self._phase is not None:
            self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now
        if phase is not None:
            self._at(phase, "")


def run_session(
    plan: GuestPlan, cases: Sequence[Case], *, start: Starting = booted, connect: Connecting = connected
) -> SessionFacts:
    """Start one guest and run `cases` in it, in order.

    Always returns, but for QemuError where QEMU itself does not start. A case with its completion marker has
    a record, and so has the one during which the guest died or fell silent. Where that happened before the
    first case, it is the end of them all: the next guest would fare no better. Cases without a record were
    not reached.
    """
    seconds: dict[str, float] = {}
    problems: list[str] = []
    watch = Stopwatch(seconds, at=plan.at)
    transcript = Transcript()
    watch.switch(Phase.START)
    with start(plan) as qemu:
        try:
            with ExitStack() as stack:
                watch.switch(Phase.BOOT)
                connection = stack.enter_context(connect(plan, qemu))
                watch.switch(Phase.PUSH)
                seconds[Phase.CONNECT] = connection.handshake_seconds
                seconds[Phase.BOOT] -= connection.handshake_seconds
                _run_agent(plan, qemu, connection, cases, transcript, watch=watch)
                if plan.visit is not None:
                    watch.switch(None)
                    plan.visit(plan.kernel.name, cases, transcript, connection)
                watch.switch(Phase.SHUTDOWN)
                problems += _power_off(plan, qemu, connection)
            ending = None
        except BpfmatrixError as error:
            ending = _ending(error, qemu)
        watch.switch(None)
        tail, memory = console_tail(qemu.console_text().splitlines()), qemu.peak_memory
    apart = ending is not None and ending.step is not None and ending.step[0] == SHARED_LOAD
    records, more = collected(transcript, cases, None if apart else ending)
    stopped = transcript.last.get("stopped")
    notices = [*([f"{stopped}; the cases after it had another guest"] if stopped else []), *([APART] if apart else [])]
    return SessionFacts(
        records=records,
        environment=transcript.environment,
        seconds=seconds,
        problems=(*problems, *more),
        console_tail=tail,
        memory=memory,
        notices=tuple(f"{plan.kernel.name}: {notice}" for notice in notices),
        apart=apart,
        boot_log=transcript.boot_log(),
    )


def _run_agent(
    plan: GuestPlan,
    qemu: QemuProcess,
    connection: Connection,
    cases: Sequence[Case],
    transcript: Transcript,
    *,
    watch: Stopwatch,
) -> None:
    """Push the job, and the agent where the guest has none yet; read the agent's lines to the end.

    Raises what keeps them from being complete.
    """
    deadlines = {case.id: case.deadline or plan.settings.deadlines.case for case in cases}
    begun = qemu.clock()

    def left() -> float:
        # Each case has its deadline; the agent's own start and the time between cases have a case's too.
        seconds = deadlines.get(transcript.current or "", plan.settings.deadlines.case)
        remaining = seconds + GRACE - (qemu.clock() - begun)
        if remaining <= 0:
            doing = f"running {transcript.current}" if transcript.current else "waiting for the agent"
            raise DeadlineError("case", seconds, doing)
        return remaining

    errors = plan.folder / "agent.stderr"
    try:
        connection.push(job_parcel(plan, cases, agent=not qemu.has_agent), PARCELS, seconds=left(), clock=qemu.clock)
    except GuestConnectionError:
        left()  # a guest that was only too slow meets the deadline
        raise
    watch.switch(Phase.AGENT)
    with (plan.folder / "agent.jsonl").open("ab", buffering=0) as log:
        for line in connection.lines(AGENT_COMMAND, errors=errors, timeout=left, hold=True):
            log.write(line + b"\n")
            record = transcript.feed(line)
            if record is None:
                continue
            if record["type"] == "output" and plan.output is not None:
                plan.output(record["text"])
            if record["type"] in ("hello", "case", "case-end"):
                begun = qemu.clock()
            if record["type"] == "case":
                plan.at(Phase.CASES, record["case"])
            if record["type"] == "hello":
                watch.switch(Phase.CASES)
                if not qemu.has_agent:  # a restored guest's clock was compared before its snapshot was kept
                    _check_uptime(qemu, transcript)
                _check_release(plan.kernel, transcript.environment)
    if not transcript.done:
        said = _read(errors).strip()[-500:]
        raise AgentEndedError(f"the agent ended without its completion marker{': ' + said if said else ''}")


def _check_uptime(qemu: QemuProcess, transcript: Transcript) -> None:
    wrong = uptime_problem(uptime=transcript.hello["uptime"], elapsed=time.monotonic() - qemu.started)
    if wrong:
        transcript.environment = {}  # nothing of this guest counts, and the next one may well do better
        raise GuestClockError(wrong)


def _check_release(kernel: KernelFiles, environment: Mapping[str, Any]) -> None:
    if kernel.release and environment.get("release") != kernel.release:
        raise WrongKernelError(
            f"the guest runs {environment.get('release')}, but {kernel.release} was booted for {kernel.name}"
        )


def _power_off(plan: GuestPlan, qemu: QemuProcess, connection: Connection) -> list[str]:
    """Power the guest off; return what was wrong with that, as sentences."""
    qemu.note_memory()
    connection.release()
    deadline = plan.settings.deadlines.shutdown
    if not wait_until(lambda: not qemu.alive(), seconds=deadline, step=0.002, clock=qemu.clock):
        return [f"the shutdown deadline of {deadline:g} s passed; QEMU was ended"]
    death = qemu.death()
    silent = plan.kernel.arch.silent_poweroff and death is not None and death.reason is None and not death.returncode
    if death is not None and death.reason != "guest-shutdown" and not silent:
        ending = ending_of(
            what="powering off",
            console=qemu.console_text(),
            qemu_reason=death.reason,
            qemu_gone=True,
            qemu_words=death.describe(),
        )
        return [f"after the last case, while powering off: {ending.reason}"]
    return []


def _ending(failure: BpfmatrixError, qemu: QemuProcess) -> Ending:
    if not isinstance(failure, DeadlineError):
        # A kernel that panics takes a moment to reset the machine after its last word to us.
        qemu.wait(SETTLE)
    death = qemu.death()
    ending = ending_of(
        what=str(failure),
        console=qemu.console_text(),
        qemu_reason=death.reason if death else None,
        qemu_gone=death is not None,
        qemu_words=death.describe() if death else "",
        agent_ended=isinstance(failure, AgentEndedError),
        unanswered=isinstance(failure, (DeadlineError, GuestConnectionError)),
    )
    # What a wrong kernel was doing meanwhile does not matter.
    return replace(ending, step=None) if isinstance(failure, WrongKernelError) else ending


def collected(
    transcript: Transcript, cases: Sequence[Case], ending: Ending | None
) -> tuple[dict[str, CaseRecord], list[str]]:
    """Return the record of every case that ended, and what no case can carry, as sentences. Pure.

    How a guest ended belongs to the case that was under way; where none had begun, of all; else it is a problem.
    """
    records = {case: transcript.record(case) for case in transcript.ended()}
    if ending is None:
        return records, []
    if transcript.current is not None:
        return {**records, transcript.current: transcript.record(transcript.current, ending)}, []
    if not records:
        return {case.id: transcript.record(case.id, ending) for case in cases}, []
    return records, [f"after {list(records)[-1]}: {ending.reason}"]


def _read(path: Path) -> str:
    return path.read_bytes().decode(errors="replace") if path.exists() else ""
