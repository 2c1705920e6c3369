"""The types of a kernel, a module or an object (BTF), each decoded where it is asked for.

A kernel has a hundred thousand of them, and a question needs a dozen. So an index is made once, which says where each
type begins and which names there are; whoever keeps the types keeps it beside them.

The format is that of include/uapi/linux/btf.h and Documentation/bpf/btf.rst. Since 7.1 the kind of a type has seven
bits and the number of its items 24, where it was five and 16; the bits between were zero before.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

MAGIC = 0xEB9F
HEAD = 24
"""Bytes of struct btf_header up to the length of the texts; newer ones go on."""
INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF = 1, 2, 3, 4, 5, 6, 7, 8
VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO, VAR, DATASEC = 9, 10, 11, 12, 13, 14, 15
FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = 16, 17, 18, 19
KINDS = (
    *("void", "int", "pointer", "array", "struct", "union", "enum", "forward declaration", "typedef", "volatile"),
    *("const", "restrict", "function", "function prototype", "variable", "section", "float", "declaration tag"),
    *("type tag", "enum64"),
)
"""What the kinds are called, by their numbers."""
MODIFIERS = frozenset({TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG})
"""What may be before a type (libbpf.c, skip_mods_and_typedefs())."""
ENUMS = frozenset({ENUM, ENUM64})
COMPOSITES = frozenset({STRUCT, UNION})
SIGNED = 1
"""BTF_INT_SIGNED."""
MOST_STEPS = 32
"""How many types are passed through on the way to one that counts (libbpf's btf.c, MAX_RESOLVE_DEPTH)."""
_ALWAYS = {INT: 4, ARRAY: 12, VAR: 4, DECL_TAG: 4}
_EACH = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, DATASEC: 12, ENUM64: 12}
"""Bytes behind a struct btf_type: those that are always there, and those for each item."""
_SIZED = frozenset({INT, STRUCT, UNION, ENUM, ENUM64, DATASEC, FLOAT})
POINTER_BYTES = 8

Order = Literal["little", "big"]


class Type(NamedTuple):
    """A struct btf_type: `flag` is its kind_flag, `size` the size or the type that it refers to, `place` its offset."""

    kind: int
    name: int
    items: int
    flag: bool
    size: int
    place: int


class Member(NamedTuple):
    """A member of a structure or union: `bit` is its offset in bits; `bits` its size if it is a bit field, else 0."""

    name: str
    type: int
    bit: int
    bits: int


class Parameter(NamedTuple):
    """A parameter of a function; the type 0 without a name stands for `...`."""

    name: str
    type: int


@dataclass(frozen=True)
class Index:
    """Where each type is (`places`, in the section of types), and those with a name in the order of the names."""

    places: array[int]
    named: array[int]


