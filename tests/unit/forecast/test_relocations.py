"""The relocations of an object, of each kind, and of what is damaged."""

from __future__ import annotations

import pytest
from forecast_samples import OBJECT, S390X, compiled, wants_of
from unit_samples import X86

from harness.forecast.btf import Btf
from harness.forecast.relocations import Kind, Relocation, relocations_of
from harness.model.architectures import Architecture

SOURCE = """
struct it { u32 low:3; s32 field; struct { char text[8]; }; } CORE;
enum value { FIRST, SECOND };
SEC("xdp") int all(u64 *ctx) {
	struct it *it = (void *)ctx[0];
	return it->text[5] + size_of(it->field) + exists(it->field) + signed_(it->field) + lshift(it->low) + rshift(it->low)
		+ local_id(struct it) + target_id(struct it) + type_there(struct it) + type_size(struct it)
		+ value_there(enum value, SECOND) + value_of(enum value, SECOND);
}
"""


@pytest.mark.parametrize("arch", [X86, S390X], ids=["little", "big"])
def test_each_kind_is_read(arch: Architecture) -> None:
    wants = wants_of(SOURCE, arch)
    ((_, found),) = wants.relocations.items()
    assert {each.kind for _, each in found} == set(Kind) - {Kind.TYPE_MATCHES}  # which clang 14 does not write
    assert {each.access for _, each in found if each.kind is Kind.FIELD_OFFSET} == {"0:2:0:5"}
    assert all(wants.types is not None and wants.types.name(each.type) in ("it", "value") for _, each in found)


def test_a_section_that_is_cut_off_or_of_an_unknown_kind_is_a_value_error() -> None:
    from elftools.elf.elffile import ELFFile

    with compiled(f"{OBJECT}{SOURCE}").open("rb") as file:
        elf = ELFFile(file)
        types = Btf(elf.get_section_by_name(".BTF").data(), order="little")
        data = elf.get_section_by_name(".BTF.ext").data()
    assert len(relocations_of(types, data)) >= len(Kind) - 1
    assert isinstance(relocations_of(types, data)[0], Relocation)
    with pytest.raises(ValueError, match="damaged"):
        relocations_of(types, data[:-9])
    with pytest.raises(ValueError, match="damaged"):
        relocations_of(types, b"")
    with pytest.raises(ValueError, match="99"):
        relocations_of(types, data[:-4] + (99).to_bytes(4, "little"))


def test_an_extension_from_before_co_re_has_none() -> None:
    types = wants_of(SOURCE).types
    assert types is not None
    assert relocations_of(types, b"\x9f\xeb\x01\0\x18\0\0\0" + bytes(16)) == []
