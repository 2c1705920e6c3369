"""Reading the layers of an image that lies in a folder: each checked by its digest, none unpacked as a whole."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

from harness.errors import FetchError
from harness.host.cache import sha256_file
from harness.supply.oci.manifest import Blob, Manifest
from harness.supply.oci.tree import File, HardLink, HostileError, Link, Member, Special, Tree

MOST_MEMBERS = 500_000
"""What the layers of an image may have in them altogether."""
MOST_UNPACKED = 64 << 30
"""How many bytes a layer may have, unpacked; they are read, not kept."""
MOST_KEPT = 4 << 30
"""How many bytes are written of an image."""
_LONGEST_NAME = 1 << 20
"""What a header that only has a long name, or more about the next member, may have; tarfile reads it whole."""
_CHUNK = 1 << 18
_UNREADABLE = (tarfile.TarError, EOFError, OSError, zlib.error, zstandard.ZstdError, ValueError, OverflowError)
_SPECIAL = {
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in a folder: its name for messages, what it is made of, and where each piece lies, by its sha256."""

    name: str
    manifest: Manifest
    blob: Callable[[str], Path]


def blobs_of_layout(folder: Path) -> Callable[[str], Path]:
    """Return where the pieces of an OCI layout are (image-layout.md)."""
    return lambda name: folder / "blobs/sha256" / name


def blobs_of_copy(folder: Path) -> Callable[[str], Path]:
    """Return where the pieces of a copy are that skopeo made as `dir:`."""
    return lambda name: folder / name


def checked_bytes(image: str, path: Path, blob: Blob, *, limit: int = 4 << 20) -> bytes:
    """Return a small piece of an image, a manifest or a configuration; raise FetchError where it is not what it is."""
    checked(image, "a manifest or configuration", path, blob, limit=limit)
    return path.read_bytes()


def checked(image: str, what: str, path: Path, blob: Blob, *, limit: int | None = None) -> None:
    """Raise FetchError where a piece of an image is missing, too large, or not what its digest says."""
    try:
        size = path.stat().st_size
        if limit is not None and size > limit:
            raise FetchError(f"{image}: {what} has {size} bytes; at most {limit} are read")
        found = sha256_file(path)
    except OSError as error:
        raise FetchError(f"{image}: {what} ({blob.digest[:19]}) is not there: {error.strerror}") from error
    if found != blob.hex:
        least = f"; it has {size} of {blob.size} bytes" if size != blob.size and blob.size else ""
        raise FetchError(
            f"{image}: {what} is damaged: its digest is sha256:{found[:12]}..., not {blob.digest[:19]}...{least}"
        )


def read_tree(image: Image) -> Tree:
    """Return what the image has, by the names in its layers; raise FetchError where one is not what it should be."""
    tree, count = Tree(), 0
    for number, layer in enumerate(image.manifest.layers):
        what = f"layer {number + 1} of {len(image.manifest.layers)}"
        path = image.blob(layer.hex)
        checked(image.name, what, path, layer)
        members = []
        try:
            with _opened(path) as archive:
                for index, info in enumerate(archive):
                    count += 1
                    members.append(Member(info.name, _what(info, layer=number, member=index, count=count)))
            tree.apply(members)
        except HostileError as error:
            raise FetchError(f"{image.name}: {what} is nothing to read: {error}") from error
        except _UNREADABLE as error:
            raise FetchError(f"{image.name}: {what} cannot be read to its end: {_text(error)}") from error
    return tree


def extract(image: Image, wanted: Mapping[Path, File]) -> None:
    """Write files of an image, which `read_tree` has read before, to some paths of the host.

    Raises FetchError where they are more than MOST_KEPT, OSError where they cannot be written.
    """
    total = sum(file.size for file in wanted.values())
    if total > MOST_KEPT:
        raise FetchError(f"{image.name}: {total / 2**30:.1f} GiB would be kept of it; at most {MOST_KEPT >> 30} are")
    places: dict[File, list[Path]] = {}
    for path, file in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        places.setdefault(file, []).append(path)
    by_layer: dict[int, dict[int, File]] = {}
    for file in places:
        by_layer.setdefault(file.layer, {})[file.member] = file
    for number, files in sorted(by_layer.items()):
        last = max(files)
        with _opened(image.blob(image.manifest.layers[number].hex)) as archive:
            for index, info in enumerate(archive):
                if index in files:
                    _write(archive.extractfile(info), places[files[index]])
                if index == last:
                    break


