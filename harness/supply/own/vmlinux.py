"""vmlinux.h, for sources that include one and bring none: bpftool makes it of a kernel's BTF.

With CO-RE (bpftool's header says preserve_access_index) the kernel that it is made of need not be the one that runs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import ObjectFileError
from harness.host.cache import Cache, digest, sha256_known
from harness.host.process import find_tool, run
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.payload import contents

T = TypeVar("T")
HEADER = "vmlinux.h"
_MAGIC = {"little": b"\x9f\xeb\x01\0", "big": b"\xeb\x9f\x01\0"}
"""The first bytes of struct btf_header (include/uapi/linux/btf.h): magic, version, flags."""
_HEADS = (24, 32)
"""How long that header is: without and with where the layout of the kinds is."""
_LEAST = 256 * 1024
"""Fewer bytes of types than any kernel has: what else begins like BTF is none of a kernel."""
FORMAT = 1
MOST_TRIED = 4
"""Of how many kernels a vmlinux.h is tried: types change, and a source may be older than those of the newest."""


def header_folder(files: KernelFiles, *, cache: Cache) -> Path:
    """Return a folder with the vmlinux.h of a kernel; raise ObjectFileError where its image has no BTF."""

    def make(folder: Path) -> dict[str, Any]:
        found = find_btf(files.image.read_bytes(), order=files.arch.byte_order)
        if found is None:
            raise ObjectFileError(
                f"{files.name} has no BTF that a vmlinux.h could be made of. Put a vmlinux.h beside the source"
            )
        raw = folder / "vmlinux.btf"
        raw.write_bytes(found)
        done = run([bpftool, "btf", "dump", "file", raw, "format", "c"])
        if done.returncode != 0:
            raise ObjectFileError(f"bpftool makes no vmlinux.h of the BTF of {files.name}: {done.stderr.strip()}")
        (folder / HEADER).write_text(done.stdout)
        raw.unlink()
        return {"kernel": files.name, "release": files.release}

    bpftool = find_tool("bpftool", package="bpftool", purpose="make a vmlinux.h of a kernel's BTF")
    return cache.entry("vmlinux", digest(FORMAT, sha256_known(files.image)), make).path


def spread(kernels: Sequence[T]) -> list[T]:
    """Return a few of some kernels, from the last to the first, as far apart as they are many."""
    last, steps = len(kernels) - 1, MOST_TRIED - 1
    places = dict.fromkeys(last - last * step // steps for step in range(steps + 1))
    return [kernels[place] for place in places] if kernels else []


def find_btf(image: bytes, *, order: str) -> bytes | None:
    """Return the BTF in a kernel's image, whatever that is packed in; None where there is none."""
    for data in contents(image):
        start = data.find(_MAGIC[order])
        while start >= 0:
            length = _length(data, start, order)
            if length is not None:
                return data[start : start + length]
            start = data.find(_MAGIC[order], start + 1)
    return None


def _length(data: bytes, start: int, order: str) -> int | None:
    """Return how long the BTF is that begins at a place; None where what is there is not a kernel's."""
    if start + 24 > len(data):
        return None
    head, of_types, types, of_texts, texts = struct.unpack_from(
        f"{'<' if order == 'little' else '>'}5I", data, start + 4
    )
    whole = head + of_texts + texts
    if head not in _HEADS or of_types or of_texts != types or types < _LEAST or start + whole > len(data):
        return None
    return whole if data[start + head + of_texts] == 0 else None
