"""Temporary folders and files that show whether their maker still lives.

The maker holds a lock (flock(2)) on each, which the kernel releases when the process ends, however it ends. So what a
killed process has left is not taken for what another is using, whatever the age of either.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

PREFIX = "bpfmatrix."
"""How the names of temporary folders begin. Short, since the paths of sockets in them are limited (unix(7))."""
LONGEST_SOCKET = 107
"""Bytes that the path of a socket may have (unix(7), sun_path)."""
NAMES = len(f"/{PREFIX}12345678/12345")
"""How many of them are for the name of a temporary folder and of a socket in it."""
SHORT = Path("/tmp")
"""Where temporary folders with sockets are made where the path of TMPDIR is too long for that."""
HIDDEN = f".{PREFIX}"
"""How they begin beside entries of the cache."""


def temporary_folder() -> Path:
    """Return where temporary folders are made: TMPDIR, or SHORT where a socket's path in that would be too long."""
    wanted = Path(tempfile.gettempdir())
    return wanted if len(os.fsencode(wanted)) + NAMES <= LONGEST_SOCKET else SHORT


@contextlib.contextmanager
def scratch_folder(*, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder for the duration of the block: in `temporary_folder`, or a hidden one in `parent`.

    Raises OSError where it cannot be made. The folder may be moved away within the block.
    """
    prefix = PREFIX if parent is None else HIDDEN
    path, lock = make_held(lambda: Path(tempfile.mkdtemp(prefix=prefix, dir=parent or temporary_folder())))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def make_held(make: Callable[[], Path]) -> tuple[Path, int]:
    """Return what `make` has made, and the descriptor of the lock on it; closing that releases the lock.

    Somebody who looks for abandoned things may take it for one before it is locked; then another is made.
    """
    while True:
        path = make()
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(lock).st_ino:
                return path, lock
        os.close(lock)


@contextlib.contextmanager
def abandoned(path: Path) -> Iterator[bool]:
    """Say whether nobody holds a file or folder of this user's any more; nobody begins to within the block."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # it is gone, somebody else's, or a link
        yield False
        return
    try:
        yield os.fstat(lock).st_uid == os.geteuid() and _free(lock)
    finally:
        os.close(lock)


def _free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: several may look at a time
    except OSError:  # held, or of a file system without locks
        return False
    return True


def remove_abandoned(parent: Path) -> list[Path]:
    """Remove the temporary folders in `parent` whose makers are dead; return which."""
    gone = []
    for path in sorted([*parent.glob(f"{PREFIX}*"), *parent.glob(f"{HIDDEN}*")]):
        with abandoned(path) as dead:
            if dead and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
                gone.append(path)
    return gone
