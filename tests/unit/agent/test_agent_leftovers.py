"""That nothing of a case is left behind."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.agent.leftovers import (
    LEFTOVERS,
    MAPS,
    PROGRAM_IDS,
    UNKNOWN,
    Leftover,
    Surroundings,
    bpf_ids,
    subfolders,
)


class Things:
    """Plays one kind of what a case may leave behind."""

    def __init__(self, *there: str, stays: bool = False, goes_after: int = 0) -> None:
        self.there, self.stays, self.goes_after = set(there), stays, goes_after
        self.removed: list[str] = []

    def listed(self) -> set[str]:
        if self.goes_after:
            self.goes_after -= 1
            if not self.goes_after:
                self.there.clear()
        return set(self.there)

    def remove(self, name: str) -> None:
        self.removed.append(name)
        if self.stays or any(other.startswith(f"{name}/") for other in self.there):
            raise OSError(errno.EBUSY, "busy")
        self.there.discard(name)


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is mounted and unmounted, in order; nothing of it is, on the host."""
    done: list[str] = []
    monkeypatch.setattr("harness.agent.leftovers.mount_bpffs", lambda: done.append("mount"))
    monkeypatch.setattr("harness.agent.leftovers.unmount_bpffs", lambda: done.append("unmount"))
    return done


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Things, Any]]:
    def surroundings(
        *before: str, removable: bool = True, stays: bool = False, patience: float = 0.05
    ) -> tuple[Things, Any]:
        made = Things(*before, stays=stays)
        kind = Leftover("thing", made.listed, remove=made.remove if removable else None, name=str.upper)
        monkeypatch.setattr("harness.agent.leftovers.LEFTOVERS", [kind])
        monkeypatch.setattr("harness.agent.leftovers.MAPS", Leftover("map", set))
        monkeypatch.setattr("harness.agent.leftovers.LEFT_SECONDS", patience)
        return made, Surroundings()

    return surroundings


def test_what_was_there_before_stays(things: Callable[..., tuple[Things, Any]]) -> None:
    made, surroundings = things("a", "b")
    assert surroundings.restore("c") == []
    assert made.removed == []


