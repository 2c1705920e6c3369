"""A guest that is played: its QEMU, the connection to it, and a session with both."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from unit_samples import guest_plan, sample_case

from harness.facts.session import SessionFacts
from harness.guest.connection import Connection
from harness.guest.session import run_session
from harness.qemu.process import Death, QemuProcess
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan


class PlayedQemu:
    """A QEMU that has ended, or ends when it is waited for; or that never ends, where `death` is None.

    What happens to it and to its connection is added to `done`, in order.
    """

    folder = Path()
    peak_memory = 0.0
    started = 0.0

    def __init__(self, *, console: str = "", death: Death | None = None, has_agent: bool = False) -> None:
        self.console, self.ending, self.has_agent = console, death, has_agent
        self.done: list[str] = []

    def alive(self) -> bool:
        return self.ending is None

    def clock(self) -> float:
        return time.monotonic()

    def note_memory(self) -> None:
        self.done.append("note memory")
        self.peak_memory = 150.0

    def wait(self, seconds: float) -> bool:
        self.done.append("wait for QEMU")
        return not self.alive()

    def death(self) -> Death | None:
        return self.ending

    def console_text(self) -> str:
        return self.console


class PlayedConnection:
    """Takes a parcel, and gives some bytes as lines, as Connection does; then ends, or breaks with `failure`.

    `said` are what the agent's command writes to its error output.
    """

    handshake_seconds = 0.0

    def __init__(
        self,
        data: bytes,
        failure: Exception | None = None,
        *,
        unpushed: Exception | None = None,
        said: bytes = b"",
        done: list[str] | None = None,
    ) -> None:
        self.data, self.failure, self.unpushed, self.said = data, failure, unpushed, said
        self.done = [] if done is None else done
        self.pushed: list[bytes] = []

    def release(self) -> None:
        self.done.append("release")

    def push(self, data: bytes, path: str, *, seconds: float, clock: Callable[[], float]) -> None:
        assert 0 < seconds <= 35, "what is left of the case deadline"
        self.done.append("push")
        self.pushed.append(data)
        if self.unpushed is not None:
            raise self.unpushed

    def lines(self, command: str, *, errors: Path, timeout: Callable[[], float], hold: bool) -> Iterator[bytes]:
        assert hold
        self.done.append("lines")
        errors.write_bytes(self.said)
        *whole, rest = self.data.split(b"\n")
        for line in whole:
            timeout()
            yield line
        if self.failure is not None:
            raise self.failure
        if rest:
            yield rest


def session_with(
    qemu: PlayedQemu, connection: PlayedConnection | Exception, plan: GuestPlan, cases: Sequence[Case]
) -> SessionFacts:
    """Run a session with a played guest, to which the connection may fail."""

    @contextlib.contextmanager
    def start(plan: GuestPlan) -> Iterator[QemuProcess]:
        qemu.done.append("start")
        yield cast(QemuProcess, qemu)
        qemu.done.append("end")

    @contextlib.contextmanager
    def connect(plan: GuestPlan, qemu_: QemuProcess) -> Iterator[Connection]:
        qemu.done.append("connect")
        if isinstance(connection, Exception):
            raise connection
        connection.done = qemu.done
        try:
            yield cast(Connection, connection)
        finally:
            qemu.done.append("close")

    return run_session(plan, cases, start=start, connect=connect)


def plan_of(folder: Path, cases: Sequence[Case], **changes: Any) -> GuestPlan:
    """A plan for cases whose objects are all the same bytes, with its results in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    object_file = folder.parent / "object.o"
    object_file.write_bytes(b"an object")
    objects = {case.id: dict.fromkeys(case.objects.values(), object_file) for case in cases}
    return guest_plan(folder.parent, **{"folder": folder, "objects": objects, **changes})


def session_of(
    folder: Path,
    data: bytes,
    *,
    failure: Exception | None = None,
    console: str = "",
    reason: str | None = None,
    cases: Sequence[Case] = (),
) -> SessionFacts:
    """Run a session whose guest writes `data` and is gone then, for QEMU's `reason`."""
    cases = cases or [sample_case()]
    qemu = PlayedQemu(console=console, death=Death(reason=reason, returncode=0, stderr=""))
    return session_with(qemu, PlayedConnection(data, failure), plan_of(folder, cases), cases)
