"""Snapshots: a guest is booted once, up to the point where it waits for work, and restored from then on.

A snapshot is two files: the guest's memory, and the state of the rest of its machine. A restored guest maps the
memory privately, so that nothing it does comes back to the file, and every run begins with the same bytes. What
must be a run's own (SSH keys, entropy, the time) is given to it over its console before anybody can log in
(harness/guest_service.py, `stand_by`). The guest of which the snapshot is made is greeted in the same way, once before:
the agent is pushed to it, and it forgets the keys.

Whatever made a snapshot is part of its key. Whether its bytes are still those that were written is verified twice:
before the guest runs, by what the file system says of them (where it says that they may have changed, by their hashes),
and by their hashes while it runs; its results count only if those are right.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import (
    CacheError,
    DeadlineError,
    GuestConnectionError,
    GuestGoneError,
    QemuError,
    SnapshotError,
)
from harness.guest.boot import LISTENING, SETTLE, boot_files, common_nodes, connected, guest_folder, guest_spec
from harness.guest.clock import same_rate, speed_problem, uptime_said
from harness.guest.parcel import PARCELS, agent_parcel
from harness.host.cache import MANIFEST, Cache, digest, file_state, last_use, sha256_known, sha256_sparse
from harness.host.process import find_tool, run
from harness.host.tsc import begin, tsc_khz
from harness.qemu.accel import processor
from harness.qemu.argv import GuestSpec, counter_rate, kernel_cmdline, qemu_argv
from harness.qemu.process import QemuProcess, running, wait_until
from harness.qemu.snapshot import load_state, resume, save_state
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import cpio
from harness.supply.image.keys import make_keys

KIND = "snapshots"
FORMAT = 7
KEPT = 3
"""How many snapshots of one kernel and command line are kept: checkouts with other agents may share a cache.
The limit of the cache's size holds beside it."""
RAM, STATE = "ram", "state"
STANDBY = "bpfmatrix: standing by"
"""What harness/guest_service.py writes to the console when a guest without the agent waits for its greeting."""
READY = "bpfmatrix: ready"
"""What it writes when a guest that has the agent does."""
GREETED = "bpfmatrix: greeted"
"""What it writes when all of it is in place."""
GREETING_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot on disk: its folder, and of its files by name the sha256 (sha256_sparse()) and file_state().

    `counter_khz` is the rate of the counter that the guest goes by, None where it has one of its own.
    """

    folder: Path
    files: dict[str, str]
    states: dict[str, tuple[int, ...]]
    counter_khz: int | None = None

    def untouched(self) -> bool:
        """Say whether nobody has written to the files since they were made, as far as their file system knows."""
        try:
            return all(file_state(self.folder / name) == state for name, state in self.states.items())
        except OSError:
            return False

    def whole(self) -> bool:
        """Say whether the files hold what was written to them.

        What this process has read once, and nobody has written to since (file_state()), is not read again: the cases
        that have a guest of their own are all restored from the same two or three snapshots.
        """
        try:
            return all(sha256_known(self.folder / name, sparse=True) == wanted for name, wanted in self.files.items())
        except OSError:
            return False


class Snapshots:
    """The snapshots in the cache. One object serves a whole run; it is safe to use from several threads."""

    def __init__(self, cache: Cache, *, qemu_version: str, host_khz: Callable[[], int | None] = tsc_khz) -> None:
        """`host_khz` returns the rate of the host's counter, as harness/host/tsc.py does."""
        self._cache = cache
        self._qemu_version = qemu_version
        self._host_khz = host_khz
        begin()  # whether a snapshot fits this host shows a moment later

    @contextlib.contextmanager
    def restored(self, plan: GuestPlan) -> Iterator[QemuProcess]:
        """Run a guest from its snapshot, made now where there is none, for the duration of the block.

        Raises SnapshotError where the guest cannot be brought to standing by, saved or restored, and where the
        snapshot's files turn out to be damaged, before the block or at its end; they are removed then.
        """
        snapshot = self.obtain(plan)
        with concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="verify") as pool:
            whole = pool.submit(snapshot.whole)
            try:
                with _restored(plan, snapshot, sound=lambda: snapshot.untouched() or whole.result()) as qemu:
                    yield qemu
            except SnapshotError:
                self._drop(snapshot)
                raise
            finally:
                damaged = not whole.result()
            if damaged:
                self._drop(snapshot)
                raise _damaged(plan)

    def obtain(self, plan: GuestPlan) -> Snapshot:
        """Return the snapshot of a plan's guest, made now where there is none; raise SnapshotError."""
        key = self._key(plan)
        path = self._cache.root / KIND / key
        try:
            with self._cache.lock(f"{KIND}-{key}"):
                found = _read(path)
                if found is not None and not same_rate(found.counter_khz, self._counter_khz(plan)):
                    found = None  # made on another host, and its clock would go by that one's counter
                with self._cache.guarded(path):
                    there = found is not None and self._cache.mark_used(path)
                if found is None or not there:
                    with guest_folder(plan) as folder:
                        found = self._make(plan, path, folder=folder)
                    self._cache.grown = True
                return found
        except (CacheError, DeadlineError, GuestConnectionError, GuestGoneError, QemuError) as error:
            raise SnapshotError(f"{plan.kernel.name}: no snapshot could be made: {error}") from error

    def kept(self, plan: GuestPlan) -> Snapshot | None:
        """Return the snapshot of a plan's guest where there is one; never makes any."""
        return _read(self._cache.root / KIND / self._key(plan))

    def _counter_khz(self, plan: GuestPlan) -> int | None:
        """Return the rate of the counter that a plan's guest shares with this host, None where it shares none."""
        return counter_rate(plan.kernel.arch, accel=plan.accel, host=self._host_khz)

    def _key(self, plan: GuestPlan) -> str:
        spec = _spec(plan, folder=Path("/"), ram=Path("ram"), monitor_fd=0, restored=False)
        files = [
            sha256_known(plan.kernel.image),
            sha256_known(plan.base),
            *(sha256_known(path) for path in plan.archives),
            digest(cpio.archive(common_nodes(plan)).hex()),
            hashlib.sha256(plan.programs.agent).hexdigest(),
        ]
        host = processor() if plan.accel == "kvm" else ""  # `-cpu host` is whatever the host has
        return digest(FORMAT, self._qemu_version, host, qemu_argv(spec), files)

    def _make(self, plan: GuestPlan, path: Path, *, folder: Path) -> Snapshot:
        self._drop_surplus(plan)
        with contextlib.ExitStack() as stack:
            with self._cache.guarded(path):
                scratch = stack.enter_context(self._cache.scratch(KIND))
            image = boot_files(plan, folder=folder, more=[])
            counter_khz = self._counter_khz(plan)

            def spec(monitor_fd: int) -> GuestSpec:
                made = _spec(plan, folder=folder, ram=scratch / RAM, monitor_fd=monitor_fd, restored=False)
                return replace(made, kernel=image, cmdline=_cmdline(plan, counter_khz=counter_khz))

            with running(spec, folder=folder, stopping=plan.stopping) as qemu:
                _await_lines(plan, qemu, STANDBY)
                before = _times(plan, qemu, STANDBY)
                # A host key that dropbear finds when it starts it keeps for good (commonsetup(), load_all_hostkeys()).
                _await_lines(plan, qemu, LISTENING)
                _push_agent(plan, qemu)
                _check_clock(plan, before, _times(plan, qemu, READY))
                save_state(qemu.monitor, scratch / STATE)
            run([find_tool("fallocate", package="util-linux", purpose="keep snapshots small"), "-d", scratch / RAM])
            with self._cache.guarded(path):
                states = {name: file_state(scratch / name) for name in (RAM, STATE)}
                files = {name: sha256_sparse(scratch / name) for name in (RAM, STATE)}
                meta = {"slot": _slot(plan), "states": states, "counter_khz": counter_khz}
                manifest: dict[str, Any] = {"files": files, "meta": meta, "made": time.time()}
                (scratch / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
                self._cache.remove(path)
                scratch.rename(path)
        return Snapshot(folder=path, files=files, states=states, counter_khz=counter_khz)

    def _drop_surplus(self, plan: GuestPlan) -> None:
        """Leave room for one more snapshot of the same kernel and command line, among the KEPT that were used last.

        Something that made them was another: another checkout's agent, or an earlier one. Those that another process
        may be using stay.
        """
        since = self._cache.users.in_use_since()
        same = [path for path in self._cache.entries(KIND) if _slot_of(path) == _slot(plan)]
        for path in sorted(same, key=last_use, reverse=True)[KEPT - 1 :]:
            if since is None or last_use(path) < since:
                self._cache.remove(path)

    def _drop(self, snapshot: Snapshot) -> None:
        self._cache.remove(snapshot.folder)


def _damaged(plan: GuestPlan) -> SnapshotError:
    return SnapshotError(f"{plan.kernel.name}: the snapshot was damaged on disk; it was removed")


def _slot(plan: GuestPlan) -> str:
    archives = [str(path) for path in plan.archives]
    return digest(plan.kernel.name, plan.kernel.arch.name, plan.cmdline, plan.accel, *([archives] if archives else []))


def _slot_of(path: Path) -> str | None:
    """Return the slot of the snapshot in a folder, None where it does not say any."""
    try:
        return str(json.loads((path / MANIFEST).read_text())["meta"]["slot"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(path: Path) -> Snapshot | None:
    """Return the snapshot in a folder, if it is complete. Its bytes are looked at when it is used."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        files = {str(name): str(value) for name, value in manifest["files"].items()}
        states = {name: tuple(manifest["meta"]["states"][name]) for name in files}
        counter_khz = manifest["meta"]["counter_khz"]
        known = None if counter_khz is None else int(counter_khz)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    complete = all((path / name).is_file() for name in (RAM, STATE))
    return Snapshot(folder=path, files=files, states=states, counter_khz=known) if complete else None


def _cmdline(plan: GuestPlan, *, counter_khz: int | None) -> str:
    return kernel_cmdline(
        plan.kernel.arch,
        accel=plan.accel,
        serial=plan.serial,
        extra=plan.cmdline,
        standby=True,
        counter_khz=counter_khz,
    )


def _spec(plan: GuestPlan, *, folder: Path, ram: Path, monitor_fd: int, restored: bool) -> GuestSpec:
    """Describe the guest, but for the rate of its counter: that is measured, so it may differ a little every time."""
    return replace(
        guest_spec(plan, folder=folder, monitor_fd=monitor_fd),
        cmdline=_cmdline(plan, counter_khz=None),
        console_socket=folder / "tty",
        ram=ram,
        restored=restored,
    )


def _await_lines(plan: GuestPlan, qemu: QemuProcess, *lines: str) -> None:
    """Wait until all of the lines are on the console. How often does not matter: s390x' has lines twice at times."""
    seconds = plan.settings.deadlines.boot
    said = lambda: all(each in qemu.console_text() for each in lines) or not qemu.alive()  # noqa: E731
    if not wait_until(said, seconds=seconds, step=0.01, clock=qemu.clock):
        raise DeadlineError("boot", seconds, f"waiting for the guest to say `{lines[0]}`")
    if not qemu.alive():
        raise GuestGoneError("QEMU ended while the guest was booting")


def _times(plan: GuestPlan, qemu: QemuProcess, line: str) -> tuple[float, float]:
    """Return at which second the guest said that it stands by, with this text: by its own clock and by the host's."""
    said = lambda: uptime_said(qemu.console_text(), line) is not None or not qemu.alive()  # noqa: E731
    wait_until(said, seconds=GREETING_SECONDS, step=0.002, clock=qemu.clock)
    uptime = uptime_said(qemu.console_text(), line)
    if uptime is None:
        raise SnapshotError(f"{plan.kernel.name}: the guest did not say at which second after its boot it stands by")
    return uptime, time.monotonic()


def _check_clock(plan: GuestPlan, before: tuple[float, float], after: tuple[float, float]) -> None:
    """Raise SnapshotError where the guest's clock, from one moment to the other, did not go as the host's did."""
    wrong = speed_problem(guest=after[0] - before[0], host=after[1] - before[1])
    if wrong:
        raise SnapshotError(f"{plan.kernel.name}: {wrong}; no snapshot is made of it")


def _push_agent(plan: GuestPlan, qemu: QemuProcess) -> None:
    """Push the agent to a guest that stands by, and wait until it does so again, with the agent and alone.

    The keys are for this alone: what a snapshot holds opens nothing.
    """
    plan = replace(plan, keys=make_keys())
    with _greeted(plan, qemu), connected(plan, qemu) as connection:
        try:
            connection.push(agent_parcel(plan), PARCELS, seconds=plan.settings.deadlines.boot, clock=qemu.clock)
            connection.leave()
        except GuestConnectionError as error:
            if qemu.wait(SETTLE):
                raise GuestGoneError("QEMU ended while the agent was pushed to its guest") from error
            raise
        _await_lines(plan, qemu, READY)


@contextlib.contextmanager
def _restored(plan: GuestPlan, snapshot: Snapshot, *, sound: Callable[[], bool]) -> Iterator[QemuProcess]:
    with guest_folder(plan) as folder:

        def spec(monitor_fd: int) -> GuestSpec:
            return _spec(plan, folder=folder, ram=snapshot.folder / RAM, monitor_fd=monitor_fd, restored=True)

        with contextlib.ExitStack() as stack:
            try:
                qemu = stack.enter_context(running(spec, folder=folder, stopping=plan.stopping))
                _load(qemu, snapshot.folder / STATE)
                if not sound():
                    raise _damaged(plan)
                resume(qemu.monitor)
                stack.enter_context(_greeted(plan, qemu))
            except (QemuError, OSError) as error:
                raise SnapshotError(f"{plan.kernel.name}: the snapshot cannot be restored: {error}") from error
            qemu.listening = qemu.has_agent = True
            yield qemu


def _load(qemu: QemuProcess, state: Path) -> None:
    try:
        load_state(qemu.monitor, state)
    except QemuError as error:
        qemu.wait(1)  # a QEMU that does not like the state ends, and only its last message says why
        death = qemu.death()
        raise QemuError(" ".join(death.describe().split()) if death else str(error)) from error


@contextlib.contextmanager
def _greeted(plan: GuestPlan, qemu: QemuProcess) -> Iterator[None]:
    """Greet a guest that stands by, and hold the line on which it will serve SSH, where that is a serial port.

    That is opened before the guest says its SSH banner: a serial port keeps nothing for who comes later.
    """
    with contextlib.ExitStack() as stack:
        try:
            if plan.serial:
                qemu.line = stack.enter_context(socket.socket(socket.AF_UNIX))
                qemu.line.connect(str(qemu.folder / "ssh"))
            _greet(plan, qemu, qemu.folder / "tty")
        except OSError as error:
            raise QemuError(f"QEMU does not take what is for its guest: {error}") from error
        yield


def _greet(plan: GuestPlan, qemu: QemuProcess, tty: Path) -> None:
    """Tell a guest what is its own: the time, entropy, and the run's keys.

    The connection lasts until the guest has it all: what a guest has not read yet of a closed connection QEMU
    forgets, and one that is left open unread stops the guest's console after some hundred characters.
    """
    greeting = {
        "time": time.time(),
        "entropy": secrets.token_hex(64),
        "host_key": plan.keys.host_key_file.hex(),
        "authorized_key": plan.keys.authorized_key,
    }
    with socket.socket(socket.AF_UNIX) as console:
        console.connect(str(tty))
        console.sendall(json.dumps(greeting).encode() + b"\n")
        heard = lambda: GREETED in qemu.console_text() or not qemu.alive()  # noqa: E731
        if (
            not wait_until(heard, seconds=GREETING_SECONDS, step=0.002, clock=qemu.clock)
            or GREETED not in qemu.console_text()
        ):
            how = f"gave no sign of life within {GREETING_SECONDS:g} s" if qemu.alive() else "ended at once"
            raise SnapshotError(f"{plan.kernel.name}: the guest, when it was greeted, {how}")
