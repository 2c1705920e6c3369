"""The records of ring buffers and perf event arrays, as the bytes that they are."""

from __future__ import annotations

import ctypes
import errno

from harness.agent.events import PERF_PAGES
from harness.agent.libbpf_abi import LOST_FN, RECORD_FN, SAMPLE_FN

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from harness.agent.libbpf import Libbpf

RECORD_LIMIT = 4096
PERF_EVENT_ARRAY = 4
"""A member of enum bpf_map_type (include/uapi/linux/bpf.h)."""


class RecordReader:
    """Reads the records of a ring buffer or perf event array as they are; `lost` is how many are missing."""

    def __init__(self, lib: Libbpf, handle: int) -> None:
        self._lib, self.lost = lib, 0
        self._records: list[bytes] = []
        fd = lib.call("bpf_map__fd", handle)
        self.padded = lib.found("bpf_map__type", handle) == PERF_EVENT_ARRAY
        if self.padded:
            self._calls = SAMPLE_FN(self._sample), LOST_FN(self._lose)
            self._buffer = lib.pointer("perf_buffer__new", fd, PERF_PAGES, *self._calls, None, None)
        else:
            self._call = RECORD_FN(self._record)
            self._buffer = lib.pointer("ring_buffer__new", fd, self._call, None, None)

    def _sample(self, _context: int | None, _cpu: int, data: int, size: int) -> None:
        self._record(None, data, size)

    def _record(self, _context: int | None, data: int, size: int) -> int:
        if len(self._records) >= RECORD_LIMIT:
            self.lost += 1
            return -errno.EAGAIN  # of a ring buffer the rest stays there: a busy one has no end
        self._records.append(ctypes.string_at(data, size))
        return 0

    def _lose(self, _context: int | None, _cpu: int, count: int) -> None:
        self.lost += count

    def read(self) -> list[bytes]:
        """Return the records that have come since the last time."""
        self._lib.found("perf_buffer__consume" if self.padded else "ring_buffer__consume", self._buffer)
        found, self._records = self._records, []
        return found
