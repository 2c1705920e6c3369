"""Guests of which snapshots are made, all played; and what the cache has of these."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit_samples import guest_plan, kernel_files

from harness.guest import snapshots as module
from harness.guest.boot import LISTENING
from harness.guest.snapshots import GREETED, READY, STANDBY, Snapshots
from harness.host.cache import Cache
from harness.qemu.argv import GuestSpec
from harness.qemu.process import Death
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import cpio
from harness.supply.image.programs import GuestPrograms

PROGRAMS = GuestPrograms(nodes=(cpio.file("usr/lib/bpfmatrix/service.pyc", b"the service"),), agent=b"the agent")

RAM = b"\0" * 8192 + os.urandom(100) + b"\0" * 8192


class World:
    """QEMU as the snapshots see it: guests that write their memory file, stand by, and take a greeting."""

    def __init__(self) -> None:
        self.specs: list[GuestSpec] = []
        self.initrds: list[bytes] = []
        self.greetings: list[dict[str, Any]] = []
        self.greeted_to_be_made: list[dict[str, Any]] = []
        self.pushed: list[tuple[bytes, str]] = []
        self.left: list[GuestSpec] = []
        self.heard: list[GuestSpec] = []
        self.monitor = object()
        self.folder = Path()
        self.tty = socket.socket(socket.AF_UNIX)
        self.console = f"noise\n{LISTENING}\n{STANDBY} at 1.500 s\n"
        self.ready_at: float | None = None
        """What the guest says when it has the agent; None: the second that it is, by a clock that is right."""
        self.began: float | None = None
        self.stays_unready = False
        self.dies, self.deaf, self.listening, self.has_agent = False, False, False, False
        self.line: socket.socket | None = None
        self.ended: Death | None = None
        self.fails: dict[str, Exception] = {}
        self.live = self.resumed = 0

    def alive(self) -> bool:
        return not self.dies

    def clock(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        return self.ended is not None

    def death(self) -> Death | None:
        return self.ended

    def console_text(self) -> str:
        self.began = self.began or time.monotonic()
        second = 1.5 + time.monotonic() - self.began if self.ready_at is None else self.ready_at
        has_agent = bool(self.specs) and self.specs[-1] in self.left and not self.stays_unready
        ready = f"{READY} at {second:.3f} s\n" if has_agent else ""
        return f"{self.console}{GREETED}\n{ready}" if self._heard() else self.console

    def _heard(self) -> bool:
        """Take the greeting that has come, if one has; a guest that is deaf takes none."""
        if not self.specs:
            return False
        spec = self.specs[-1]
        if not self.deaf and spec not in self.heard:
            self.tty.settimeout(5 if spec.restored else 0.01)
            with contextlib.suppress(TimeoutError):
                greeting = json.loads(self.tty.accept()[0].recv(65536))
                (self.greetings if spec.restored else self.greeted_to_be_made).append(greeting)
                self.heard.append(spec)
        return spec in self.heard

    @contextlib.contextmanager
    def connected(self, plan: GuestPlan, qemu: World) -> Iterator[World]:
        assert qemu is self
        assert plan.keys.host_key_file.hex() == self.greeted_to_be_made[-1]["host_key"]
        self._may("connect")
        yield self

    def push(self, data: bytes, path: str, *, seconds: float, clock: Callable[[], float]) -> None:
        self._may("push")
        self.pushed.append((data, path))

    def leave(self) -> None:
        self._may("leave")
        assert self.pushed
        self.left.append(self.specs[-1])

    @property
    def restored(self) -> int:
        return sum(spec.restored for spec in self.specs)

    @property
    def made(self) -> int:
        return sum(not spec.restored for spec in self.specs)

    @contextlib.contextmanager
    def running(
        self, make_spec: Callable[[int], GuestSpec], *, folder: Path, stopping: threading.Event
    ) -> Iterator[World]:
        self._may("start")
        self.folder = folder
        spec = make_spec(7)
        self.specs.append(spec)
        assert spec.ram is not None and spec.console_socket is not None
        if not spec.restored:
            spec.ram.write_bytes(RAM)
            self.initrds.append(spec.initrd.read_bytes())
        with socket.socket(socket.AF_UNIX) as tty, socket.socket(socket.AF_UNIX) as ssh:
            tty.bind(str(spec.console_socket))
            tty.listen()
            if spec.serial_socket is not None:
                ssh.bind(str(spec.serial_socket))
                ssh.listen()
            self.tty = tty
            self.live += 1
            try:
                yield self
            finally:
                self.live -= 1

    def save_state(self, monitor: object, path: Path) -> None:
        assert monitor is self.monitor
        assert READY in self.console_text()
        self._may("save")
        path.write_bytes(b"the machine's state")

    def load_state(self, monitor: object, path: Path) -> None:
        self._may("load")
        assert path.read_bytes() == b"the machine's state"

    def resume(self, monitor: object) -> None:
        assert monitor is self.monitor
        self._may("resume")
        self.resumed += 1

    def _may(self, what: str) -> None:
        if what in self.fails:
            raise self.fails[what]


def make_world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Have everything that runs a guest play one."""
    world = World()
    for name in ("running", "save_state", "load_state", "resume", "connected"):
        monkeypatch.setattr(module, name, getattr(world, name))
    return world


def make_plan(folder: Path) -> GuestPlan:
    """Return the plan of a guest whose files lie in a folder."""
    (folder / "vmlinuz").write_bytes(b"a kernel")
    (folder / "base.cpio").write_bytes(b"the userland")
    (folder / "virtio.ko").write_bytes(b"a module")
    kernel = kernel_files(folder, modules=(folder / "virtio.ko",))
    return guest_plan(folder, kernel=kernel, programs=PROGRAMS)


def entries(cache: Cache) -> list[Path]:
    return sorted((cache.root / "snapshots").glob("*")) if (cache.root / "snapshots").is_dir() else []


def hidden(cache: Cache) -> list[Path]:
    return list((cache.root / "snapshots").glob(".*"))


def use(snapshots: Snapshots, plan: GuestPlan) -> None:
    with snapshots.restored(plan):
        pass


def settings_of(plan: GuestPlan, **changes: Any) -> GuestPlan:
    return replace(plan, settings=replace(plan.settings, **changes))
