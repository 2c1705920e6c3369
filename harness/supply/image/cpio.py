"""Writing cpio archives in the "newc" format, which the kernel unpacks as its initramfs.

Format: Documentation/driver-api/early-userspace/buffer-format.rst. Archives made here are reproducible: owner
root, time 0, inode numbers in the order of the entries, which are sorted by path.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_DIGITS = re.compile(rb"[0-9A-Fa-f]*")


@dataclass(frozen=True, kw_only=True)
class Node:
    """One file, folder, link or device of an archive. `path` is relative, without a leading slash."""

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def file(path: str, data: bytes, *, executable: bool = False, private: bool = False) -> Node:
    """Return a regular file: mode 0755 if executable, 0600 if private, else 0644."""
    permissions = 0o755 if executable else 0o600 if private else 0o644
    return Node(path=path, mode=stat.S_IFREG | permissions, data=data)


def folder(path: str, *, private: bool = False) -> Node:
    """Return a folder: mode 0700 if private, else 0755."""
    return Node(path=path, mode=stat.S_IFDIR | (0o700 if private else 0o755))


def link(path: str, target: str) -> Node:
    """Return a symbolic link to `target`."""
    return Node(path=path, mode=stat.S_IFLNK | 0o777, data=target.encode())


def character_device(path: str, *, major: int, minor: int) -> Node:
    """Return a character device, mode 0600."""
    return Node(path=path, mode=stat.S_IFCHR | 0o600, device=(major, minor))


def archive(nodes: Iterable[Node]) -> bytes:
    """Return the archive of `nodes`, sorted by path (so that folders come before what is in them).

    Its length is a multiple of 512 bytes, so that another archive may follow directly.
    """
    parts: list[bytes] = []
    for number, node in enumerate(sorted(nodes, key=lambda node: node.path), start=1):
        parts.append(_entry(number, node))
    parts.append(_entry(0, Node(path="TRAILER!!!", mode=0)))
    whole = b"".join(parts)
    return whole + b"\0" * (-len(whole) % 512)


def append(target: BinaryIO, nodes: Iterable[tuple[Node, Path | None]]) -> None:
    """Write an archive of nodes whose content is that of a file of the host, where there is one beside it.

    Files are copied piece by piece: they may be large. Raises OSError, and ValueError for a file of 4 GiB or more, or
    one that becomes shorter meanwhile.
    """
    size = 0
    for number, (node, source) in enumerate(sorted(nodes, key=lambda each: each[0].path), start=1):
        if source is None:
            size += target.write(_entry(number, node))
            continue
        with source.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            if length >= 2**32:
                raise ValueError(f"{source} is too large for an initramfs, which takes files below 4 GiB")
            size += target.write(_header(number, node, length))
            begun = target.tell()
            shutil.copyfileobj(file, target, 1 << 20)
            if target.tell() - begun != length:
                raise ValueError(f"{source} was changed while it was read")
            size += length + target.write(b"\0" * (-length % 4))
    size += target.write(_entry(0, Node(path="TRAILER!!!", mode=0)))
    target.write(b"\0" * (-size % 512))


def _entry(number: int, node: Node) -> bytes:
    return _header(number, node, len(node.data)) + _padded(node.data)


def _header(number: int, node: Node, size: int) -> bytes:
    name = node.path.encode() + b"\0"
    fields = (
        number,
        node.mode,
        0,  # uid
        0,  # gid
        2 if stat.S_ISDIR(node.mode) else 1,
        0,  # mtime
        size,
        0,  # major and minor of the device that holds the file
        0,
        *node.device,
        len(name),
        0,  # check, unused in newc
    )
    header = b"070701" + b"".join(b"%08X" % value for value in fields)
    return _padded(header + name)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def read(data: bytes) -> Iterator[Node]:
    """Yield the entries of one archive as `archive` makes it; raise ValueError where it is none."""
    at = 0
    while data[at : at + 6] == b"070701":
        header = data[at + 6 : at + 110]
        if len(header) != 104:
            raise ValueError(f"the entry of a cpio archive at byte {at} is cut off")
        if not _DIGITS.fullmatch(header):
            raise ValueError(f"the entry of a cpio archive at byte {at} has a field that is no hexadecimal number")
        fields = struct.unpack(">13I", bytes.fromhex(header.decode()))
        mode, size, device, name_size = fields[1], fields[6], (fields[9], fields[10]), fields[11]
        start = at + 110 + name_size + -(110 + name_size) % 4
        if len(data) < start + size:
            raise ValueError(f"the entry of a cpio archive at byte {at} is cut off")
        path = data[at + 110 : at + 110 + name_size - 1].decode()
        if path == "TRAILER!!!":
            return
        yield Node(path=path, mode=mode, data=data[start : start + size], device=device)
        at = start + size + -size % 4
    raise ValueError(f"no entry of a cpio archive at byte {at}")
