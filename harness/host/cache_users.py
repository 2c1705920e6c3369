"""The processes that use a cache: each has a file in it, which it holds for as long as it lives."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CacheInUseError
from harness.host.scratch import abandoned, make_held, remove_abandoned, temporary_folder

FOLDER = "users"
GATE = "users.lock"
"""Who begins to use the cache holds this file shared, for a moment; who must be alone holds it exclusively."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A process that uses a cache: its command line, and since when, in seconds since the epoch."""

    pid: int
    command: str
    since: float


class CacheUsers:
    """The processes that use the cache at `root`; through `enter` this one is among them. Safe to use from threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / FOLDER
        self._guard = threading.Lock()
        self.own: Path | None = None
        """This process's file, once it is among them."""

    def enter(self) -> None:
        """Be a user of the cache from now on, until this object is gone or the process ends.

        The first time, what killed users have left is removed: their temporary folders, here and in their TMPDIR.
        Raises OSError.
        """
        with self._guard:
            if self.own is not None:
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            with _gate(self._root, fcntl.LOCK_SH):
                own, lock = make_held(self._make_file)
            weakref.finalize(self, _leave, own, lock)
            self.own = own
        self.remove_dead()

    def begin_again(self) -> None:
        """Note that what this process has used up to now it needs no longer."""
        if self.own is not None:
            with contextlib.suppress(OSError):
                os.utime(self.own)

    def others(self) -> list[User]:
        """Return the other processes that use the cache, those first that began first."""
        found = []
        for path in self._files():
            with abandoned(path) as dead:
                user = None if dead else _read(path)
            if user is not None:
                found.append(user)
        return sorted(found, key=lambda user: user.since)

    def in_use_since(self) -> float | None:
        """Return the time after which everything that was used may still be in use by another process, if any is."""
        return min((user.since for user in self.others()), default=None)

    def remove_dead(self) -> list[Path]:
        """Remove the temporary folders of users that were killed, and their files; return the folders."""
        gone: list[Path] = []
        for path in self._files():
            with abandoned(path) as dead:
                if dead:
                    for folder in {_temporary(path), *(each for each in self._root.iterdir() if each.is_dir())}:
                        gone += remove_abandoned(folder)
                    path.unlink(missing_ok=True)
        return gone

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process use the cache for the duration of the block; raise CacheInUseError where one does."""
        with _gate(self._root, fcntl.LOCK_EX):
            others = self.others()
            if others:
                raise CacheInUseError(in_use_text(self._root, others))
            yield

    def _files(self) -> list[Path]:
        with contextlib.suppress(FileNotFoundError):
            return [path for path in self._folder.iterdir() if path != self.own]
        return []

    def _make_file(self) -> Path:
        number, name = tempfile.mkstemp(prefix=f"{os.getpid()}.", dir=self._folder)
        said = {
            "pid": os.getpid(),
            "command": shlex.join(["bpfmatrix", *sys.argv[1:]]),
            "temporary": str(temporary_folder()),
        }
        with open(number, "w", encoding="utf-8") as file:  # noqa: PTH123  (the descriptor of mkstemp)
            json.dump(said, file)
        return Path(name)


def in_use_text(root: Path, users: list[User]) -> str:
    """Return the message for somebody who wants a cache for himself that others use."""
    processes = "".join(f"\n  process {user.pid}: {user.command}" for user in users)
    numbers = " ".join(str(user.pid) for user in users)
    return (
        f"the cache {root} is in use, so nothing was removed:{processes}\n"
        f"Wait until that is over, or end it (kill {numbers}); then run this again"
    )


@contextlib.contextmanager
def _gate(root: Path, how: int) -> Iterator[None]:
    lock = os.open(root / GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _read(path: Path) -> User | None:
    """Return who holds a file, None where it is gone by now."""
    try:
        said, since = json.loads(path.read_text(encoding="utf-8")), path.stat().st_mtime
        return User(pid=int(said["pid"]), command=str(said["command"]), since=since)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return User(pid=0, command=f"unknown, see {path}", since=0.0)


def _temporary(path: Path) -> Path:
    try:
        return Path(json.loads(path.read_text(encoding="utf-8"))["temporary"])
    except (OSError, ValueError, KeyError, TypeError):
        return temporary_folder()


def _leave(own: Path, lock: int) -> None:
    with contextlib.suppress(OSError):
        own.unlink(missing_ok=True)
    os.close(lock)
