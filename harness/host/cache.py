"""The cache: folders made once, checked by hash at every use, locked across processes, bounded in size.

An entry is a folder `<root>/<kind>/<key>` with a `manifest.json` that holds the sha256 of every file in it.
It is made under a temporary name and renamed into place, so that an interruption leaves nothing
half-written; a file that no longer has its hash makes the whole entry be made again. Whoever takes anything out of the
cache is one of its users (cache_users.py) from then on: nobody empties it under them, or removes what they have used.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from harness.errors import CacheError, UsageError
from harness.host import cache_users
from harness.host.cache_users import CacheUsers
from harness.host.scratch import HIDDEN, scratch_folder

LIMIT_NOTE = "limit"
MANIFEST = "manifest.json"
LOCK_SECONDS = 1800.0
DEFAULT_MAX_GIB = 8.0
SPARSE_BLOCK = 64 * 1024
ABANDONED_SECONDS = 86400.0
"""After this long nobody is making an entry any more that a version without scratch.py has begun."""
TAG = "CACHEDIR.TAG"
TAG_TEXT = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"  # https://bford.info/cachedir/
    "# This folder is the cache of bpfmatrix; its command `clean` empties it. Backups need not have it.\n"
)
UNTAGGED = frozenset(
    {"accel", "apt", "dependencies", "images", "kernels", "limit", "listings", "locks", "modules", "objects"}
    | {"path-modules", "programs", "snapshots", cache_users.FOLDER, cache_users.GATE}
)
"""All that lies in a cache of a version that did not write TAG."""


@dataclass(frozen=True)
class Entry:
    """A verified cache entry: its folder, and what its maker noted about it.

    `fresh` says that it was made just now; `repaired` that an entry was there, but damaged.
    """

    path: Path
    meta: dict[str, Any]
    fresh: bool = False
    repaired: bool = False


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file as hex digits; raise OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_sparse(path: Path) -> str:
    """Return a sha256 of what is in a file with large holes, as hex digits; raise OSError where it cannot be read.

    It covers the file's size, and number and bytes of every block of SPARSE_BLOCK that is not all zeros; so it does
    not depend on where the holes are, but what is in none need not be read.
    """
    zeros = bytes(SPARSE_BLOCK)
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        found = hashlib.sha256(str(size).encode())
        block = memoryview(bytearray(SPARSE_BLOCK))
        offset = 0
        while (offset := _next_data(file.fileno(), offset, size)) < size:
            number = offset // SPARSE_BLOCK
            offset = number * SPARSE_BLOCK
            file.seek(offset)
            length = file.readinto(block)
            if block[:length] != zeros[:length]:
                found.update(number.to_bytes(8, "little"))
                found.update(block[:length])
            offset += SPARSE_BLOCK
    return found.hexdigest()


def _next_data(fd: int, offset: int, size: int) -> int:
    """Return where the next bytes are that are in no hole (lseek(2), SEEK_DATA), `size` after the last."""
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size


def file_state(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written or replaced: inode, size and times; raise OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def sha256_known(path: Path, *, sparse: bool = False) -> str:
    """Return the sha256 of a file without reading it again, where it was hashed here and has its state since then.

    `sparse` takes sha256_sparse(). For keys, which say what something is made of, and for what one run uses many
    times; whether an entry is whole is always looked at. Raises OSError.
    """
    state, hashed = _hashed.get((path, sparse), ((), ""))
    return hashed if state == file_state(path) else _sha256_noted(path, sparse=sparse)


_hashed: dict[tuple[Path, bool], tuple[tuple[int, ...], str]] = {}
"""The files that this process has hashed, and whether as sparse ones: their state before that, and the sha256."""


def _sha256_noted(path: Path, *, sparse: bool = False) -> str:
    state = file_state(path)
    hashed = sha256_sparse(path) if sparse else sha256_file(path)
    _hashed[path, sparse] = (state, hashed)
    return hashed


def digest(*parts: Any) -> str:
    """Return a short stable key (24 hex digits) of JSON-serializable parts."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def default_root() -> Path:
    """Return `$BPFMATRIX_CACHE`, else the user's cache folder for bpfmatrix."""
    chosen = os.environ.get("BPFMATRIX_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("bpfmatrix"))


class Cache:
    """Entries by kind and key under one root folder."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()
        self.users = CacheUsers(self.root)
        self.grown = False
        """Whether anything was put into the cache through this object."""

    def entry(
        self, kind: str, key: str, make: Callable[[Path], dict[str, Any]], *, patience: float | None = None
    ) -> Entry:
        """Return the entry `kind`/`key`, made by `make` where it is missing or damaged.

        `make` fills the empty folder it is given and returns what to note in the manifest. `patience` is how long, in
        seconds, another process may take that makes it; usually half an hour. Raises CacheError where the cache cannot
        be written (full disk, permissions), and whatever `make` raises.
        """
        path = self.root / kind / key
        with self.guarded(path), self.lock(f"{kind}-{key}", patience=patience):
            meta = verified(path)
            if meta is not None and self.mark_used(path):
                return Entry(path, meta)
            repaired = path.exists()
            meta = self._make(path, make)
            self.grown = True
            self.mark_used(path)
            return Entry(path, meta, fresh=True, repaired=repaired)

    def peek(self, kind: str, key: str) -> Entry | None:
        """Return the entry where it is there and whole, else None. Never makes any."""
        path = self.root / kind / key
        if not path.is_dir():
            return None
        self._enter(path)
        meta = verified(path)
        return Entry(path, meta) if meta is not None and self.mark_used(path) else None

    def folder(self, kind: str, name: str) -> Path:
        """Return (and make) a plain folder of the cache that its user keeps in order itself."""
        path = self.root / kind / name
        self._enter(path)
        with self.guarded(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def scratch(self, kind: str) -> contextlib.AbstractContextManager[Path]:
        """Make a temporary folder for the duration of a block, on the disk of the entries of a kind; raise OSError."""
        folder = self.root / kind
        folder.mkdir(parents=True, exist_ok=True)
        return scratch_folder(parent=folder)

    @contextlib.contextmanager
    def lock(self, name: str, *, patience: float | None = None) -> Iterator[None]:
        """Hold the lock `name` against other processes and threads; raise CacheError after `patience` seconds.

        That is half an hour where nothing is said.
        """
        patience = LOCK_SECONDS if patience is None else patience
        path = self.root / "locks" / f"{name}.lock"
        self._enter(path)
        held = FileLock(path, timeout=patience)
        with self.guarded(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                held.acquire()
            except Timeout as error:
                raise CacheError(
                    f"cache: another process has held the lock {name} for {patience:.0f} s; "
                    f"end that process, or remove {path}"
                ) from error
        try:
            yield
        finally:
            held.release()

    def size(self) -> int:
        """Return the bytes that all entries take on disk."""
        return sum(_tree_bytes(path) for path in self.root.iterdir()) if self.root.is_dir() else 0

    def keep_within(self, max_bytes: int, *, keep_newer_than: float) -> None:
        """Trim where that may be needed: something was put in, or the limit is not that of the last time.

        Looking through a large cache takes as long as a guest's start, so it is not done for nothing. What was used
        after `keep_newer_than` (seconds since the epoch) stays, and so does what other processes may be using.
        """
        note = self.root / LIMIT_NOTE
        if self.grown or not note.exists() or note.read_text() != str(max_bytes):
            self.trim(max_bytes=max_bytes, keep_newer_than=keep_newer_than)
            note.write_text(str(max_bytes))
        self.users.begin_again()

    def trim(self, *, max_bytes: int, keep_newer_than: float) -> list[str]:
        """Drop entries, least recently used first, until at most `max_bytes` remain.

        Entries used after the time `keep_newer_than` (seconds since the epoch) stay, and those used since another
        process began that still uses the cache. What a killed process left behind half-made is removed in any case.
        Returns what is gone.
        """
        self.users.remove_dead()
        for path in self.root.glob("*/.*"):
            old = 0 < last_use(path) < time.time() - ABANDONED_SECONDS
            if old and path.is_dir() and not path.name.startswith(HIDDEN):
                shutil.rmtree(path, ignore_errors=True)
        others_since = self.users.in_use_since()
        keep_newer_than = min(keep_newer_than, keep_newer_than if others_since is None else others_since)
        total = self.size()
        gone: list[str] = []
        for path in sorted(self.entries("*"), key=last_use):
            if total <= max_bytes:
                break
            if last_use(path) >= keep_newer_than:
                continue
            total -= _tree_bytes(path)
            with self.lock(f"{path.parent.name}-{path.name}"):
                self.remove(path)
            gone.append(f"{path.parent.name}/{path.name}")
        return gone

    def entries(self, kind: str) -> list[Path]:
        """Return the folders of the entries of a kind, or of those that a pattern means."""
        found = (path.parent for path in self.root.glob(f"{kind}/*/{MANIFEST}"))
        return [path for path in found if not path.name.startswith(".")]

    def remove(self, path: Path) -> None:
        """Remove an entry, all of it at once for whoever looks; it may be gone already."""
        with contextlib.suppress(OSError), scratch_folder(parent=path.parent) as scratch:
            path.rename(scratch / path.name)

    def clear(self) -> int:
        """Remove everything in the cache and return how many bytes that was. The folder stays.

        Raises CacheInUseError where another process uses the cache, UsageError where the folder is no cache, and
        CacheError where something cannot be removed.
        """
        if not self.root.is_dir() or not any(self.root.iterdir()):
            return 0
        self._check_ours()
        with self.guarded(self.root), self.users.alone():
            self.users.remove_dead()
            size = self.size()
            kept = (cache_users.FOLDER, cache_users.GATE, TAG)
            for path in [each for each in self.root.iterdir() if each.name not in kept]:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
                if path.exists():
                    raise CacheError(f"cache: {path} cannot be removed; look at the permissions there")
        return size

    def _check_ours(self) -> None:
        """Raise UsageError where the folder was not made as a cache: it may hold anything."""
        names = {path.name for path in self.root.iterdir()}
        strange = sorted(names - UNTAGGED)
        if TAG not in names and strange:
            raise UsageError(
                f"{self.root} holds {strange[0]}, which no cache of bpfmatrix has, so nothing was removed. "
                f"Set BPFMATRIX_CACHE to the folder of a cache"
            )

    def _enter(self, path: Path) -> None:
        """Be a user of the cache; `path` is what it is needed for. Raises CacheError."""
        with self.guarded(path):
            if self.users.own is None:
                new = not self.root.is_dir() or {each.name for each in self.root.iterdir()} <= UNTAGGED
                self.users.enter()
                if new:
                    (self.root / TAG).write_text(TAG_TEXT)

    def _make(self, path: Path, make: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        with self.scratch(path.parent.name) as temporary:
            meta = make(temporary)
            files = {
                str(file.relative_to(temporary)): sha256_file(file)
                for file in sorted(temporary.rglob("*"))
                if file.is_file()
            }
            manifest = {"files": files, "meta": meta, "made": time.time()}
            (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
            if path.is_dir():
                self.remove(path)
            temporary.chmod(0o755)
            temporary.rename(path)
        return meta

    @staticmethod
    def mark_used(path: Path) -> bool:
        """Note that the entry at `path` is used now, so that it is among the last that a trim removes.

        Says whether it is there.
        """
        # With the time given: the kernel's own stamp may be some milliseconds older than what this process calls now.
        now = time.time_ns()
        try:
            os.utime(path, ns=(now, now))
        except FileNotFoundError:
            return False
        return True

    @contextlib.contextmanager
    def guarded(self, path: Path) -> Iterator[None]:
        """Turn what the operating system refuses while `path` is written into CacheError."""
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"cache: {path} cannot be written: {error.strerror or error}. "
                f"Free some space or correct the permissions there, or set BPFMATRIX_CACHE to another folder; "
                f"nothing half-written was left."
            ) from error


def verified(path: Path) -> dict[str, Any] | None:
    """Return the notes of the entry at `path` if every file of it has its hash, else None."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        files: dict[str, str] = dict(manifest["files"])
        present = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()} - {MANIFEST}
        if present != set(files):
            return None
        if any(_sha256_noted(path / name) != wanted for name, wanted in files.items()):
            return None
        meta: dict[str, Any] = manifest["meta"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return meta


def last_use(path: Path) -> float:
    """Return when an entry was last used, 0 where another process has just removed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _tree_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    total = 0
    for file in path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += file.lstat().st_blocks * 512
    return total
