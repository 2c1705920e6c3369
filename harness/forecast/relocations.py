"""The CO-RE relocations of an object, as its section .BTF.ext has them.

The format is that of struct bpf_core_relo (include/uapi/linux/bpf.h) and struct btf_ext_header (libbpf_internal.h).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from harness.forecast.btf import Btf


class Kind(IntEnum):
    """What a relocation asks of a kernel: enum bpf_core_relo_kind."""

    FIELD_OFFSET = 0
    FIELD_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT = 4
    FIELD_RSHIFT = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMERATOR_EXISTS = 10
    ENUMERATOR_VALUE = 11
    TYPE_MATCHES = 12


OF_FIELDS = frozenset(kind for kind in Kind if kind <= Kind.FIELD_RSHIFT)
OF_TYPES = frozenset({Kind.TYPE_ID_LOCAL, Kind.TYPE_ID_TARGET, Kind.TYPE_EXISTS, Kind.TYPE_SIZE, Kind.TYPE_MATCHES})
OF_ENUMERATORS = frozenset({Kind.ENUMERATOR_EXISTS, Kind.ENUMERATOR_VALUE})
TESTS = frozenset({Kind.FIELD_EXISTS, Kind.TYPE_EXISTS, Kind.TYPE_MATCHES, Kind.ENUMERATOR_EXISTS})
"""What only asks whether something is there: a kernel without it answers 0, and nothing is wrong."""


@dataclass(frozen=True, kw_only=True)
class Relocation:
    """One relocation: of the instruction `offset` bytes behind the start of a `section`.

    `type` is the object's own type, `access` the way from it to a member (`0:1:2`) or the number of an enumerator.
    """

    section: str
    offset: int
    type: int
    access: str
    kind: Kind


def relocations_of(btf: Btf, extension: bytes) -> list[Relocation]:
    """Return the relocations in a section .BTF.ext; raise ValueError where it is damaged.

    One of a kind that is not known here raises it, too: the program was compiled for a newer libbpf.
    """
    sign = "<" if btf.order == "little" else ">"
    found: list[Relocation] = []
    try:
        (head,) = struct.unpack_from(f"{sign}I", extension, 4)
        if head < 32:  # before CO-RE
            return found
        start, size = struct.unpack_from(f"{sign}II", extension, 24)
        if not size:
            return found
        offset, end = head + start, head + start + size
        (record,) = struct.unpack_from(f"{sign}I", extension, offset)
        if record < 16:
            raise ValueError(f"a relocation has {record} bytes")
        offset += 4
        while offset < end:
            section, count = struct.unpack_from(f"{sign}II", extension, offset)
            offset += 8
            for place in range(offset, offset + count * record, record):
                instruction, kind, access, what = struct.unpack_from(f"{sign}4I", extension, place)
                found.append(
                    Relocation(
                        section=btf.text(section),
                        offset=instruction,
                        type=kind,
                        access=btf.text(access),
                        kind=Kind(what),
                    )
                )
            offset += count * record
    except struct.error as error:
        raise ValueError(f"its relocations are damaged: {error}") from error
    return found
