"""A cache is bounded in size: what goes first, what stays, and what is removed at once."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from cache_samples import Making

from harness.errors import UsageError
from harness.host.cache import (
    ABANDONED_SECONDS,
    TAG,
    Cache,
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


SIZE = 200_000


def filled(cache: Cache, *, ages: dict[str, float]) -> None:
    """Make an entry of some 200 kB for each key, last used so many seconds ago."""
    now = time.time()
    for key, age in ages.items():
        path = cache.entry("kernels", key, Making(file=os.urandom(SIZE))).path
        os.utime(path, (now - age, now - age))


def test_the_least_recently_used_go_first(cache: Cache) -> None:
    filled(cache, ages={"newest": 10, "oldest": 1000, "middle": 100})
    size = cache.size()
    assert 3 * SIZE <= size < 4 * SIZE
    assert cache.trim(max_bytes=size, keep_newer_than=time.time()) == []
    assert cache.trim(max_bytes=size - 1, keep_newer_than=time.time()) == ["kernels/oldest"]
    assert cache.trim(max_bytes=SIZE + SIZE // 2, keep_newer_than=time.time()) == ["kernels/middle"]
    assert cache.peek("kernels", "newest") is not None
    assert not (cache.root / "kernels/oldest").exists()
    assert cache.size() < 2 * SIZE


def test_a_use_makes_an_entry_the_newest(cache: Cache) -> None:
    filled(cache, ages={"a": 1000, "b": 100})
    cache.entry("kernels", "a", Making())
    assert cache.trim(max_bytes=SIZE + SIZE // 2, keep_newer_than=time.time() + 10) == ["kernels/b"]


def test_what_this_run_used_stays_though_it_is_too_much(cache: Cache) -> None:
    filled(cache, ages={"used": 1, "old": 1000})
    assert cache.trim(max_bytes=0, keep_newer_than=time.time() - 60) == ["kernels/old"]
    assert cache.peek("kernels", "used") is not None


def test_an_entry_that_another_process_removes_meanwhile_does_no_harm(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(cache, ages={"a": 1000, "b": 100})
    size = cache.size

    def racing() -> int:  # called between the look at the entries and their removal
        total = size()
        for path in (cache.root / "kernels/a").iterdir():
            path.unlink()
        (cache.root / "kernels/a").rmdir()
        return total

    monkeypatch.setattr(cache, "size", racing)
    assert "kernels/b" in cache.trim(max_bytes=0, keep_newer_than=time.time())


def test_what_a_version_without_locks_left_is_removed_after_a_day(cache: Cache) -> None:
    filled(cache, ages={"kept": 10})
    now = time.time()
    for name, age in ((".k.dead", ABANDONED_SECONDS + 60), (".k.busy", 60.0)):
        path = cache.root / "kernels" / name
        path.mkdir()
        (path / "half").write_bytes(b"ha")
        os.utime(path, (now - age, now - age))
    assert cache.trim(max_bytes=10**9, keep_newer_than=now) == []
    assert sorted(path.name for path in (cache.root / "kernels").iterdir()) == [".k.busy", "kept"]


def test_an_entry_is_removed_at_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an entry, without a manifest, would stay for ever: nobody could say when it was used."""
    path = cache.entry("kernels", "k", Making()).path
    seen: list[bool] = []
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: seen.append(path.exists()))
    cache.remove(path)
    assert seen == [False]


def test_clear_removes_everything_and_says_how_much(cache: Cache) -> None:
    assert cache.clear() == 0
    assert not cache.root.exists()
    filled(cache, ages={"a": 1, "b": 2})
    assert cache.clear() >= 2 * SIZE
    assert {path.name for path in cache.root.iterdir()} == {TAG, "users", "users.lock"}
    assert cache.clear() < SIZE
    filled(cache, ages={"a": 1})
    assert cache.peek("kernels", "a") is not None


def test_a_folder_that_is_no_cache_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    cache = Cache(tmp_path)
    for _ in range(2):
        with pytest.raises(UsageError, match=r"holds thesis\.tex, which no cache of bpfmatrix has"):
            cache.clear()
        filled(cache, ages={"a": 1})  # the user may have said so on purpose
    assert (tmp_path / "thesis.tex").exists()
    assert cache.peek("kernels", "a") is not None


def test_a_cache_is_marked_for_backups_and_may_then_hold_anything(cache: Cache) -> None:
    filled(cache, ages={"a": 1})
    assert (cache.root / TAG).read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    (cache.root / "of-a-later-version").mkdir()
    assert cache.clear() > SIZE
    assert not (cache.root / "of-a-later-version").exists()


@pytest.mark.parametrize("kinds", [("kernels", "locks"), ("objects",), ()])
def test_a_cache_of_an_earlier_version_is_known(cache: Cache, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        (cache.root / kind).mkdir(parents=True)
    filled(cache, ages={"a": 1})
    assert (cache.root / TAG).exists()


def test_what_another_run_may_be_using_stays(cache: Cache) -> None:
    entries = {age: cache.entry("kernels", f"age-{age}", lambda _folder: {}) for age in (10, 7200)}
    other = Cache(cache.root)
    other.folder("apt", "x")
    (file,) = {*(cache.root / "users").iterdir()} - {cache.users.own}
    os.utime(file, (time.time() - 3600,) * 2)
    for age, entry in entries.items():
        os.utime(entry.path, (time.time() - age,) * 2)
    cache.keep_within(0, keep_newer_than=time.time())
    assert entries[10].path.exists()
    assert not entries[7200].path.exists()
    del other
    cache.grown = False
    cache.keep_within(0, keep_newer_than=time.time())
    assert entries[10].path.exists(), "nothing was put in, and the limit is the same: nobody looks"
    cache.keep_within(1, keep_newer_than=time.time())
    assert not entries[10].path.exists(), "another limit holds at once"
