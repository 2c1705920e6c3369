"""Reading cpio archives piece by piece, as they come out of an RPM ("newc", Documentation/driver-api/early-userspace).

harness/supply/image/cpio.py writes them, and reads small ones; the payload of a kernel may have gigabytes.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_MAGICS = (b"070701", b"070702")
"""newc, and newc with checksums. Files of 4 GiB and more have a magic of rpm's own; no kernel has any."""
_DIGITS = re.compile(rb"[0-9A-Fa-f]{104}")
_LONGEST_NAME = 4096
_PIECE = 1 << 20


class NoCpioError(ValueError):
    """The stream is no cpio archive, or it ends before the archive does."""


@dataclass(kw_only=True)
class Member:
    """One member of an archive. Of a file with several names (`links`), the last of them has the data."""

    name: str
    mode: int
    inode: int
    links: int
    size: int
    stream: IO[bytes]
    left: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    def pieces(self) -> Iterator[bytes]:
        """Yield what is in it and was not yet read, before the next member is asked for. Raises NoCpioError."""
        while self.left:
            piece = _exactly(self.stream, min(self.left, _PIECE))
            self.left -= len(piece)
            yield piece


def members(stream: IO[bytes]) -> Iterator[Member]:
    """Yield the members of an archive in their order; raise NoCpioError where it is none, or not whole."""
    while True:
        header = _exactly(stream, 110)
        if header[:6] not in _MAGICS or not _DIGITS.fullmatch(header[6:]):
            raise NoCpioError(f"there is no member of an archive, but {header[:6]!r}")
        values = [int(header[at : at + 8], 16) for at in range(6, 110, 8)]
        inode, mode, links, size, name_size = values[0], values[1], values[4], values[6], values[11]
        if not 0 < name_size <= _LONGEST_NAME:
            raise NoCpioError(f"a member has a name of {name_size} bytes")
        name = _exactly(stream, name_size + -(110 + name_size) % 4)[: name_size - 1].decode(errors="replace")
        if name == "TRAILER!!!":
            return
        member = Member(name=name, mode=mode, inode=inode, links=links, size=size, stream=stream, left=size)
        yield member
        for _ in member.pieces():
            pass
        _exactly(stream, -size % 4)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise NoCpioError("it ends before its last member")
    return data
