"""An RPM repository as a source sees it: what it lists, which files are still there, and packages that are verified."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import lzma
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import zstandard

from harness.errors import FetchError, MirrorError, PackageGoneError
from harness.host.cache import Cache, digest
from harness.host.scratch import scratch_folder
from harness.supply.rpm.fetch import Repository
from harness.supply.rpm.mirror_lists import REPOMD, Checksum
from harness.supply.rpm.pin import Algorithm, RpmFile
from harness.supply.rpm.repodata import IndexFile, Listing, parse_repomd, scan_primary
from harness.supply.rpm.verify import Keys, check_index, check_packages

MOST_REPOMD, MOST_SIGNATURE, MOST_PRIMARY = 1 << 20, 1 << 16, 512 << 20
"""Bytes that repomd.xml, its signature and the packed primary.xml may have."""
FORMAT = 1
_MEMORY = 256 << 20
"""Bytes that unpacking may take."""
_PIECE = 1 << 20
_DAMAGED = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError, MemoryError)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class RpmArchive(Protocol):
    """What a source of kernels asks of an RPM repository."""

    @property
    def marks(self) -> tuple[str, ...]:
        """What tells the repository from others in a lock that names no host."""

    @property
    def notices(self) -> Sequence[str]:
        """What the user must know of addresses that failed until now."""

    def listing(self, wanted: Collection[str]) -> Listing:
        """Return what the repository lists now of the packages `wanted`; raise MirrorError or FetchError."""

    def has(self, package: RpmFile) -> bool:
        """Say whether the file of a package is there; where that cannot be found out, it is taken to be."""

    def fetch(self, packages: Iterable[RpmFile], folder: Path) -> list[Path]:
        """Fetch packages into `folder`, all of them verified; raise PackageGoneError, MirrorError or FetchError."""


class SignedRepository:
    """A repository at one of several addresses (`RpmArchive`).

    With `keys`, packages must be signed by one of them, and with `signed_index` repomd.xml, too. The checksums that
    repomd.xml and primary.xml give hold in any case.
    """

    def __init__(self, repository: Repository, *, cache: Cache, keys: Keys | None, signed_index: bool = True) -> None:
        self._repository = repository
        self._cache = cache
        self._keys = keys
        self._index_keys = keys if signed_index else None

    @property
    def marks(self) -> tuple[str, ...]:
        """Do what `RpmArchive` says."""
        return self._repository.marks

    @property
    def notices(self) -> Sequence[str]:
        """Do what `RpmArchive` says."""
        return self._repository.notices

    def listing(self, wanted: Collection[str]) -> Listing:
        """Do what `RpmArchive` says; primary.xml is kept in the cache, by its checksum."""

        def ask(base: str) -> Listing:
            with _naming(base):
                index = self._index(base)
                key = digest(FORMAT, index.algorithm, index.checksum)
                entry = self._cache.entry("rpm-index", key, lambda folder: self._primary(base, index, folder))
                return read_primary(entry.path / "primary", wanted)

        return self._repository.first(ask)

    def has(self, package: RpmFile) -> bool:
        """Do what `RpmArchive` says; one address that has it is enough."""
        return not all(self._repository.gone(base, package.file) for base in self._repository.bases)

    def fetch(self, packages: Iterable[RpmFile], folder: Path) -> list[Path]:
        """Do what `RpmArchive` says."""
        paths = [self._repository.first(self._fetching(package, folder)) for package in packages]
        if self._keys is not None:
            with scratch_folder() as scratch:
                check_packages(paths, keys=self._keys, scratch=scratch)
        return paths

    def _index(self, base: str) -> IndexFile:
        with scratch_folder() as scratch:
            repomd, signature = scratch / "repomd.xml", scratch / "repomd.xml.asc"
            try:
                self._repository.get(base, REPOMD, repomd, most=MOST_REPOMD)
            except PackageGoneError as error:
                raise MirrorError(f"there is no RPM repository: {error}") from error
            _check_named(repomd, self._repository.index)
            if self._index_keys is not None:
                try:
                    self._repository.get(base, f"{REPOMD}.asc", signature, most=MOST_SIGNATURE)
                except PackageGoneError as error:
                    raise FetchError(
                        "its index is not signed: it has no repomd.xml.asc. `unsigned: index` takes it as it is, and "
                        "still checks the signatures of the packages"
                    ) from error
                check_index(repomd, signature, keys=self._index_keys, scratch=scratch)
            return parse_repomd(repomd.read_bytes())

    def _primary(self, base: str, index: IndexFile, folder: Path) -> dict[str, Any]:
        most = min(MOST_PRIMARY, index.size or MOST_PRIMARY)
        try:
            self._repository.get(base, index.file, folder / "primary", most=most)
        except PackageGoneError as error:
            raise MirrorError(f"its index is not whole, perhaps while it is updated: {error}") from error
        check_sum(folder / "primary", index.algorithm, index.checksum, what=index.file)
        return {}

    def _fetching(self, package: RpmFile, folder: Path) -> Callable[[str], Path]:
        def fetch(base: str) -> Path:
            target = folder / package.file_name
            what = f"{package.name} {package.version}"
            try:
                self._repository.get(base, package.file, target, most=package.size)
            except PackageGoneError as error:
                raise PackageGoneError(f"the repository no longer has {what}: {error}") from error
            with _naming(base):
                check_sum(target, package.algorithm, package.checksum, what=what)
            return target

        return fetch


def _check_named(repomd: Path, index: Collection[Checksum]) -> None:
    """Raise FetchError where repomd.xml is none of those that a metalink names, if it names any."""
    data = repomd.read_bytes()
    if index and not any(hashlib.new(each.algorithm, data).hexdigest() == each.digits for each in index):
        raise FetchError("its repomd.xml is none of those that the metalink names: it is of another day, or not theirs")


def check_sum(path: Path, algorithm: Algorithm, expected: str, *, what: str) -> None:
    """Compare a file with its checksum; delete it and raise FetchError where it is another."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected:
        path.unlink()
        raise FetchError(f"{what} is not what the index says: its {algorithm} is {found}, not {expected}")


