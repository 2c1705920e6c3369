"""What a program of this host needs of its loader and libraries, read from its file; nothing is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.model.architectures import ARCHITECTURES, Architecture

MAGIC = b"\x7fELF"
# e_machine (elf.h) of the architectures, by their names here.
MACHINES = {
    "EM_X86_64": "x86_64",
    "EM_AARCH64": "arm64",
    "EM_RISCV": "riscv64",
    "EM_S390": "s390x",
    "EM_PPC64": "ppc64le",
}

Version = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an ELF file says it needs.

    `arch` is the name of its architecture, else that of its machine as elf.h has it. `loader` is its interpreter, ""
    for a static program or a library; `needed` are the sonames of libraries; `rpath` and `runpath` are folders to look
    in, as they are written; `glibc` is the newest version of the C library whose symbols it has; `soname` is the name
    of a library, `versions` are those of other libraries' symbols, by their sonames.
    """

    arch: str
    loader: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    glibc: Version = ()
    soname: str = ""
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def is_elf(path: Path) -> bool:
    """Say whether a file begins as ELF files do; raise OSError where it cannot be read."""
    with path.open("rb") as file:
        return file.read(4) == MAGIC


def read_needs(path: Path) -> Needs | None:
    """Return what an ELF file needs; None for a file that is none, or whose headers make no sense."""
    if not is_elf(path):
        return None
    from elftools.common.exceptions import ELFError  # noqa: PLC0415  (expensive, and few runs push programs)
    from elftools.elf.dynamic import DynamicSegment  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415
    from elftools.elf.gnuversions import GNUVerNeedSection  # noqa: PLC0415
    from elftools.elf.segments import InterpSegment  # noqa: PLC0415

    found: dict[str, list[str]] = {"DT_NEEDED": [], "DT_RPATH": [], "DT_RUNPATH": [], "DT_SONAME": []}
    loader, versions = "", dict[str, tuple[str, ...]]()
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            arch = _architecture(elf.header["e_machine"], wide=elf.elfclass == 64, little=elf.little_endian)
            for segment in elf.iter_segments():
                if isinstance(segment, InterpSegment):
                    loader = segment.get_interp_name()
                elif isinstance(segment, DynamicSegment):
                    for tag in segment.iter_tags():
                        if tag.entry.d_tag in found:
                            found[tag.entry.d_tag].append(_text_of(tag))
            for section in elf.iter_sections():
                if isinstance(section, GNUVerNeedSection):
                    for of, each in section.iter_versions():
                        versions[of.name] = (*versions.get(of.name, ()), *(aux.name for aux in each))
    except (ELFError, ValueError, KeyError, IndexError, UnicodeDecodeError, AssertionError):
        return None
    return Needs(
        arch=arch,
        loader=loader,
        needed=tuple(found["DT_NEEDED"]),
        rpath=tuple(part for text in found["DT_RPATH"] for part in text.split(":") if part),
        runpath=tuple(part for text in found["DT_RUNPATH"] for part in text.split(":") if part),
        glibc=max((version_of(name) for names in versions.values() for name in names), default=()),
        soname="".join(found["DT_SONAME"][:1]),
        versions=versions,
    )


def functions_of(path: Path) -> frozenset[str]:
    """Return the names of the functions in an ELF file's symbols, as libbpf looks for them (elf_find_func_offset() of
    libbpf's elf.c): those of `.dynsym` and `.symtab`, without a version behind an `@`.

    Empty for a file that is none, that has no symbols, or whose headers make no sense.
    """
    from elftools.common.exceptions import ELFError  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415
    from elftools.elf.sections import SymbolTableSection  # noqa: PLC0415

    found: set[str] = set()
    try:
        with path.open("rb") as file:
            for section in ELFFile(file).iter_sections():
                if isinstance(section, SymbolTableSection):
                    found.update(
                        symbol.name.partition("@")[0]
                        for symbol in section.iter_symbols()
                        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] != "SHN_UNDEF"
                    )
    except (ELFError, ValueError, KeyError, IndexError, UnicodeDecodeError, AssertionError):
        return frozenset()
    return frozenset(found)


def glibc_version(libc: bytes) -> Version:
    """Return the newest version that a C library defines, by the names in it: (2, 41); () where it has none."""
    return max((version_of(name.decode()) for name in re.findall(rb"\bGLIBC_[0-9.]+\b", libc)), default=())


def version_of(name: str) -> Version:
    """Return the version in a name such as `GLIBC_2.38`; () for names of other libraries, and for private ones."""
    found = re.fullmatch(r"GLIBC_([0-9]+(?:\.[0-9]+)*)", name)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _architecture(machine: str, *, wide: bool, little: bool) -> str:
    name = MACHINES.get(machine, "")
    arch: Architecture | None = ARCHITECTURES.get(name)
    if arch is None or not wide or (arch.byte_order == "little") != little:
        return machine.removeprefix("EM_").lower()
    return name


def _text_of(tag: object) -> str:
    text = next(
        (value for key in ("needed", "rpath", "runpath", "soname") if (value := getattr(tag, key, None)) is not None),
        "",
    )
    return text if isinstance(text, str) else text.decode(errors="replace")
