"""Reading the types of an object, written here by hand as the kernel's Documentation/bpf/btf.rst has them.

test_listing.py reads those that clang writes.
"""

from __future__ import annotations

import struct
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.supply.btf import MAGIC, Btf

INT, PTR, ARRAY, STRUCT, UNION, TYPEDEF, CONST, VAR, DATASEC = 1, 2, 3, 4, 5, 8, 10, 14, 15
Order = Literal["little", "big"]


class Writer:
    """Writes a .BTF section; types have the numbers in which they are added, from 1."""

    def __init__(self, order: Order = "little") -> None:
        self.order: Order = order
        self.types, self.texts, self.count = b"", b"\0", 0

    def pack(self, *words: int) -> bytes:
        return struct.pack(f"{'<' if self.order == 'little' else '>'}{len(words)}I", *words)

    def text(self, text: str) -> int:
        place = len(self.texts)
        self.texts += text.encode() + b"\0"
        return place if text else 0

    def add(self, kind: int, name: str = "", size_or_type: int = 0, *words: int, items: int = 0) -> int:
        self.types += self.pack(self.text(name), kind << 24 | items, size_or_type, *words)
        self.count += 1
        return self.count

    def structure(self, name: str, members: list[tuple[str, int]], kind: int = STRUCT) -> int:
        words = [word for member, number in members for word in (self.text(member), number, 0)]
        return self.add(kind, name, 8, *words, items=len(members))

    def section(self, name: str, variables: list[int]) -> int:
        words = [word for number in variables for word in (number, 0, 8)]
        return self.add(DATASEC, name, 0, *words, items=len(variables))

    def bytes(self) -> bytes:
        order = "<" if self.order == "little" else ">"
        head = struct.pack(f"{order}HBBIIIII", MAGIC, 1, 0, 24, 0, len(self.types), len(self.types), len(self.texts))
        return head + self.types + self.texts

    def read(self) -> Btf:
        return Btf(self.bytes(), order=self.order)


def with_maps(order: Order = "little") -> Writer:
    """Two maps, one behind a typedef and a const, and a variable that is none."""
    btf = Writer(order)
    number = btf.add(INT, "int", 4, 0x01000020)
    ring = btf.add(PTR, "", btf.add(ARRAY, "", 0, number, number, 27))
    plain = btf.structure("", [("type", ring), ("max_entries", number)])
    named = btf.add(CONST, "", btf.add(TYPEDEF, "events_t", plain))
    variables = [btf.add(VAR, name, kind, 1) for name, kind in (("a", plain), ("b", named), ("c", number))]
    btf.section(".maps", variables)
    btf.section(".data", variables[:1])
    return btf


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_maps_of_a_section_with_their_types(order: Order) -> None:
    found = with_maps(order).read()
    assert found.variables(".maps") == {"a": 27, "b": 27, "c": None}
    assert found.variables(".data") == {"a": 27}
    assert found.variables(".bss") == {}


def test_the_members_of_a_structure_and_of_nameless_ones_inside() -> None:
    btf = Writer()
    number = btf.add(INT, "long", 8, 0x01000040)
    inner = btf.structure("", [("ax", number), ("orig_ax", number)], UNION)
    named = btf.structure("other", [("hidden", number)])
    btf.structure("pt_regs", [("r15", number), ("", inner), ("cs", named)])
    found = btf.read()
    assert found.members("pt_regs") == {"r15", "ax", "orig_ax", "cs"}
    assert found.members("other") == {"hidden"}
    assert found.members("none") == frozenset()


def test_types_in_a_circle_end() -> None:
    btf = Writer()
    circle = btf.add(TYPEDEF, "t", 1)
    btf.structure("s", [("", btf.count + 1), ("end", circle)])
    btf.section(".maps", [btf.add(VAR, "m", circle, 1)])
    assert btf.read().variables(".maps") == {"m": None}
    assert btf.read().members("s") == {"end"}


def test_what_is_no_btf_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match="the magic number is 0x9feb"):
        Btf(with_maps("big").bytes(), order="little")
    with pytest.raises(ValueError, match=r"."):
        Btf(b"", order="little")


@given(st.data())
def test_no_damage_ends_in_another_error(data: st.DataObject) -> None:
    whole = bytearray(with_maps().bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(2, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = Btf(bytes(whole[: data.draw(st.integers(0, len(whole)))]), order="little")
        found.variables(".maps")
        found.members("")
    except ValueError:
        pass


def lines(btf: Writer, *records: tuple[str, int], of: int = 16) -> bytes:
    """A .BTF.ext with the lines of one section: each with its file and line, records of so many bytes."""
    packed = b"".join(btf.pack(8, btf.text(file), 0, line << 10).ljust(of, b"?") for file, line in records)
    body = btf.pack(of) + btf.pack(btf.text("xdp"), len(records)) + packed
    order = "<" if btf.order == "little" else ">"
    return struct.pack(f"{order}HBBIIIII", MAGIC, 1, 0, 24, 0, 0, 0, len(body)) + body


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("of", [16, 24])
def test_the_files_of_lines(order: Order, of: int) -> None:
    btf = Writer(order)
    data = lines(btf, ("a.bpf.c", 1), ("a.h", 7), of=of)
    assert list(btf.read().sources(data)) == ["a.bpf.c", "a.h"]


def test_damaged_lines_are_told() -> None:
    btf = Writer()
    data = lines(btf, ("a.bpf.c", 1))
    for cut in range(len(data)):
        with pytest.raises(ValueError):
            list(btf.read().sources(data[:cut]))
    nothing = data[:24] + btf.pack(0) + data[28:]
    with pytest.raises(ValueError, match="zero"):
        list(btf.read().sources(nothing))
