"""Types are read where they are asked for, in both byte orders, and what is damaged ends in ValueError alone."""

from __future__ import annotations

import random

import pytest
from forecast_samples import S390X, kernel_btf, kernel_types
from unit_samples import X86

from harness.forecast import btf
from harness.forecast.btf import Btf, Index, essential_name
from harness.model.architectures import Architecture

SOURCE = """
struct inner { s8 a; };
struct outer { int x; unsigned low:3, high:5; struct { s64 y; }; struct inner in[4]; } *p;
typedef const struct outer alias; alias *aliased;
enum small { MINUS = -1, ONE = 1 } s; enum wide { LARGE = 0x80000000u } w;
struct outer___flavour { int z; } *flavour; struct outer____none { int z; } *none;
int function(int first, struct outer *second) { return first; }
"""
BOTH = pytest.mark.parametrize("arch", [X86, S390X], ids=["little", "big"])


@BOTH
def test_a_structure_and_its_members(arch: Architecture) -> None:
    types = kernel_types(SOURCE, arch)
    number = types.find("outer", btf.STRUCT)
    assert number is not None
    found = types.members(number)
    assert [each.name for each in found] == ["x", "low", "high", "", "in"]
    assert [each.bits for each in found] == [0, 3, 5, 0, 0]
    assert [each.bit for each in (found[0], found[3], found[4])] == [0, 64, 128]
    assert types.size(number) == 24
    assert types.array(types.bare(found[4].type))[1] == 4
    assert types.size(found[4].type) == 4


@BOTH
def test_enumerations_functions_and_names_before_a_type(arch: Architecture) -> None:
    types = kernel_types(SOURCE, arch)
    small, wide = types.find("small", *btf.ENUMS), types.find("wide", *btf.ENUMS)
    function, alias = types.find("function", btf.FUNC), types.find("alias", btf.TYPEDEF)
    assert small and wide and function and alias
    assert types.enumerators(small) == [("MINUS", -1), ("ONE", 1)]
    assert types.enumerators(wide) == [("LARGE", -1 << 31)]
    assert [each.name for each in types.parameters(types.type(function).size)] == ["first", "second"]
    assert types.name(types.bare(alias)) == "outer"
    assert types.integer(types.find("int", btf.INT) or 0) == (btf.SIGNED, 0, 32)


def test_types_that_differ_in_their_flavour_alone_are_found_together() -> None:
    types = kernel_types(SOURCE)
    assert [types.name(each) for each in types.alike("outer")] == ["outer", "outer___flavour"]
    assert types.alike("nothing") == []
    assert types.find("nothing", btf.STRUCT) is None
    assert types.find("outer", btf.UNION) is None


def test_an_index_that_was_kept_does_for_the_same_bytes() -> None:
    data = kernel_btf(SOURCE)
    made = Btf(data, order="little").index
    again = Btf(data, order="little", index=Index(made.places, made.named))
    assert again.find("function", btf.FUNC) == Btf(data, order="little").find("function", btf.FUNC)
    assert [again.name(each) for each in made.named] == sorted(
        again.name(each) for each in again.own() if again.name(each)
    )


@pytest.mark.parametrize(
    ("name", "essential"),
    [
        ("sock", "sock"),
        ("sock___old", "sock"),
        ("sock___old___er", "sock___old"),
        ("sock____old", "sock____old"),
        ("___old", "___old"),
        ("a___b", "a"),
        ("sock___", "sock___"),
        ("", ""),
    ],
)
def test_a_name_without_its_flavour(name: str, essential: str) -> None:
    assert essential_name(name) == essential


def test_types_of_a_module_go_on_behind_those_of_its_kernel() -> None:
    base = kernel_types(SOURCE)
    texts = b"\0own\0"
    # struct own { struct outer *it; }, whose name lies behind the base's texts, and the member's in them.
    outer = base.find("outer", btf.STRUCT) or 0
    x_name = next(base.type(each).name for each in base.own() if base.name(each) == "function")
    own_name = base.text_end + 1
    words = [
        *(0, btf.PTR << 24, outer),
        *(own_name, btf.STRUCT << 24 | 1, 8, x_name, base.end, 0),
    ]
    body = b"".join(word.to_bytes(4, "little") for word in words)
    numbers = (24, 0, len(body), len(body), len(texts))
    head = b"\x9f\xeb\x01\0" + b"".join(number.to_bytes(4, "little") for number in numbers)
    module = Btf(head + body + texts, order="little", base=base)
    number = module.find("own", btf.STRUCT)
    assert number == base.end + 1
    (member,) = module.members(number)
    assert (member.name, module.name(module.type(member.type).size)) == ("function", "outer")
    assert module.find("outer", btf.STRUCT) == outer
    assert module.find_own("outer", btf.STRUCT) is None
    assert [each.name for each in module.members(outer)] == [each.name for each in base.members(outer)]


def test_what_is_damaged_ends_in_value_error_alone() -> None:
    data, chance = kernel_btf(SOURCE), random.Random(16)
    for length in range(0, len(data), 7):
        with pytest.raises(ValueError, match=r"\w"):
            list(Btf(data[:length], order="little").own())
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(3):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            types = Btf(bytes(changed), order="little")
            for number in types.own():
                types.name(number)
                types.bare(number)
        except ValueError:
            pass


def test_enumerations_of_64_bits() -> None:
    texts = b"\0wide\0HUGE\0MINUS\0"
    words = [1, 1 << 31 | btf.ENUM64 << 24 | 2, 8, 6, 0, 1 << 31, 11, 0xFFFFFFFF, 0xFFFFFFFF]
    body = b"".join(word.to_bytes(4, "little") for word in words)
    numbers = (24, 0, len(body), len(body), len(texts))
    head = b"\x9f\xeb\x01\0" + b"".join(number.to_bytes(4, "little") for number in numbers)
    types = Btf(head + body + texts, order="little")
    assert types.enumerators(1) == [("HUGE", -1 << 63), ("MINUS", -1)]
    assert types.find("wide", *btf.ENUMS) == 1
