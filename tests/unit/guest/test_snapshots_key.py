"""What belongs to the key of a snapshot, and what does not; which are kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from played_snapshots import PROGRAMS, World, entries, make_plan, make_world, settings_of, use

from harness.guest.snapshots import KEPT, Snapshots
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.model.settings import Deadlines
from harness.supply.guest_plan import GuestPlan
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


CHANGES: dict[str, Callable[[GuestPlan], GuestPlan]] = {
    "kernel image": rewritten("vmlinuz"),
    "userland": rewritten("base.cpio"),
    "module": rewritten("virtio.ko"),
    "fewer modules": lambda plan: changed_kernel(plan, modules=()),
    "service": lambda plan: replace(plan, programs=replace(PROGRAMS, nodes=())),
    "agent": lambda plan: replace(plan, programs=replace(PROGRAMS, agent=b"another")),
    "libbpf": lambda plan: with_libbpf(plan, "bookworm"),
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


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only an x86_64 guest has its host's counter")
@pytest.mark.parametrize(
    ("then", "now", "made"),
    [(2_596_138, 2_596_140, 1), (2_596_138, 3_100_000, 2), (None, 3_100_000, 1), (2_596_138, None, 1)],
    ids=["measured-again", "another-host", "was-not-known", "is-not-known"],
)
def test_a_guest_that_goes_by_another_hosts_counter_is_made_again(
    then: int | None, now: int | None, made: int, *, cache: Cache, plan: GuestPlan, world: World
) -> None:
    """As a snapshot does that a cache has brought from another machine: its clock would be wrong for good."""
    use(Snapshots(cache, qemu_version="7.2.9", host_khz=lambda: then), plan)
    use(Snapshots(cache, qemu_version="7.2.9", host_khz=lambda: now), plan)
    assert world.made == made
    assert len(entries(cache)) == 1, "the rate is no part of the key: it is measured, and never quite the same"
    said = [word for word in world.specs[0].cmdline.split() if word.startswith("tsc_early_khz")]
    assert said == ([f"tsc_early_khz={then}"] if then else [])


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


def with_libbpf(plan: GuestPlan, name: str) -> GuestPlan:
    """The plan of a row with another libbpf, which is an archive of its own."""
    archive = plan.base.with_name(f"{name}.cpio")
    archive.write_bytes(name.encode())
    return replace(plan, archives=(archive,))


def test_rows_with_other_libbpfs_keep_each_others_snapshots_and_the_caches_bound_holds_for_all(
    snapshots: Snapshots, plan: GuestPlan, cache: Cache, world: World
) -> None:
    rows = [plan, *(with_libbpf(plan, name) for name in ("bullseye", "bookworm", "sid", "mine"))]
    for _ in range(2):
        for row in rows:
            use(snapshots, row)
    assert world.made == len(rows) > KEPT
    folders = [used_ago(snapshots, row, 1000 - seconds) for seconds, row in enumerate(rows)]
    assert sorted(entries(cache)) == sorted(folders)
    # Of one row it is as without an axis: those of other agents go, and no row's of another libbpf.
    for number in range(KEPT):
        snapshots.obtain(with_agent(rows[1], b"agent %d" % number))
    assert set(entries(cache)) >= {*folders} - {folders[1]}
    assert len(entries(cache)) == len(rows) - 1 + KEPT
    size = sum(path.stat().st_blocks * 512 for path in folders[0].iterdir())
    cache.trim(max_bytes=cache.size() - size // 2, keep_newer_than=time.time() - 500)
    assert folders[0] not in entries(cache), "the one that was used least recently goes, whatever its row"
    assert len(entries(cache)) == len(rows) - 2 + KEPT


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
