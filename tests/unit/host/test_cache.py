from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cache_samples import Making

from harness.errors import EXIT_HARNESS, CacheError, FetchError
from harness.host import cache as cache_module
from harness.host.cache import (
    MANIFEST,
    TAG,
    Cache,
    default_root,
    verified,
)

Maker = Callable[[Path], dict[str, Any]]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


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

    def full(self: Path, *anything: Any, **keys: Any) -> int:
        if self.name == MANIFEST:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_text(self, *anything, **keys)

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
