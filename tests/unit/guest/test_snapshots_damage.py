"""A snapshot that is damaged, half made or gone is found, removed, and never run to an answer."""

# ruff: noqa: ARG005, PLR0917  (what stands in for something else takes what that takes)

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from played_snapshots import World, entries, make_plan, make_world, use

from harness.errors import SnapshotError
from harness.guest import snapshots as module
from harness.guest.snapshots import Snapshot, Snapshots
from harness.host import cache as cache_module
from harness.host.cache import Cache, sha256_sparse
from harness.supply.guest_plan import GuestPlan


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
