"""Public keys as files have them: binary, as gpgv takes them, and armored, as rpmkeys does (RFC 9580). Pure."""

from __future__ import annotations

import base64
import binascii
import re

_ARMORED = re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
_PUBLIC_KEY = 6
"""The tag of the packet that every public key begins with (RFC 9580, 5)."""


class NoKeysError(ValueError):
    """The data are no public keys."""


def binary(data: bytes) -> bytes:
    """Return the packets of one or several public keys, which may be armored; raise NoKeysError."""
    blocks = _ARMORED.findall(data)
    packets = b"".join(_dearmored(block) for block in blocks) if blocks else data
    if _first_tag(packets) != _PUBLIC_KEY:
        raise NoKeysError("it does not begin with a public key")
    return packets


def armored(packets: bytes) -> str:
    """Return packets as text."""
    text = base64.b64encode(packets).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    check = base64.b64encode(crc24(packets).to_bytes(3)).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{lines}\n={check}\n-----END PGP PUBLIC KEY BLOCK-----\n"


def crc24(data: bytes) -> int:
    """Return the checksum of armored data (RFC 9580, 6.1); rpm 4 wants it."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc


def _dearmored(block: bytes) -> bytes:
    # Headers, an empty line, the data, and a line with a checksum, which what checks signatures makes needless.
    _, _, body = block.replace(b"\r", b"").partition(b"\n\n")
    lines = [line.strip() for line in body.splitlines()]
    try:
        return base64.b64decode(b"".join(line for line in lines if not line.startswith(b"=")), validate=True)
    except binascii.Error as error:
        raise NoKeysError(f"its armor is damaged: {error}") from error


def _first_tag(packets: bytes) -> int | None:
    """Return the tag of the first packet, None where there is no packet; it is written in two ways (RFC 9580, 4.2)."""
    first = packets[0] if packets else 0
    if not first & 0x80:
        return None
    return first & 0x3F if first & 0x40 else (first >> 2) & 0xF
