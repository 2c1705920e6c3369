"""Snapshots with a QEMU that is played: what is kept, when it is made again, and that nothing half-made is left."""

# ruff: noqa: ARG002, ARG005, PLR0917  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit_samples import guest_plan, kernel_files

from harness.errors import DeadlineError, GuestConnectionError, QemuError, SnapshotError
from harness.guest import snapshots as module
from harness.guest.boot import LISTENING
from harness.guest.parcel import PARCELS, agent_parcel
from harness.guest.snapshots import GREETED, KEPT, READY, STANDBY, Snapshot, Snapshots
from harness.host import cache as cache_module
from harness.host.cache import Cache, sha256_sparse
from harness.model.architectures import ARCHITECTURES
from harness.model.settings import Deadlines
from harness.qemu.argv import GuestSpec
from harness.qemu.process import Death
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import cpio
from harness.supply.image.keys import make_keys
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
                words = json.loads(self.tty.accept()[0].recv(65536))
                (self.greetings if spec.restored else self.greeted_to_be_made).append(words)
                self.heard.append(spec)
        return spec in self.heard

    @contextlib.contextmanager
    def connected(self, plan: GuestPlan, qemu: World) -> Iterator[World]:
        assert qemu is self
        assert plan.keys.host_key_file.hex() == self.greeted_to_be_made[-1]["host_key"]
        self._may("connect")
        yield self

    def push(self, data: bytes, path: str, *, seconds: float) -> None:
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


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World()
    for name in ("running", "save_state", "load_state", "resume", "connected"):
        monkeypatch.setattr(module, name, getattr(world, name))
    yield world
    assert world.live == 0


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def snapshots(cache: Cache, world: World) -> Snapshots:
    return Snapshots(cache, qemu_version="7.2.9")


@pytest.fixture
def plan(tmp_path: Path) -> GuestPlan:
    (tmp_path / "vmlinuz").write_bytes(b"a kernel")
    (tmp_path / "base.cpio").write_bytes(b"the userland")
    (tmp_path / "virtio.ko").write_bytes(b"a module")
    return guest_plan(
        tmp_path,
        kernel=kernel_files(tmp_path, modules=(tmp_path / "virtio.ko",)),
        programs=PROGRAMS,
    )


def entries(cache: Cache) -> list[Path]:
    return sorted((cache.root / "snapshots").glob("*")) if (cache.root / "snapshots").is_dir() else []


def hidden(cache: Cache) -> list[Path]:
    return list((cache.root / "snapshots").glob(".*"))


def use(snapshots: Snapshots, plan: GuestPlan) -> None:
    with snapshots.restored(plan):
        pass


# --- made once, then restored -----------------------------------------------------------------------------------------


