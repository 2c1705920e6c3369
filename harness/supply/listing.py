"""Reading what a BPF object has: its programs with their functions, and its maps. From the ELF file, as libbpf does.

pyelftools is imported here and in sections.py alone, by what builds an object: the listing is kept beside the object.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ObjectFileError
from harness.model.listing import Listing
from harness.supply.elf_maps import KCONFIG, all_maps, map_places, static_slots, struct_ops, variables
from harness.supply.sections import ElfObject, Place

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

FUNCTIONS = ".text"
"""The section of functions that are no programs (libbpf.c, prog_is_subprog())."""
LICENSE = "license"
_CALL, _PSEUDO_CALL, _LOAD = 0x85, 1, 0x18
"""Instructions that name a function: a call (with this source register), and a load of its address. The latter names
maps, too."""
_INSTRUCTION = 8


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


@dataclass(frozen=True, kw_only=True)
class _Function:
    name: str
    section: int
    start: int
    size: int
    local: bool


def _listing(elf: ELFFile, *, stem: str) -> Listing:
    read = ElfObject(elf)
    functions = [
        _Function(
            name=symbol.name,
            section=symbol["st_shndx"],
            start=symbol["st_value"],
            size=symbol["st_size"],
            local=symbol["st_info"]["bind"] == "STB_LOCAL",
        )
        for symbol in read.symbols
        if symbol["st_info"]["type"] == "STT_FUNC" and isinstance(symbol["st_shndx"], int)
    ]
    names = {each: list(_named_places(read, each)) for each in functions}
    by_place = {(each.section, each.start): each for each in functions}
    calls = {each: [by_place[place] for place in places if place in by_place] for each, places in names.items()}
    programs = [
        each
        for each in functions
        if not each.local and read.is_code(each.section) and read.sections[each.section].name != FUNCTIONS
    ]
    maps = all_maps(read, stem=stem)
    own = map_places(read, maps)
    loads = {each: [found for place in places if (found := own.name_at(place))] for each, places in names.items()}
    for each in functions:
        loads[each] += [KCONFIG] if _reads_configuration(read, each) else []
    reached = {each.name: _reached(each, calls) for each in programs}
    program_at = {(each.section, each.start): each.name for each in programs}
    slots = static_slots(read, program_at)
    inside = static_slots(read, {place: name for place, name in own.named.items() if name in maps})
    return Listing(
        programs={each.name: read.sections[each.section].name for each in programs},
        functions={name: [each.name for each in found] for name, found in reached.items()},
        maps=maps,
        registers=sorted(read.btf.members("pt_regs")) if read.btf else (),
        uses={
            name: _with_inner([each for function in found for each in loads[function]], inside)
            for name, found in reached.items()
        },
        slots=slots,
        struct_ops=struct_ops(read, program_at),
        optional=[name for name, section in own.sections.items() if section.startswith("?")],
        variables=variables(read),
        license=read.text(LICENSE),
    )


def _named_places(read: ElfObject, owner: _Function) -> Iterator[Place]:
    """Yield the places that the instructions of a function name (libbpf.c, bpf_object__reloc_code())."""
    code = read.data(owner.section)[owner.start : owner.start + owner.size]
    for offset in range(0, len(code) - _INSTRUCTION + 1, _INSTRUCTION):
        operation, registers, _, immediate = struct.unpack_from("<BBhi" if read.little else ">BBhi", code, offset)
        source = registers >> 4 if read.little else registers & 0xF
        start = owner.start + offset
        symbol = read.relocated.get((owner.section, start))
        if operation == _CALL and source == _PSEUDO_CALL:
            section, value = symbol or (owner.section, start)
            yield section, value + (immediate + 1) * _INSTRUCTION
        elif operation == _LOAD and symbol is not None:
            yield symbol[0], symbol[1] + immediate


def _reads_configuration(read: ElfObject, owner: _Function) -> bool:
    options = read.btf.variables(KCONFIG) if read.btf is not None else {}
    end = owner.start + owner.size
    return any(
        section == owner.section and owner.start <= offset < end and name in options
        for (section, offset), name in read.externs.items()
    )


def _reached(start: _Function, calls: Mapping[_Function, Sequence[_Function]]) -> list[_Function]:
    found = [start]
    for each in found:
        found += [called for called in calls.get(each, ()) if called not in found]
    return found


def _with_inner(names: Sequence[str], inside: Mapping[str, Sequence[str]]) -> list[str]:
    found = list(dict.fromkeys(names))
    for each in found:
        found += [inner for inner in inside.get(each, ()) if inner not in found]
    return found
