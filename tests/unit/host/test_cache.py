from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import EXIT_HARNESS, CacheError, FetchError, UsageError
from harness.host import cache as cache_module
from harness.host.cache import (
    ABANDONED_SECONDS,
    MANIFEST,
    SPARSE_BLOCK,
    TAG,
    Cache,
    default_root,
    digest,
    sha256_file,
    sha256_known,
    sha256_sparse,
    verified,
)

Maker = Callable[[Path], dict[str, Any]]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


class Making:
    """A maker that counts how often it was asked."""

    def __init__(self, **files: bytes) -> None:
        self.files = files or {"file": b"data", "folder/file": b"more"}
        self.times = 0

    def __call__(self, folder: Path) -> dict[str, Any]:
        self.times += 1
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return {"made": self.times}


def everything(cache: Cache) -> list[str]:
    """All that lies in the cache, but for locks, and what says whose it is."""
    found = (str(path.relative_to(cache.root)) for path in cache.root.rglob("*"))
    return sorted(name for name in found if not name.startswith(("locks", "users", TAG)))


def test_an_entry_is_made_once_and_then_found(cache: Cache) -> None:
    make = Making()
    first = cache.entry("kernels", "k", make)
    assert (first.path, first.meta, first.fresh, first.repaired) == (cache.root / "kernels/k", {"made": 1}, True, False)
    assert (first.path / "folder/file").read_bytes() == b"more"
    second = cache.entry("kernels", "k", make)
    assert (second.path, second.meta, second.fresh, second.repaired) == (first.path, {"made": 1}, False, False)
    assert make.times == 1
    assert cache.peek("kernels", "k") == second
    assert cache.peek("kernels", "other") is None


def test_an_entry_can_be_read_by_others(cache: Cache) -> None:
    assert cache.entry("kernels", "k", Making()).path.stat().st_mode & 0o777 == 0o755


