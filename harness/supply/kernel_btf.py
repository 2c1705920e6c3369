"""Files with the types of a kernel that a user brings, for CO-RE on kernels that have none themselves."""

from __future__ import annotations

import io
import struct
from pathlib import Path

from harness.errors import ObjectFileError
from harness.model.architectures import Architecture
from harness.supply.btf import MAGIC

HEADER_BYTES = 24
MAGICS = {"little": MAGIC.to_bytes(2, "little"), "big": MAGIC.to_bytes(2, "big")}


def checked_btf(path: Path, arch: Architecture) -> Path:
    """Return the path of a file that has BTF, in the byte order of an architecture; raise ObjectFileError otherwise.

    libbpf takes the types alone, as in /sys/kernel/btf/vmlinux, or an ELF file with a section .BTF (btf.c,
    btf__parse()).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ObjectFileError(f"{path} cannot be read: {error.strerror}") from error
    types = _types_in(data)
    order = next((order for order, magic in MAGICS.items() if types is not None and types[:2] == magic), None)
    if types is None or order is None:
        raise ObjectFileError(
            f"{path} has no BTF: give a file like /sys/kernel/btf/vmlinux, or an ELF file with a section .BTF; "
            "what is packed (.tar.xz) must be unpacked first"
        )
    if order != arch.byte_order:
        raise ObjectFileError(
            f"{path} has the types of a {order}-endian kernel, but {arch.name} is {arch.byte_order}-endian. "
            "Give a file for each architecture: btf: {x86_64: FILE, s390x: FILE}"
        )
    if not _is_whole(types, "<" if order == "little" else ">"):
        raise ObjectFileError(f"{path}: its BTF is damaged: it ends before its header says. Copy the file again")
    return path


def types_of_file(path: Path) -> bytes:
    """Return the types in a file that `checked_btf` has found to have some."""
    return _types_in(path.read_bytes()) or b""


def _is_whole(types: bytes, order: str) -> bool:
    """Say whether types end where struct btf_header (include/uapi/linux/btf.h) says, or later."""
    if len(types) < HEADER_BYTES:
        return False
    _, _, _, head, start, size, text_start, text_size = struct.unpack_from(f"{order}HBBIIIII", types)
    return bool(head >= HEADER_BYTES and len(types) >= head + max(start + size, text_start + text_size))


def _types_in(data: bytes) -> bytes | None:
    """Return the types of a file: all of it, or the section of an ELF file; None where that has no such section."""
    if data[:4] != b"\x7fELF":
        return data
    from elftools.common.exceptions import ELFError  # noqa: PLC0415  (few runs need it)
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    try:
        section = ELFFile(io.BytesIO(data)).get_section_by_name(".BTF")
        return None if section is None else bytes(section.data())
    except (ELFError, ValueError):
        return None
