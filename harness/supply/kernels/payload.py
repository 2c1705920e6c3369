"""The uncompressed kernel inside an image: an x86 bzImage, an EFI zboot image, or a file that gzip packed.

QEMU can start the first without firmware and decompressor (PVH). The second it cannot start at all before 8.0, and for
riscv64 no other than the plain one. The code is the one that was shipped: only who unpacks it differs. A guest's
processor under emulation takes seconds for what the host does in a tenth of one.
"""

from __future__ import annotations

import bz2
import contextlib
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lz4.block
import zstandard

_LZ4_LEGACY = b"\x02\x21\x4c\x18"
_LZ4_BLOCK = 8 << 20
_ZBOOT = b"zimg"
MEMORY = 1 << 30
"""What unpacking may take; the largest dictionary of a kernel is 128 MiB (scripts/xz_wrap.sh)."""
DAMAGED = (
    *(OSError, EOFError, ValueError, RuntimeError, MemoryError),
    *(zlib.error, lzma.LZMAError, zstandard.ZstdError, lz4.block.LZ4BlockError),
)
"""What the unpackers raise on data that is not what it should be."""
_NOTE_PHYS32_ENTRY = 18
"""XEN_ELFNOTE_PHYS32_ENTRY (include/xen/interface/elfnote.h): the entry point of the PVH boot protocol."""
_PT_NOTE = 4


class NoPayloadError(ValueError):
    """The image is of no kind that is packed, is damaged, or is packed in a way that is not known here."""


def direct_image(image: Path, folder: Path) -> Path:
    """Return what QEMU should start: `vmlinux` in `folder`, unpacked from `image`, or `image` itself.

    A bzImage is unpacked where its kernel has a PVH entry. Whatever is not packed in a way that is known here is
    started as it is; QEMU and the kernel know best what to do with it. Raises OSError where `folder` cannot be written.
    """
    data = image.read_bytes()
    try:
        kernel = unpacked(data)
    except NoPayloadError:
        return image
    if _is_bzimage(data) and not has_pvh_entry(kernel):
        return image
    target = folder / "vmlinux"
    target.write_bytes(kernel)
    return target


def is_wrapped(data: bytes) -> bool:
    """Say whether an image is of a kind that shows nothing of the kernel in it before it is unpacked."""
    return data[4:8] == _ZBOOT or data.startswith(b"\x1f\x8b")


def unpacked(data: bytes) -> bytes:
    """Return the kernel inside a packed image; raise NoPayloadError, also where `data` is no packed image."""
    if data[4:8] == _ZBOOT:
        return _zboot(data)
    if data.startswith(b"\x1f\x8b"):
        with contextlib.suppress(*DAMAGED):
            return _whole(zlib.decompressobj(31), data)
        raise NoPayloadError("what gzip packed cannot be unpacked to its end")
    return payload(data)


def contents(image: bytes) -> Iterator[bytes]:
    """Yield an image, and what is packed in it.

    Where it is of no kind that `unpacked` knows, these are whatever begins like packed data and can be unpacked:
    architectures differ in where it lies, and in who packed it.
    """
    yield image
    try:
        kernel = unpacked(image)
    except NoPayloadError:
        yield from () if image.startswith(b"\x7fELF") else _anything_packed(image)
    else:
        yield kernel


def payload(data: bytes) -> bytes:
    """Return the uncompressed ELF kernel inside a bzImage; raise NoPayloadError.

    Where it lies is in the image's header (Documentation/arch/x86/boot.rst: setup_sects at 0x1f1,
    payload_offset at 0x248, payload_length at 0x24c, since protocol 2.08).
    """
    if not _is_bzimage(data):
        raise NoPayloadError("no bzImage of boot protocol 2.08 or later")
    start = ((data[0x1F1] or 4) + 1) * 512 + int.from_bytes(data[0x248:0x24C], "little")
    packed = data[start : start + int.from_bytes(data[0x24C:0x250], "little")]
    unpack = next((how for magic, how in _PACKERS.items() if packed.startswith(magic)), None)
    if unpack is None:
        raise NoPayloadError(f"the payload is packed in an unknown way ({packed[:6].hex()})")
    with contextlib.suppress(*DAMAGED):
        kernel = unpack(packed)
        # The last four bytes are the unpacked size, whoever packed it (arch/x86/boot/compressed/mkpiggy.c).
        if kernel.startswith(b"\x7fELF") and len(kernel) == int.from_bytes(packed[-4:], "little"):
            return kernel
    raise NoPayloadError("the payload cannot be unpacked to a whole ELF file")


