"""The types (BTF) of kernels and of their modules, taken out of the packages without a boot, and kept in the cache.

A kernel's are 1 to 2 MB packed, with an index of where each type is; those of its modules lie beside them, in an entry
of their own, since few objects ask for them and all modules must be unpacked for that.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import zstandard

from harness.errors import FetchError
from harness.forecast.btf import Btf, Index, Order
from harness.forecast.externs import options_of
from harness.host.cache import Cache, Entry, digest, sha256_known
from harness.host.scratch import scratch_folder
from harness.model.architectures import Architecture
from harness.supply.kernels.cached import kernel_image
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.modules import decompress, plain_name
from harness.supply.own.vmlinux import find_btf

FORMAT, MODULES_FORMAT = 1, 1
"""Raise one when what is kept changes: old cache entries are made again."""
TYPES, MODULES = "kernel-types", "module-types"
"""The kinds of the entries in the cache."""
_LEVEL = 9
Unpack = Callable[[Path], None]
"""Writes all of a build to an empty folder, as `KernelSource.unpack` does."""


def key_of(files: Sequence[str], arch: Architecture) -> str:
    """Return the key of a build's types, by the hashes of the files that it is made of."""
    return digest(FORMAT, arch.name, sorted(files))


def kept(cache: Cache, key: str, *, kind: str = TYPES) -> Entry | None:
    """Return the entry of a key where it is in the cache, else None."""
    return cache.peek(kind, key)


def keep_types(files: KernelFiles, key: str, *, cache: Cache) -> Entry:
    """Return the entry with the types of a kernel whose files are here; raise CacheError."""

    def make(folder: Path) -> dict[str, Any]:
        config = files.config.read_text(errors="replace") if files.config is not None else None
        return _keep(files.image.read_bytes(), config, folder, arch=files.arch, release=files.release)

    return cache.entry(TYPES, key, make)


def key_of_file(files: KernelFiles) -> str:
    """Return the key of the types of a kernel that is a file of the user's own."""
    return digest(FORMAT, files.arch.name, sha256_known(files.image))


def keep_all(unpack: Unpack, key: str, *, arch: Architecture, cache: Cache) -> Entry:
    """Return the entry with the types of a build of which nothing is here; those of its modules are made beside it.

    Raises FetchError where the build has no image, CacheError, and what `unpack` raises.
    """

    def make(folder: Path) -> dict[str, Any]:
        with scratch_folder(parent=folder.parent) as scratch:
            unpack(scratch)
            image = kernel_image(scratch)
            if image is None:
                raise FetchError("the packages hold no kernel image")
            release = image.name.split("-", 1)[1]
            config = scratch / f"boot/config-{release}"
            text = config.read_text(errors="replace") if config.exists() else None
            notes = _keep(image.read_bytes(), text, folder, arch=arch, release=release)
            cache.entry(MODULES, key, lambda beside: _keep_modules(scratch, types_in(folder, notes), beside))
            return notes

    return cache.entry(TYPES, key, make)


def keep_modules(unpack: Unpack, key: str, base: Btf | None, *, cache: Cache) -> Entry:
    """Return the entry with the types of a build's modules, whose kernel's own are `base`.

    Raises CacheError, and what `unpack` raises.
    """

    def make(folder: Path) -> dict[str, Any]:
        with scratch_folder(parent=folder.parent) as scratch:
            unpack(scratch)
            return _keep_modules(scratch, base, folder)

    return cache.entry(MODULES, key, make)


def _keep(image: bytes, config: str | None, folder: Path, *, arch: Architecture, release: str) -> dict[str, Any]:
    order: Order = "little" if arch.byte_order == "little" else "big"
    if config is not None:
        (folder / "config.zst").write_bytes(_packed(config.encode()))
    found = find_btf(image, order=order)
    places = 0
    if found is not None:
        index = Btf(found, order=order).index
        places = len(index.places)
        (folder / "types.zst").write_bytes(_packed(found))
        (folder / "index.zst").write_bytes(_packed(index.places.tobytes() + index.named.tobytes()))
    return {"release": release, "order": order, "places": places}


