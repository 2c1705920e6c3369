"""BPF objects inside a program: libbpf's skeletons, Go's embed and Rust's include_bytes! have them as they are.

They are found by their ELF headers, which nothing else in a program looks like; their sizes are where their sections
end.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF\x02"
"""A 64-bit ELF file."""
EM_BPF = 247
_HEAD = 64
_NAMELESS = ("data", "data.0", "__data")
"""Symbols that say nothing: libbpf's skeletons (bpftool gen skeleton) have the object in a variable `data`."""

_NAME = re.compile(r"[A-Za-z_][\w.-]*")


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """An object in a program: `name` is unique in it, `offset` is where the object begins.

    It is the symbol that holds the object, or the source that it was made of (`xdp_basic` of xdp_basic.bpf.c), which
    a stripped program still says; where neither is known, or another object has it, the number.
    """

    name: str
    offset: int
    data: bytes


def embedded_in(data: bytes) -> list[Embedded]:
    """Return the BPF objects in the bytes of a program, each content once, in their order.

    The program's own header, at the beginning, is not looked at.
    """
    places: dict[bytes, int] = {}
    end = 0
    for offset in _headers(data):
        size = _size(data, offset) if offset >= end else None
        if size is not None:
            end = offset + size
            places.setdefault(data[offset:end], offset)
    symbols = list(_symbols(data)) if places else []  # a large program has many
    found: list[Embedded] = []
    for content, offset in places.items():
        holder = next((name for name, start, stop in symbols if start <= offset < stop), "")
        taken = {each.name for each in found}
        names = (holder, _source_of(content), str(len(found) + 1))
        name = next(name for name in names if name and name not in taken)
        found.append(Embedded(name=name, offset=offset, data=content))
    return found


def _headers(data: bytes) -> Iterator[int]:
    offset = data.find(MAGIC, 1)
    while offset >= 0:
        head = data[offset : offset + _HEAD]
        if len(head) == _HEAD and head[5] in (1, 2):
            (machine,) = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)
            if machine == EM_BPF:
                yield offset
        offset = data.find(MAGIC, offset + 1)


def _size(data: bytes, offset: int) -> int | None:
    """Return how many bytes the ELF file at an offset has, None where its sections are not all there."""
    order = "<" if data[offset + 5] == 1 else ">"
    (table,) = struct.unpack_from(f"{order}Q", data, offset + 40)
    each, count = struct.unpack_from(f"{order}HH", data, offset + 58)
    size = int(table) + int(each) * int(count)
    if each != _HEAD or not count or offset + size > len(data):
        return None
    for number in range(count):
        place = offset + table + number * each
        (kind,) = struct.unpack_from(f"{order}I", data, place + 4)
        start, length = struct.unpack_from(f"{order}QQ", data, place + 24)
        if kind != 8:  # SHT_NOBITS has no bytes in the file
            size = max(size, int(start) + int(length))
    return size if offset + size <= len(data) else None


def _source_of(content: bytes) -> str:
    """Return the name of the source that clang made an object of, without its ending; "" where it does not say it."""
    import io  # noqa: PLC0415

    from elftools.common.exceptions import ELFError  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    from harness.supply.sections import ElfObject  # noqa: PLC0415

    try:
        file = ElfObject(ELFFile(io.BytesIO(content))).source
    except (ELFError, KeyError, ValueError, UnicodeDecodeError):
        return ""
    stem = file.rpartition("/")[2].removesuffix(".c").removesuffix(".bpf")
    return stem if _NAME.fullmatch(stem) else ""


def _symbols(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield the variables of a program that say what they hold: the name, and where in the file it begins and ends."""
    import io  # noqa: PLC0415

    from elftools.common.exceptions import ELFError  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    try:
        yield from _variables(ELFFile(io.BytesIO(data)))
    except (ELFError, KeyError, ValueError, UnicodeDecodeError):
        return


def _variables(elf: ELFFile) -> Iterator[tuple[str, int, int]]:
    sections = list(elf.iter_sections())
    for table in sections:
        if table["sh_type"] not in ("SHT_SYMTAB", "SHT_DYNSYM"):
            continue
        for symbol in table.iter_symbols():
            number = symbol["st_shndx"]
            if symbol["st_info"]["type"] != "STT_OBJECT" or not isinstance(number, int) or symbol.name in _NAMELESS:
                continue
            section = sections[number]
            start = section["sh_offset"] + symbol["st_value"] - section["sh_addr"]
            yield symbol.name, start, start + symbol["st_size"]
