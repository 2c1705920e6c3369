"""The initramfs of one guest: the shared userland, the kernel's modules, and what belongs to this run alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from harness.supply.image import cpio


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


def write_ramdisk(path: Path, *, base: Path, nodes: Iterable[cpio.Node]) -> None:
    """Write the userland followed by one more archive; the kernel unpacks both, one after the other."""
    with path.open("wb") as target:
        with base.open("rb") as source:
            shutil.copyfileobj(source, target, 1 << 20)
        target.write(cpio.archive(nodes))
