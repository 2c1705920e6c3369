"""What programs report: events of a perf event array, records of the trace."""

from __future__ import annotations

import ctypes
import socket
import struct
import time

from harness.agent.libbpf_abi import LOST_FN, SAMPLE_FN

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.libbpf import Libbpf

EVENT_LIMIT = 4096
TRACE_LIMIT = 128
PERF_PAGES = 8
# struct event of bpf/include/event.h, in the guest's own byte order.
EVENT = struct.Struct("=QIIqIHH16s16s")
# struct trace_record of bpf/include/trace.h.
TRACE = struct.Struct("=IIqQ")
KINDS = {
    **{1: "fentry", 2: "kprobe", 3: "fexit", 4: "target", 5: "callee", 6: "subprog", 7: "freplace", 8: "fsession"},
    **{9: "body", 10: "fentry-2", 11: "fexit-2", 12: "fexit-3"},
}
HAS_RETVAL, HAS_CONNECTION, HAS_VALUE = 1, 2, 4


class EventReader:
    """Reads a perf event array; decoded events in the order of their time stamps."""

    def __init__(self, lib: Libbpf, map_fd: int) -> None:
        self._lib, self.lost = lib, 0
        self._records: list[bytes] = []
        self._on_sample, self._on_lost = SAMPLE_FN(self._sample), LOST_FN(self._lose)
        self._buffer = lib.pointer("perf_buffer__new", map_fd, PERF_PAGES, self._on_sample, self._on_lost, None, None)

    def _sample(self, _context: int | None, _cpu: int, data: int, size: int) -> None:
        if len(self._records) < EVENT_LIMIT:
            self._records.append(ctypes.string_at(data, size))
        else:
            self.lost += 1

    def _lose(self, _context: int | None, _cpu: int, count: int) -> None:
        self.lost += count

    def read(self, *, enough: Callable[[list[dict[str, Any]]], bool], seconds: float) -> list[dict[str, Any]]:
        """Return all events that have come; wait at most `seconds` until `enough(events)` holds."""
        end = time.monotonic() + seconds
        self._lib.call("perf_buffer__consume", self._buffer)
        while not enough(events := self._events()) and time.monotonic() < end:
            self._lib.call("perf_buffer__poll", self._buffer, 20)
        self._records.clear()
        return events

    def _events(self) -> list[dict[str, Any]]:
        # sort() is stable: records of one CPU keep their order even where the clock stands still.
        return sorted((decode_event(record) for record in self._records), key=lambda event: event["time_ns"])


def decode_trace(record: bytes) -> dict[str, Any]:
    """Return the fields of one `struct trace_record`."""
    kind, flags, retval, value = TRACE.unpack(record)
    event = {"kind": KINDS.get(kind, f"kind-{kind}"), "retval": retval if flags & HAS_RETVAL else None}
    if flags & HAS_VALUE:
        event["value"] = value
    return event


def decode_event(record: bytes) -> dict[str, Any]:
    """Return the fields of one `struct event`; a record of another size is shown as it is."""
    if len(record) < EVENT.size:
        return {"time_ns": 0, "kind": "undecodable", "raw": record.hex()}
    time_ns, kind, flags, retval, family, sport, dport, saddr, daddr = EVENT.unpack_from(record)
    event = {"time_ns": time_ns, "kind": KINDS.get(kind, f"kind-{kind}")}
    if flags & HAS_CONNECTION:
        size = 16 if family == socket.AF_INET6 else 4
        known = family in (socket.AF_INET, socket.AF_INET6)
        event["family"] = family
        event["saddr"] = socket.inet_ntop(family, saddr[:size]) if known else saddr.hex()
        event["sport"] = sport
        event["daddr"] = socket.inet_ntop(family, daddr[:size]) if known else daddr.hex()
        event["dport"] = dport
    event["retval"] = retval if flags & HAS_RETVAL else None
    return event
