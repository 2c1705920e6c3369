"""A map's keys and values: from and to the bytes of the kernel, by the types that the object's own BTF gives them."""

from __future__ import annotations

import ctypes
import errno
import sys

from harness.agent.btf import Misfit
from harness.agent.decoding import decode
from harness.agent.inspecting import PER_CPU
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any

    from harness.agent.btf import Type, Types
    from harness.agent.libbpf import Libbpf

MOST_KEYS = 65536


class MapAccess:
    """Reads and writes a map whose keys and values have the types that the object's BTF gives them."""

    def __init__(self, lib: Libbpf, handle: int, name: str, types: Types | None) -> None:
        self._lib, self._name, self._types = lib, name, types
        self.fd = lib.call("bpf_map__fd", handle)
        self._key_size = lib.found("bpf_map__key_size", handle)
        self._value_size = lib.found("bpf_map__value_size", handle)
        numbers = [lib.found(f"bpf_map__btf_{what}_type_id", handle) if types else 0 for what in ("key", "value")]
        kinds = [types.plain(number) if types and number else None for number in numbers]
        self._key_kind, self._value_kind = kinds
        per_cpu = lib.found("bpf_map__type", handle) in PER_CPU
        self._cpus = lib.call("libbpf_num_possible_cpus") if per_cpu else 0
        self._stride = (
            (self._value_size + 7) // 8 * 8
        )  # a per-CPU value's place (kernel/bpf/syscall.c, bpf_map_value_size)

    def key(self, key: Any) -> bytes:
        """Return a key as bytes."""
        return self._encoded(self._key_kind, key, self._key_size, f"the key of {self._name}")

    def get(self, key: bytes) -> Any:
        """Return the value of a key, None where there is none."""
        buffer = ctypes.create_string_buffer(self._stride * max(self._cpus, 1))
        try:
            self._lib.call("bpf_map_lookup_elem", self.fd, key, buffer)
        except Refused as refusal:
            if refusal.number != errno.ENOENT:
                raise
            return None
        if not self._cpus:
            return self._decoded(self._value_kind, buffer.raw[: self._value_size])
        starts = range(0, self._stride * self._cpus, self._stride)
        return [self._decoded(self._value_kind, buffer.raw[start : start + self._value_size]) for start in starts]

    def put(self, key: bytes, value: Any) -> None:
        """Give a key a value."""
        what = f"the value of {self._name}"
        if self._cpus and (not isinstance(value, list) or len(value) != self._cpus):
            raise Misfit(f"{what} is a list of {self._cpus}, one for each possible CPU, not {value!r}")
        data = b"".join(
            self._encoded(self._value_kind, each, self._value_size, what).ljust(self._stride, b"\0")
            for each in (value if self._cpus else [value])
        )
        self._lib.call("bpf_map_update_elem", self.fd, key, data, 0)

    def items(self) -> list[tuple[Any, Any]]:
        """Return keys and values; a key that goes while they are read is left out."""
        found: list[tuple[Any, Any]] = []
        last: bytes | None = None
        following = ctypes.create_string_buffer(self._key_size)
        while len(found) < MOST_KEYS:
            try:
                self._lib.call("bpf_map_get_next_key", self.fd, last, following)
            except Refused as refusal:
                if refusal.number != errno.ENOENT:
                    raise
                break
            last = following.raw
            value = self.get(last)
            if value is not None:
                found.append((self._decoded(self._key_kind, last), value))
        return found

    def _decoded(self, kind: Type | None, data: bytes) -> Any:
        return decode(self._types, kind, data) if self._types and kind else plain_decode(data)

    def _encoded(self, kind: Type | None, value: Any, size: int, what: str) -> bytes:
        return encode(self._types, kind, value, what) if self._types and kind else plain_encode(value, size, what)


def encode(types: Types, kind: Type, value: Any, what: str) -> bytes:
    """Return a value as the bytes of its type; what is not given is zero. Raises Misfit where it does not fit."""
    data = bytearray(types.size(kind))
    for place, piece in types.encode(kind, value, what):
        data[place : place + len(piece)] = piece
    return bytes(data)


def plain_decode(data: bytes) -> Any:
    """Return bytes that no type describes as a number where they are as many as one has, else as they are."""
    return int.from_bytes(data, sys.byteorder) if len(data) in (1, 2, 4, 8) else data


def plain_encode(value: Any, size: int, what: str) -> bytes:
    """Return a number or bytes as `size` bytes; raise Misfit where they do not fit."""
    if isinstance(value, bytes) and len(value) == size:
        return value
    if not isinstance(value, int):
        raise Misfit(f"{what} has no type in the object's BTF: a number or {size} bytes must be given, not {value!r}")
    try:
        return value.to_bytes(size, sys.byteorder, signed=value < 0)
    except OverflowError:
        raise Misfit(f"{value} does not fit {what}, of {size * 8} bits") from None
