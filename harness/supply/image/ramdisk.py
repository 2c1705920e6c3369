"""The initramfs of one guest: the shared userland, the kernel's modules, and what belongs to this run alone."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from harness.supply.image import cpio
from harness.supply.image.packages import merged
from harness.supply.pushed import PushedFile


def module_nodes(modules: Iterable[Path]) -> list[cpio.Node]:
    """Return the entries for a kernel's modules; their file names carry the order of loading."""
    return [cpio.file(f"modules/{path.name}", path.read_bytes()) for path in modules]


def key_nodes(*, host_key: bytes, authorized_key: str) -> list[cpio.Node]:
    """Return the entries for the SSH keys of one run."""
    return [
        cpio.file("etc/dropbear/dropbear_ed25519_host_key", host_key, private=True),
        cpio.folder("root/.ssh", private=True),
        cpio.file("root/.ssh/authorized_keys", f"{authorized_key}\n".encode(), private=True),
    ]


def pushed_nodes(files: Iterable[PushedFile]) -> list[tuple[cpio.Node, Path | None]]:
    """Return the entries for files of the host, with the folders that they are in."""
    found: dict[str, tuple[cpio.Node, Path | None]] = {}
    for file in files:
        path = merged(file.path.lstrip("/"))
        for parent in PurePosixPath(path).parents:
            if str(parent) not in (".", "root", "usr"):  # the userland has these, and one of them is private
                found.setdefault(str(parent), (cpio.folder(str(parent)), None))
        node = cpio.Node(path=path, mode=file.mode, data=file.target.encode())
        if path not in found or not stat.S_ISDIR(file.mode):
            found[path] = (node, file.source)
    return list(found.values())


def write_ramdisk(
    path: Path,
    *,
    base: Path,
    nodes: Iterable[cpio.Node],
    archives: Sequence[Path] = (),
    files: Iterable[PushedFile] = (),
) -> None:
    """Write the userland followed by more archives; the kernel unpacks all of them, one after the other.

    They are `archives`, that of `nodes`, and that of `files` where there are any.
    """
    more = pushed_nodes(files)
    with path.open("wb") as target:
        for archive in (base, *archives):
            with archive.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
        target.write(cpio.archive(nodes))
        if more:
            cpio.append(target, more)
