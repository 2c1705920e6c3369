"""The records of buffers are read as they are, by whatever libbpf has them come."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from harness.agent.buffers import PERF_EVENT_ARRAY, RECORD_LIMIT, RecordReader

RING_BUFFER = 27


class Buffers:
    """Plays libbpf: what waits comes when it is consumed."""

    def __init__(self, kind: int) -> None:
        self.kind, self.waiting, self.lost = kind, list[bytes](), 0
        self.callbacks: tuple[Any, ...] = ()
        self.answers: list[int] = []

    def call(self, _name: str, *_arguments: Any) -> int:
        return 3

    def pointer(self, name: str, *arguments: Any) -> int:
        assert name == ("perf_buffer__new" if self.kind == PERF_EVENT_ARRAY else "ring_buffer__new")
        self.callbacks = arguments[2:4] if self.kind == PERF_EVENT_ARRAY else arguments[1:2]
        return 5

    def found(self, name: str, *_arguments: Any) -> int:
        if name == "bpf_map__type":
            return self.kind
        for record in self.waiting:
            buffer = ctypes.create_string_buffer(record, len(record))
            place = ctypes.cast(buffer, ctypes.c_void_p)
            if self.kind == PERF_EVENT_ARRAY:
                self.callbacks[0](None, 0, place, len(record))
            else:
                self.answers.append(self.callbacks[0](None, place, len(record)))
        if self.lost and self.kind == PERF_EVENT_ARRAY:
            self.callbacks[1](None, 0, self.lost)
        self.waiting.clear()
        return 0


@pytest.mark.parametrize("kind", [PERF_EVENT_ARRAY, RING_BUFFER])
def test_records_come_once_and_in_their_order(kind: int) -> None:
    lib = Buffers(kind)
    reader = RecordReader(lib, 7)  # type: ignore[arg-type]
    lib.waiting = [b"one", b"\0two"]
    assert reader.read() == [b"one", b"\0two"]
    assert reader.read() == []
    assert (reader.lost, reader.padded) == (0, kind == PERF_EVENT_ARRAY)


@pytest.mark.parametrize("kind", [PERF_EVENT_ARRAY, RING_BUFFER])
def test_what_is_too_much_is_counted(kind: int) -> None:
    lib = Buffers(kind)
    reader = RecordReader(lib, 7)  # type: ignore[arg-type]
    lib.waiting = [b"x"] * (RECORD_LIMIT + 2)
    assert len(reader.read()) == RECORD_LIMIT
    assert reader.lost == 2
    assert kind == PERF_EVENT_ARRAY or lib.answers[-1] < 0, "a ring buffer is told to keep the rest"


def test_what_the_kernel_says_is_lost_is_counted() -> None:
    lib = Buffers(PERF_EVENT_ARRAY)
    reader = RecordReader(lib, 7)  # type: ignore[arg-type]
    lib.lost = 3
    reader.read()
    assert reader.lost == 3
