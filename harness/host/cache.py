"""The cache: folders made once, checked by hash at every use, locked across processes, bounded in size.

An entry is a folder `<root>/<kind>/<key>` with a `manifest.json` that holds the sha256 of every file in it.
It is made under a temporary name and renamed into place, so that an interruption leaves nothing
half-written; a file that no longer has its hash makes the whole entry be made again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from harness.errors import CacheError

LIMIT_NOTE = "limit"
MANIFEST = "manifest.json"
LOCK_SECONDS = 1800.0
DEFAULT_MAX_GIB = 8.0
SPARSE_BLOCK = 64 * 1024
IN_USE_SECONDS = 3600.0
"""How long after it was last used an entry is taken to be in use still."""
ABANDONED_SECONDS = 86400.0
"""After this long nobody is making an entry any more: its temporary folder is a killed process's."""


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
        self.grown = False
        """Whether anything was put into the cache through this object."""

    def entry(self, kind: str, key: str, make: Callable[[Path], dict[str, Any]]) -> Entry:
        """Return the entry `kind`/`key`, made by `make` where it is missing or damaged.

        `make` fills the empty folder it is given and returns what to note in the manifest. Raises
        CacheError where the cache cannot be written (full disk, permissions), and whatever `make` raises.
        """
        path = self.root / kind / key
        with self.guarded(path), self.lock(f"{kind}-{key}"):
            meta = verified(path)
            if meta is not None:
                self.mark_used(path)
                return Entry(path, meta)
            repaired = path.exists()
            meta = self._make(path, make)
            self.grown = True
            self.mark_used(path)
            return Entry(path, meta, fresh=True, repaired=repaired)

    def peek(self, kind: str, key: str) -> Entry | None:
        """Return the entry where it is there and whole, else None. Never makes anything."""
        path = self.root / kind / key
        meta = verified(path) if path.is_dir() else None
        return Entry(path, meta) if meta is not None else None

    def folder(self, kind: str, name: str) -> Path:
        """Return (and make) a plain folder of the cache that its user keeps in order itself."""
        path = self.root / kind / name
        with self.guarded(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock `name` against other processes and threads; raise CacheError after half an hour."""
        path = self.root / "locks" / f"{name}.lock"
        held = FileLock(path, timeout=LOCK_SECONDS)
        with self.guarded(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                held.acquire()
            except Timeout as error:
                raise CacheError(
                    f"cache: another process has held the lock {name} for {LOCK_SECONDS:.0f} s; "
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
        after `keep_newer_than` (seconds since the epoch) stays, and so does what was used within the last hour:
        another run may be under way with it.
        """
        note = self.root / LIMIT_NOTE
        if not self.grown and note.exists() and note.read_text() == str(max_bytes):
            return
        self.trim(max_bytes=max_bytes, keep_newer_than=min(keep_newer_than, time.time() - IN_USE_SECONDS))
        note.write_text(str(max_bytes))

    def trim(self, *, max_bytes: int, keep_newer_than: float) -> list[str]:
        """Drop entries, least recently used first, until at most `max_bytes` remain.

        Entries used after the time `keep_newer_than` (seconds since the epoch) stay. What a killed process
        left behind half-made goes in any case, after a day. Returns what went.
        """
        for path in self.root.glob("*/.*"):
            if path.is_dir() and 0 < _last_use(path) < time.time() - ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        entries = sorted((path for path in self.root.glob("*/*") if (path / MANIFEST).is_file()), key=_last_use)
        total = self.size()
        gone: list[str] = []
        for path in entries:
            if total <= max_bytes:
                break
            if _last_use(path) >= keep_newer_than:
                continue
            total -= _tree_bytes(path)
            with self.lock(f"{path.parent.name}-{path.name}"):
                shutil.rmtree(path, ignore_errors=True)
            gone.append(f"{path.parent.name}/{path.name}")
        return gone

    def clear(self) -> int:
        """Remove everything in the cache and return how many bytes that was."""
        size = self.size()
        shutil.rmtree(self.root, ignore_errors=True)
        return size

    def _make(self, path: Path, make: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            meta = make(temporary)
            files = {
                str(file.relative_to(temporary)): sha256_file(file)
                for file in sorted(temporary.rglob("*"))
                if file.is_file()
            }
            manifest = {"files": files, "meta": meta, "made": time.time()}
            (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
            if path.exists():
                shutil.rmtree(path)
            temporary.chmod(0o755)
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return meta

    @staticmethod
    def mark_used(path: Path) -> None:
        """Note that the entry at `path` is used now, so that others go before it when the cache is trimmed."""
        # With the time given: the kernel's own stamp may be some milliseconds older than what this process calls now.
        now = time.time_ns()
        os.utime(path, ns=(now, now))

    @contextlib.contextmanager
    def guarded(self, path: Path) -> Iterator[None]:
        """Turn what the operating system refuses while `path` is written into CacheError."""
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"cache: {path} cannot be written: {error.strerror or error}. "
                f"Free some space or mend the permissions there, or set BPFMATRIX_CACHE to another folder; "
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


def _last_use(path: Path) -> float:
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
