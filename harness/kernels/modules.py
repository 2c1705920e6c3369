"""Kernel modules: which files, in which order. The order comes from depmod and modprobe, never from a list."""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import zstandard

from harness.errors import FetchError
from harness.process import find_tool, run


@dataclass(frozen=True)
class ModuleOrder:
    """Module files in the order of loading, and the names that are not modules of this kernel."""

    files: tuple[Path, ...]
    absent: tuple[str, ...]


def parse_show_depends(text: str) -> list[Path]:
    """Read the output of `modprobe --show-depends`: the module files in the order of loading.

    A path may hold spaces; options of the module may follow it.
    """
    lines = re.finditer(r"^insmod (\S.*?\.ko(?:\.(?:xz|gz|zst))?)(?:[ \t]|$)", text, re.MULTILINE)
    return [Path(match.group(1)) for match in lines]


def merge_orders(orders: Iterable[Sequence[Path]]) -> list[Path]:
    """Join several load orders into one that keeps each of them.

    Where they contradict one another, a file stands where it is first needed.
    """
    orders = list(orders)
    graph: TopologicalSorter[Path] = TopologicalSorter()
    for order in orders:
        for path in order:
            graph.add(path)
        for before, path in pairwise(order):
            graph.add(path, before)
    try:
        return list(graph.static_order())
    except CycleError:
        return list(dict.fromkeys(path for order in orders for path in order))


def find_modules(root: Path, *, release: str, names: Iterable[str]) -> ModuleOrder:
    """Find the files of `names` with all they depend on below `root`/lib/modules/`release`.

    `root` must be writable where modules.dep is missing, since depmod makes it. Raises FetchError where
    depmod fails, MissingToolError where kmod is not installed.
    """
    folder = root / "lib/modules" / release
    depmod = find_tool("depmod", package="kmod", purpose="order the kernel's modules")
    modprobe = find_tool("modprobe", package="kmod", purpose="order the kernel's modules")
    if not (folder / "modules.dep").exists():
        done = run([depmod, "-b", root, release])
        if done.returncode != 0:
            raise FetchError(f"depmod cannot read the modules of {release}: {done.stderr.strip()}")
    orders: list[list[Path]] = []
    absent: list[str] = []
    for name in names:
        done = run([modprobe, "-d", root, "-S", release, "--show-depends", name])
        order = parse_show_depends(done.stdout)
        if order:
            orders.append(order)
        else:
            absent.append(name)
    return ModuleOrder(tuple(merge_orders(orders)), tuple(absent))


def decompress(path: Path) -> bytes:
    """Return a module's ELF bytes, whatever it is compressed with; raise FetchError where that fails."""
    data = path.read_bytes()
    try:
        if data.startswith(b"\xfd7zXZ\0"):
            return lzma.decompress(data)
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data)
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            return _zstd(data)
    except (lzma.LZMAError, gzip.BadGzipFile, zlib.error, EOFError, zstandard.ZstdError) as error:
        raise FetchError(f"{path} cannot be decompressed: {error}") from error
    return data


def _zstd(data: bytes) -> bytes:
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    unpacked = bytes(unpacker.decompress(data))
    if not unpacker.eof:  # else what is there would pass for the whole
        raise EOFError("the file ends before its data does")
    return unpacked


def plain_name(path: Path) -> str:
    """Return a module file's name without its compression: `virtio-rng.ko.xz` -> `virtio-rng.ko`."""
    return re.sub(r"\.(xz|gz|zst)$", "", path.name)