def read_primary(path: Path, wanted: Collection[str]) -> Listing:
    """Return what a primary.xml lists of the packages `wanted`, however it is packed; raise FetchError."""
    try:
        with path.open("rb") as file:
            return scan_primary(_unpacked(file), wanted)
    except _DAMAGED as error:
        raise FetchError(f"primary.xml cannot be unpacked: {error}") from error


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what is in a packed file, in pieces of bounded size."""
    head = file.read(6)
    file.seek(0)
    unpack = next((how for magic, how in _PACKERS.items() if head.startswith(magic)), _plain)
    return unpack(file)


def _plain(file: _Readable) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _xz(file: IO[bytes]) -> Iterator[bytes]:
    """Unpack xz with bounded memory, which lzma.open() cannot; there may be several streams."""
    data = file.read(_PIECE)
    while data:
        unpacker = lzma.LZMADecompressor(memlimit=_MEMORY)
        while not unpacker.eof:
            if unpacker.needs_input and not data:
                data = file.read(_PIECE)
                if not data:
                    raise EOFError("the file ends before its data does")
            yield unpacker.decompress(data, _PIECE)
            data = b""
        data = unpacker.unused_data or file.read(_PIECE)


def _zstd(file: IO[bytes]) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MEMORY)
    yield from _plain(unpacker.stream_reader(file, read_across_frames=True))


_PACKERS: dict[bytes, Callable[[IO[bytes]], Iterator[bytes]]] = {
    b"\x1f\x8b": lambda file: _plain(gzip.GzipFile(fileobj=file)),
    b"\xfd7zXZ\0": _xz,
    b"\x28\xb5\x2f\xfd": _zstd,
    b"BZh": lambda file: _plain(bz2.BZ2File(file)),
}
"""By the magic of the packed file; one with none of them is plain."""


@contextlib.contextmanager
def _naming(base: str) -> Iterator[None]:
    """Let errors about what is at an address name it."""
    try:
        yield
    except (FetchError, MirrorError) as error:
        if base in str(error):
            raise
        raise type(error)(f"{base}: {error}") from error