def _is_bzimage(data: bytes) -> bool:
    return data[0x202:0x206] == b"HdrS" and int.from_bytes(data[0x206:0x208], "little") >= 0x208


def _zboot(data: bytes) -> bytes:
    """Return the kernel inside an EFI zboot image, of arm64 or riscv64.

    Its header says where what was packed lies, and how long that is (drivers/firmware/efi/libstub/zboot-header.S: at 8
    and at 12). The unpacked size follows it, but gzip's own is the end of what gzip packed (scripts/Makefile.lib,
    size_append; Makefile.zboot, zboot-size-len).
    """
    start, length = (int.from_bytes(data[at : at + 4], "little") for at in (8, 12))
    packed = data[start : start + length]
    with_size = packed if packed.startswith(b"\x1f\x8b") else data[start : start + length + 4]
    unpack = next((how for magic, how in _PACKERS.items() if packed.startswith(magic)), None)
    if unpack is None:
        raise NoPayloadError(f"the payload is packed in an unknown way ({packed[:6].hex()})")
    with contextlib.suppress(*DAMAGED):
        kernel = unpack(with_size)
        if kernel and len(kernel) == int.from_bytes(with_size[-4:], "little"):  # gzip's first bytes end in zeros
            return kernel
    raise NoPayloadError("the payload cannot be unpacked to its end")


def has_pvh_entry(elf: bytes) -> bool:
    """Say whether a 64-bit little-endian ELF kernel has the note that says where PVH starts it."""
    if elf[:6] != b"\x7fELF\x02\x01":
        return False
    headers, size, count = (int.from_bytes(elf[at : at + n], "little") for at, n in ((32, 8), (54, 2), (56, 2)))
    for index in range(count):
        header = elf[headers + index * size : headers + index * size + 56]
        if int.from_bytes(header[:4], "little") != _PT_NOTE:
            continue
        offset, length = int.from_bytes(header[8:16], "little"), int.from_bytes(header[32:40], "little")
        if any(note == (b"Xen", _NOTE_PHYS32_ENTRY) for note in _notes(elf[offset : offset + length])):
            return True
    return False


def _notes(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield owner and type of the notes in a segment."""
    while len(data) >= 12:
        name, desc, kind = (int.from_bytes(data[at : at + 4], "little") for at in (0, 4, 8))
        yield data[12 : 12 + name].rstrip(b"\0"), kind
        data = data[12 + (name + 3) // 4 * 4 + (desc + 3) // 4 * 4 :]


def _lz4(packed: bytes) -> bytes:
    """Unpack the legacy format of `lz4 -l`; the last four bytes are the kernel's own (the unpacked size)."""
    parts, at, end = [], len(_LZ4_LEGACY), len(packed) - 4
    while at + 4 <= end:
        size = int.from_bytes(packed[at : at + 4], "little")
        parts.append(lz4.block.decompress(packed[at + 4 : at + 4 + size], uncompressed_size=_LZ4_BLOCK))
        at += 4 + size
    return b"".join(parts)


def _whole(unpacker: Any, packed: bytes) -> bytes:
    """Return all that comes out; raise EOFError where what was packed ends early."""
    found = bytes(unpacker.decompress(packed))
    if not unpacker.eof:
        raise EOFError
    return found


def _anything_packed(image: bytes) -> Iterator[bytes]:
    for magic, unpack in _SELF_ENDING.items():
        start = image.find(magic)
        while start >= 0:
            with contextlib.suppress(*DAMAGED):
                yield unpack(image[start:])
            start = image.find(magic, start + 1)


_SELF_ENDING: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b\x08": lambda packed: zlib.decompressobj(31).decompress(packed),
    b"\x28\xb5\x2f\xfd": lambda packed: bytes(zstandard.ZstdDecompressor().decompressobj().decompress(packed)),
    b"\xfd7zXZ\0": lambda packed: lzma.LZMADecompressor(memlimit=MEMORY).decompress(packed),
}
"""What unpacks to the end of what was packed, whatever comes behind it, by its first bytes."""
_PACKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x28\xb5\x2f\xfd": lambda packed: bytes(zstandard.ZstdDecompressor().decompressobj().decompress(packed)),
    _LZ4_LEGACY: _lz4,
    b"\x1f\x8b": lambda packed: zlib.decompressobj(31).decompress(packed),
    b"\xfd7zXZ\0": lambda packed: lzma.LZMADecompressor(memlimit=MEMORY).decompress(packed),
    b"BZh": lambda packed: bz2.BZ2Decompressor().decompress(packed),
    b"\x5d\0\0": lambda packed: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY).decompress(packed),
}
"""By the magic of the packed data (arch/x86/boot/compressed/Makefile); an LZO kernel is started as it is."""
