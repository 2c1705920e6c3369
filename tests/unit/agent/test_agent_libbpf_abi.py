"""The structures of libbpf that grow: each says its own size first."""

from __future__ import annotations

import ctypes

from harness.agent.libbpf_abi import INT, POINTER, SIZE, U32, options


def test_options_begin_with_their_size_and_are_aligned_as_c_aligns_them() -> None:
    made = options((INT, 7), (POINTER, 0x1234), (U32, 9))
    assert bytes(made)[: ctypes.sizeof(SIZE)] == ctypes.sizeof(made).to_bytes(8, "little")
    assert ctypes.sizeof(made) == 32, "size_t, int and its padding, a pointer, u32 and its padding"
    assert ctypes.c_int.from_buffer(made, 8).value == 7
    assert ctypes.c_uint64.from_buffer(made, 16).value == 0x1234
    assert ctypes.c_uint32.from_buffer(made, 24).value == 9


def test_options_without_fields_are_their_size() -> None:
    assert bytes(options()) == (8).to_bytes(8, "little")
