"""The types of an object's own BTF, as far as they say where a global variable is and what fits into it."""

from __future__ import annotations

import sys

from harness.agent.libbpf_abi import U32

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any

    from harness.agent.libbpf import Libbpf

# include/uapi/linux/btf.h: BTF_KIND_...
INT, ARRAY, STRUCT, UNION, ENUM, TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG = 1, 3, 4, 5, 6, 8, 9, 10, 11, 18
VAR, DATASEC, ENUM64, POINTER, FLOAT = 14, 15, 19, 2, 16
ALIASES = (TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG)
SIGNED, BOOL = 1, 4  # BTF_INT_SIGNED, BTF_INT_BOOL
EXTERNS = (".kconfig", ".ksyms")
KINDS = {POINTER: "a pointer", 13: "a function", FLOAT: "a floating point number", 7: "an unknown type"}


class Misfit(Exception):
    """A value does not fit a variable, or there is no such variable; the text says why."""


class Type:
    """One type: its number, kind, flag, count of members, and what stands in the word of its size or type."""

    def __init__(self, number: int, head: int, name: str) -> None:
        self.number, self.head, self.name = number, head, name
        info = U32.from_address(head + 4).value
        self.kind, self.flag, self.count = info >> 24 & 0x1F, info >> 31, info & 0xFFFF
        self.size = self.of = U32.from_address(head + 8).value

    def words(self, index: int, count: int) -> tuple[int, ...]:
        """Return the `count` 32-bit words of a member, by its index."""
        return tuple((U32 * count).from_address(self.head + 12 + 4 * count * index))


