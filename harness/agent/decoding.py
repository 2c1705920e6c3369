"""Bytes that a program has written, as values: by the object's own types, or by members that a case describes."""

from __future__ import annotations

import struct
import sys

from harness.agent.btf import ARRAY, BOOL, ENUM, ENUM64, FLOAT, POINTER, SIGNED, STRUCT, TYPEDEF, UNION
from harness.agent.btf import INT as BTF_INT

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from harness.agent.btf import Type, Types

RAW, NOTE = "raw", "note"
FIELD_SIZES = {"8": 1, "16": 2, "32": 4, "64": 8}
LONGEST_RAW = 512
"""Of what cannot be decoded so many bytes are shown."""


class Undecodable(Exception):
    """Bytes cannot be made a value; the text says why."""


def raw(data: bytes) -> dict[str, Any]:
    """Return bytes as they are shown where nobody knows what they are: `raw`, hexadecimal, and `size`."""
    return {RAW: data[:LONGEST_RAW].hex(), "size": len(data)}


def decode(types: Types, kind: Type, data: bytes) -> Any:
    """Return a value of a type, from the first bytes of `data`; raise Undecodable.

    A number, a boolean, the name of an enumeration's member (its number where it has none), the text of an array of
    `char` up to its zero, a list, a dictionary of members. Members of a union are all there.
    """
    size = types.size(kind)
    if kind.kind not in (BTF_INT, ENUM, ENUM64, POINTER, FLOAT, STRUCT, UNION, ARRAY):
        raise Undecodable(f"a type of kind {kind.kind} has no value")
    if size > len(data):
        raise Undecodable(f"there are {len(data)} bytes, and a value has {size}")
    if kind.kind in (STRUCT, UNION):
        return {
            name: decode(types, inner, data[bit // 8 :]) if not bits else _bits(types, inner, data, bit, bits)
            for name, bit, bits, inner in types.fields(kind)
        }
    if kind.kind == ARRAY:
        of, _, count = kind.words(0, 3)
        inner = types.plain(of)
        if inner.kind == BTF_INT and inner.name == "char":
            return text(data[:count])
        each = types.size(inner)
        return [decode(types, inner, data[index * each :]) for index in range(count)]
    if kind.kind == FLOAT:
        return struct.unpack_from({4: "=f", 8: "=d"}.get(size, ""), data)[0]
    return _number(types, kind, int.from_bytes(data[:size], sys.byteorder), size * 8)


def text(data: bytes) -> str:
    """Return the text of an array of characters, up to its zero."""
    return data.split(b"\0", 1)[0].decode(errors="replace")


def _number(types: Types, kind: Type, number: int, bits: int) -> Any:
    encoding = kind.words(0, 1)[0] >> 24 & 0xF if kind.kind == BTF_INT else 0
    if encoding & BOOL:
        return bool(number)
    signed = encoding & SIGNED or (kind.kind in (ENUM, ENUM64) and kind.flag)
    number -= 1 << bits if signed and number >> bits - 1 else 0
    if kind.kind in (ENUM, ENUM64):
        return next((name for name, value in types.values(kind).items() if value == number), number)
    return number


def _bits(types: Types, kind: Type, data: bytes, bit: int, bits: int) -> Any:
    """Return a bit-field: its offset counts from the lowest bit on little-endian machines, else from the highest."""
    first, last = bit // 8, (bit + bits + 7) // 8
    number = int.from_bytes(data[first:last], sys.byteorder)
    before = bit - first * 8
    shift = before if sys.byteorder == "little" else (last - first) * 8 - before - bits
    return _number(types, kind, number >> shift & (1 << bits) - 1, bits)


def named_type(types: Types, name: str) -> Type:
    """Return the type that a case calls `struct event` or `event`; raise Undecodable where the object has none."""
    word, _, rest = name.strip().partition(" ")
    kinds = {"struct": (STRUCT,), "union": (UNION,), "enum": (ENUM, ENUM64)}.get(word)
    for kind in kinds or (STRUCT, UNION, TYPEDEF, ENUM, ENUM64, BTF_INT):
        number = types.find(rest.strip() if kinds else name.strip(), kind)
        if number > 0:
            return types.plain(number)
    raise Undecodable(f"the object's BTF has no {name}: a type is there where a map, variable or function uses it")


def only_structure(types: Types, sizes: range) -> Type:
    """Return the only named structure of one of these sizes; raise Undecodable where there is none, or several."""
    found = [each for each in types.all() if each.kind == STRUCT and each.name and each.size in sizes]
    if len(found) != 1:
        names = ", ".join(each.name for each in found[:8])
        many = f"{len(found)} structures of its size ({names})" if found else "no structure of its size"
        raise Undecodable(f"the object's BTF has {many}: say by `record` what a record is")
    return found[0]


def decode_members(members: Mapping[str, str], data: bytes) -> dict[str, Any]:
    """Return the members that a case describes, each aligned to its size as C does it; raise Undecodable."""
    found: dict[str, Any] = {}
    offset = 0
    for name, written in members.items():
        base, _, count = written.rstrip("]").partition("[")
        size = FIELD_SIZES.get(base[1:], 1)
        offset = -(-offset // size) * size
        end = offset + size * int(count or 1)
        if end > len(data):
            raise Undecodable(f"there are {len(data)} bytes, and {name} ends at {end}")
        part = data[offset:end]
        if base == "char":
            found[name] = text(part)
        else:
            numbers = [
                int.from_bytes(part[place : place + size], sys.byteorder, signed=base.startswith("s"))
                for place in range(0, len(part), size)
            ]
            values = [bool(each) for each in numbers] if base == "bool" else numbers
            found[name] = values if count else values[0]
        offset = end
    return found
