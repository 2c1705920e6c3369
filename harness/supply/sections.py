"""The sections, symbols, relocations and types of a BPF object, each read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from harness.supply.btf import Btf

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import Section, Symbol

Place = tuple[int, int]
"""A section's number, and bytes from its start."""
EXTERN = -1
"""The number that stands for the section of a symbol that is in no section of the object."""
_EXECUTABLE = 4  # SHF_EXECINSTR


class ElfObject:
    """An object as libbpf sees it. pyelftools raises anything where a file is damaged."""

    def __init__(self, elf: ELFFile) -> None:
        self.little: bool = elf.little_endian
        self.sections: list[Section] = list(elf.iter_sections())
        self._data: dict[int, bytes] = {}

    @cached_property
    def symbols(self) -> list[Symbol]:
        """The symbols, by number."""
        from elftools.elf.sections import SymbolTableSection  # noqa: PLC0415

        table = next((section for section in self.sections if isinstance(section, SymbolTableSection)), None)
        return list(table.iter_symbols()) if table is not None else []

    @cached_property
    def btf(self) -> Btf | None:
        """The types, None where there are none."""
        number = self.number(".BTF")
        return None if number is None else Btf(self.data(number), order="little" if self.little else "big")

    @cached_property
    def source(self) -> str:
        """The file that most of its instructions were compiled from, headers aside; "" where nothing says it."""
        number = self.number(".BTF.ext")
        if self.btf is None or number is None:
            return ""
        files = Counter(file for file in self.btf.sources(self.data(number)) if file.endswith(".c"))
        return max(files, key=lambda file: files[file], default="")

    @cached_property
    def _referring(self) -> dict[Place, int]:
        from elftools.elf.relocation import RelocationSection  # noqa: PLC0415

        return {
            (section["sh_info"], relocation["r_offset"]): relocation["r_info_sym"]
            for section in self.sections
            if isinstance(section, RelocationSection)
            for relocation in section.iter_relocations()
        }

    @cached_property
    def relocated(self) -> Mapping[Place, Place]:
        """Where the symbols are that code and data refer to, by the places that refer to them."""
        return {
            place: (self.symbols[number]["st_shndx"], self.symbols[number]["st_value"])
            for place, number in self._referring.items()
            if isinstance(self.symbols[number]["st_shndx"], int)
        }

    @cached_property
    def externs(self) -> Mapping[Place, str]:
        """The names of the symbols that are not in the object, by the places that refer to them."""
        return {
            place: self.symbols[number].name
            for place, number in self._referring.items()
            if self.symbols[number]["st_shndx"] == "SHN_UNDEF"
        }

    def number(self, name: str) -> int | None:
        """Return the number of the first section of a name, None where there is none."""
        return next((number for number, section in enumerate(self.sections) if section.name == name), None)

    def data(self, number: int) -> bytes:
        """Return what is in a section."""
        if number not in self._data:
            self._data[number] = self.sections[number].data()
        return self._data[number]

    def is_code(self, number: int) -> bool:
        """Say whether a section has instructions."""
        section = self.sections[number]
        return section["sh_type"] == "SHT_PROGBITS" and bool(section["sh_flags"] & _EXECUTABLE)

    def text(self, name: str) -> str:
        """Return the text in a section up to its first zero byte, "" where there is no such section."""
        number = self.number(name)
        return "" if number is None else self.data(number).split(b"\0")[0].decode(errors="replace")