def test_each_case_has_a_bpffs_of_its_own_which_is_gone_before_programs_are_looked_for(
    things: Callable[..., tuple[Things, Any]], mounted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is pinned there would stay, else."""
    made, surroundings = things(removable=False)
    monkeypatch.setattr("harness.agent.leftovers.unmount_bpffs", made.there.clear)
    surroundings.prepare()
    made.there.add("pinned")
    assert surroundings.restore("c") == []
    assert mounted == ["mount"]


def test_what_a_case_leaves_behind_is_removed_from_within(things: Callable[..., tuple[Things, Any]]) -> None:
    made, surroundings = things("a")
    made.there |= {"b", "b/c", "b/c/d"}
    assert surroundings.restore("c") == []
    assert made.removed == ["b/c/d", "b/c", "b"]
    assert made.there == {"a"}


@pytest.mark.parametrize("removable", [True, False])
def test_what_cannot_be_removed_is_reported(removable: bool, things: Callable[..., tuple[Things, Any]]) -> None:
    made, surroundings = things("a", removable=removable, stays=True)
    made.there |= {"c", "b"}
    assert surroundings.restore("c") == [{"kind": "thing", "name": "B"}, {"kind": "thing", "name": "C"}]


def test_what_goes_by_itself_is_waited_for(things: Callable[..., tuple[Things, Any]]) -> None:
    """However slow this host is: the patience is never the point."""
    made, surroundings = things(removable=False, patience=600)
    made.there.add("b")
    made.goes_after = 4
    assert surroundings.restore("c") == []


def maps(monkeypatch: pytest.MonkeyPatch, *there: int) -> tuple[set[int], Any]:
    """The ids of maps that there are, to be changed, and the surroundings."""
    ids = set(there)
    monkeypatch.setattr("harness.agent.leftovers.LEFTOVERS", [])
    monkeypatch.setattr("harness.agent.leftovers.MAPS", Leftover("map", lambda: set(ids)))
    monkeypatch.setattr("harness.agent.leftovers.LEFT_SECONDS", 0.02)
    return ids, Surroundings()


def test_maps_may_go_while_the_next_case_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, surroundings = maps(monkeypatch, 1)
    ids.add(2)
    assert surroundings.restore("a") == []
    ids.remove(2)
    ids.add(3)
    assert surroundings.restore("b") == []
    ids.remove(3)
    assert surroundings.settle() == []


def test_maps_that_stay_are_reported_as_what_their_case_left(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, surroundings = maps(monkeypatch)
    ids.add(2)
    assert surroundings.restore("a") == []
    ids.add(3)
    assert surroundings.restore("b") == [{"kind": "map", "name": "2", "case": "a"}]
    assert surroundings.settle() == [{"kind": "map", "name": "3", "case": "b"}]
    assert surroundings.settle() == []


def test_the_folders_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("a")
    assert subfolders(str(tmp_path)) == [str(tmp_path / "a"), str(tmp_path / "a/b")]
    assert subfolders("/no/such") == []


def test_each_kind_can_be_listed_on_any_machine() -> None:
    assert {leftover.kind for leftover in LEFTOVERS} >= {"module", "cgroup", "device", "program", "link"}
    for leftover in [*LEFTOVERS, MAPS]:
        assert isinstance(leftover.listed(), set), leftover.kind


def test_what_several_cases_have_is_none_of_theirs_until_it_is_let_out(
    things: Callable[..., tuple[Things, Any]], mounted: list[str]
) -> None:
    made, surroundings = things("a", removable=False)
    surroundings.take_aside()
    made.there.add("shared")
    surroundings.take_in()
    surroundings.prepare()
    assert surroundings.restore("c") == []
    made.there.add("left")
    assert surroundings.restore("d") == [{"kind": "thing", "name": "LEFT"}]
    made.there -= {"shared", "left"}
    surroundings.let_out()
    made.there.add("shared")
    assert surroundings.restore("e") == [{"kind": "thing", "name": "SHARED"}], "from now on it is a case's"
    assert mounted[:4] == ["mount", "mount", "unmount", "unmount"]


def test_what_was_taken_in_is_removed_when_it_is_let_out(things: Callable[..., tuple[Things, Any]]) -> None:
    made, surroundings = things("a")
    surroundings.take_aside()
    made.there.add("module")
    surroundings.take_in()
    assert surroundings.restore("c") == []
    assert made.removed == []
    surroundings.let_out()
    assert made.removed == ["module"]


def test_maps_of_a_case_before_are_still_its_own_when_others_are_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, surroundings = maps(monkeypatch, 1)
    monkeypatch.setattr("harness.agent.leftovers.mount_bpffs", lambda: None)
    ids.add(2)
    assert surroundings.restore("a") == []
    surroundings.take_aside()
    ids.add(3)
    surroundings.take_in()
    assert surroundings.restore("b") == [{"kind": "map", "name": "2", "case": "a"}]
    ids.remove(3)
    surroundings.let_out()
    assert surroundings.settle() == []


class Libc:
    """Plays bpf(2) with two ids and then this errno."""

    def __init__(self, number: int) -> None:
        self.number, self.ids = number, [7, 9]

    def syscall(self, _number: int, _command: int, attributes: Any, _size: int) -> int:
        if not self.ids:
            ctypes.set_errno(self.number)
            return -1
        struct.pack_into("=I", attributes, 4, self.ids.pop(0))
        return 0


@pytest.mark.parametrize(
    ("number", "found"), [(errno.ENOENT, {7, 9}), (errno.EPERM, {7, 9, UNKNOWN}), (errno.EACCES, {7, 9, UNKNOWN})]
)
def test_a_list_that_is_refused_has_something_unknown(
    number: int, found: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So what is still attached is waited for."""
    libc = Libc(number)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name, **_more: libc)
    assert bpf_ids(PROGRAM_IDS) == found
