"""Reading the types of a BPF object: just what says which maps it has, and whose registers it reads.

The format is that of the kernel's Documentation/bpf/btf.rst and include/uapi/linux/btf.h; maps are declared as libbpf
reads them (libbpf.c, parse_btf_map_def()).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

MAGIC = 0xEB9F
_PTR, _ARRAY, _STRUCT, _UNION, _VAR, _DATASEC = 2, 3, 4, 5, 14, 15
_MODIFIERS = frozenset({8, 9, 10, 11, 18})
"""BTF_KIND_TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG: what may be before a type."""
# How many bytes follow a struct btf_type, by kind: those that are always there, and those for each of its items.
_FOLLOWING = {1: (4, 0), _ARRAY: (12, 0), _STRUCT: (0, 12), _UNION: (0, 12), 6: (0, 8), 13: (0, 8), _VAR: (4, 0)}
_FOLLOWING |= {_DATASEC: (0, 12), 17: (4, 0), 19: (0, 12)}


@dataclass(frozen=True)
class _Type:
    kind: int
    name: int
    size_or_type: int
    numbers: tuple[int, ...]


class Btf:
    """The types of one .BTF section. Raises ValueError where it is damaged."""

    def __init__(self, data: bytes, *, order: Literal["little", "big"]) -> None:
        try:
            self._order = "<" if order == "little" else ">"
            self._read(data, self._order)
        except struct.error as error:
            raise ValueError(str(error)) from error

    def _read(self, data: bytes, order: str) -> None:
        magic, _, _, head, start, size, text_start, text_size = struct.unpack_from(f"{order}HBBIIIII", data)
        if magic != MAGIC:
            raise ValueError(f"the magic number is {magic:#x}")
        self._texts = data[head + text_start : head + text_start + text_size]
        self._types = [_Type(0, 0, 0, ())]  # void
        offset, end = head + start, head + start + size
        while offset < end:
            name, info, size_or_type = struct.unpack_from(f"{order}III", data, offset)
            kind = info >> 24 & 0x1F
            always, each = _FOLLOWING.get(kind, (0, 0))
            count = (always + each * (info & 0xFFFF)) // 4
            numbers = struct.unpack_from(f"{order}{count}I", data, offset + 12)
            self._types.append(_Type(kind, name, size_or_type, numbers))
            offset += 12 + 4 * count

    def variables(self, section: str) -> dict[str, int | None]:
        """Return the variables that are declared in a section, each with the map type that it has, if it has one."""
        found = {}
        for each in self._types:
            if each.kind == _DATASEC and self.text(each.name) == section:
                for number in each.numbers[::3]:
                    variable = self._type(number)
                    found[self.text(variable.name)] = self._map_type(variable)
        return found

    def sources(self, lines: bytes) -> Iterator[str]:
        """Yield the file of each line that a .BTF.ext section says instructions come from.

        The format is struct btf_ext_header's and struct bpf_line_info's (Documentation/bpf/btf.rst, "4.2 .BTF.ext
        section"). Raises ValueError where it is damaged.
        """
        try:
            (head,) = struct.unpack_from(f"{self._order}I", lines, 4)
            start, size = struct.unpack_from(f"{self._order}II", lines, 16)
            offset, end = head + start, head + start + size
            (record,) = struct.unpack_from(f"{self._order}I", lines, offset)
            offset += 4
            while offset < end:
                _, count = struct.unpack_from(f"{self._order}II", lines, offset)
                offset += 8
                for place in range(offset, offset + count * record, record):
                    yield self.text(struct.unpack_from(f"{self._order}4I", lines, place)[1])
                offset += count * record
        except (struct.error, ValueError) as error:  # a record of no bytes is a step of none
            raise ValueError(str(error)) from error

    def members(self, structure: str) -> frozenset[str]:
        """Return the names of the members of all structures of a name, those of nameless ones inside included."""
        found: set[str] = set()
        for each in self._types:
            if each.kind == _STRUCT and self.text(each.name) == structure:
                found.update(name for name, _ in self._members(each, depth=0))
        return frozenset(found)

    def _members(self, owner: _Type, *, depth: int) -> Iterator[tuple[str, _Type]]:
        for place in range(0, len(owner.numbers), 3):
            name, kind = self.text(owner.numbers[place]), self._bare(owner.numbers[place + 1])
            if name:
                yield name, kind
            elif kind.kind in (_STRUCT, _UNION) and depth < 8:
                yield from self._members(kind, depth=depth + 1)

    def _map_type(self, variable: _Type) -> int | None:
        """Return N where a variable is a structure with the member `int (*type)[N]`, as __uint(type, N) writes it."""
        owner = self._bare(variable.size_or_type)
        if variable.kind != _VAR or owner.kind != _STRUCT:
            return None
        for name, kind in self._members(owner, depth=0):
            pointed = self._bare(kind.size_or_type) if name == "type" and kind.kind == _PTR else None
            if pointed is not None and pointed.kind == _ARRAY:
                return pointed.numbers[2]
        return None

    def _bare(self, number: int) -> _Type:
        found = self._type(number)
        for _ in range(32):  # a damaged object may have a circle of them
            if found.kind not in _MODIFIERS:
                break
            found = self._type(found.size_or_type)
        return found

    def _type(self, number: int) -> _Type:
        if number >= len(self._types):
            raise ValueError(f"there is no type {number}")
        return self._types[number]

    def text(self, offset: int) -> str:
        """Return the text that begins at an offset of the section's texts; raise ValueError where there is none."""
        end = self._texts.find(b"\0", offset)
        if end < 0:
            raise ValueError(f"there is no text at {offset}")
        return self._texts[offset:end].decode(errors="replace")
