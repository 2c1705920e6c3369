"""Kernel images for tests, packed as kernels' builds pack them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable

import lz4.block
import zstandard
from unit_samples import x86_image

LZ4_BLOCK = 8 << 20
BANNER = b"Linux version 6.6.30-own (somebody@somewhere) #1 SMP\0"


def sized(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """What the kernel's build adds behind the packed data: the unpacked size (scripts/Makefile.lib, size_append)."""
    return lambda data: pack(data) + len(data).to_bytes(4, "little")


def lz4_legacy(data: bytes) -> bytes:
    blocks = [lz4.block.compress(data[at : at + LZ4_BLOCK], store_size=False) for at in range(0, len(data), LZ4_BLOCK)]
    return b"\x02\x21\x4c\x18" + b"".join(len(block).to_bytes(4, "little") + block for block in blocks)


def zstd_stream(data: bytes) -> bytes:
    """As `zstd` writes it from a pipe: the frame does not say how large it is."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),  # it ends with the size already
    "xz": sized(lambda data: lzma.compress(data, check=lzma.CHECK_CRC32)),
    "lzma": sized(lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE)),
    "bzip2": sized(bz2.compress),
    "zstd": sized(zstd_stream),
    "lz4": sized(lz4_legacy),
}


def bz_image(packed: bytes, *, sectors: int = 3, protocol: int = 0x20F, offset: int = 0x40) -> bytes:
    """A bzImage whose payload is `packed`."""
    image = bytearray(x86_image(size=((sectors or 4) + 1) * 512 + offset))
    image[0x1F1] = sectors
    image[0x206:0x208] = protocol.to_bytes(2, "little")
    image[0x248:0x250] = struct.pack("<II", offset, len(packed))
    return bytes(image) + packed + b"what follows the payload"


def zboot_image(packed: bytes, *, kind: str = "gzip") -> bytes:
    """An EFI zboot image whose payload is `packed` (drivers/firmware/efi/libstub/zboot-header.S)."""
    length = len(packed) if kind == "gzip" else len(packed) - 4
    header = b"MZ\0\0zimg" + struct.pack("<IIII", 512, length, 0, 0) + kind.encode().ljust(8, b"\0")
    return header.ljust(512, b"\0") + packed + b"what follows the payload"


def arm64_image(*, inside: bytes = b"") -> bytes:
    """A plain Image of arm64 (Documentation/arch/arm64/booting.rst)."""
    return (b"MZ".ljust(56, b"\0") + b"ARM\x64").ljust(4096, b"\0") + BANNER + inside


def riscv_image(*, inside: bytes = b"") -> bytes:
    """A plain Image of riscv64 (Documentation/arch/riscv/boot-image-header.rst)."""
    return (b"MZ".ljust(48, b"\0") + b"RISCV\0\0\0RSC\x05").ljust(4096, b"\0") + BANNER + inside


def ikconfig(text: str) -> bytes:
    """A configuration as a kernel with CONFIG_IKCONFIG has it (kernel/configs.c)."""
    return b"IKCFG_ST" + gzip.compress(text.encode(), mtime=0) + b"IKCFG_ED"
