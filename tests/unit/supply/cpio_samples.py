"""An archive and what is in it, read by another reader than the product has."""

from __future__ import annotations

from harness.supply.image import cpio
from harness.supply.image.cpio import Node


def parse(data: bytes) -> tuple[list[tuple[Node, dict[str, int]]], int]:
    """Read one archive by the kernel's description of the format; return its entries and where it ends."""
    entries: list[tuple[Node, dict[str, int]]] = []
    at = 0
    while True:
        assert data[at : at + 6] == b"070701", f"no entry at {at}"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        ino, mode, uid, gid, nlink, mtime, size, _, _, major, minor, namesize, check = fields
        name = data[at + 110 : at + 110 + namesize]
        assert name.endswith(b"\0")
        begin = at + 110 + namesize + (-(110 + namesize) % 4)
        content = data[begin : begin + size]
        assert len(content) == size
        at = begin + size + (-size % 4)
        rest = {"ino": ino, "uid": uid, "gid": gid, "nlink": nlink, "mtime": mtime, "check": check}
        path = name[:-1].decode()
        if path == "TRAILER!!!":
            return entries, at
        entries.append((Node(path=path, mode=mode, data=content, device=(major, minor)), rest))


SAMPLE = [
    cpio.file("usr/bin/tool", b"#!", executable=True),
    cpio.folder("usr/bin"),
    cpio.folder("usr"),
    cpio.link("bin", "usr/bin"),
    cpio.file("usr/bin-data", b"odd"),
    cpio.character_device("dev/console", major=5, minor=1),
    cpio.folder("dev"),
    cpio.folder("root", private=True),
    cpio.file("root/key", b"secret", private=True),
]