class Types:
    """The BTF of an object, by libbpf."""

    def __init__(self, lib: Libbpf, handle: int) -> None:
        self._lib, self._handle = lib, handle

    def type(self, number: int) -> Type:
        """Return a type by its number."""
        head = self._lib.pointer("btf__type_by_id", self._handle, number)
        return Type(number, head, self._text(U32.from_address(head).value))

    def find(self, name: str, kind: int) -> int:
        """Return the number of a type by its name and kind; negative where there is none."""
        found: int = self._lib.found("btf__find_by_name_kind", self._handle, name.encode(), kind)
        return found

    def all(self) -> list[Type]:
        """Return all types."""
        return [self.type(number) for number in range(1, self._lib.found("btf__type_cnt", self._handle))]

    def _text(self, offset: int) -> str:
        found: bytes = self._lib.found("btf__name_by_offset", self._handle, offset) or b""
        return found.decode(errors="replace")

    def plain(self, number: int) -> Type:
        """Return a type without its names and qualifiers."""
        found = self.type(number)
        while found.kind in ALIASES:
            found = self.type(found.of)
        return found

    def variable(self, name: str) -> tuple[str, int, Type]:
        """Return section, offset there, and type of a global variable; raise Misfit where there is none."""
        number = self._lib.found("btf__find_by_name_kind", self._handle, name.encode(), VAR)
        if number < 0:
            raise Misfit(f"the object has no global variable {name}")
        variable = self.type(number)
        for each in range(1, self._lib.found("btf__type_cnt", self._handle)):
            section = self.type(each)
            if section.kind == DATASEC:
                for index in range(section.count):
                    of, offset, _ = section.words(index, 3)
                    if of == number:
                        if section.name in EXTERNS:
                            raise Misfit(f"{name} is extern: its value comes from the kernel")
                        return section.name, offset, self.plain(variable.of)
        raise Misfit(f"{name} is in no section")

    def size(self, kind: Type) -> int:
        """Return the bytes that a value takes."""
        if kind.kind == ARRAY:
            of, _, count = kind.words(0, 3)
            return count * self.size(self.plain(of))
        return 8 if kind.kind == POINTER else kind.size

    def members(self, kind: Type) -> dict[str, tuple[int, Type]]:
        """Return the members of a structure or union by name, with offset in bytes and type; bit-fields are left out.

        Those of a member without a name are its own.
        """
        return {name: (bit // 8, inner) for name, bit, bits, inner in self.fields(kind) if not bits and bit % 8 == 0}

    def fields(self, kind: Type) -> list[tuple[str, int, int, Type]]:
        """Return the members of a structure or union: name, offset in bits, size in bits of a bit-field (else 0), type.

        Those of a member without a name are its own.
        """
        found: list[tuple[str, int, int, Type]] = []
        for index in range(kind.count):
            name_offset, of, place = kind.words(index, 3)
            bits, place = (place >> 24, place & 0xFFFFFF) if kind.flag else (0, place)
            name, inner = self._text(name_offset), self.plain(of)
            if name:
                found.append((name, place, bits, inner))
            elif inner.kind in (STRUCT, UNION):
                found += [(each, place + bit, width, type_) for each, bit, width, type_ in self.fields(inner)]
        return found

    def values(self, kind: Type) -> dict[str, int]:
        """Return the members of an enumeration, as numbers of its size and sign."""
        found, bits = {}, kind.size * 8
        for index in range(kind.count):
            words = kind.words(index, 3 if kind.kind == ENUM64 else 2)
            value = words[1] | (words[2] << 32 if kind.kind == ENUM64 else 0)
            value &= (1 << bits) - 1
            found[self._text(words[0])] = value - (1 << bits) if kind.flag and value >> bits - 1 else value
        return found

    def locate(self, path: str) -> tuple[str, int, Type]:
        """Return section, offset and type of what a path (`a.b[2]`) means; raise Misfit where that is nothing."""
        names = path.replace("[", ".[").split(".")
        section, offset, kind = self.variable(names[0])
        seen = names[0]
        for name in names[1:]:
            if name.startswith("["):
                index = name[1:-1]
                if kind.kind != ARRAY or not name.endswith("]") or not index.isdigit():
                    raise Misfit(f"{seen} has no element {name}")
                of, _, count = kind.words(0, 3)
                if int(index) >= count:
                    raise Misfit(f"{seen} has {count} elements, and none is {name}")
                kind = self.plain(of)
                offset += int(index) * self.size(kind)
            else:
                members = self.members(kind) if kind.kind in (STRUCT, UNION) else {}
                if name not in members:
                    raise Misfit(
                        f"{seen} has no member {name}" + (f" (it has {', '.join(members)})" if members else "")
                    )
                place, kind = members[name]
                offset += place
            seen += name if name.startswith("[") else f".{name}"
        return section, offset, kind

    def encode(self, kind: Type, value: Any, path: str) -> list[tuple[int, bytes]]:
        """Return a value as pieces of bytes with their offsets; raise Misfit where it does not fit.

        A number, a boolean, the name of an enumeration's member, a text for characters, a list for an array, a mapping
        for a structure.
        """
        if kind.kind in (STRUCT, UNION):
            if not isinstance(value, dict):
                raise Misfit(f"{path} is a structure: its members must be given by name, not {value!r}")
            members, found = self.members(kind), []
            for name, each in value.items():
                if name not in members:
                    raise Misfit(f"{path} has no member {name} (it has {', '.join(members)})")
                offset, inner = members[name]
                found += [(offset + place, data) for place, data in self.encode(inner, each, f"{path}.{name}")]
            return found
        if kind.kind == ARRAY:
            return self._array(kind, value, path)
        if kind.kind in (ENUM, ENUM64):
            return [(0, self._enumerated(kind, value, path))]
        if kind.kind != INT:
            raise Misfit(f"{path} is {KINDS.get(kind.kind, 'of a type')} that cannot be given a value")
        return [(0, _integer(kind, value, path))]

    def _array(self, kind: Type, value: Any, path: str) -> list[tuple[int, bytes]]:
        of, _, count = kind.words(0, 3)
        inner = self.plain(of)
        size = self.size(inner)
        if isinstance(value, str) and inner.kind == INT and size == 1:
            data = value.encode()
            if len(data) >= count:
                raise Misfit(f"{path} has room for {count - 1} characters and the zero behind them, not {len(data)}")
            return [(0, data + bytes(count - len(data)))]
        if not isinstance(value, list):
            raise Misfit(f"{path} is an array: {'a text or ' if size == 1 else ''}a list must be given, not {value!r}")
        if len(value) > count:
            raise Misfit(f"{path} has {count} elements, not {len(value)}")
        return [
            (index * size + place, data)
            for index, each in enumerate(value)
            for place, data in self.encode(inner, each, f"{path}[{index}]")
        ]

    def _enumerated(self, kind: Type, value: Any, path: str) -> bytes:
        members = self.values(kind)
        if isinstance(value, str) and value in members:
            value = members[value]
        elif isinstance(value, str) and not _is_number(value):
            raise Misfit(f"{path} is one of {', '.join(members)}, not {value}")
        return _sized(value, kind.size, signed=bool(kind.flag), path=path)


def _is_number(text: str) -> bool:
    try:
        int(text, 0)
    except ValueError:
        return False
    return True


def _integer(kind: Type, value: Any, path: str) -> bytes:
    encoding = kind.words(0, 1)[0] >> 24 & 0xF  # BTF_INT_ENCODING()
    if isinstance(value, str) and kind.size == 1 and len(value.encode()) == 1 and not value.isdigit():
        return value.encode()
    if encoding & BOOL:
        known = {"true": 1, "false": 0}.get(value, value) if isinstance(value, str) else value
        if known not in (0, 1, "0", "1"):
            raise Misfit(f"{path} is true or false, not {value!r}")
        value = int(known)
    return _sized(value, kind.size, signed=bool(encoding & SIGNED), path=path)


def _sized(value: Any, size: int, *, signed: bool, path: str) -> bytes:
    if isinstance(value, str) and _is_number(value):
        value = int(value, 0)
    if not isinstance(value, int):
        raise Misfit(f"{path} is a number, not {value!r}")
    try:
        return int(value).to_bytes(size, sys.byteorder, signed=signed)
    except OverflowError:
        raise Misfit(
            f"{value} does not fit {path}, of {size * 8} bits {'with' if signed else 'without'} sign"
        ) from None
