"""Kernel modules: which files, in which order. The order comes from depmod and modprobe, never from a list."""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any

import zstandard

from harness.errors import FetchError
from harness.host.process import find_tool, run


@dataclass(frozen=True)
class ModuleOrder:
    """Module files in the order of loading, and the names that are not modules of this kernel."""

    files: tuple[Path, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class CaseModule:
    """A module that cases name: its file and those of all that it needs, in the order of loading; or it is built in.

    Where it is neither, the kernel does not have it.
    """

    files: tuple[Path, ...] = ()
    built_in: bool = False


_BUILT_IN = re.compile(r"^builtin ", re.MULTILINE)


def parse_show_depends(text: str) -> list[Path]:
    """Read the output of `modprobe --show-depends`: the module files in the order of loading.

    A path may hold spaces; options of the module may follow it.
    """
    lines = re.finditer(r"^insmod (\S.*?\.ko(?:\.(?:xz|gz|zst))?)(?:[ \t]|$)", text, re.MULTILINE)
    return [Path(match.group(1)) for match in lines]


def merge_orders(orders: Iterable[Sequence[Path]]) -> list[Path]:
    """Join several load orders into one that keeps each of them.

    Where they contradict one another, a file is where it is first needed.
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
    found = {name: module.files for name, module in find_each(root, release=release, names=names).items()}
    orders = [files for files in found.values() if files]
    return ModuleOrder(tuple(merge_orders(orders)), tuple(name for name, files in found.items() if not files))


def find_each(root: Path, *, release: str, names: Iterable[str]) -> dict[str, CaseModule]:
    """Find each of `names` by itself, as `find_modules` does; what is built in is known by modules.builtin."""
    depmod = find_tool("depmod", package="kmod", purpose="order the kernel's modules")
    modprobe = find_tool("modprobe", package="kmod", purpose="order the kernel's modules")
    if not (root / "lib/modules" / release / "modules.dep").exists():
        done = run([depmod, "-b", root, release])
        if done.returncode != 0:
            raise FetchError(f"depmod cannot read the modules of {release}: {done.stderr.strip()}")
    found = {}
    for name in names:
        shown = run([modprobe, "-d", root, "-S", release, "--show-depends", name]).stdout
        files = tuple(parse_show_depends(shown))
        # With what a built-in module needs come no files; what a file needs may be built in.
        found[name] = CaseModule(files, built_in=not files and bool(_BUILT_IN.search(shown)))
    return found


def find_for_cases(
    root: Path, *, release: str, names: Iterable[str], config: str | None, listed: Collection[str] = ()
) -> dict[str, CaseModule]:
    """Find what cases name, in a kernel that may have come without its modules.

    `config` is the text of its configuration, `listed` what is built in by a modules.builtin that lies elsewhere.
    Without such a list, an option of the module's own name that is set says that it is built in: CONFIG_VETH=y for
    veth. Raises FetchError where depmod fails.
    """
    names = list(names)
    folder = root / "lib/modules" / release
    there = (folder / "kernel").is_dir() or (folder / "modules.builtin").is_file()
    found = find_each(root, release=release, names=names) if there else dict.fromkeys(names, CaseModule())
    for name, module in found.items():
        known = name.replace("-", "_") in listed or built_in(name.upper().replace("-", "_"), config)
        if not module.files and not module.built_in and known:
            found[name] = CaseModule(built_in=True)
    return found


def listed_as_built_in(folder: Path) -> frozenset[str]:
    """Return the names of the modules that the modules.builtin in a folder lists, with `_` for `-`; none without it."""
    try:
        text = (folder / "modules.builtin").read_text(errors="replace")
    except OSError:
        return frozenset()
    return frozenset(Path(line.strip()).stem.replace("-", "_") for line in text.splitlines() if line.strip())


def built_in(option: str, config: str | None) -> bool:
    """Say whether CONFIG_`option` is `y` in a kernel's configuration; not where there is none."""
    return f"\nCONFIG_{option}=y\n" in f"\n{config or ''}\n"


def keep_in_order(files: Iterable[Path], folder: Path) -> list[str]:
    """Write module files to `folder`, decompressed, and return their names there, which carry the order of loading."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {f"{index:02d}-{plain_name(path)}": path for index, path in enumerate(files)}
    for name, path in kept.items():
        (folder / name).write_bytes(decompress(path))
    return list(kept)


def keep_for_cases(found: Mapping[str, CaseModule], folder: Path) -> dict[str, dict[str, Any]]:
    """Write the modules' files to `folder`, decompressed, and return what `kept_for_cases` reads again."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in {path for module in found.values() for path in module.files}:
        (folder / plain_name(path)).write_bytes(decompress(path))
    return {
        name: {"files": [plain_name(path) for path in module.files], "built_in": module.built_in}
        for name, module in found.items()
    }


def kept_for_cases(notes: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, CaseModule]:
    """Return the modules that `keep_for_cases` wrote to `folder`."""
    return {
        name: CaseModule(tuple(folder / file for file in note["files"]), built_in=note["built_in"])
        for name, note in notes.items()
    }


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
