"""What a BPF object has: its programs with their functions, and its maps. Read from the ELF file, as libbpf does.

pyelftools is imported here alone, by what builds an object: the listing is kept beside the object.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ObjectFileError
from harness.supply.btf import Btf

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import Section, Symbol

FUNCTIONS = ".text"
"""The section of functions that are no programs (libbpf.c, prog_is_subprog())."""
STRUCT_OPS = 26
"""BPF_MAP_TYPE_STRUCT_OPS: what libbpf makes of each variable in a section .struct_ops."""
ARRAY = 2
DATA_SECTIONS = (".data", ".rodata", ".bss")
"""Sections that libbpf makes array maps of, with these names or these and a dot before more."""
_CALL, _PSEUDO_CALL, _LOAD = 0x85, 1, 0x18
"""Instructions that name a function: a call (with this source register), and a load of its address."""
_INSTRUCTION = 8


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The names that an object has.

    `programs` maps each program to its section's name, `functions` to the functions in it: its own, and all that it
    calls. `maps` maps each map to its type (enum bpf_map_type), None where the object does not say. `registers` are
    the members of its `struct pt_regs`, if it has one.
    """

    programs: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    maps: Mapping[str, int | None] = field(default_factory=dict)
    registers: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the listing as values of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Listing:
        """Return the listing that `to_json` wrote; raise KeyError or TypeError where it is none."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__})


def read_listing(path: Path, *, stem: str) -> Listing:
    """Return what the object file `path` has, which libbpf will know as `stem`.

    Raises ObjectFileError where it cannot be read as an object.
    """
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415  (see above)

    try:
        with path.open("rb") as file:
            return _listing(ELFFile(file), stem=stem)
    except OSError as error:
        raise ObjectFileError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # pyelftools takes a file for what it says it is, and ends in anything where it is not
        raise ObjectFileError(f"{path} is damaged: it cannot be read as a BPF object ({error})") from error


_Place = tuple[int, int]
"""A section's number, and bytes from its start."""


@dataclass(frozen=True, kw_only=True)
class _Function:
    name: str
    section: int
    start: int
    size: int
    local: bool


def _listing(elf: ELFFile, *, stem: str) -> Listing:
    sections = list(elf.iter_sections())
    symbols = _symbols(sections)
    functions = [
        _Function(
            name=symbol.name,
            section=symbol["st_shndx"],
            start=symbol["st_value"],
            size=symbol["st_size"],
            local=symbol["st_info"]["bind"] == "STB_LOCAL",
        )
        for symbol in symbols
        if symbol["st_info"]["type"] == "STT_FUNC" and isinstance(symbol["st_shndx"], int)
    ]
    calls = _calls(elf, sections, symbols, functions)
    programs = [
        each
        for each in functions
        if not each.local and _is_code(sections[each.section]) and each.section != _text(sections)
    ]
    btf_section = next((section for section in sections if section.name == ".BTF"), None)
    btf = Btf(btf_section.data(), order="little" if elf.little_endian else "big") if btf_section else None
    return Listing(
        programs={each.name: sections[each.section].name for each in programs},
        functions={each.name: _reached(each, calls) for each in programs},
        maps=_maps(sections, symbols, btf, stem=stem),
        registers=sorted(btf.members("pt_regs")) if btf else (),
    )


def _symbols(sections: Sequence[Section]) -> list[Symbol]:
    from elftools.elf.sections import SymbolTableSection  # noqa: PLC0415  (see above)

    table = next((section for section in sections if isinstance(section, SymbolTableSection)), None)
    return list(table.iter_symbols()) if table is not None else []


def _text(sections: Sequence[Section]) -> int:
    return next((number for number, section in enumerate(sections) if section.name == FUNCTIONS), -1)


def _is_code(section: Section) -> bool:
    return section["sh_type"] == "SHT_PROGBITS" and bool(section["sh_flags"] & 4)  # SHF_EXECINSTR


def _calls(
    elf: ELFFile, sections: Sequence[Section], symbols: Sequence[Symbol], functions: Sequence[_Function]
) -> dict[_Function, list[_Function]]:
    """Return which functions each function names, as libbpf finds them (libbpf.c, bpf_object__reloc_code())."""
    by_place = {(each.section, each.start): each for each in functions}
    named = _relocated(sections, symbols)
    found: dict[_Function, list[_Function]] = {}
    for each in functions:
        code = sections[each.section].data()[each.start : each.start + each.size]
        places = _named_places(code, each, named, little=elf.little_endian)
        found[each] = [by_place[place] for place in places if place in by_place]
    return found


def _named_places(code: bytes, owner: _Function, named: Mapping[_Place, _Place], *, little: bool) -> Iterator[_Place]:
    for place in range(0, len(code) - _INSTRUCTION + 1, _INSTRUCTION):
        operation, registers, _, immediate = struct.unpack_from("<BBhi" if little else ">BBhi", code, place)
        source = registers >> 4 if little else registers & 0xF
        start = owner.start + place
        symbol = named.get((owner.section, start))
        if operation == _CALL and source == _PSEUDO_CALL:
            section, value = symbol or (owner.section, start)
            yield section, value + (immediate + 1) * _INSTRUCTION
        elif operation == _LOAD and symbol is not None:
            yield symbol[0], symbol[1] + immediate


def _relocated(sections: Sequence[Section], symbols: Sequence[Symbol]) -> dict[_Place, _Place]:
    """Return where the symbols are that instructions refer to, by the places of those instructions."""
    from elftools.elf.relocation import RelocationSection  # noqa: PLC0415  (see above)

    found: dict[_Place, _Place] = {}
    for section in sections:
        if not isinstance(section, RelocationSection):
            continue
        for relocation in section.iter_relocations():
            symbol = symbols[relocation["r_info_sym"]]
            if isinstance(symbol["st_shndx"], int):
                found[section["sh_info"], relocation["r_offset"]] = (symbol["st_shndx"], symbol["st_value"])
    return found


def _reached(start: _Function, calls: Mapping[_Function, Sequence[_Function]]) -> list[str]:
    found = [start]
    for each in found:
        found += [called for called in calls.get(each, ()) if called not in found]
    return [each.name for each in found]


def _maps(
    sections: Sequence[Section], symbols: Sequence[Symbol], btf: Btf | None, *, stem: str
) -> dict[str, int | None]:
    """Return the maps by the names under which libbpf finds them (libbpf.c, bpf_object__find_map_by_name())."""
    found: dict[str, int | None] = {}
    for symbol in symbols:
        kind, number = symbol["st_info"]["type"], symbol["st_shndx"]
        if kind != "STT_OBJECT" or not isinstance(number, int):
            continue
        section = sections[number].name.removeprefix("?")
        if section == ".maps":
            found[symbol.name] = None
        elif section.startswith(".struct_ops"):
            found[symbol.name] = STRUCT_OPS
    if btf is not None:
        found |= btf.variables(".maps")
    data = [section.name for section in sections if _is_data(section.name) and section["sh_size"]]
    if btf is not None and btf.variables(".kconfig"):
        data.append(".kconfig")
    for name in data:
        found |= {name: ARRAY, _map_name(name, stem=stem): ARRAY}
    return found


def _map_name(section: str, *, stem: str) -> str:
    """Return the name that a section's map has in the kernel, of at most 15 bytes (libbpf.c, internal_map_name())."""
    behind = min(max(7, len(section)), 15)
    return f"{'' if '.' in section[1:] else stem[: 15 - behind]}{section[:behind]}"


def _is_data(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in DATA_SECTIONS)
