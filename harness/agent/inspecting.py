"""What is looked at beside events: records of one's own, printed lines, variables, maps, runs."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
import time

from harness.agent.btf import Misfit, Types
from harness.agent.buffers import RecordReader
from harness.agent.decoding import (
    NOTE,
    RAW,
    Undecodable,
    decode,
    decode_members,
    named_type,
    only_structure,
    raw,
)
from harness.agent.infos import program_info
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from harness.agent.btf import Type
    from harness.agent.case_state import CaseState

SHOWN_LIMIT = 1000
"""So many records, lines or entries of a map are reported; the others are counted."""
ARRAYS, PER_CPU = (2, 6), (5, 6, 10, 21)
"""Members of enum bpf_map_type: those whose keys are 0 to max_entries - 1, and those with a value per processor."""
TRACE_PIPE = "/sys/kernel/tracing/trace_pipe"
PRINTED = (": bpf_trace_printk: ", ": 0: ", ": 0x00000001: ")
"""What is before the text of bpf_trace_printk() (kernel/trace/trace_output.c), up to 5.8 an address or a number."""


class PrintReader:
    """Reads what bpf_printk() writes: tracefs' trace_pipe, from now on. No other case runs beside this one."""

    def __init__(self) -> None:
        self._fd = os.open(TRACE_PIPE, os.O_RDONLY | os.O_NONBLOCK)
        self._rest = b""
        self.lost = 0
        self.read()

    def read(self) -> list[dict[str, Any]]:
        """Return the lines that have come since the last time: `text`, `comm` and `pid` of the thread."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._fd, 65536):
                self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        found = []
        for line in lines:
            decoded = line.decode(errors="replace")
            each = printed(decoded)
            if each is not None:
                found.append(each)
            elif decoded.startswith("CPU:") and "[LOST " in decoded:  # CPU:0 [LOST 12 EVENTS]
                self.lost += int(decoded.partition("[LOST ")[2].partition(" ")[0])
        return found


def printed(line: str) -> dict[str, Any] | None:
    """Return `text`, `comm` and `pid` of a line of trace_pipe, None where no program has printed it."""
    for mark in PRINTED:
        head, found, text = line.partition(mark)
        comm, dash, pid = head.rpartition(" [")[0].strip().rpartition("-")
        if found and dash and pid.isdigit():
            return {"text": text, "comm": comm, "pid": int(pid)}
    return None


class Inspector:
    """What a case looks at beside events, in the case's own process."""

    def __init__(self, state: CaseState) -> None:
        self._state, self._lib = state, state.lib
        self._readers: dict[tuple[str, str], RecordReader] = {}
        self._printed: PrintReader | None = None
        self._fitting: dict[tuple[str, int], Type | str] = {}

    def listen_records(self, owner: str, name: str) -> None:
        """Begin to read the records of a map."""
        self._readers[owner, name] = RecordReader(self._lib, self._state.objects[owner].map(name))

    def listen_printk(self) -> None:
        """Begin to read what programs print; Refused where tracefs does not let us."""
        try:
            self._printed = PrintReader()
        except OSError as error:
            raise Refused(error.errno or errno.EIO, f"{TRACE_PIPE}: {error.strerror}", api="trace_pipe") from None

    def inspect(self, items: list[dict[str, Any]], *, seconds: float) -> dict[str, Any]:
        """Return what is `found` of each item, in their order, and the `trigger_pid`: this process makes targets run.

        `child_pid` is the process that the last trigger has started, 0 where it has started none.

        Records and lines are waited for, at most `seconds` for all together, until as many are there as an item's
        `count` says; the rest is looked at after them.
        """
        end = time.monotonic() + seconds
        waited = {index: self._awaited(item, end) for index, item in enumerate(items) if "count" in item}
        found = [waited[index] if index in waited else self._state_of(item) for index, item in enumerate(items)]
        return {"found": found, "trigger_pid": os.getpid(), "child_pid": self._state.child}

    # --- records and lines ---

    def _awaited(self, item: dict[str, Any], end: float) -> dict[str, Any]:
        if item["kind"] == "printk":
            assert self._printed is not None  # a case that looks at lines begins by listening
            reader: RecordReader | PrintReader = self._printed
        else:
            reader = self._readers[item["object"], item["map"]]
        notes: dict[str, None] = {}
        own: list[dict[str, Any]] = []
        others = lost = 0
        while True:
            for each in reader.read():
                record = each if isinstance(each, dict) else self._decoded(item, each, notes)
                if not _of_trigger(record, item.get("of_trigger")):
                    others += 1
                elif len(own) < SHOWN_LIMIT:
                    own.append(record)
                else:
                    lost += 1
            if len(own) >= item["count"] or time.monotonic() >= end:
                break
            time.sleep(0.005)
        lost, reader.lost = lost + reader.lost, 0
        note = {NOTE: "; ".join(notes)} if notes else {}
        return {"records": own, "others": others, "lost": lost, **note}

    def _decoded(self, item: dict[str, Any], data: bytes, notes: dict[str, None]) -> dict[str, Any]:
        """Return a record as a dictionary of its members; as it is, with a note, where nobody knows them."""
        record = item.get("record")
        try:
            if isinstance(record, dict):
                return decode_members(record, data)
            types = self._types(item["object"])
            kind = named_type(types, record) if record else self._structure(item, types, len(data))
            value = decode(types, kind, data)
        except Undecodable as error:
            notes[str(error)] = None
            return raw(data)
        return value if isinstance(value, dict) else {"value": value}

    def _structure(self, item: dict[str, Any], types: Types, size: int) -> Type:
        """Return the only structure that a record of `size` bytes can be.

        A perf event array pads a record so that it ends, with the four bytes of its size before it, at a multiple of
        eight (kernel/events/core.c, perf_prepare_sample()).
        """
        key = item["object"], size
        if key not in self._fitting:
            padded = self._readers[item["object"], item["map"]].padded
            try:
                self._fitting[key] = only_structure(types, range(size - 7 if padded else size, size + 1))
            except Undecodable as error:
                self._fitting[key] = str(error)
        found = self._fitting[key]
        if isinstance(found, str):
            raise Undecodable(found)
        return found

    def _types(self, owner: str) -> Types:
        handle = self._lib.found("bpf_object__btf", self._state.objects[owner].handle)
        if not handle:
            raise Undecodable("the object has no BTF: describe its records by `record`")
        return Types(self._lib, handle)

    # --- what is there when it is looked at ---

    def _state_of(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["kind"] == "runs":
            fd = self._state.program_fd(item["object"], item["program"])
            return {"value": program_info(self._lib, fd, item["program"])["run_cnt"]}
        if item["kind"] == "map":
            return self._entries(item)
        try:
            types = self._types(item["object"])
            section, offset, kind = types.locate(item["path"])
            handle = self._state.objects[item["object"]].map(section)
            buffer = ctypes.create_string_buffer(self._lib.found("bpf_map__value_size", handle))
            fd, zero = self._lib.call("bpf_map__fd", handle), ctypes.c_uint32(0)
            self._lib.call("bpf_map_lookup_elem", fd, ctypes.byref(zero), buffer)
            return {"value": decode(types, kind, buffer.raw[offset:])}
        except (Misfit, Undecodable) as error:
            return {"value": None, NOTE: str(error)}

    def _entries(self, item: dict[str, Any]) -> dict[str, Any]:
        handle = self._state.objects[item["object"]].map(item["map"])
        size, kind = self._lib.found("bpf_map__value_size", handle), self._lib.found("bpf_map__type", handle)
        cpus = self._lib.call("libbpf_num_possible_cpus") if kind in PER_CPU else 0
        each = -(-size // 8) * 8  # a value for each processor has a multiple of eight bytes
        buffer = ctypes.create_string_buffer(each * cpus if cpus else size)
        fd, count = self._lib.call("bpf_map__fd", handle), 0
        decode_key, decode_value = self._decoder(item, handle, "key"), self._decoder(item, handle, "value")
        entries: list[list[Any]] = []
        for key in self._keys(handle, fd, kind):
            try:
                self._lib.call("bpf_map_lookup_elem", fd, key, buffer)
            except Refused as refusal:
                if refusal.number != errno.ENOENT:
                    raise
                continue  # it is gone by now
            count += 1
            if len(entries) < SHOWN_LIMIT:
                if cpus:
                    value = {"cpus": [decode_value(buffer.raw[cpu * each :][:size]) for cpu in range(cpus)]}
                else:
                    value = decode_value(buffer.raw)
                entries.append([decode_key(key), value])
        return {"entries": entries, "left_out": count - len(entries)}

    def _keys(self, handle: int, fd: int, kind: int) -> Iterator[bytes]:
        if kind in ARRAYS:
            for index in range(self._lib.found("bpf_map__max_entries", handle)):
                yield bytes(ctypes.c_uint32(index))
            return
        size = self._lib.found("bpf_map__key_size", handle)
        key, following = None, ctypes.create_string_buffer(size)
        while self._lib.found("bpf_map_get_next_key", fd, key, following) == 0:
            key = following.raw[:size]
            yield key

    def _decoder(self, item: dict[str, Any], handle: int, what: str) -> Callable[[bytes], Any]:
        """Return what makes a value of the bytes of a map's keys or values; without a type numbers of usual sizes."""
        number = self._lib.found(f"bpf_map__btf_{what}_type_id", handle)
        with contextlib.suppress(Undecodable):
            types = self._types(item["object"])
            if number:
                kind = types.plain(number)
                return lambda data: _decoded_or_raw(types, kind, data)
        return _plain


def _of_trigger(record: dict[str, Any], member: str | None) -> bool:
    """Say whether a record is the trigger's own; where nobody knows, it is."""
    if member is None or RAW in record:
        return True
    value: Any = record
    for name in member.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return bool(value == os.getpid())


def _decoded_or_raw(types: Types, kind: Type, data: bytes) -> Any:
    try:
        return decode(types, kind, data)
    except Undecodable:
        return _plain(data)


def _plain(data: bytes) -> Any:
    return int.from_bytes(data, sys.byteorder) if len(data) in (1, 2, 4, 8) else raw(data)