def test_a_guest_is_booted_once_and_restored_from_then_on(
    snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    for _ in range(3):
        use(snapshots, plan)
    assert [spec.restored for spec in world.specs] == [False, True, True, True]
    (entry,) = entries(cache)
    assert {path.name for path in entry.iterdir()} == {"ram", "state", "manifest.json"}
    assert world.specs[0].ram != entry / "ram", "it is not there before it is whole"
    assert {spec.ram for spec in world.specs[1:]} == {entry / "ram"}
    assert not hidden(cache)


def test_the_guest_is_made_with_its_modules_and_programs_and_without_keys(
    snapshots: Snapshots, plan: GuestPlan, world: World
) -> None:
    use(snapshots, plan)
    (initrd,) = world.initrds
    assert initrd.startswith(b"the userland")
    assert [node.path for node in cpio.read(initrd.removeprefix(b"the userland"))] == [
        "modules/virtio.ko",
        "usr/lib/bpfmatrix/service.pyc",
    ]
    assert "bpfmatrix.standby" in world.specs[0].cmdline.split()


def test_the_agent_is_pushed_before_the_snapshot_is_made_and_never_again(
    snapshots: Snapshots, plan: GuestPlan, world: World
) -> None:
    for _ in range(2):
        with snapshots.restored(plan) as qemu:
            assert qemu.has_agent
    assert world.pushed == [(agent_parcel(plan), PARCELS)]
    assert world.left == world.specs[:1]


def test_the_keys_with_which_a_snapshot_is_made_are_no_runs(
    snapshots: Snapshots, plan: GuestPlan, world: World
) -> None:
    use(snapshots, plan)
    (made,) = world.greeted_to_be_made
    (own,) = world.greetings
    assert own["host_key"] == plan.keys.host_key_file.hex()
    assert own["authorized_key"] == plan.keys.authorized_key
    assert not {made["host_key"], made["authorized_key"], made["entropy"]} & set(own.values())


def test_the_memorys_empty_pages_take_no_space(snapshots: Snapshots, plan: GuestPlan, cache: Cache) -> None:
    assert snapshots.obtain(plan).whole()
    ram = entries(cache)[0] / "ram"
    assert ram.read_bytes() == RAM
    assert ram.stat().st_blocks * 512 < len(RAM)


def test_every_guest_is_greeted_with_what_is_its_own(snapshots: Snapshots, plan: GuestPlan, world: World) -> None:
    other = replace(plan, keys=make_keys())
    begun = time.time()
    for each in (plan, plan, other):
        use(snapshots, each)
    one, two, three = world.greetings
    for greeting in world.greetings:
        assert begun <= greeting["time"] <= time.time()
        assert len(bytes.fromhex(greeting["entropy"])) >= 32
    assert len({greeting["entropy"] for greeting in world.greetings}) == 3
    assert bytes.fromhex(one["host_key"]) == plan.keys.host_key_file
    assert one["authorized_key"] == two["authorized_key"] == plan.keys.authorized_key
    assert bytes.fromhex(three["host_key"]) == other.keys.host_key_file
    assert len(json.dumps(one)) < 4000, "a console takes lines of 4095 bytes (N_TTY_BUF_SIZE)"


def test_a_guest_that_is_deaf_is_found_out_soon(
    snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GREETING_SECONDS", 0.1)
    world.deaf = True
    with pytest.raises(SnapshotError, match=r"gave no sign of life within 0\.1 s"):
        snapshots.obtain(plan)
    assert entries(cache) == hidden(cache) == []
    world.deaf = False
    snapshots.obtain(plan)
    world.deaf = True
    with pytest.raises(SnapshotError, match=r"gave no sign of life within 0\.1 s"), snapshots.restored(plan):
        pass
    assert entries(cache) == [], "the next run makes another"


def test_the_console_is_let_go_once_the_guest_has_its_greeting(
    snapshots: Snapshots, plan: GuestPlan, world: World
) -> None:
    """QEMU writes byte by byte, of which an unread socket takes some 270; then the guest's console stands still."""
    with snapshots.restored(plan) as qemu:
        assert qemu.listening
        assert len(world.greetings) == 1


# --- what belongs to the key ------------------------------------------------------------------------------------------


def changed_kernel(plan: GuestPlan, **changes: Any) -> GuestPlan:
    return replace(plan, kernel=replace(plan.kernel, **changes))


def another_kernel(plan: GuestPlan) -> GuestPlan:
    image = plan.kernel.image.with_name("vmlinuz-6.12")
    image.write_bytes(b"another kernel")
    return changed_kernel(plan, name="6.12-x86_64", image=image)


def rewritten(name: str) -> Callable[[GuestPlan], GuestPlan]:
    def change(plan: GuestPlan) -> GuestPlan:
        (plan.base.parent / name).write_bytes(b"changed")
        return plan

    return change


def settings_of(plan: GuestPlan, **changes: Any) -> GuestPlan:
    return replace(plan, settings=replace(plan.settings, **changes))


CHANGES: dict[str, Callable[[GuestPlan], GuestPlan]] = {
    "kernel image": rewritten("vmlinuz"),
    "userland": rewritten("base.cpio"),
    "module": rewritten("virtio.ko"),
    "fewer modules": lambda plan: changed_kernel(plan, modules=()),
    "service": lambda plan: replace(plan, programs=replace(PROGRAMS, nodes=())),
    "agent": lambda plan: replace(plan, programs=replace(PROGRAMS, agent=b"another")),
    "command line": lambda plan: replace(plan, cmdline="lockdown=confidentiality"),
    "memory": lambda plan: settings_of(plan, memory=512),
    "processors": lambda plan: settings_of(plan, cpus=2),
    "accelerator": lambda plan: replace(plan, accel="kvm"),
    "transport": lambda plan: changed_kernel(plan, has_network=False),
    "architecture": lambda plan: changed_kernel(plan, arch=ARCHITECTURES["arm64"]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_made_a_snapshot_belongs_to_its_key(
    what: str, snapshots: Snapshots, plan: GuestPlan, world: World
) -> None:
    use(snapshots, plan)
    use(snapshots, CHANGES[what](plan))
    assert world.made == 2


def test_another_version_of_qemu_makes_another_snapshot(
    snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    use(snapshots, plan)
    use(Snapshots(cache, qemu_version="8.0.0"), plan)
    use(snapshots, plan)
    assert world.made == 2, "whoever still has the other QEMU finds the other snapshot"


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: replace(plan, keys=make_keys()),
        lambda plan: replace(plan, folder=plan.folder / "another"),
        lambda plan: replace(plan, objects={"case": {}}),
        lambda plan: settings_of(plan, deadlines=Deadlines(boot=7)),
    ],
    ids=["keys", "folder", "objects", "deadlines"],
)
def test_what_is_a_runs_own_does_not_belong_to_the_key(
    change: Callable[[GuestPlan], GuestPlan], snapshots: Snapshots, plan: GuestPlan, world: World
) -> None:
    use(snapshots, plan)
    use(snapshots, change(plan))
    assert world.made == 1


# --- stale, damaged, half-made ----------------------------------------------------------------------------------------


def with_agent(plan: GuestPlan, text: bytes) -> GuestPlan:
    return replace(plan, programs=replace(PROGRAMS, agent=text))


def used_ago(snapshots: Snapshots, plan: GuestPlan, seconds: float) -> Path:
    """Note that a snapshot was used so long ago; return its folder."""
    folder = snapshots.obtain(plan).folder
    moment = time.time() - seconds
    os.utime(folder, (moment, moment))
    return folder


def test_of_one_kernel_and_command_line_the_snapshots_used_last_are_kept(
    snapshots: Snapshots, plan: GuestPlan, cache: Cache
) -> None:
    other_line = replace(plan, cmdline="lockdown=confidentiality")
    kept = [used_ago(snapshots, each, 10**6) for each in (other_line, another_kernel(plan))]
    agents = [with_agent(plan, b"agent %d" % number) for number in range(KEPT)]
    folders = [used_ago(snapshots, each, seconds) for each, seconds in zip(agents, (100, 900, 200), strict=True)]
    newest = snapshots.obtain(with_agent(plan, b"another")).folder
    assert sorted(entries(cache)) == sorted([*kept, folders[0], folders[2], newest])


def test_two_checkouts_with_one_cache_keep_each_others_snapshots(
    snapshots: Snapshots, plan: GuestPlan, world: World
) -> None:
    for _ in range(3):
        for agent in (b"one checkout's agent", b"the other's"):
            use(snapshots, with_agent(plan, agent))
    assert world.made == 2


def test_a_snapshot_that_another_process_may_be_using_is_kept(
    snapshots: Snapshots, plan: GuestPlan, cache: Cache
) -> None:
    """Its guest is verified by the files while it runs: without them its results would not count."""
    other = Cache(cache.root)
    other.folder("apt", "x")
    for number in range(KEPT + 2):
        snapshots.obtain(with_agent(plan, b"agent %d" % number))
    assert len(entries(cache)) == KEPT + 2
    del other
    snapshots.obtain(with_agent(plan, b"one more"))
    assert len(entries(cache)) == KEPT


def test_a_snapshot_that_vanishes_when_it_is_found_is_made_again(
    snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(snapshots, plan)

    def vanishing(path: Path) -> bool:
        shutil.rmtree(path)
        return mark_used(path)

    mark_used = cache.mark_used
    monkeypatch.setattr(cache, "mark_used", vanishing)
    use(snapshots, plan)
    assert world.made == 2


@pytest.mark.parametrize("name", ["ram", "state"])
def test_a_damaged_file_is_found_before_the_guest_runs_and_removed(
    name: str, snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load_state", lambda monitor, path: None)
    use(snapshots, plan)
    path = entries(cache)[0] / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    ran = []
    wanted = pytest.raises(SnapshotError, match=r"6\.1-x86_64: the snapshot was damaged on disk; it was removed")
    with wanted, snapshots.restored(plan):
        ran.append(True)
    assert not ran
    assert world.resumed == 1, "only the one before"
    assert entries(cache) == []
    use(snapshots, plan)
    assert world.made == 2, "the next run makes another"


def test_a_damage_that_the_file_system_does_not_know_of_is_found_while_the_guest_runs(
    snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "file_state", lambda path: (1, 2, 3))
    use(snapshots, plan)
    path = entries(cache)[0] / "ram"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    ran = []
    wanted = pytest.raises(SnapshotError, match=r"6\.1-x86_64: the snapshot was damaged on disk; it was removed")
    with wanted, snapshots.restored(plan):
        ran.append(True)
    assert ran
    assert entries(cache) == []


def test_a_snapshot_that_was_copied_is_hashed_before_its_guest_runs(
    snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    use(snapshots, plan)
    (entry,) = entries(cache)
    assert snapshots.obtain(plan).untouched()
    for name in ("ram", "state"):
        (entry / name).write_bytes((entry / name).read_bytes())
    assert not snapshots.obtain(plan).untouched()
    use(snapshots, plan)
    assert (world.made, world.resumed) == (1, 2), "its bytes are right"
    assert not Snapshot(folder=entry, files={}, states={"none": (1,)}).untouched()


def test_a_file_that_vanished_while_the_guest_ran_is_damage(
    snapshots: Snapshots, plan: GuestPlan, cache: Cache
) -> None:
    found = snapshots.obtain(plan)
    assert found.whole()
    (found.folder / "state").unlink()
    assert not found.whole()


def test_what_was_looked_at_is_not_read_again_until_it_is_written_to(
    snapshots: Snapshots, plan: GuestPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(path: Path) -> str:
        read.append(path.name)
        return sha256_sparse(path)

    monkeypatch.setattr(cache_module, "sha256_sparse", counted)
    found = snapshots.obtain(plan)
    assert found.whole()
    assert sorted(read) == ["ram", "state"]
    assert found.whole()
    assert len(read) == 2
    with (found.folder / "ram").open("r+b") as file:
        file.write(b"?")
    assert not found.whole()
    assert sorted(read[2:]) in (["ram"], ["ram", "state"])


def test_an_error_of_the_guests_own_is_not_hidden_by_the_verification(snapshots: Snapshots, plan: GuestPlan) -> None:
    with pytest.raises(ZeroDivisionError), snapshots.restored(plan):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entry: (entry / "manifest.json").unlink(),
        lambda entry: (entry / "manifest.json").write_text("{"),
        lambda entry: (entry / "manifest.json").write_text("[]"),
        lambda entry: (entry / "manifest.json").write_text('{"files": []}'),
        lambda entry: (entry / "manifest.json").write_bytes(b"\xff\xfe"),
        lambda entry: (entry / "ram").unlink(),
        lambda entry: (entry / "state").unlink(),
    ],
)
def test_an_entry_that_is_not_whole_is_made_anew(
    spoil: Callable[[Path], object], snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    use(snapshots, plan)
    spoil(entries(cache)[0])
    use(snapshots, plan)
    assert world.made == 2
    assert json.loads((entries(cache)[0] / "manifest.json").read_text())["files"]["ram"] == sha256_sparse(
        entries(cache)[0] / "ram"
    )


def test_the_unreadable_manifest_of_another_does_no_harm(snapshots: Snapshots, plan: GuestPlan, cache: Cache) -> None:
    for number, text in enumerate(("{", "[]", '{"meta": 1}', '{"meta": {}}')):
        folder = cache.root / "snapshots" / str(number)
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(text)
    use(snapshots, plan)
    assert len(entries(cache)) == 5


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"start": QemuError("QEMU did not start")}, "QEMU did not start"),
        ({"connect": DeadlineError("boot", 9, "waiting for SSH")}, "the boot deadline of 9 s passed"),
        ({"push": GuestConnectionError("the guest did not take what was pushed")}, "did not take what was pushed"),
        ({"leave": GuestConnectionError("the connection to the guest broke")}, "the connection to the guest broke"),
        ({"save": QemuError("QEMU failed at saving the guest's state: failed")}, "saving the guest's state"),
    ],
)
def test_what_fails_while_a_snapshot_is_made_leaves_nothing_behind(
    trouble: dict[str, Exception], words: str, snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    world.fails = trouble
    with pytest.raises(SnapshotError, match=f"6.1-x86_64: no snapshot could be made: .*{words}"):
        use(snapshots, plan)
    assert entries(cache) == hidden(cache) == []
    world.fails = {}
    use(snapshots, plan)
    assert len(entries(cache)) == 1


@pytest.mark.parametrize("what", ["push", "leave"])
def test_a_guest_that_dies_while_it_is_pushed_the_agent_is_told_as_such(
    what: str, snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    world.fails = {what: GuestConnectionError("the connection to the guest broke")}
    world.ended = Death(reason="guest-reset", returncode=0, stderr="")
    with pytest.raises(SnapshotError, match="QEMU ended while the agent was pushed to its guest"):
        use(snapshots, plan)
    assert entries(cache) == hidden(cache) == []


def test_nothing_is_saved_before_the_guest_has_the_agent_however_often_it_stands_by(
    snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    """On s390x a line may be on the console twice."""
    world.console += f"{STANDBY} at 1.500 s\n{GREETED}\n{GREETED}\n"
    world.stays_unready = True
    with pytest.raises(SnapshotError, match=r"the boot deadline of 0\.2 s passed while .*`bpfmatrix: ready`"):
        use(snapshots, settings_of(plan, deadlines=Deadlines(boot=0.2)))
    assert entries(cache) == hidden(cache) == []


@pytest.mark.parametrize("second", [1.51, 9.0])
def test_no_snapshot_is_kept_of_a_guest_whose_clock_is_wrong(
    second: float, snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait too long, or not long enough, in every run that restores it."""

    def slowly(*arguments: Any) -> Any:
        time.sleep(0.15)
        return world.connected(*arguments)

    monkeypatch.setattr(module, "connected", slowly)
    world.ready_at = second
    with pytest.raises(SnapshotError, match=r"the guest's clock counts [07]\.[05][01] s while the host's counts 0\.\d"):
        use(snapshots, plan)
    assert entries(cache) == hidden(cache) == []


def test_a_guest_is_greeted_only_once_ssh_listens(snapshots: Snapshots, plan: GuestPlan, world: World) -> None:
    """Else dropbear would find a host key when it starts, and keep it for good."""
    world.console = f"{STANDBY} at 1.500 s\n"
    with pytest.raises(SnapshotError, match=r"the boot deadline of 0\.2 s passed"):
        use(snapshots, settings_of(plan, deadlines=Deadlines(boot=0.2)))
    assert world.greeted_to_be_made == []


def test_a_guest_that_dies_before_it_stands_by_is_told_at_once(
    snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    world.dies, world.console = True, "Traceback\n"
    begun = time.monotonic()
    with pytest.raises(SnapshotError, match="QEMU ended while the guest was booting"):
        use(snapshots, settings_of(plan, deadlines=Deadlines(boot=60)))
    assert time.monotonic() - begun < 10
    assert entries(cache) == hidden(cache) == []


def test_a_guest_that_never_stands_by_meets_the_boot_deadline(
    snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    world.console = "still booting\n"
    with pytest.raises(SnapshotError, match=r"the boot deadline of 0\.2 s passed while waiting for the guest to say"):
        use(snapshots, settings_of(plan, deadlines=Deadlines(boot=0.2)))
    assert entries(cache) == hidden(cache) == []


def test_a_cache_that_takes_no_snapshot_is_the_snapshots_trouble_and_not_the_runs(
    snapshots: Snapshots, plan: GuestPlan, cache: Cache
) -> None:
    cache.root.mkdir()
    (cache.root / "snapshots").write_text("a file where a folder should be")
    with pytest.raises(SnapshotError, match=r"no snapshot could be made: cache: .* cannot be written"):
        use(snapshots, plan)


@pytest.mark.parametrize("error", [QemuError("QEMU failed at restoring the guest's state: failed"), OSError(111, "x")])
def test_a_snapshot_that_cannot_be_restored_is_removed(
    error: Exception, snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    snapshots.obtain(plan)
    world.fails = {"load": error}
    with pytest.raises(SnapshotError, match=r"6\.1-x86_64: the snapshot cannot be restored"):
        use(snapshots, plan)
    assert entries(cache) == []


def test_what_qemu_said_of_a_state_that_it_does_not_like_is_told(
    snapshots: Snapshots, plan: GuestPlan, world: World
) -> None:
    """It ends, so its monitor knows nothing of the cause."""
    snapshots.obtain(plan)
    world.fails = {"load": QemuError("QEMU's monitor failed while query-migrate: disconnecting")}
    world.ended = Death(reason=None, returncode=1, stderr="qemu: Not a migration stream\nqemu: load failed\n")
    with pytest.raises(SnapshotError, match=r"cannot be restored: QEMU ended with exit code 1 .*: Not a migration str"):
        use(snapshots, plan)


def test_two_that_want_the_same_snapshot_make_it_once(snapshots: Snapshots, plan: GuestPlan, world: World) -> None:
    threads = [threading.Thread(target=snapshots.obtain, args=[plan]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert world.made == 1


def test_a_snapshot_that_is_used_is_the_last_to_be_trimmed(snapshots: Snapshots, plan: GuestPlan, cache: Cache) -> None:
    other = another_kernel(plan)
    kept = snapshots.obtain(plan).folder
    gone = snapshots.obtain(other).folder
    os.utime(kept, (1, 1))
    os.utime(gone, (2, 2))
    snapshots.obtain(plan)
    size = sum(path.stat().st_blocks * 512 for path in gone.iterdir())
    cache.trim(max_bytes=cache.size() - size // 2, keep_newer_than=time.time() + 60)
    assert (kept.exists(), gone.exists()) == (True, False)