def types_in(folder: Path, notes: Mapping[str, Any]) -> Btf | None:
    """Return the types in the folder of an entry; None where the kernel has none. Raises OSError."""
    if not notes["places"]:
        return None
    numbers = array("I")
    numbers.frombytes(_unpacked(folder / "index.zst"))
    index = Index(numbers[: notes["places"]], numbers[notes["places"] :])
    return Btf(_unpacked(folder / "types.zst"), order=notes["order"], index=index)


def config_in(folder: Path) -> dict[str, str] | None:
    """Return the options of the kernel's configuration in the folder of an entry; None where it is not known."""
    path = folder / "config.zst"
    return options_of(_unpacked(path).decode(errors="replace")) if path.exists() else None


def _keep_modules(root: Path, base: Btf | None, folder: Path) -> dict[str, Any]:
    """Keep the types of all modules in an unpacked tree, each packed by itself, and which modules have a name."""
    places: dict[str, tuple[int, int]] = {}
    holders: dict[str, list[str]] = {}
    with (folder / "types").open("wb") as file:
        for path in sorted(root.glob("lib/modules/*/**/*.ko*")):
            data = section_of(decompress(path), b".BTF") if base is not None else None
            if data is None or base is None:
                continue
            name = plain_name(path).removesuffix(".ko").replace("-", "_")
            try:
                types = Btf(data, order=base.order, base=base)
                for each in dict.fromkeys(types.name(number) for number in types.index.named):
                    holders.setdefault(each, []).append(name)
            except ValueError:
                continue  # of another kernel, or damaged: the kernel would not take them either
            start = file.tell()
            file.write(_packed(data))
            places[name] = start, file.tell() - start
    lines = "".join(f"\n{name} {','.join(modules)}" for name, modules in sorted(holders.items()))
    (folder / "names.zst").write_bytes(_packed(f"{lines}\n".encode()))
    return {"modules": places}


@dataclass(frozen=True)
class ModuleTypes:
    """The types of the modules of a kernel, in the folder of an entry; `base` are the kernel's own."""

    folder: Path
    notes: Mapping[str, Any]
    base: Btf

    @cached_property
    def _names(self) -> bytes:
        return _unpacked(self.folder / "names.zst")

    def holding(self, name: str) -> tuple[str, ...]:
        """Return the modules that have something of a name."""
        start = self._names.find(f"\n{name} ".encode())
        if start < 0:
            return ()
        line = self._names[start + 1 : self._names.index(b"\n", start + 1)]
        return tuple(line.decode().partition(" ")[2].split(","))

    def types_of(self, module: str) -> Btf | None:
        """Return the types of one module, None where it has none or the kernel has no such module."""
        place = self.notes["modules"].get(module.replace("-", "_"))
        if place is None:
            return None
        with (self.folder / "types").open("rb") as file:
            file.seek(place[0])
            packed = file.read(place[1])
        return Btf(zstandard.ZstdDecompressor().decompress(packed), order=self.base.order, base=self.base)


def section_of(elf: bytes, name: bytes) -> bytes | None:
    """Return what is in a section of a 64-bit ELF file, None where it has none, or is no such file.

    Hundreds of modules are looked into: pyelftools would take most of the time.
    """
    if elf[:5] != b"\x7fELF\x02" or len(elf) < 64:
        return None
    sign = "<" if elf[5] == 1 else ">"
    try:
        (table,) = struct.unpack_from(f"{sign}Q", elf, 40)
        each, count, names = struct.unpack_from(f"{sign}HHH", elf, 58)
        heads = [struct.unpack_from(f"{sign}IIQQQQ", elf, table + number * each) for number in range(count)]
        texts = heads[names][4]
        for text, _, _, _, start, size in heads:
            if elf[texts + text : texts + text + len(name) + 1] == name + b"\0" and start + size <= len(elf):
                return elf[start : start + size]
    except (struct.error, IndexError):
        return None
    return None


def _packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def _unpacked(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompress(path.read_bytes())
