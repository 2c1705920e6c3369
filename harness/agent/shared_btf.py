"""The kernel's types, read once for all cases of a job instead of once for each load.

libbpf reads and parses them (btf__load_vmlinux_btf()) for every object that is loaded and has CO-RE relocations or
traces functions of the kernel; in an emulated guest that is the larger part of most loads. libbpf calls its own public
functions through its procedure linkage table, as ELF wants it for those that may be replaced. So its two slots for this
one and for btf__free() get functions of ours: one returns what was read before, the other leaves that alone. Where the
slots are not found, all is as it would be without.
"""

from __future__ import annotations

import ctypes
import mmap
import sys

from harness.agent.libbpf_abi import POINTER, TEXT

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LOAD, FREE = "btf__load_vmlinux_btf", "btf__free"
LOAD_FN, FREE_FN = ctypes.CFUNCTYPE(POINTER), ctypes.CFUNCTYPE(None, POINTER)
# elf.h: a program header's type; tags of the dynamic section; the sizes of Elf64_Dyn, Elf64_Rela and Elf64_Sym.
PT_DYNAMIC = 2
DT_NULL, DT_PLTRELSZ, DT_STRTAB, DT_SYMTAB, DT_JMPREL = 0, 2, 5, 6, 23
DYN, RELA, SYM = 16, 24, 24
READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE


class DlInfo(ctypes.Structure):
    """Dl_info of dladdr(3)."""

    _fields_ = (("file", TEXT), ("base", POINTER), ("symbol", TEXT), ("address", POINTER))


class SharedBtf:
    """The kernel's BTF as libbpf has it, for as long as this process and its children live."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Read it, and let libbpf use it from now on; `handle` is 0 where there is none, or it cannot be shared."""
        self.handle = 0
        libc = ctypes.CDLL(None, use_errno=True)
        places = slots(library, libc, (LOAD, FREE))
        if len(places) != 2:
            return
        load = getattr(library, LOAD)
        load.restype, load.argtypes = POINTER, []
        self._free_own = getattr(library, FREE)
        self._free_own.restype, self._free_own.argtypes = None, [POINTER]
        handle = load()
        if not handle:
            return
        self._functions = (FREE_FN(self._free), LOAD_FN(lambda: handle))  # kept: libbpf has their addresses
        if all(replaced(libc, places[name], of) for name, of in zip((FREE, LOAD), self._functions, strict=True)):
            self.handle = handle

    def _free(self, btf: int | None) -> None:
        if btf != self.handle:
            self._free_own(btf)


def slots(library: ctypes.CDLL, libc: ctypes.CDLL, names: Iterable[str]) -> dict[str, int]:
    """Return where a library keeps the addresses of these functions for its own calls; those without are absent."""
    wanted = {name.encode(): name for name in names}
    info = DlInfo()
    known = ctypes.cast(getattr(library, LOAD), POINTER)
    libc.dladdr.argtypes = [POINTER, ctypes.POINTER(DlInfo)]
    if not libc.dladdr(known, ctypes.byref(info)) or not info.base:
        return {}
    base: int = info.base
    head = ctypes.string_at(base, 64)
    start, size, count = number(head[32:40]), number(head[54:56]), number(head[56:58])
    headers = (ctypes.string_at(base + start + index * size, size) for index in range(count))
    place = next((base + number(each[16:24]) for each in headers if number(each[:4]) == PT_DYNAMIC), 0)
    tags: dict[int, int] = {}
    while place and (tag := number(ctypes.string_at(place, 8))) != DT_NULL:
        tags[tag] = number(ctypes.string_at(place + 8, 8))
        place += DYN
    if not {DT_PLTRELSZ, DT_STRTAB, DT_SYMTAB, DT_JMPREL} <= tags.keys():
        return {}
    # glibc makes addresses of the offsets where the dynamic section can be written to.
    table, symbols, strings = (
        tags[tag] if tags[tag] >= base else base + tags[tag] for tag in (DT_JMPREL, DT_SYMTAB, DT_STRTAB)
    )
    found = {}
    relocations = ctypes.string_at(table, tags[DT_PLTRELSZ])
    for at in range(0, len(relocations), RELA):
        symbol = number(relocations[at + 8 : at + 16]) >> 32
        name = ctypes.string_at(strings + number(ctypes.string_at(symbols + symbol * SYM, 4)))
        if name in wanted:
            found[wanted[name]] = base + number(relocations[at : at + 8])
    return found


def replaced(libc: ctypes.CDLL, place: int, function: Any) -> bool:
    """Write the address of a function to a slot, which was made read-only once the library was loaded."""
    page = place & -mmap.PAGESIZE
    libc.mprotect.argtypes = [POINTER, ctypes.c_size_t, ctypes.c_int]
    if libc.mprotect(page, place + 8 - page, READ_WRITE) != 0:
        return False
    POINTER.from_address(place).value = ctypes.cast(function, POINTER).value
    return True


def number(data: bytes) -> int:
    """Return an unsigned number of this machine."""
    return int.from_bytes(data, sys.byteorder)
