"""Reading what an object wants of a kernel, its functions, relocations and externs, from its file as libbpf does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ObjectFileError
from harness.forecast.btf import DATASEC, FUNC, VAR, Btf
from harness.forecast.instructions import BYTES, CALL, FUNCTION, JMP, LOAD_IMMEDIATE, decoded
from harness.forecast.reaching import Code, Place
from harness.forecast.relocations import Relocation, relocations_of
from harness.forecast.values import SOME, Data, Value
from harness.forecast.wants import CONFIGURATION, Extern, Operations, WantedProgram, Wants
from harness.model.listing import Listing
from harness.scenario.from_object import ObjectOptions, own_target, programs_on, variable_of
from harness.scenario.sections import known_section, section_of, target_of
from harness.supply.elf_maps import STRUCT_OPS_SECTION
from harness.supply.sections import ElfObject

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

EXTENSION = ".BTF.ext"
_UNDEFINED = "SHN_UNDEF"
_CONSTANT = ".rodata"
_STATIC = ("STV_HIDDEN", "STV_INTERNAL")
"""Functions that the verifier looks at where they are called, like static ones (libbpf.c, bpf_object__open())."""


@dataclass(frozen=True, kw_only=True)
class _Symbol:
    """A function: where it is, how long, and whether the verifier looks at it by itself."""

    name: str
    place: Place
    size: int
    globally: bool


def read_wants(path: Path, *, name: str, listing: Listing, options: ObjectOptions) -> Wants:
    """Return what the object file `path` wants of a kernel, with what the user says of it.

    Raises ObjectFileError where it cannot be read as an object.
    """
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415  (expensive, and most commands do not need it)

    try:
        with path.open("rb") as file:
            return _wants(ELFFile(file), name=name, listing=listing, options=options)
    except OSError as error:
        raise ObjectFileError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # pyelftools takes a file for what it says it is, and ends in anything where it is not
        raise ObjectFileError(f"{path} is damaged: it cannot be read as a BPF object ({error})") from error


def _wants(elf: ELFFile, *, name: str, listing: Listing, options: ObjectOptions) -> Wants:
    read = ElfObject(elf)
    number = read.number(".BTF")
    order = "little" if read.little else "big"
    types = None if number is None else Btf(read.data(number), order=order)  # type: ignore[arg-type]
    symbols = list(_functions(read))
    externs = dict(_externs(read, types)) if types is not None else {}
    constants = {
        section.name: read.data(place)
        for place, section in enumerate(read.sections)
        if section.name.startswith(_CONSTANT) and section["sh_type"] == "SHT_PROGBITS"
    }
    changed = {listing.variables.get(variable_of(path)) for path in options.rodata}
    code = {each.place: _code(read, each, externs, constants, {one.place for one in symbols}) for each in symbols}
    return Wants(
        name=name,
        order=order,  # type: ignore[arg-type]
        types=types,
        programs=_programs(symbols, code, listing, options),
        code=code,
        relocations=_relocations(read, types, symbols),
        externs=externs,
        named=dict(_named(read, symbols, externs)),
        constants={section: data for section, data in constants.items() if section not in changed},
        operations=list(_operations(read, types, {each.place: each.name for each in symbols})),
        modules=options.modules,
    )


def _functions(read: ElfObject) -> Iterator[_Symbol]:
    for symbol in read.symbols:
        if symbol["st_info"]["type"] == "STT_FUNC" and isinstance(symbol["st_shndx"], int):
            yield _Symbol(
                name=symbol.name,
                place=(symbol["st_shndx"], symbol["st_value"]),
                size=symbol["st_size"],
                globally=symbol["st_info"]["bind"] != "STB_LOCAL" and symbol["st_other"]["visibility"] not in _STATIC,
            )


def _code(
    read: ElfObject,
    symbol: _Symbol,
    externs: Mapping[str, Extern],
    constants: Mapping[str, bytes],
    functions: set[Place],
) -> Code:
    """Return a function's instructions, and what those mean that refer to something (libbpf.c, _reloc_code())."""
    section, start = symbol.place
    instructions = decoded(read.data(section)[start : start + symbol.size], order="little" if read.little else "big")
    calls: dict[int, Place] = {}
    loads: dict[int, Value] = {}
    addressed: dict[int, Place] = {}
    for number, each in enumerate(instructions):
        at = (section, start + number * BYTES)
        there = read.relocated.get(at)
        if each.kind == JMP and each.operation == CALL and each.source == FUNCTION and at not in read.externs:
            target, value = there or at
            calls[number] = (target, value + (each.immediate + 1) * BYTES)
        elif each.code == LOAD_IMMEDIATE and at in read.externs:
            extern = externs.get(read.externs[at])
            loads[number] = Data(extern.name) if extern and extern.section == CONFIGURATION else SOME
        elif each.code == LOAD_IMMEDIATE and there is not None:
            place = (there[0], there[1] + each.immediate)
            held = read.sections[there[0]].name
            loads[number] = Data(held, place[1]) if held in constants else SOME
            if place in functions:
                addressed[number] = place
    return Code(
        place=symbol.place,
        instructions=instructions,
        calls=calls,
        loads=loads,
        addressed=addressed,
        globally=symbol.globally,
    )


