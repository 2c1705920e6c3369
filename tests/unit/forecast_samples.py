"""Objects and kernels for forecasts: both are sources that clang compiles, and of a kernel only the types are used."""

from __future__ import annotations

import functools
import struct
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unit_samples import X86

from harness.forecast.answers import ProgramForecast
from harness.forecast.btf import FUNC, FUNC_PROTO, PTR, Btf, Order
from harness.forecast.programs import Forecaster, KernelView
from harness.forecast.resolving import KernelTypes
from harness.forecast.targets import Sight, nowhere
from harness.forecast.wants import Wants
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.scenario.from_object import ObjectOptions
from harness.supply.listing import read_listing
from harness.supply.objects import compile_object
from harness.supply.own.wants import read_wants

S390X = ARCHITECTURES["s390x"]
COMMON = """
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef signed char s8; typedef int s32; typedef long long s64; typedef _Bool bool;
"""
OBJECT = f"""{COMMON}
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
#define __ksym __attribute__((section(".ksyms")))
#define __kconfig __attribute__((section(".kconfig")))
#define __weak __attribute__((weak))
#define __noinline __attribute__((noinline))
#define offset_of(field) __builtin_preserve_field_info(field, 0)
#define size_of(field) __builtin_preserve_field_info(field, 1)
#define exists(field) __builtin_preserve_field_info(field, 2)
#define signed_(field) __builtin_preserve_field_info(field, 3)
#define lshift(field) __builtin_preserve_field_info(field, 4)
#define rshift(field) __builtin_preserve_field_info(field, 5)
#define type_there(type) __builtin_preserve_type_info(*(type *)0, 0)
#define type_size(type) __builtin_preserve_type_info(*(type *)0, 1)
#define local_id(type) __builtin_btf_type_id(*(type *)0, 0)
#define target_id(type) __builtin_btf_type_id(*(type *)0, 1)
#define value_there(type, value) __builtin_preserve_enum_value(*(typeof(type) *)value, 0)
#define value_of(type, value) __builtin_preserve_enum_value(*(typeof(type) *)value, 1)
char LICENSE[] SEC("license") = "GPL";
"""
"""What sources of objects begin with: the builtins that bpf_core_read.h wraps."""


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""The folders of compiled objects, which go with the process."""


@functools.cache
def compiled(text: str, arch: Architecture = X86) -> Path:
    """Return the object that clang makes of a source; it lies in a folder that lives as long as the tests."""
    _FOLDERS.append(tempfile.TemporaryDirectory(prefix="forecast-"))
    folder = Path(_FOLDERS[-1].name)
    source = folder / "it.bpf.c"
    source.write_text(text)
    flags = ["-target", arch.bpf_target, "-g", "-O2", "-Wno-everything"]
    compile_object(source, folder / "it.o", clang="clang", flags=flags)
    return folder / "it.o"


def kernel_btf(text: str, arch: Architecture = X86) -> bytes:
    """Return the types of a source as a kernel's."""
    from elftools.elf.elffile import ELFFile

    with compiled(f"{COMMON}{text}", arch).open("rb") as file:
        return bytes(ELFFile(file).get_section_by_name(".BTF").data())


def kernel_types(text: str, arch: Architecture = X86) -> Btf:
    return Btf(kernel_btf(text, arch), order="little" if arch.byte_order == "little" else "big")


def section(body: bytes, texts: bytes, order: Order = "little") -> bytes:
    """Return a section .BTF of some types and texts."""
    numbers = (24, 0, len(body), len(body), len(texts))
    start = (0xEB9F).to_bytes(2, order) + b"\1\0"
    return start + b"".join(number.to_bytes(4, order) for number in numbers) + body + texts


def as_large_as_a_kernels(data: bytes, order: Order = "little") -> bytes:
    """Return the same types with as many pointers to nothing behind them as a kernel has types."""
    _, types, texts, size = (int.from_bytes(data[at : at + 4], order) for at in (8, 12, 16, 20))
    more = (0).to_bytes(4, order) + (PTR << 24).to_bytes(4, order) + (0).to_bytes(4, order)
    return section(data[24 : 24 + types] + more * 30_000, data[24 + texts : 24 + texts + size], order)


def module_btf(base: Btf, *functions: str) -> bytes:
    """Return the types of a module that has some functions without parameters, behind those of its kernel."""
    texts, words = b"\0", [0, FUNC_PROTO << 24, 0]
    for name in functions:
        words += [base.text_end + len(texts), FUNC << 24 | 1, base.end]
        texts += name.encode() + b"\0"
    return section(b"".join(word.to_bytes(4, base.order) for word in words), texts, base.order)


def elf_with(data: bytes, name: bytes = b".BTF", order: Order = "little") -> bytes:
    """Return an ELF file that has nothing but a section."""
    names = b"\0" + name + b"\0.names\0"
    head = b"\x7fELF\x02" + (b"\1" if order == "little" else b"\2") + b"\1" + bytes(9)
    sign = "<" if order == "little" else ">"
    table = 64 + len(data) + len(names)
    head += struct.pack(f"{sign}HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
    heads = bytes(64)
    heads += struct.pack(f"{sign}IIQQQQIIQQ", 1, 1, 0, 0, 64, len(data), 0, 0, 1, 0)
    heads += struct.pack(f"{sign}IIQQQQIIQQ", len(name) + 2, 3, 0, 0, 64 + len(data), len(names), 0, 0, 1, 0)
    return head + data + names + heads


def wants_of(text: str, arch: Architecture = X86, **options: Any) -> Wants:
    """Return what an object wants whose source begins with OBJECT."""
    path = compiled(f"{OBJECT}{text}", arch)
    listing = read_listing(path, stem="it")
    return read_wants(path, name="it", listing=listing, options=ObjectOptions(**options))


def view(
    kernel: str | None, arch: Architecture = X86, *, elsewhere: Mapping[str, Sequence[str]] = {}, **more: Any
) -> KernelView:
    if kernel is None:
        return KernelView(sight=None, **more)
    known = (lambda name: elsewhere.get(name, ())) if elsewhere else nowhere
    return KernelView(sight=Sight(types=KernelTypes(kernel_types(kernel, arch)), elsewhere=known), **more)


def forecast(text: str, kernel: str | None, arch: Architecture = X86, **more: Any) -> dict[str, ProgramForecast]:
    """Return what is said of the programs of an object on a kernel, by their names."""
    options = {name: more.pop(name) for name in ("rodata", "attach_to", "modules") if name in more}
    found = Forecaster(wants=wants_of(text, arch, **options)).forecast(view(kernel, arch, **more))
    return {each.program: each for each in found}


def said(text: str, kernel: str | None, arch: Architecture = X86, **more: Any) -> dict[str, list[str]]:
    """Return for each program its answer, and its findings as `weight: text`."""
    found = forecast(text, kernel, arch, **more)
    return {
        name: [str(each.answer), *(f"{one.weight}: {one.text}" for one in each.findings)]
        for name, each in found.items()
    }
