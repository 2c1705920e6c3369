"""The rules by which a kernel's type is what an object means: libbpf's relo_core.c, case by case."""

from __future__ import annotations

import pytest
from forecast_samples import kernel_types

from harness.forecast.btf import FUNC, STRUCT, TYPEDEF, UNION, Btf
from harness.forecast.matching import (
    RelocationError,
    fields_compatible,
    local_way,
    target_way,
    types_compatible,
    types_match,
)
from harness.forecast.relocations import Kind, Relocation

ANY = (STRUCT, UNION, TYPEDEF, FUNC)


def member(types: Btf, number: int) -> int:
    return types.members(number)[0].type


def both(mine: str, found: str) -> tuple[Btf, int, Btf, int]:
    """The first members of `struct it` in two sources."""
    local, target = kernel_types(f"{mine} struct it *it;"), kernel_types(f"{found} struct it *it;")
    one, other = local.find("it", STRUCT), target.find("it", STRUCT)
    assert one and other
    return local, one, target, other


@pytest.mark.parametrize(
    ("mine", "found", "fits"),
    [
        ("int a;", "u64 a;", True),
        ("int a;", "int *a;", False),
        ("int *a;", "char **a;", True),
        ("struct { int x; } a;", "union { int y; } a;", True),
        ("struct { int x; } a;", "int a;", False),
        ("int a[4];", "char a[2];", True),
        ("int a[4];", "char *a[2];", False),
        ("enum one { A } a;", "enum one { B } a;", True),
        ("enum one { A } a;", "enum one___old { B } a;", True),
        ("enum one { A } a;", "enum other { B } a;", False),
        ("enum one { A } a;", "enum { B } a;", True),
        ("enum one { A } a;", "enum one { B = 1ull << 40 } a;", True),
        ("const volatile int a;", "s32 a;", True),
    ],
)
def test_fields(mine: str, found: str, *, fits: bool) -> None:
    local, one, target, other = both(f"struct it {{ {mine} }};", f"struct it {{ {found} }};")
    assert fields_compatible(local, member(local, one), target, member(target, other)) is fits


@pytest.mark.parametrize(
    ("mine", "found", "compatible", "matches"),
    [
        ("struct it { int a; };", "struct it { int b; };", True, False),
        ("struct it { int a; };", "struct it { int b, a; };", True, True),
        ("struct it { int a; };", "struct it { long a; };", True, False),
        ("struct it { int a; };", "struct it { u32 a; };", True, False),
        ("struct it { int a[2]; };", "struct it { int a[3]; };", True, False),
        (
            "struct in { int x; }; struct it { struct in *a; };",
            "struct in { int y; }; struct it { struct in *a; };",
            True,
            True,
        ),
        (
            "struct in { int x; }; struct it { struct in a; };",
            "struct in { int y; }; struct it { struct in a; };",
            True,
            False,
        ),
        ("struct in; struct it { struct in *a; };", "struct in { int y; }; struct it { struct in *a; };", True, True),
        ("struct in; struct it { struct in *a; };", "union in { int y; }; struct it { union in *a; };", True, False),
        ("struct in { int y; }; struct it { struct in *a; };", "struct in; struct it { struct in *a; };", True, True),
        ("struct it { int (*a)(int); };", "struct it { int (*a)(int, int); };", True, False),
        ("struct it { int (*a)(int); };", "struct it { int (*a)(int); };", True, True),
        ("struct it { int (*a)(int); };", "struct it { int (*a)(long); };", True, False),
        ("enum e { A }; struct it { enum e a; };", "enum e { B, A }; struct it { enum e a; };", True, True),
        ("enum e { A }; struct it { enum e a; };", "enum e { B, C }; struct it { enum e a; };", True, False),
        (
            "enum e { A }; struct it { enum e a; };",
            "enum e { A, B = 1ull << 40 }; struct it { enum e a; };",
            True,
            False,
        ),
    ],
)
def test_types(mine: str, found: str, *, compatible: bool, matches: bool) -> None:
    local, one, target, other = both(mine, found)
    assert types_compatible(local, one, target, other) is compatible
    assert types_match(local, one, target, other) is matches


@pytest.mark.parametrize(
    ("mine", "found", "fits"),
    [
        ("int f(int a)", "int f(long a)", True),
        ("int f(int a)", "int f(int *a)", False),
        ("int f(int a)", "int f(int a, int b)", False),
        ("struct s { int x; }; int f(struct s *a)", "struct other { int x; }; int f(struct other *a)", True),
        ("struct s; int f(struct s *a)", "struct s { int x; }; int f(struct s *a)", False),
        ("int *f(int a)", "int f(int a)", False),
        ("enum e { A }; int f(enum e a)", "enum e { A }; int f(int a)", False),
    ],
)
def test_prototypes(mine: str, found: str, *, fits: bool) -> None:
    local, target = kernel_types(f"{mine} {{ return 0; }}"), kernel_types(f"{found} {{ return 0; }}")
    one, other = local.find("f", FUNC), target.find("f", FUNC)
    assert one and other
    assert types_compatible(local, local.type(one).size, target, target.type(other).size) is fits


def way(mine: str, found: str, access: str) -> int | None:
    """The bit of the field that a way through `struct it` leads to."""
    local, one, target, other = both(mine, found)
    asked = Relocation(section="", offset=0, type=one, access=access, kind=Kind.FIELD_OFFSET)
    there = target_way(local, local_way(local, asked), target, other, asked.kind)
    return None if there is None else there.bit


def test_ways_go_through_nameless_structures_and_arrays() -> None:
    mine = "struct it { int a; struct { char text[4]; }; };"
    assert way(mine, "struct it { union { long x; struct { int y; char text[8]; }; }; };", "0:1:0:2") == 48
    assert way(mine, "struct it { char text[2]; };", "0:1:0:2") is None
    assert way(mine, "struct it { int more; char text[0]; };", "0:1:0:2") == 48
    assert way(mine, "struct it { char text[0]; int more; };", "0:1:0:2") is None
    assert way(mine, "struct it { char *text; };", "0:1:0:2") is None
    assert way(mine, "struct it { int other; };", "0:0") is None
    assert way(mine, "struct it { int b, a; };", "2:0") == 2 * 64 + 32


@pytest.mark.parametrize("access", ["", ":", "0:9", "0:0:1", "0:x", "0:1:0:4", ":".join(["0"] * 65)])
def test_a_way_that_the_object_itself_does_not_have_is_refused(access: str) -> None:
    with pytest.raises(RelocationError, match=r"\w"):
        way("struct it { int a; struct { char text[4]; }; };", "struct it { int a; };", access)
