"""What relocations come to is what libbpf itself finds: bpftool, which has it inside, says so of the same types."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from forecast_samples import OBJECT, compiled, kernel_btf, kernel_types, wants_of

from harness.forecast.matching import RelocationError
from harness.forecast.relocations import Kind, Relocation, relocations_of
from harness.forecast.resolving import KernelTypes, Resolved, resolved

SOURCE = """
struct inner { int deep; } CORE;
struct it {
	u32 low:3; s32 field; u64 wide; char text[4]; struct inner in; struct inner many[3]; int *pointer; int gone;
	enum colour { RED, GREEN } colour;
} CORE;
struct it___old { int state; struct inner *in; } CORE;
union both { int a; long b; } CORE;
typedef int number;
enum value { FIRST, SECOND, THIRD };
enum wide_value { FIRST_WIDE = 1, LAST_WIDE = 9 };
SEC("xdp") int all(u64 *ctx) {
	struct it *it = (void *)ctx[0]; struct it___old *old = (void *)it; union both *both = (void *)it;
	long sum = it->field + it->wide + it->text[2] + it->in.deep + it->many[1].deep + *it->pointer + it->gone
		+ it->colour + it[2].field + old->state + old->in->deep + both->a + both->b;
	sum += size_of(it->field) + size_of(it->text) + size_of(it->low) + exists(it->field) + exists(it->gone)
		+ exists(it->low) + exists(it->in) + exists(it->many[2].deep) + signed_(it->field) + signed_(it->wide)
		+ offset_of(it->low) + lshift(it->low) + rshift(it->low) + exists(old->state) + exists(both->b);
	sum += local_id(struct it) + target_id(struct inner) + type_there(struct it) + type_there(union both)
		+ type_there(number) + type_size(struct it) + type_size(struct it___old) + type_size(number);
	return sum + value_there(enum value, SECOND) + value_of(enum value, SECOND) + value_there(enum value, THIRD)
		+ value_of(enum value, THIRD) + value_there(enum wide_value, LAST_WIDE) + value_of(enum wide_value, FIRST_WIDE);
}
"""
SAME = """
struct inner { int deep; }; union both { int a; long b; } both; typedef int number; number n;
enum value { FIRST, SECOND, THIRD } value; enum wide_value { FIRST_WIDE = 1, LAST_WIDE = 9 } wide;
struct it {
	u32 low:3; s32 field; u64 wide; char text[4]; struct inner in; struct inner many[3]; int *pointer; int gone;
	enum colour { RED, GREEN } colour;
} it;
"""
KERNELS = {
    "the same": SAME,
    "nothing": "int nothing;",
    "others": """
        struct inner { long pad; u64 deep; }; enum value { SECOND = 7 } value; typedef struct inner number; number n;
        union both { char b; } both;
        struct it {
            struct { union { long x; struct { u8 before:2, low:5; }; }; }; u64 field; s32 wide; char text[0];
        } it;
        """,
    "nested": """
        struct inner { struct { int x; int deep; }; }; struct both { int a; } both;
        struct it { long a; union { struct { char text[8]; struct inner in; }; struct inner many[2]; }; char *pointer;
            int colour; struct { int state; }; unsigned long long low:40; } it;
        """,
    "flavours": """
        struct inner___1 { int deep; } one; struct inner___2 { int deep, more; } two;
        struct it___1 { int field; struct inner___1 *in; int state; } three; enum value___x { FIRST, THIRD = -5 } value;
        """,
    "kinds": """
        union it { int field; long wide; } it; enum both { A } both; struct value { int x; } value;
        struct number { int x; } n;
        struct inner { int *deep; } inner;
        """,
}


def libbpfs(kernel: str, path: Path, folder: Path) -> dict[int, list[str]]:
    """Return what bpftool says of each relocation of a section, by number."""
    (folder / "kernel").write_bytes(kernel_btf(kernel))
    words: list[str | Path] = ["bpftool", "-d", "gen", "min_core_btf", folder / "kernel", folder / "made", path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found: dict[int, list[str]] = {}
    for match in re.finditer(r"relo #(\d+): (.*)", done.stdout + done.stderr):
        found.setdefault(int(match[1]), []).append(match[2])
    assert found, done.stderr
    return found


def mine(relocation: Relocation, kernel: str) -> Resolved | str:
    types = wants_of(SOURCE).types
    assert types is not None
    try:
        return resolved(relocation, types, KernelTypes(kernel_types(kernel)))
    except RelocationError as error:
        return str(error)


@pytest.mark.parametrize("name", KERNELS)
def test_it_is_what_libbpf_finds(name: str, tmp_path: Path) -> None:
    from elftools.elf.elffile import ELFFile

    kernel, path, wants = KERNELS[name], compiled(f"{OBJECT}{SOURCE}"), wants_of(SOURCE)
    assert wants.types is not None
    with path.open("rb") as file:
        asked = relocations_of(wants.types, ELFFile(file).get_section_by_name(".BTF.ext").data())
    said = libbpfs(kernel, path, tmp_path)
    assert len(asked) > 40
    for number, relocation in enumerate(asked):
        found, lines = mine(relocation, kernel), said.get(number)
        if lines is None:  # it stops at the first that it refuses
            assert any(isinstance(mine(each, kernel), str) for each in asked[:number])
            break
        refused = [line for line in lines if "ambiguity" in line or "can't" in line or "error" in line]
        assert isinstance(found, str) == bool(refused), (relocation, found, lines)
        if isinstance(found, str) or relocation.kind is Kind.TYPE_ID_LOCAL:
            continue
        there = [line for line in lines if line.startswith("matching candidate")]
        assert found.found == bool(there), (relocation, found, lines)
        offset = re.search(r"@ offset (\d+)", there[0]) if there else None
        if relocation.kind is Kind.FIELD_OFFSET and offset and found.own_size:
            assert found.value == int(offset[1])
        if relocation.kind is Kind.ENUMERATOR_VALUE and there:
            assert f"= {found.value & 0xFFFFFFFF}" in there[0]
