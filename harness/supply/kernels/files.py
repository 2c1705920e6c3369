"""What every kernel source hands over, and what a kernel's files alone say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.model.architectures import Architecture
from harness.model.results import PackageInfo
from harness.supply.kernels.modules import CaseModule


@dataclass(frozen=True, kw_only=True)
class KernelFiles:
    """A kernel that can be booted.

    `modules` are decompressed files in the order in which they must be loaded when the guest starts; `absent` are
    asked-for modules that the kernel does not have as modules (built in, or not at all). `case_modules` are those that
    cases name, by name; they are loaded for their cases only. `has_network` says whether
    the guest can have its network card; without it, the guest is reached over a serial port.
    `notice` is something that is reported to the user (a pinned package that was replaced). `entry` is the folder in
    the cache that holds the kernel; it is None where the image is the user's own, which may be another at any time.
    """

    name: str
    arch: Architecture
    release: str
    image: Path
    config: Path | None
    modules: tuple[Path, ...]
    absent: tuple[str, ...]
    has_network: bool
    package: PackageInfo
    notice: str = ""
    entry: Path | None = None
    case_modules: Mapping[str, CaseModule] = field(default_factory=dict)


def looks_like_kernel(head: bytes, arch: Architecture) -> bool:
    """Say whether the first bytes of a file (at least 128 KiB where it has them) are a kernel of `arch`."""
    return any(head[offset : offset + len(magic)] == magic for offset, magic in arch.kernel_magic)


def release_of_image(data: bytes) -> str | None:
    """Return the release that a kernel image names itself, or None where it cannot be read without unpacking.

    An x86 bzImage has it in the clear (Documentation/arch/x86/boot.rst, kernel_version at 0x20e); an
    uncompressed image holds the "Linux version ..." banner.
    """
    if data[0x202:0x206] == b"HdrS":
        offset = int.from_bytes(data[0x20E:0x210], "little")
        if not offset:  # the image does not say
            return None
        text = data[offset + 0x200 : offset + 0x200 + 256].split(b"\0")[0].decode("ascii", "replace")
        return text.split(" ")[0] or None
    match = re.search(rb"Linux version (\d\S*) ", data)
    return match.group(1).decode("ascii", "replace") if match else None
