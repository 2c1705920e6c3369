"""An object's sections, symbols and relocations. The object is compiled here, for both byte orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from unit_samples import ROOT, X86

from harness.model.architectures import ARCHITECTURES, Architecture
from harness.supply.objects import compile_flags, compile_object
from harness.supply.sections import ElfObject

SOURCE = """
#include "kernel.h"
int counter;
extern int CONFIG_HZ __kconfig;
static __noinline int leaf(int x) { counter += x; return counter; }
SEC("xdp") int program(struct xdp_md *xdp) { return leaf(CONFIG_HZ); }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture(params=[X86, ARCHITECTURES["s390x"]], ids=["little", "big"])
def read(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ElfObject]:
    arch: Architecture = request.param
    (tmp_path / "a.bpf.c").write_text(SOURCE)
    flags = compile_flags(arch, include=[ROOT / "bpf/include"])
    compile_object(tmp_path / "a.bpf.c", tmp_path / "a.o", clang="clang", flags=flags)
    with (tmp_path / "a.o").open("rb") as file:
        yield ElfObject(ELFFile(file))


def number(read: ElfObject, name: str) -> int:
    found = read.number(name)
    assert found is not None
    return found


def test_sections_by_their_names(read: ElfObject) -> None:
    assert read.sections[number(read, "xdp")].name == "xdp"
    assert read.number(".no") is None
    assert [name for name in ("xdp", ".text", "license", ".bss", ".BTF") if read.is_code(number(read, name))] == [
        "xdp",
        ".text",
    ]
    assert read.data(number(read, "license")) == b"GPL\0"
    assert (read.text("license"), read.text(".no")) == ("GPL", "")


def test_what_code_refers_to(read: ElfObject) -> None:
    counter = next(symbol for symbol in read.symbols if symbol.name == "counter")
    it = (number(read, ".bss"), counter["st_value"])
    places = [place for place, target in read.relocated.items() if target == it and read.is_code(place[0])]
    assert {section for section, _ in places} == {number(read, ".text")}, "leaf reads and writes it"
    assert all(offset % 8 == 0 for _, offset in places), "at an instruction each"


def test_what_is_not_in_the_object_is_known_by_its_name(read: ElfObject) -> None:
    in_code = {place: name for place, name in read.externs.items() if read.is_code(place[0])}
    assert list(in_code.values()) == ["CONFIG_HZ"]
    assert {section for section, _ in in_code} == {number(read, "xdp")}
    assert not read.externs.keys() & read.relocated.keys()


def test_the_types_are_those_of_its_own_byte_order(read: ElfObject) -> None:
    assert read.btf is not None
    assert list(read.btf.variables("license")) == ["LICENSE"]


def test_the_source_is_the_file_of_most_lines_and_no_header(read: ElfObject, tmp_path: Path) -> None:
    assert Path(read.source) == tmp_path / "a.bpf.c"


def test_an_object_without_lines_does_not_say_its_source(read: ElfObject) -> None:
    read.sections = [each for each in read.sections if each.name != ".BTF.ext"]
    assert not read.source