class Btf:
    """The types of one section .BTF. Those of a module go on behind those of its kernel, which is the `base`.

    Without an `index` it is made. Raises ValueError where the bytes are no such types, also from its methods where
    they are damaged.
    """

    def __init__(self, data: bytes, *, order: Order, index: Index | None = None, base: Btf | None = None) -> None:
        sign = "<" if order == "little" else ">"
        self.order, self.base = order, base
        try:
            magic, _, _, head, start, size, text_start, text_size = struct.unpack_from(f"{sign}HBBIIIII", data)
        except struct.error as error:
            raise ValueError(f"it has {len(data)} bytes") from error
        if magic != MAGIC:
            raise ValueError(f"the magic number is {magic:#x}")
        if len(data) < head + max(start + size, text_start + text_size):
            raise ValueError("it ends before its header says")
        self._types = memoryview(data)[head + start : head + start + size]
        self._texts = bytes(data[head + text_start : head + text_start + text_size])
        self._head, self._words = struct.Struct(f"{sign}III"), {n: struct.Struct(f"{sign}{n}I") for n in (1, 2, 3)}
        self.first = base.end if base is not None else 1
        self._text_start = base.text_end if base is not None else 0
        self._known: dict[int, Type] = {}
        self._members: dict[int, tuple[Member, ...]] = {}
        self._index = index

    @cached_property
    def index(self) -> Index:
        """Where the types are."""
        return self._index or self._make_index()

    @property
    def end(self) -> int:
        """The number behind that of the last type."""
        return self.first + len(self.index.places)

    @property
    def text_end(self) -> int:
        """The offset behind the last text."""
        return self._text_start + len(self._texts)

    def _make_index(self) -> Index:
        places, named, offset, end = array("I"), [], 0, len(self._types)
        names, data, read = self._texts, self._types, self._head.unpack_from
        always, each, start, number = _ALWAYS.get, _EACH.get, self._text_start, self.first
        try:
            while offset < end:
                name, info, _ = read(data, offset)
                places.append(offset)
                if name:
                    # Names of the base are not in order with the module's own; a module has few of either.
                    found = names[name - start : names.index(b"\0", name - start)] if name >= start else self._raw(name)
                    named.append((found, number))
                kind, items = info >> 24 & 0x7F, info & 0xFFFFFF
                offset += 12 + always(kind, 0) + each(kind, 0) * items
                number += 1
        except (struct.error, ValueError) as error:
            raise ValueError(f"type {number} is damaged: {error}") from error
        if offset != end:
            raise ValueError(f"type {number - 1} ends behind all types")
        named.sort()
        return Index(places, array("I", (number for _, number in named)))

    def type(self, number: int) -> Type:
        """Return a type; raise ValueError where there is none of that number."""
        known = self._known.get(number)
        if known is not None:
            return known
        if number < self.first and number:
            if self.base is None:
                raise ValueError(f"there is no type {number}")
            return self.base.type(number)
        if not number:
            return Type(0, 0, 0, False, 0, 0)
        try:
            place = self.index.places[number - self.first]
        except IndexError as error:
            raise ValueError(f"there is no type {number}") from error
        name, info, size = self._head.unpack_from(self._types, place)
        made = Type(info >> 24 & 0x7F, name, info & 0xFFFFFF, bool(info >> 31), size, place)
        self._known[number] = made
        return made

    def holder(self, number: int) -> Btf:
        """Return the types that have a type in their own section: these, or their base."""
        return self if number >= self.first or self.base is None else self.base.holder(number)

    def _raw(self, offset: int) -> bytes:
        if offset < self._text_start and self.base is not None:
            return self.base._raw(offset)
        offset -= self._text_start
        end = self._texts.find(b"\0", offset)
        if end < 0:
            raise ValueError(f"there is no text at {offset}")
        return self._texts[offset:end]

    def text(self, offset: int) -> str:
        """Return the text that begins at an offset of the texts; raise ValueError where there is none."""
        return self._raw(offset).decode(errors="replace")

    def name(self, number: int) -> str:
        """Return the name of a type, "" where it has none."""
        return self.text(self.type(number).name)

    def bare(self, number: int) -> int:
        """Return the type behind typedefs and what may be before a type; raise ValueError where they form a circle."""
        for _ in range(MOST_STEPS):
            found = self.type(number)
            if found.kind not in MODIFIERS:
                return number
            number = found.size
        raise ValueError(f"type {number} leads in a circle")

    def members(self, number: int) -> tuple[Member, ...]:
        """Return the members of a structure or union."""
        own = self.holder(number)
        known = own._members.get(number)
        if known is None:
            known = own._members[number] = tuple(self._read_members(number))
        return known

    def _read_members(self, number: int) -> Iterator[Member]:
        found = self.type(number)
        for name, kind, offset in self._items(number, found, 3):
            bit, bits = (offset & 0xFFFFFF, offset >> 24) if found.flag else (offset, 0)
            yield Member(self.text(name), kind, bit, bits)

    def enumerators(self, number: int) -> list[tuple[str, int]]:
        """Return the names and values of an enumeration."""
        found = self.type(number)
        if found.kind == ENUM:
            # libbpf and the kernel take the value for an s32, whatever the flag says (struct btf_enum).
            return [(self.text(name), _signed(low, 32)) for name, low in self._items(number, found, 2)]
        wide = ((name, high << 32 | low) for name, low, high in self._items(number, found, 3))
        return [(self.text(name), _signed(value, 64) if found.flag else value) for name, value in wide]

    def parameters(self, number: int) -> list[Parameter]:
        """Return the parameters of a function's prototype."""
        return [Parameter(self.text(name), kind) for name, kind in self._items(number, self.type(number), 2)]

    def variables(self, number: int) -> list[tuple[int, int, int]]:
        """Return what a section (DATASEC) has: types of variables or functions, with offset and size."""
        return [(kind, offset, size) for kind, offset, size in self._items(number, self.type(number), 3)]

    def _items(self, number: int, found: Type, count: int) -> Iterator[tuple[int, ...]]:
        own = self.holder(number)
        step, read = count * 4, self._words[count].unpack_from
        for place in range(found.place + 12, found.place + 12 + found.items * step, step):
            yield read(own._types, place)

    def array(self, number: int) -> tuple[int, int]:
        """Return the type of an array's elements, and how many there are."""
        element, _, count = self._words[3].unpack_from(self.holder(number)._types, self.type(number).place + 12)
        return element, count

    def integer(self, number: int) -> tuple[int, int, int]:
        """Return what an integer is: its encoding (SIGNED and others), the offset of its first bit, and its bits."""
        (info,) = self._words[1].unpack_from(self.holder(number)._types, self.type(number).place + 12)
        return info >> 24 & 0xF, info >> 16 & 0xFF, info & 0xFF

    def size(self, number: int) -> int:
        """Return the bytes of a type (libbpf's btf.c, btf__resolve_size()); raise ValueError where it has none."""
        count = 1
        for _ in range(MOST_STEPS):
            found = self.type(number)
            if found.kind in _SIZED:
                return count * found.size
            if found.kind == PTR:
                return count * POINTER_BYTES
            if found.kind == ARRAY:
                number, items = self.array(number)
                count *= items
            elif found.kind in MODIFIERS or found.kind in (VAR, DECL_TAG):
                number = found.size
            else:
                break
        raise ValueError(f"type {number} has no size")

    def find(self, name: str, *kinds: int) -> int | None:
        """Return the first type of a name and of one of some kinds, those of the base first; None where none is."""
        if self.base is not None:
            found = self.base.find(name, *kinds)
            if found is not None:
                return found
        return self.find_own(name, *kinds)

    def find_own(self, name: str, *kinds: int) -> int | None:
        """Return the first type of a name and of one of some kinds, none of the base."""
        there = [number for number in self._named(name.encode()) if self.type(number).kind in kinds]
        return min(there, default=None)

    def alike(self, essential: str) -> list[int]:
        """Return the types of these alone whose names are the same but for a flavour (`essential_name`)."""
        exact = self._named(essential.encode())
        flavoured = self._between(f"{essential}___".encode())
        return sorted({*exact, *(number for number in flavoured if essential_name(self.name(number)) == essential)})

    def _named(self, name: bytes) -> list[int]:
        order, place, found = self.index.named, self._place(name), []
        while place < len(order) and self._raw(self.type(order[place]).name) == name:
            found.append(order[place])
            place += 1
        return found

    def _between(self, start: bytes) -> list[int]:
        order, place, found = self.index.named, self._place(start), []
        while place < len(order) and self._raw(self.type(order[place]).name).startswith(start):
            found.append(order[place])
            place += 1
        return found

    def _place(self, name: bytes) -> int:
        return bisect_left(self.index.named, name, key=lambda number: self._raw(self.type(number).name))

    def own(self) -> Iterator[int]:
        """Yield the numbers of all types of these alone."""
        yield from range(self.first, self.end)


def essential_name(name: str) -> str:
    """Return a name without its flavour: all but what is behind the last `___` between two other characters.

    As libbpf.c's bpf_core_essential_name_len() and bpf_core_is_flavor_sep(): `x___y` is `x`, `x____y` and `___y` are
    themselves.
    """
    for start in range(len(name) - 5, -1, -1):
        if name[start] != "_" and name[start + 1 : start + 4] == "___" and name[start + 4] != "_":
            return name[: start + 1]
    return name


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 & 1 else value