def _write(source: IO[bytes] | None, paths: list[Path]) -> None:
    assert source is not None
    with source, paths[0].open("wb") as file:
        while data := source.read(_CHUNK):
            file.write(data)
    for path in paths[1:]:
        path.write_bytes(paths[0].read_bytes())


def _what(info: tarfile.TarInfo, *, layer: int, member: int, count: int) -> File | Link | Special | HardLink | None:
    if count > MOST_MEMBERS:
        raise HostileError(f"the image has more than {MOST_MEMBERS} files")
    if info.isdir():
        return None
    if info.issym():
        return Link(info.linkname)
    if info.islnk():
        return HardLink(info.linkname)
    if info.isreg():
        return File(layer, member, info.size)
    return Special(_SPECIAL.get(info.type, "of an unknown kind"))


class _Careful:
    """An archive's bytes, of which what is said of members, such as long names, must fit into memory.

    tarfile reads that at once; the contents of members are read in chunks, by _write() and by the seek of its stream.
    """

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        if size > _LONGEST_NAME:
            raise HostileError(f"a name in it has {size} bytes")
        found: bytes = self._source.read(size)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class _Archive(tarfile.TarFile):
    """An archive that is read with care."""

    def __init__(self, name: Any = None, mode: Any = "r", fileobj: Any = None, **more: Any) -> None:
        super().__init__(name, mode, _Careful(fileobj), **more)


class _Zstd(io.RawIOBase):
    """What zstd packed, frame after frame; one that ends early is an EOFError, as with gzip."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._left = source, b""
        self._unpacker: Any = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        self._between = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        while not self._left:
            data = self._source.read(1 << 14)
            if not data:
                if self._between:
                    return 0
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            self._left = self._take(data)
        size = min(len(view), len(self._left))
        view[:size], self._left = self._left[:size], self._left[size:]
        return size

    def _take(self, data: bytes) -> bytes:
        found = b""
        while data:
            self._between = False
            found += bytes(self._unpacker.decompress(data))
            data = b""
            if self._unpacker.eof:
                data, self._between = bytes(self._unpacker.unused_data), True
                self._unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        return found


_END = 3 * tarfile.BLOCKSIZE


class _Limited(io.RawIOBase):
    """Bytes of which there may not be more than so many, and behind them the zeros that end an archive.

    Some programs that make layers leave these out, and the padding of the last file, too; container runtimes take it.
    """

    def __init__(self, source: Any, limit: int) -> None:
        self._source, self._room = source, limit
        self._zeros = _END
        self.count = 0
        """How many bytes there were."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size: int = self._source.readinto(buffer)
        self.count += size
        self._room -= size
        if self._room < 0:
            raise HostileError(f"it has more than {MOST_UNPACKED >> 30} GiB, unpacked")
        if not size:
            size = min(self._zeros, len(buffer))
            self._zeros -= size
            memoryview(buffer)[:size] = bytes(size)
        return size


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a layer: a tar archive, packed by gzip or zstd, or plain (layer.md)."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        plain: Any = file
        if head.startswith(b"\x1f\x8b"):
            plain = gzip.GzipFile(fileobj=file)
        elif head == b"\x28\xb5\x2f\xfd" or (head[1:] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):  # skippable
            plain = _Zstd(file)
        limited = _Limited(plain, MOST_UNPACKED)
        source = io.BufferedReader(limited, _CHUNK)
        with _Archive.open(fileobj=source, mode="r|", bufsize=_CHUNK) as archive:
            yield archive
            seen: Any = archive  # getmembers() would read on to the end
            whole = all(each.offset_data + each.size <= limited.count for each in seen.members[-1:])
        if not limited.count or not whole:
            raise EOFError("it ends before its last file does" if limited.count else "it is empty")


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
