"""The files of the host that go into a guest: which, to where, and on which way."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from harness.errors import ConfigError
from harness.host.paths import shown

PARCEL_BYTES = 4 * 1024 * 1024
"""Up to this many bytes go over SSH into a guest that is restored; more go into the initramfs of one that is booted."""
SERIAL_PARCEL_BYTES = 96 * 1024
"""The same where SSH goes over a serial port (50 KB/s)."""
MEMORY_FACTOR = 3
"""How many bytes of memory a guest gets for one of its initramfs. Packed and unpacked it is there twice at boot, and
what is unpacked may take half of the memory that is left beside the packed (init_rootfs() of the kernel: tmpfs)."""
MOUNTED = ("/dev", "/proc", "/run", "/sys", "/tmp")
"""Where a guest mounts something over what is in its initramfs."""
ASIDE = "/usr/share/bpfmatrix"
"""Where files of the initramfs lie that would be hidden in their own place."""
MOST_FILES = 100_000


@dataclass(frozen=True, kw_only=True)
class PushedFile:
    """One file, folder or link of a guest.

    `path` is absolute, `mode` as in stat(2). A file has a `source` on the host and its `size` in bytes, a link its
    `target`.
    """

    path: str
    mode: int
    size: int = 0
    source: Path | None = None
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Push:
    """What was asked for: a file or folder of the host, and where it goes; `to` is "" for the same place.

    A relative `file` begins at `folder`, and `to` at the command's folder in the guest.
    """

    file: str
    folder: Path
    to: str = ""

    @property
    def source(self) -> Path:
        """Where it lies on the host."""
        return self.folder / Path(self.file).expanduser()


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """All that a case brings into its guest: files, and archives that are appended to the initramfs as they are.

    `notes` say of what the archives are, for the reports.
    """

    files: tuple[PushedFile, ...] = ()
    archives: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """How many bytes the files have together."""
        return sum(file.size for file in self.files)

    def in_parcel(self, *, serial: bool) -> bool:
        """Say whether the files go over SSH, and not in the initramfs."""
        return self.bytes <= (SERIAL_PARCEL_BYTES if serial else PARCEL_BYTES)

    def memory(self, *, serial: bool) -> int:
        """Return how many MiB of memory the guest needs for what is in its initramfs."""
        packed = sum(path.stat().st_size for path in self.archives)
        if not self.in_parcel(serial=serial):
            packed += self.bytes
        return -(-packed * MEMORY_FACTOR // 2**20)


NOTHING = Pushed()


def parse_push(text: str, *, folder: Path) -> Push:
    """Return what `FILE` or `FILE:DEST` asks for; a file whose whole name is the text is meant before a place."""
    if ":" not in text or (folder / text).exists():
        return Push(file=text, folder=folder)
    file, _, to = text.rpartition(":")
    return Push(file=file, folder=folder, to=to)


def place_of(push: Push, *, cwd: str) -> str:
    """Return where a file or folder goes in the guest, as an absolute path.

    Without a place of its own an absolute path stays, and a relative one begins at the command's folder; of one that
    leads out of its folder only the name is kept. A place that ends in a slash is a folder that gets it.
    """
    name = push.source.name
    if push.to:
        place = os.path.normpath(PurePosixPath(cwd) / push.to)
        return f"{place.rstrip('/')}/{name}" if push.to.endswith("/") else place
    if Path(push.file).is_absolute():
        return os.path.normpath(push.file)
    relative = os.path.normpath(push.file)
    return str(PurePosixPath(cwd) / (name if relative.startswith("..") or push.file.startswith("~") else relative))


def files_of(push: Push, *, cwd: str) -> Iterator[PushedFile]:
    """Yield what is pushed of a file or a folder, with all that is in it; raise ConfigError where that is not there.

    A link within a folder stays one where it leads to something else of that folder; any other is followed.
    """
    source, place = push.source, place_of(push, cwd=cwd)
    if not source.exists():
        raise ConfigError(f"{shown(source)} cannot be pushed: there is no such file or folder")
    if not source.is_dir():
        yield _file(source, place)
        return
    top = source.resolve()
    yield PushedFile(path=place, mode=stat.S_IFDIR | (source.stat().st_mode & 0o7777))
    for count, path in enumerate(sorted(source.rglob("*"))):
        if count == MOST_FILES:
            raise ConfigError(f"{shown(source)} cannot be pushed: it holds more than {MOST_FILES} files")
        own = f"{place.rstrip('/')}/{path.relative_to(source)}"
        if path.is_symlink() and not path.readlink().is_absolute() and path.resolve().is_relative_to(top):
            yield PushedFile(path=own, mode=stat.S_IFLNK | 0o777, target=str(path.readlink()))
        elif path.is_dir():
            yield PushedFile(path=own, mode=stat.S_IFDIR | (path.stat().st_mode & 0o7777))
        elif path.exists() or not path.is_symlink():
            yield _file(path, own)


def _file(source: Path, place: str) -> PushedFile:
    try:
        state = source.stat()
        if not os.access(source, os.R_OK):
            raise ConfigError(f"{shown(source)} cannot be pushed: it may not be read")
    except OSError as error:
        raise ConfigError(f"{shown(source)} cannot be pushed: {error.strerror}") from error
    if not stat.S_ISREG(state.st_mode):
        raise ConfigError(f"{shown(source)} cannot be pushed: it is neither a file nor a folder")
    return PushedFile(path=place, mode=state.st_mode, size=state.st_size, source=source.absolute())


def without_doubles(files: Iterable[PushedFile]) -> tuple[PushedFile, ...]:
    """Return the files by path, each once: what was named last counts."""
    found: dict[str, PushedFile] = {}
    for file in files:
        found.pop(file.path, None)
        found[file.path] = file
    return tuple(found.values())


def divided(files: Iterable[PushedFile]) -> tuple[tuple[PushedFile, ...], tuple[PushedFile, ...]]:
    """Return what of some files is in the initramfs, and what goes over SSH all the same.

    Where the guest mounts something over its initramfs a file would be hidden: it lies aside, and a link to it goes
    over SSH, as do folders and links there.
    """
    packed: list[PushedFile] = []
    sent: list[PushedFile] = []
    for number, file in enumerate(files):
        if not hidden(file.path):
            packed.append(file)
        elif file.source is None:
            sent.append(file)
        else:
            packed.append(replace(file, path=f"{ASIDE}/{number}/{PurePosixPath(file.path).name}"))
            sent.append(PushedFile(path=file.path, mode=stat.S_IFLNK | 0o777, target=packed[-1].path))
    return tuple(packed), tuple(sent)


def hidden(path: str) -> bool:
    """Say whether the guest mounts something over a path of its initramfs."""
    return any(path == top or path.startswith(f"{top}/") for top in MOUNTED)
