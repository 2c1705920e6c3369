"""One guest from boot to power-off: boots a kernel, runs the agent over some cases, and says what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.config.case import Case
from harness.errors import (
    AgentError,
    BpfmatrixError,
    DeadlineError,
    GuestClockError,
    GuestConnectionError,
    WrongKernelError,
)
from harness.facts.records import CaseRecord, Ending, KernelLog, console_tail, ending_of
from harness.facts.transcript import Transcript
from harness.guest.boot import SETTLE, booted, connected
from harness.guest.clock import uptime_problem
from harness.guest.connection import Connection
from harness.guest.parcel import IN_GUEST, PARCELS, job_parcel
from harness.model.results import Start
from harness.qemu.process import QemuProcess, wait_until
from harness.supply.guest_plan import GuestPlan
from harness.supply.kernels.files import KernelFiles

AGENT_COMMAND = f"dd bs=64k status=none if={IN_GUEST}/out; exec >&- 2>&-; read -r _ && exec poweroff -f"
"""Runs the agent: brings the lines of what waits in the guest (harness/guest_service.py), and powers off when it is
given a line; not where the connection just ends.

One command for both, and dd, which busybox's shell does in a copy of itself: in an emulated guest a program takes 10 ms
to start.
"""
GRACE = 5.0
"""Seconds that the harness gives a case beyond its deadline, so that the agent itself can end it first."""


Starting = Callable[[GuestPlan], AbstractContextManager[QemuProcess]]
"""Starts a guest and holds it for the duration of a block."""


@dataclass(kw_only=True)
class SessionResult:
    """What one guest gave: a record for each case that it had, in order, and what it cost.

    `seconds` is by phase; `memory` is the most that QEMU took of the host's, in MiB, 0 where that is not known.
    """

    records: dict[str, CaseRecord] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    console_tail: tuple[str, ...] = ()
    memory: float = 0.0
    start: Start | None = None
    notices: list[str] = field(default_factory=list)
    boot_log: KernelLog = field(default_factory=KernelLog)


class Stopwatch:
    """Adds up the seconds of named phases, one at a time."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds, self._name, self._since = seconds, "", time.monotonic()

    def switch(self, name: str) -> None:
        """End the present phase and begin the phase `name`; the empty name begins none."""
        now = time.monotonic()
        if self._name:
            self._seconds[self._name] = self._seconds.get(self._name, 0.0) + now - self._since
        self._name, self._since = name, now


def run_session(plan: GuestPlan, cases: Sequence[Case], *, start: Starting = booted) -> SessionResult:
    """Start one guest and run `cases` in it, in order.

    Always returns, but for QemuError where QEMU itself does not start. A case with its completion marker has
    a record, and so has the one during which the guest died or fell silent. Where that happened before the
    first case, it is the end of them all: the next guest would fare no better. Cases without a record were
    not reached.
    """
    result = SessionResult()
    watch = Stopwatch(result.seconds)
    transcript = Transcript()
    watch.switch("start")
    with start(plan) as qemu:
        try:
            with ExitStack() as stack:
                watch.switch("boot")
                connection = stack.enter_context(connected(plan, qemu))
                watch.switch("push")
                result.seconds["connect"] = connection.handshake_seconds
                result.seconds["boot"] -= connection.handshake_seconds
                _run_agent(plan, qemu, connection, cases, transcript, watch=watch)
                watch.switch("shutdown")
                _power_off(plan, qemu, connection, result)
            ending = None
        except BpfmatrixError as error:
            ending = _ending(error, qemu)
        watch.switch("")
        result.console_tail = console_tail(qemu.console_text().splitlines())
        result.memory = qemu.peak_memory
    result.environment = transcript.environment
    result.boot_log = transcript.boot_log()
    if transcript.last.get("stopped"):
        result.notices.append(f"{plan.kernel.name}: {transcript.last['stopped']}; the cases after it had another guest")
    _collect(result, transcript, cases, ending)
    return result


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
    begun = time.monotonic()

    def left() -> float:
        # Each case has its deadline; the agent's own start and the time between cases have a case's too.
        seconds = deadlines.get(transcript.current or "", plan.settings.deadlines.case)
        remaining = seconds + GRACE - (time.monotonic() - begun)
        if remaining <= 0:
            doing = f"running {transcript.current}" if transcript.current else "waiting for the agent"
            raise DeadlineError("case", seconds, doing)
        return remaining

    errors = plan.folder / "agent.stderr"
    try:
        connection.push(job_parcel(plan, cases, agent=not qemu.has_agent), PARCELS, seconds=left())
    except GuestConnectionError:
        left()  # a guest that was only too slow meets the deadline
        raise
    watch.switch("agent")
    with (plan.folder / "agent.jsonl").open("ab", buffering=0) as log:
        for line in connection.lines(AGENT_COMMAND, errors=errors, timeout=left, hold=True):
            log.write(line + b"\n")
            record = transcript.feed(line)
            if record is None:
                continue
            if record["type"] in ("hello", "case", "case-end"):
                begun = time.monotonic()
            if record["type"] == "hello":
                watch.switch("cases")
                if not qemu.has_agent:  # a restored guest's clock was compared before its snapshot was kept
                    _check_uptime(qemu, transcript)
                _check_release(plan.kernel, transcript.environment)
    if not transcript.done:
        words = _read(errors).strip()[-500:]
        raise AgentError(f"the agent ended without its completion marker{': ' + words if words else ''}")


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


def _power_off(plan: GuestPlan, qemu: QemuProcess, connection: Connection, result: SessionResult) -> None:
    qemu.note_memory()
    connection.release()
    deadline = plan.settings.deadlines.shutdown
    if not wait_until(lambda: not qemu.alive(), seconds=deadline, step=0.002):
        result.problems.append(f"the shutdown deadline of {deadline:g} s passed; QEMU was ended")
        return
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
        result.problems.append(f"after the last case, while powering off: {ending.reason}")


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
    )
    # What a wrong kernel was doing meanwhile does not matter.
    return replace(ending, step=None) if isinstance(failure, WrongKernelError) else ending


def _collect(result: SessionResult, transcript: Transcript, cases: Sequence[Case], ending: Ending | None) -> None:
    """Give every case that ended its record, and the ending to the one that it befell, or to all."""
    for case in transcript.ended():
        result.records[case] = transcript.record(case)
    if ending is None:
        return
    if transcript.current is not None:
        result.records[transcript.current] = transcript.record(transcript.current, ending)
    elif not result.records:
        result.records.update({case.id: transcript.record(case.id, ending) for case in cases})
    else:
        result.problems.append(f"after {list(result.records)[-1]}: {ending.reason}")


def _read(path: Path) -> str:
    return path.read_bytes().decode(errors="replace") if path.exists() else ""
