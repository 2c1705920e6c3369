"""Who uses a cache, told from outside: processes that begin, live on, end, and are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import EXIT_HARNESS, CacheInUseError
from harness.host.cache import TAG, Cache
from harness.host.scratch import HIDDEN, PREFIX

HOLDER = """
import sys, tempfile
from pathlib import Path
from harness.host.cache import Cache
from harness.host.scratch import scratch_folder
def make(folder):
    (folder / "half").write_text("ha")
    print("making", flush=True)
    sys.stdin.readline()
    return {}
cache = Cache(Path(sys.argv[1]))
with scratch_folder() as temporary:
    cache.entry("kernels", "mine", lambda folder: {})
    cache.entry("kernels", "half", make)
    print("made", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holder(root: Path, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has one entry of the cache, and is half-way in making another."""
    temporary.mkdir(exist_ok=True)
    argv = [sys.executable, "-c", HOLDER, str(root), "--some", "option"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "making\n"
            yield process
        finally:
            process.kill()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def hidden(root: Path) -> list[Path]:
    return list(root.glob(f"*/{HIDDEN}*"))


def test_a_cache_in_use_is_not_emptied_and_the_message_names_who_uses_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    with holder(cache.root, tmp_path / "tmp") as process:
        with pytest.raises(CacheInUseError) as caught:
            cache.clear()
        assert cache.peek("kernels", "mine") is not None
        process.communicate("go on\nend\n")
        assert process.returncode == 0
    text = str(caught.value)
    assert f"{cache.root} is in use, so nothing was removed" in text
    assert f"process {process.pid}: bpfmatrix {cache.root} --some option" in text
    assert f"kill {process.pid}" in text
    assert caught.value.exit_code == EXIT_HARNESS
    assert cache.users.others() == []
    cache.clear()
    assert {path.name for path in cache.root.iterdir()} == {TAG, "users", "users.lock"}


def test_who_begins_while_a_cache_is_emptied_waits(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.entry("kernels", "k", lambda _: {})
    script = f"from harness.host.cache import *; Cache(Path({str(cache.root)!r})).folder('apt', 'x'); print('in')"
    with cache.users.alone():
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=2)
        assert not (cache.root / "apt").exists()
    assert process.communicate()[0] == "in\n"


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    root, temporary = tmp_path / "cache", tmp_path / "tmp"
    with holder(root, temporary) as process:
        assert len(hidden(root)) == 1
        kill(process)
    assert len(hidden(root)) == 1
    assert [path.name[: len(PREFIX)] for path in temporary.iterdir()] == [PREFIX]
    assert [path.name.partition(".")[0] for path in (root / "users").iterdir()] == [str(process.pid)]
    cache = Cache(root)
    assert cache.peek("kernels", "mine") is not None
    assert hidden(root) == []
    assert list(temporary.iterdir()) == []
    assert [path.name.partition(".")[0] for path in (root / "users").iterdir()] == [str(os.getpid())]
    assert cache.entry("kernels", "half", lambda _: {}).fresh


def test_a_killed_process_keeps_nobody_from_emptying_the_cache(tmp_path: Path) -> None:
    root, temporary = tmp_path / "cache", tmp_path / "tmp"
    with holder(root, temporary) as process:
        kill(process)
    assert Cache(root).clear() > 0
    assert list(temporary.iterdir()) == []
    assert list((root / "users").iterdir()) == []


def test_what_a_living_process_makes_is_not_taken_for_left_by_the_killed_one(tmp_path: Path) -> None:
    root, temporary = tmp_path / "cache", tmp_path / "tmp"
    with holder(root, temporary) as killed:
        kill(killed)
        # The lock of the entry that the killed one was making is free: the kernel has released it.
        with holder(root, temporary) as living:
            assert len(hidden(root)) == len(list(temporary.iterdir())) == 1
            assert Cache(root).users.remove_dead() == []
            assert len(hidden(root)) == len(list(temporary.iterdir())) == 1
            living.communicate("go on\nend\n")
            assert living.returncode == 0


def test_a_trim_spares_what_another_process_has_used(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    old = cache.entry("kernels", "old", lambda _: {}).path
    os.utime(old, (time.time() - 10**6,) * 2)
    with holder(cache.root, tmp_path / "tmp") as process:
        later = time.time() + 10
        assert cache.trim(max_bytes=0, keep_newer_than=later) == ["kernels/old"]
        assert cache.peek("kernels", "mine") is not None
        process.communicate("go on\nend\n")
    assert sorted(cache.trim(max_bytes=0, keep_newer_than=later)) == ["kernels/half", "kernels/mine"]


def test_after_a_run_what_its_process_has_used_may_be_removed(tmp_path: Path) -> None:
    """A process that watches files runs for days, and needs from one run to the next only what it then uses."""
    mine, other = Cache(tmp_path / "cache"), Cache(tmp_path / "cache")
    mine.entry("kernels", "k", lambda _: {})
    (file,) = (mine.root / "users").iterdir()
    begun = time.time() - 3600
    os.utime(file, (begun, begun))
    assert other.users.in_use_since() == pytest.approx(begun, abs=1)
    mine.keep_within(10**9, keep_newer_than=time.time())
    assert other.users.in_use_since() == pytest.approx(time.time(), abs=60)
