"""Small logs of programs that load: what the verifier says of its own work (BPF_LOG_STATS)."""

from __future__ import annotations

import ctypes
import mmap

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.agent.libbpf import Libbpf

BPF_LOG_STATS = 4
ROOM = 16 * 1024


class LoadLogs:
    """A small log for each program of an object that is loaded for the verifier's statistics (since Linux 5.2).

    Memory is taken as it is written to. The verifier's text ends in a zero.
    """

    def __init__(self, lib: Libbpf, programs: Iterable[int]) -> None:
        handles = list(programs)
        self._memory = mmap.mmap(-1, max(len(handles), 1) * ROOM, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._places = {handle: index * ROOM for index, handle in enumerate(handles)}
        for handle, place in self._places.items():
            lib.call("bpf_program__set_log_buf", handle, start + place, ROOM)
            lib.call("bpf_program__set_log_level", handle, BPF_LOG_STATS)

    def text(self, program: int) -> str:
        """Return what the verifier said of a program; "" where it has no log here."""
        place = self._places.get(program)
        if place is None:
            return ""
        return self._memory[place : place + ROOM].partition(b"\0")[0].decode(errors="replace")


def statistics(log: str) -> dict[str, int]:
    """Return what the verifier's log says of its work, by the names of harness/model/measures.py.

    The lines are those of print_verification_stats() (kernel/bpf/verifier.c): `processed N insns (limit M) ...
    total_states N peak_states N ...`, and `stack depth N+N...` with a number for the program and for each function.
    From 7.3 on such a number is in a line for each, `subprog N (name) ... stack N`. What is written in yet another way
    is left out.
    """
    found: dict[str, int] = {}
    for line in log.splitlines():
        try:
            found |= _numbers(line.split(), found)
        except (ValueError, IndexError):
            continue
    return found


def _numbers(columns: list[str], found: dict[str, int]) -> dict[str, int]:
    """Return the numbers of one line, added to those before it; raise ValueError or IndexError where it has none."""
    if columns[0] == "processed" and "insns" in columns[:3]:
        named = {
            "verified-instructions": "processed",
            "instruction-limit": "(limit",
            "total-states": "total_states",
            "peak-states": "peak_states",
        }
        there = {name: columns.index(word) + 1 for name, word in named.items() if word in columns}
        return {name: int(columns[place].rstrip("),")) for name, place in there.items()}
    if columns[:2] == ["stack", "depth"] and columns[2] != "max":
        return {"stack": sum(int(each) for each in columns[2].split("+"))}
    if columns[0] == "subprog":
        return {"stack": found.get("stack", 0) + int(columns[columns.index("stack") + 1])}
    return {}
