"""The maps of a BPF object, as libbpf makes them: which there are, which instructions name them, what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.listing import ARENA, ARRAY, STRUCT_OPS
from harness.supply.sections import ElfObject, Place

DATA_SECTIONS = (".data", ".rodata", ".bss")
"""Sections that libbpf makes array maps of, with these names or these and a dot before more."""
KCONFIG, MAPS, ARENA_SECTION = ".kconfig", ".maps", ".addr_space.1"
STRUCT_OPS_SECTION = ".struct_ops"


def all_maps(read: ElfObject, *, stem: str) -> dict[str, int | None]:
    """Return the maps by the names under which libbpf finds them (libbpf.c, bpf_object__find_map_by_name())."""
    found: dict[str, int | None] = {}
    for name, section in _declared(read).items():
        found[name] = STRUCT_OPS if section.removeprefix("?").startswith(STRUCT_OPS_SECTION) else None
    if read.btf is not None:
        found |= read.btf.variables(MAPS)
    for name in data_sections(read):
        found |= {name: ARRAY, map_name(name, stem=stem): ARRAY}
    return found


def data_sections(read: ElfObject) -> list[str]:
    """Return the sections that are maps, in their order, and the one of the kernel's configuration."""
    data = [section.name for section in read.sections if _is_data(section.name) and section["sh_size"]]
    if read.btf is not None and read.btf.variables(KCONFIG):
        data.append(KCONFIG)
    return data


def variables(read: ElfObject) -> dict[str, str]:
    """Return the global variables that user space can set, each with its section; none where there are no types."""
    if read.btf is None:
        return {}
    btf = read.btf
    return {name: section for section in data_sections(read) if section != KCONFIG for name in btf.variables(section)}


@dataclass(frozen=True, kw_only=True)
class MapPlaces:
    """Where the maps are that code names: `named` by place, `whole` are sections that are one map each.

    `sections` are those of the variables that are maps, by name.
    """

    named: Mapping[Place, str]
    whole: Mapping[int, str]
    sections: Mapping[str, str]

    def name_at(self, place: Place) -> str | None:
        """Return the map at a place, None where there is none."""
        return self.named.get(place) or self.whole.get(place[0])


def map_places(read: ElfObject, maps: Mapping[str, int | None]) -> MapPlaces:
    """Return where the maps of an object are (libbpf.c, bpf_program__record_reloc())."""
    wanted = set(data_sections(read))
    whole = {number: section.name for number, section in enumerate(read.sections) if section.name in wanted}
    arena = next((name for name, kind in maps.items() if kind == ARENA), None)
    number = read.number(ARENA_SECTION)
    if arena is not None and number is not None:
        whole[number] = arena
    sections = _declared(read)
    named = {
        (symbol["st_shndx"], symbol["st_value"]): symbol.name
        for symbol in read.symbols
        if symbol.name in sections and isinstance(symbol["st_shndx"], int)
    }
    return MapPlaces(named=named, whole=whole, sections=sections)


def static_slots(read: ElfObject, there: Mapping[Place, str]) -> dict[str, list[str]]:
    """Return what the object itself puts into its maps, by map: those of the things at `there`.

    `.values` of a map are relocations of the section .maps (libbpf.c, bpf_object__collect_map_relos()).
    """
    return _referred(read, MAPS, there)


def struct_ops(read: ElfObject, programs: Mapping[Place, str]) -> dict[str, list[str]]:
    """Return the programs that each struct_ops variable names (libbpf.c, bpf_object__collect_st_ops_relos())."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(_declared(read).values()):
        if name.removeprefix("?").startswith(STRUCT_OPS_SECTION):
            found |= {each: [] for each, section in _declared(read).items() if section == name}
            found |= _referred(read, name, programs)
    return found


def _referred(read: ElfObject, section: str, there: Mapping[Place, str]) -> dict[str, list[str]]:
    """Return what the variables of a section refer to, of the things at `there`."""
    number = read.number(section)
    spans = [
        (symbol["st_value"], symbol["st_value"] + symbol["st_size"], symbol.name)
        for symbol in read.symbols
        if symbol["st_shndx"] == number and symbol["st_info"]["type"] == "STT_OBJECT"
    ]
    found: dict[str, list[str]] = {}
    for (owner, offset), place in sorted(read.relocated.items()):
        if owner == number and place in there:
            for start, end, name in spans:
                if start <= offset < end and there[place] not in found.setdefault(name, []):
                    found[name].append(there[place])
    return found


def _declared(read: ElfObject) -> dict[str, str]:
    """Return the variables that are maps, each with its section."""
    found: dict[str, str] = {}
    for symbol in read.symbols:
        kind, number = symbol["st_info"]["type"], symbol["st_shndx"]
        if kind == "STT_OBJECT" and isinstance(number, int):
            section = read.sections[number].name
            if section == MAPS or section.removeprefix("?").startswith(STRUCT_OPS_SECTION):
                found[symbol.name] = section
    return found


def map_name(section: str, *, stem: str) -> str:
    """Return the name that a section's map has in the kernel, of at most 15 bytes (libbpf.c, internal_map_name())."""
    behind = min(max(7, len(section)), 15)
    return f"{'' if '.' in section[1:] else stem[: 15 - behind]}{section[:behind]}"


def _is_data(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in DATA_SECTIONS)
