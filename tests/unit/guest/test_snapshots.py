"""Snapshots of guests: made once, restored from then on, each guest greeted; and what fails while one is made."""

# ruff: noqa: PLR0917  (what stands in for something else takes what that takes)

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from played_snapshots import RAM, World, entries, hidden, make_plan, make_world, settings_of, use

from harness.errors import DeadlineError, GuestConnectionError, QemuError, SnapshotError
from harness.guest import snapshots as module
from harness.guest.parcel import PARCELS, agent_parcel
from harness.guest.snapshots import GREETED, STANDBY, Snapshots
from harness.host.cache import Cache
from harness.model.settings import Deadlines
from harness.qemu.process import Death
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import cpio
from harness.supply.image.keys import make_keys


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = make_world(monkeypatch)
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
    return make_plan(tmp_path)


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


@pytest.mark.parametrize(
    ("trouble", "complaint"),
    [
        ({"start": QemuError("QEMU did not start")}, "QEMU did not start"),
        ({"connect": DeadlineError("boot", 9, "waiting for SSH")}, "the boot deadline of 9 s passed"),
        ({"push": GuestConnectionError("the guest did not take what was pushed")}, "did not take what was pushed"),
        ({"leave": GuestConnectionError("the connection to the guest broke")}, "the connection to the guest broke"),
        ({"save": QemuError("QEMU failed at saving the guest's state: failed")}, "saving the guest's state"),
    ],
)
def test_what_fails_while_a_snapshot_is_made_leaves_nothing_behind(
    trouble: dict[str, Exception], complaint: str, snapshots: Snapshots, plan: GuestPlan, world: World, cache: Cache
) -> None:
    world.fails = trouble
    with pytest.raises(SnapshotError, match=f"6.1-x86_64: no snapshot could be made: .*{complaint}"):
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
