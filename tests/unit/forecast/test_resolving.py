"""What libbpf writes for a relocation: compared with what relo_core.c computes, in both byte orders."""

from __future__ import annotations

from dataclasses import replace

import pytest
from forecast_samples import S390X, kernel_types, wants_of
from unit_samples import X86

from harness.forecast.btf import STRUCT
from harness.forecast.matching import RelocationError
from harness.forecast.relocations import Kind
from harness.forecast.resolving import KernelTypes, Resolved, resolved, shape, text_of
from harness.model.architectures import Architecture


def results(
    source: str, kernel: str, arch: Architecture = X86, modules: dict[str, str] | None = None
) -> dict[Kind, Resolved]:
    """What the relocations of a source come to, by their kinds, each of which it has once."""
    wants = wants_of(source, arch)
    assert wants.types is not None
    types = KernelTypes(
        kernel_types(kernel, arch), {name: kernel_types(text, arch) for name, text in (modules or {}).items()}
    )
    asked = [each for found in wants.relocations.values() for _, each in found]
    # What clang 14 does not write has the form of TYPE_EXISTS.
    asked += [replace(each, kind=Kind.TYPE_MATCHES) for each in asked if each.kind is Kind.TYPE_EXISTS]
    return {each.kind: resolved(each, wants.types, types) for each in asked}


ALL = """
struct it { u32 low:3; s32 field; u64 wide; } CORE;
enum value { FIRST, SECOND };
SEC("xdp") int all(u64 *ctx) {
	struct it *it = (void *)ctx[0];
	return it->field + size_of(it->field) + exists(it->field) + signed_(it->field) + lshift(it->low) + rshift(it->low)
		+ target_id(struct it) + type_there(struct it) + type_size(struct it)
		+ value_there(enum value, SECOND) + value_of(enum value, SECOND);
}
"""
KERNEL = "struct it { u64 wide; u32 x:2, low:7; s32 field; } *it; enum value { ZERO, FIRST, SECOND = 9 } value;"


@pytest.mark.parametrize(("arch", "left"), [(X86, 64 - 9), (S390X, 32 + 2)], ids=["little", "big"])
def test_each_kind_has_its_value(arch: Architecture, left: int) -> None:
    found = {kind: each.value for kind, each in results(ALL, KERNEL, arch).items()}
    number = kernel_types(KERNEL, arch).find("it", STRUCT)
    assert found == {
        Kind.FIELD_OFFSET: 12,
        Kind.FIELD_SIZE: 4,
        Kind.FIELD_EXISTS: 1,
        Kind.FIELD_SIGNED: 1,
        Kind.FIELD_LSHIFT: left,
        Kind.FIELD_RSHIFT: 64 - 7,
        Kind.TYPE_ID_TARGET: number,
        Kind.TYPE_EXISTS: 1,
        Kind.TYPE_SIZE: 16,
        Kind.ENUMERATOR_EXISTS: 1,
        Kind.ENUMERATOR_VALUE: 9,
        Kind.TYPE_MATCHES: 1,
    }


def test_what_is_not_there_is_zero_or_poisoned() -> None:
    found = results(ALL, "struct other { int x; } *other;")
    assert not any(each.found or each.value for each in found.values())
    assert {kind for kind, each in found.items() if each.poisoned} == {
        Kind.FIELD_OFFSET,
        Kind.FIELD_SIZE,
        Kind.FIELD_SIGNED,
        Kind.FIELD_LSHIFT,
        Kind.FIELD_RSHIFT,
        Kind.ENUMERATOR_VALUE,
    }


def offset(mine: str, found: str, modules: dict[str, str] | None = None) -> Resolved:
    source = (
        f'struct it {{ {mine} }} CORE; SEC("xdp") int p(u64 *ctx) {{ struct it *i = (void *)ctx[0]; return i->a; }}'
    )
    return results(source, f"struct it {{ {found} }} *it;" if found else "int no;", modules=modules)[Kind.FIELD_OFFSET]


@pytest.mark.parametrize(
    ("mine", "found", "misfits"),
    [
        ("u32 a;", "u64 a;", False),
        ("u32 a;", "s64 a;", True),
        ("s32 a;", "u64 a;", True),
        ("s32 a;", "u32 a;", False),
        ("u32 a;", "u32 b:3, a:4;", True),
    ],
)
def test_a_load_is_adapted_to_other_sizes_of_integers_without_a_sign_alone(
    mine: str, found: str, *, misfits: bool
) -> None:
    assert offset(mine, found).misfits is misfits


def test_the_types_of_modules_count_where_the_kernel_has_none_of_the_name() -> None:
    there = {"module": "struct it { int x, a; } *it;"}
    assert offset("int a;", "int a;", modules=there).value == 0
    assert (offset("int a;", "", modules=there).value, offset("int a;", "", modules=there).module) == (4, "module")
    assert not offset("int a;", "int b;", modules=there).found


def test_candidates_must_agree() -> None:
    source = 'struct it { int a; } CORE; SEC("xdp") int p(u64 *ctx) { struct it *i = (void *)ctx[0]; return i->a; }'
    same = "struct it___1 { int a; } *one; struct it___2 { int a, more; } *two;"
    assert results(source, same)[Kind.FIELD_OFFSET].value == 0
    with pytest.raises(RelocationError, match="several it"):
        results(source, "struct it___1 { int a; } *one; struct it___2 { int more, a; } *two;")
    sizes = 'struct it { int a; }; SEC("xdp") int p(u64 *ctx) { return type_size(struct it); }'
    with pytest.raises(RelocationError, match="which say 4 and 8"):
        results(sizes, same)


def test_how_a_type_is_written() -> None:
    types = kernel_types("struct it { char *a[3]; enum e { A } b; u16 c; union u *d; void *e; } *it;")
    number = types.find("it", STRUCT)
    assert number
    texts = [text_of(types, each.type) for each in types.members(number)]
    assert texts == ["char *[3]", "enum e", "unsigned short", "union u *", "void *"]
    assert shape(types, types.members(number)[2].type).size == 2