def flip(path: Path) -> None:
    data = bytearray((path / "file").read_bytes())
    data[0] ^= 1
    (path / "file").write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a flipped bit": flip,
    "a truncated file": lambda path: (path / "file").write_bytes(b"dat"),
    "an empty file": lambda path: (path / "folder/file").write_bytes(b""),
    "a missing file": lambda path: (path / "folder/file").unlink(),
    "an extra file": lambda path: (path / "extra").write_bytes(b""),
    "an extra file in a folder": lambda path: (path / "folder/extra").write_bytes(b""),
    "no manifest": lambda path: (path / MANIFEST).unlink(),
    "half a manifest": lambda path: (path / MANIFEST).write_text((path / MANIFEST).read_text()[:40]),
    "a manifest of zeros": lambda path: (path / MANIFEST).write_bytes(bytes(100)),
    "a manifest that is no object": lambda path: (path / MANIFEST).write_text("[]"),
    "a manifest without files": lambda path: (path / MANIFEST).write_text('{"meta": {}}'),
    "a manifest whose files are a list": lambda path: (path / MANIFEST).write_text(
        json.dumps({"files": ["file", "folder/file"], "meta": {}})
    ),
    "a manifest whose hash is a number": lambda path: (path / MANIFEST).write_text(
        json.dumps({"files": {"file": 1, "folder/file": 2}, "meta": {}})
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_found_and_made_again(cache: Cache, damage: Callable[[Path], object]) -> None:
    make = Making()
    path = cache.entry("kernels", "k", make).path
    damage(path)
    assert verified(path) is None
    assert cache.peek("kernels", "k") is None
    entry = cache.entry("kernels", "k", make)
    assert (entry.fresh, entry.repaired, make.times) == (True, True, 2)
    assert everything(cache) == [
        "kernels",
        "kernels/k",
        "kernels/k/file",
        "kernels/k/folder",
        "kernels/k/folder/file",
        f"kernels/k/{MANIFEST}",
    ]
    assert (path / "file").read_bytes() == b"data"


def test_an_entry_that_vanishes_while_it_is_looked_at_is_made_again(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Making()
    path = cache.entry("kernels", "k", make).path

    def vanishing(looked_at: Path) -> dict[str, Any] | None:
        found = verified(looked_at)
        shutil.rmtree(looked_at, ignore_errors=True)
        return found

    monkeypatch.setattr(cache_module, "verified", vanishing)
    assert cache.peek("kernels", "k") is None
    cache.entry("kernels", "k", make)
    assert cache.entry("kernels", "k", make).fresh
    assert make.times == 3
    assert (path / "file").read_bytes() == b"data"


def test_a_file_in_the_entrys_place_is_told(cache: Cache) -> None:
    (cache.root / "kernels").mkdir(parents=True)
    (cache.root / "kernels/k").write_text("in the way")
    with pytest.raises(CacheError, match="cannot be written"):
        cache.entry("kernels", "k", Making())


@pytest.mark.parametrize("error", [FetchError("no"), KeyboardInterrupt(), SystemExit(1), ValueError("bug")])
def test_an_interruption_leaves_nothing(cache: Cache, error: BaseException) -> None:
    def make(folder: Path) -> dict[str, Any]:
        (folder / "half").write_bytes(b"ha")
        raise error

    with pytest.raises(type(error)):
        cache.entry("kernels", "k", make)
    assert everything(cache) == ["kernels"]
    assert cache.entry("kernels", "k", Making()).repaired is False


def test_an_interrupted_repair_leaves_the_damaged_entry_damaged(cache: Cache) -> None:
    path = cache.entry("kernels", "k", Making()).path
    flip(path)

    def make(folder: Path) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("kernels", "k", make)
    assert cache.peek("kernels", "k") is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_is_told(cache: Cache, number: int) -> None:
    def make(folder: Path) -> dict[str, Any]:
        (folder / "half").write_bytes(b"ha")
        raise OSError(number, os.strerror(number))

    with pytest.raises(CacheError) as caught:
        cache.entry("kernels", "k", make)
    assert os.strerror(number) in str(caught.value)
    assert str(cache.root / "kernels/k") in str(caught.value)
    assert "BPFMATRIX_CACHE" in str(caught.value)
    assert caught.value.exit_code == EXIT_HARNESS
    assert everything(cache) == ["kernels"]


def test_a_disk_that_is_full_at_the_very_end(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text = Path.write_text

    def full(self: Path, *words: Any, **keys: Any) -> int:
        if self.name == MANIFEST:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_text(self, *words, **keys)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(CacheError, match="No space left on device"):
        cache.entry("kernels", "k", Making())
    assert everything(cache) == ["kernels"]


def test_a_root_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    cache = Cache(tmp_path / "cache")
    with pytest.raises(CacheError, match="cannot be written"):
        cache.entry("kernels", "k", Making())
    with pytest.raises(CacheError, match="cannot be written"), cache.lock("name"):
        pass
    with pytest.raises(CacheError, match="cannot be written"):
        cache.folder("apt", "x")


SCRIPT = """
import sys, time
from pathlib import Path
from harness.host.cache import Cache
root, log = map(Path, sys.argv[1:])
def make(folder):
    with log.open("a") as file:
        file.write("made\\n")
    (folder / "a").write_text("half")
    time.sleep(0.3)
    (folder / "a").write_text("whole")
    return {"by": "one"}
print("ready", flush=True)
sys.stdin.readline()
entry = Cache(root).entry("kernels", "k", make)
print((entry.path / "a").read_text(), entry.meta["by"], int(entry.fresh), flush=True)
"""


def test_two_processes_make_an_entry_once(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path / "cache"), str(tmp_path / "log")]
    both = [subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for process in both:  # both have Python up before either starts
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        said = [process.communicate("go\n", timeout=30)[0] for process in both if process.stdin is not None]
    finally:
        for process in both:
            process.kill()
            process.wait()
    assert (tmp_path / "log").read_text() == "made\n"
    assert sorted(said) == ["whole one 0\n", "whole one 1\n"]


def test_two_threads_make_an_entry_once(cache: Cache) -> None:
    made: list[int] = []
    start = threading.Barrier(4)

    def make(folder: Path) -> dict[str, Any]:
        made.append(1)
        time.sleep(0.05)
        return {}

    def work() -> None:
        start.wait()
        cache.entry("kernels", "k", make)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_a_lock_that_is_held_for_too_long_is_told(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "LOCK_SECONDS", 0.1)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with cache.lock("name"):
            holding.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert holding.wait(10)
        with pytest.raises(CacheError, match="another process has held the lock name"), cache.lock("name"):
            pass
        with cache.lock("another"):
            pass
    finally:
        done.set()
        thread.join()
    with cache.lock("name"):
        pass


def test_an_error_within_a_lock_stays_what_it_is(cache: Cache) -> None:
    with pytest.raises(FileNotFoundError), cache.lock("name"):
        raise FileNotFoundError("the body's own")
    with cache.lock("name"):
        pass


# --- bounded in size --------------------------------------------------------------------------------------------------

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


# --- small things -----------------------------------------------------------------------------------------------------


def test_the_root_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPFMATRIX_CACHE", str(tmp_path / "mine"))
    assert Cache().root == default_root() == tmp_path / "mine"
    monkeypatch.setenv("BPFMATRIX_CACHE", "~/mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_root() == tmp_path / "mine"
    monkeypatch.setenv("BPFMATRIX_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_root() == tmp_path / "xdg/bpfmatrix"


def test_a_plain_folder_is_made_and_kept(cache: Cache) -> None:
    folder = cache.folder("apt", "trixie-amd64")
    (folder / "lists").mkdir()
    assert cache.folder("apt", "trixie-amd64") == folder
    assert (folder / "lists").is_dir()


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_key_is_the_same_for_the_same_parts_and_differs_for_others(one: Any, other: Any) -> None:
    assert digest(one) == digest(json.loads(json.dumps(one)))
    assert len(digest(one)) == 24
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) == same
    assert digest(one, other) != digest([one, other])


def test_the_order_of_keys_does_not_matter_and_that_of_lists_does() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_the_hash_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_file(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(FileNotFoundError):
        sha256_file(tmp_path / "none")


def sparse(path: Path, size: int, **parts: bytes) -> str:
    """Write a file of holes with `parts` at the offsets that their names end with; return its hash."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
        for name, data in parts.items():
            file.seek(int(name[1:]))
            file.write(data)
    return sha256_sparse(path)


def test_the_hash_of_a_sparse_file_does_not_depend_on_its_holes(tmp_path: Path) -> None:
    size, path = 10 * SPARSE_BLOCK + 100, tmp_path / "f"
    few = sparse(path, size, _70000=b"abc", _655300=b"end")
    assert few == sparse(path, size, _0=bytes(65536), _70000=b"abc" + bytes(200000), _655300=b"end")
    path.write_bytes(path.read_bytes())
    assert sha256_sparse(path) == few, "without any holes"


def test_the_hash_of_a_sparse_file_changes_with_every_byte_and_with_its_size(tmp_path: Path) -> None:
    size, path = 10 * SPARSE_BLOCK + 100, tmp_path / "f"
    variants = [
        sparse(path, size),
        sparse(path, size + 1),
        sparse(path, 0),
        sparse(path, size, _0=b"a"),
        sparse(path, size, _1=b"a"),
        sparse(path, size, _65536=b"a"),
        sparse(path, size, _131072=b"a"),
        sparse(path, size, _65536=b"a", _131072=b"a"),
        sparse(path, size, _655459=b"a"),
        sparse(path, size, _655458=b"a"),
    ]
    assert len(set(variants)) == len(variants)
    with pytest.raises(FileNotFoundError):
        sha256_sparse(tmp_path / "none")


@given(st.lists(st.tuples(st.integers(0, 400_000), st.binary(min_size=1, max_size=9)), max_size=6))
def test_the_hash_of_a_sparse_file_is_that_of_its_bytes(parts: list[tuple[int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        holes, plain = Path(folder) / "holes", Path(folder) / "plain"
        data = bytearray(420_000)
        with holes.open("wb") as file:
            file.truncate(len(data))
            for offset, part in parts:
                file.seek(offset)
                file.write(part)
                data[offset : offset + len(part)] = part
        plain.write_bytes(data)
        assert sha256_sparse(holes) == sha256_sparse(plain)
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        plain.write_bytes(changed)
        assert sha256_sparse(holes) != sha256_sparse(plain)


def test_a_known_hash_holds_until_the_file_is_touched(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return sha256_file(path)

    monkeypatch.setattr(cache_module, "sha256_file", counted)

    def make(folder: Path) -> dict[str, Any]:
        (folder / "file").write_bytes(b"bytes")
        return {}

    path = cache.entry("kind", "key", make).path / "file"
    cache.entry("kind", "key", make)
    read.clear()
    assert sha256_known(path) == sha256_file(path)
    assert read == []  # since it was verified
    cache.entry("kind", "key", make)
    assert read == [path]  # a use looks at the bytes every time

    path.write_bytes(b"other")
    assert sha256_known(path) == sha256_file(path)
    at = path.stat()
    time.sleep(0.05)  # the kernel stamps files by its coarse clock
    path.write_bytes(b"third")
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))  # the time of the change itself cannot be set
    assert sha256_known(path) == sha256_file(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        sha256_known(path)


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
