"""One guest from boot to power-off: boots a kernel, runs the agent over some cases, and says what came of each."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from harness.config.case import Case
from harness.config.matrix import Settings
from harness.errors import AgentError, BpfmatrixError, DeadlineError, QemuError, WrongKernelError
from harness.guest.connection import Connection, connect, dial_port, dial_serial
from harness.guest.keys import RunKeys
from harness.guest.protocol import Transcript
from harness.image.ramdisk import key_nodes, module_nodes, write_ramdisk
from harness.jobs import job_text
from harness.judge.records import TAIL_LINES, CaseRecord, Ending, ending_of
from harness.kernels.files import KernelFiles
from harness.qemu.argv import GuestSpec, kernel_cmdline
from harness.qemu.process import QemuProcess, running, wait_until

IN_GUEST = PurePosixPath("/run/bpfmatrix")
AGENT_COMMAND = f"exec python3 -I -S -E {IN_GUEST}/agent.py {IN_GUEST}/job.json"
AGENT = Path(__file__).resolve().parent.parent / "guest_agent.py"
GRACE = 5.0
"""Seconds that the harness gives a case beyond its deadline, so that the agent itself can end it first."""
SETTLE = 2.0
"""Seconds for QEMU to end after the connection broke: a dying kernel takes a moment to reset the machine."""


@dataclass(frozen=True, kw_only=True)
class GuestPlan:
    """What is needed to boot one guest.

    `base` is the shared userland; `objects` maps case id to files. Once `stopping` is set no guest starts any
    more; the guests of a run share it.
    """

    kernel: KernelFiles
    settings: Settings
    accel: str
    base: Path
    keys: RunKeys
    objects: Mapping[str, Mapping[str, Path]]
    folder: Path
    cmdline: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def serial(self) -> bool:
        """Whether SSH goes over the spare serial port, for want of a network card."""
        return not self.kernel.has_network


@dataclass(kw_only=True)
class SessionResult:
    """What one guest gave: a record for each case that it had, in order, and what it cost in seconds."""

    records: dict[str, CaseRecord] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    console_tail: tuple[str, ...] = ()


class Stopwatch:
    """Adds up the seconds of named phases."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time that the block takes as `name`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - start