def _programs(
    symbols: Sequence[_Symbol], code: Mapping[Place, Code], listing: Listing, options: ObjectOptions
) -> dict[str, WantedProgram]:
    on = set(programs_on(listing, options))
    places = {each.name: each.place for each in symbols}
    found = {}
    for name, written in listing.programs.items():
        section = known_section(written)
        chosen = options.attach_to.get(name, "") if section_of(section).needs else ""
        found[name] = WantedProgram(
            name=name,
            section=section,
            functions=_called(places[name], code),
            target=chosen or target_of(section),
            inside=own_target(listing, name, chosen=chosen) is not None,
            on=name in on,
        )
    return found


def _called(start: Place, code: Mapping[Place, Code]) -> list[Place]:
    """Return a function and all that it comes to by calls, or by their addresses."""
    found = [start]
    for place in found:
        own = code.get(place)
        there = [*own.calls.values(), *own.addressed.values()] if own is not None else []
        found += [each for each in dict.fromkeys(there) if each not in found]
    return found


def _relocations(
    read: ElfObject, types: Btf | None, symbols: Sequence[_Symbol]
) -> dict[Place, list[tuple[int, Relocation]]]:
    number = read.number(EXTENSION)
    if types is None or number is None:
        return {}
    found: dict[Place, list[tuple[int, Relocation]]] = {}
    sections = {section.name: place for place, section in reversed(list(enumerate(read.sections)))}
    for each in relocations_of(types, read.data(number)):
        for symbol in symbols:
            section, start = symbol.place
            if section == sections.get(each.section) and start <= each.offset < start + symbol.size:
                found.setdefault(symbol.place, []).append(((each.offset - start) // BYTES, each))
                break  # what belongs to none is of a weak function that another object's took the place of
    return found


def _externs(read: ElfObject, types: Btf) -> Iterator[tuple[str, Extern]]:
    """Yield what the object names and does not have (libbpf.c, bpf_object__collect_externs())."""
    weak = {
        symbol.name: symbol["st_info"]["bind"] == "STB_WEAK"
        for symbol in read.symbols
        if symbol["st_shndx"] == _UNDEFINED and symbol.name
    }
    for number in types.own():
        if types.type(number).kind != DATASEC:
            continue
        section = types.name(number)
        for variable, _, _ in types.variables(number):
            name, kind = types.name(variable), types.type(variable).kind
            if name in weak and kind in (VAR, FUNC):
                referred = types.type(variable).size
                bare = types.bare(referred)
                own = referred if section == CONFIGURATION or kind == FUNC else bare
                yield name, Extern(name, section, own, function=kind == FUNC, weak=weak[name])


def _named(
    read: ElfObject, symbols: Sequence[_Symbol], externs: Mapping[str, Extern]
) -> Iterator[tuple[tuple[Place, int], str]]:
    """Yield the instructions that load or call externs, but for options of the configuration."""
    for (section, offset), name in read.externs.items():
        for symbol in symbols:
            start = symbol.place[1]
            if section == symbol.place[0] and start <= offset < start + symbol.size:
                extern = externs.get(name)
                if extern is not None and extern.section != CONFIGURATION:
                    yield (symbol.place, (offset - start) // BYTES), name


def _operations(read: ElfObject, types: Btf | None, programs: Mapping[Place, str]) -> Iterator[Operations]:
    """Yield the variables of struct_ops (libbpf.c, bpf_object__init_struct_ops_maps(), _collect_st_ops_relos())."""
    if types is None:
        return
    variables = {
        types.name(number): types.type(number).size for number in types.own() if types.type(number).kind == VAR
    }
    for symbol in read.symbols:
        section = symbol["st_shndx"]
        if symbol["st_info"]["type"] != "STT_OBJECT" or not isinstance(section, int):
            continue
        if not read.sections[section].name.removeprefix("?").startswith(STRUCT_OPS_SECTION):
            continue
        kind, start = variables.get(symbol.name), symbol["st_value"]
        if kind is None:
            continue
        data, number = read.data(section), types.bare(kind)
        found, others = {}, set()
        for member in types.members(number):
            at = start + member.bit // 8
            place = read.relocated.get((section, at))
            if place is not None and place in programs:
                found[member.name] = programs[place]
            elif any(data[at : at + types.size(member.type)]):
                others.add(member.name)
        yield Operations(name=symbol.name, type=number, programs=found, set=frozenset(others))
