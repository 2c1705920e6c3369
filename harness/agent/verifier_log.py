"""Room for the verifier's log, and what of it is sent."""

from __future__ import annotations

import ctypes
import mmap
import os

# How much of the verifier's log there is room for; kernels before 5.2 refuse more than UINT_MAX >> 8 (7a9f5c65abcc),
# later ones more than UINT_MAX >> 2. And how much of it is sent: its beginning, and the end, which says what was wrong.
LOG_ROOM, LOG_ROOM_BEFORE_5_2 = 64 * 1024 * 1024, (1 << 24) - 1
LOG_HEAD, LOG_TAIL = 8 * 1024, 32 * 1024


class VerifierLog:
    """Room for the verifier's log: as much as a kernel takes, so that no log that can be read to its end is cut.

    It is this process's own memory, and only what is written to becomes real: so it costs nothing until there is a log,
    and is gone with the case.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = size or log_room(os.uname().release, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        self.memory = mmap.mmap(-1, self.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    def clear(self) -> None:
        """Forget the log."""
        if self.memory[0]:
            self.memory[0] = 0

    def full(self) -> bool:
        """Say whether there may have been no room for all of it."""
        return self._length() >= self.size - LOG_HEAD

    def text(self) -> str:
        """Return the log; of one that is long only the beginning and the end, and how much is missing between them."""
        length = self._length()
        if length <= LOG_HEAD + LOG_TAIL:
            return self._part(0, length).strip()
        head, tail = self._part(0, LOG_HEAD), self._part(length - LOG_TAIL, length)
        head, tail = head[: head.rfind("\n") + 1], tail[tail.find("\n") + 1 :]
        left_out = length - len(head) - len(tail)
        return f"{head}[bpfmatrix: {left_out} of {length} bytes are left out here]\n{tail}".strip()

    def _length(self) -> int:
        found = self.memory.find(b"\0")
        return self.size if found < 0 else found

    def _part(self, start: int, end: int) -> str:
        return self.memory[start:end].decode(errors="replace")


def log_room(release: str, memory: int) -> int:
    """Return how many bytes the verifier's log gets on a kernel of this release, in a guest with so much memory."""
    major, minor = ([int(part) for part in release.partition("-")[0].split(".")[:2] if part.isdigit()] + [0, 0])[:2]
    most = LOG_ROOM if (major, minor) >= (5, 2) else LOG_ROOM_BEFORE_5_2
    return min(most, memory // 4)