@contextlib.contextmanager
def started(plan: GuestPlan) -> Iterator[QemuProcess]:
    """Run QEMU with the guest's kernel for the duration of the block.

    The console's text is kept as console.log in the plan's folder, appended where there is one already.
    Raises QemuError where QEMU does not start.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bpfmatrix-") as name:
        folder = Path(name)
        initrd = folder / "initrd"
        nodes = [
            *module_nodes(plan.kernel.modules),
            *key_nodes(host_key=plan.keys.host_key_file, authorized_key=plan.keys.authorized_key),
        ]
        try:
            write_ramdisk(initrd, base=plan.base, nodes=nodes)
        except OSError as error:
            raise QemuError(
                f"the guest's initramfs cannot be written to {folder}: {error.strerror}. Free some space there, "
                f"or set TMPDIR to another folder"
            ) from error

        def spec(monitor_fd: int) -> GuestSpec:
            return GuestSpec(
                arch=plan.kernel.arch,
                accel=plan.accel,
                memory=plan.settings.memory,
                cpus=plan.settings.cpus,
                kernel=plan.kernel.image,
                initrd=initrd,
                cmdline=kernel_cmdline(plan.kernel.arch, serial=plan.serial, extra=plan.cmdline),
                console=folder / "console",
                monitor_fd=monitor_fd,
                network=not plan.serial,
                serial_socket=folder / "ssh" if plan.serial else None,
            )

        try:
            with running(spec, folder=folder, stopping=plan.stopping) as qemu:
                yield qemu
        finally:
            _keep_console(folder / "console", plan.folder / "console.log")


@contextlib.contextmanager
def connected(plan: GuestPlan, qemu: QemuProcess) -> Iterator[Connection]:
    """Wait for the guest's SSH service and hold a connection to it for the duration of the block.

    Raises DeadlineError (boot), GuestGoneError or GuestConnectionError.
    """
    dial = dial_serial(qemu.folder / "ssh") if plan.serial else dial_port(qemu.monitor.forwarded_port())
    seconds = plan.settings.deadlines.boot
    connection = connect(dial, keys=plan.keys, seconds=seconds, alive=qemu.alive, compress=plan.serial)
    try:
        yield connection
    finally:
        connection.close()


def run_session(plan: GuestPlan, cases: Sequence[Case]) -> SessionResult:
    """Boot one guest and run `cases` in it, in order.

    Always returns, but for QemuError where QEMU itself does not start. A case with its completion marker has
    a record, and so has the one during which the guest died or fell silent. Where that happened before the
    first case, it is the end of them all: the next guest would fare no better. Cases without a record were
    not reached.
    """
    result = SessionResult()
    watch = Stopwatch(result.seconds)
    transcript = Transcript()
    with started(plan) as qemu:
        try:
            with contextlib.ExitStack() as stack:
                with watch.phase("boot"):
                    connection = stack.enter_context(connected(plan, qemu))
                with watch.phase("push"):
                    connection.push(_files(plan, cases))
                with watch.phase("cases"):
                    _run_agent(plan, connection, cases, transcript)
                with watch.phase("shutdown"):
                    _power_off(plan, qemu, connection, result)
            ending = None
        except BpfmatrixError as error:
            ending = _ending(error, qemu)
        result.console_tail = tuple(qemu.console_text().splitlines()[-TAIL_LINES:])
    result.environment = transcript.environment
    _collect(result, transcript, cases, ending)
    return result


def _run_agent(plan: GuestPlan, connection: Connection, cases: Sequence[Case], transcript: Transcript) -> None:
    """Read the agent's lines to the end; raise what keeps it from being complete."""
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

    with (plan.folder / "agent.jsonl").open("ab", buffering=0) as log:
        for line in connection.lines(AGENT_COMMAND, errors=plan.folder / "agent.stderr", timeout=left):
            log.write(line + b"\n")
            record = transcript.feed(line)
            if record is None:
                continue
            if record["type"] in ("hello", "case", "case-end"):
                begun = time.monotonic()
            if record["type"] == "hello":
                _check_release(plan.kernel, transcript.environment)
    if not transcript.done:
        words = _read(plan.folder / "agent.stderr").strip()[-500:]
        raise AgentError(f"the agent ended without its completion marker{': ' + words if words else ''}")


def _check_release(kernel: KernelFiles, environment: Mapping[str, Any]) -> None:
    if kernel.release and environment.get("release") != kernel.release:
        raise WrongKernelError(
            f"the guest runs {environment.get('release')}, but {kernel.release} was booted for {kernel.name}"
        )


def _power_off(plan: GuestPlan, qemu: QemuProcess, connection: Connection, result: SessionResult) -> None:
    connection.start("poweroff -f")
    deadline = plan.settings.deadlines.shutdown
    if not wait_until(lambda: not qemu.alive(), seconds=deadline):
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
    return ending_of(
        what=str(failure),
        console=qemu.console_text(),
        qemu_reason=death.reason if death else None,
        qemu_gone=death is not None,
        qemu_words=death.describe() if death else "",
    )


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


def _files(plan: GuestPlan, cases: Sequence[Case]) -> dict[PurePosixPath, bytes]:
    files = {IN_GUEST / "agent.py": AGENT.read_bytes()}
    jobs = []
    for case in cases:
        paths = {name: IN_GUEST / case.id / f"{name}.o" for name in plan.objects[case.id]}
        files.update({paths[name]: path.read_bytes() for name, path in plan.objects[case.id].items()})
        jobs.append((case, paths))
    files[IN_GUEST / "job.json"] = job_text(jobs, deadline=plan.settings.deadlines.case).encode()
    return files


def _keep_console(source: Path, target: Path) -> None:
    if source.exists():
        with target.open("ab") as log, source.open("rb") as text:
            shutil.copyfileobj(text, log)


def _read(path: Path) -> str:
    return path.read_bytes().decode(errors="replace") if path.exists() else ""
