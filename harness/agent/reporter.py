"""The protocol's lines, and the announcements on the console; docs/agent-protocol.md describes both."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import struct
import time

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any


HELD_BYTES = 1024 * 1024
HELD_SECONDS = 0.1
STEP_MARK = "bpfmatrix: step "
HELD_HEAD = struct.Struct("=QQQ")
STEP_PLACE = struct.Struct("=q")  # behind it: the step that is under way
HELD_START = HELD_HEAD.size + STEP_PLACE.size


class Reporter:
    """Writes the protocol's lines; each carries its running number, so that a lost line is noticed.

    A write is expensive in an emulated guest: it wakes two processes and sends an encrypted packet. So lines are held
    back and written together. They and their number lie in memory that child processes share: what one that was
    killed has not written, its parent writes. Where the whole guest dies, they die with it; so every step is
    announced on the console before it begins, which costs a twentieth.
    """

    def __init__(self, fd: int, console: int = -1) -> None:
        self.fd, self._console, self._flushed = fd, console, time.monotonic()
        self.waits = False
        """Whether lines wait for as long as there is room: what brings them could be hindered now (guard.py)."""
        # How many lines there were; how many bytes are held back, and how many of them are written; the bytes.
        self._shared = mmap.mmap(-1, HELD_START + HELD_BYTES)

    @property
    def lines(self) -> int:
        """How many lines there were, those held back included."""
        return int(HELD_HEAD.unpack_from(self._shared)[0])

    @property
    def step(self) -> int | None:
        """The step that is under way, or was when the case's process ended; None where there is none."""
        index = STEP_PLACE.unpack_from(self._shared, HELD_HEAD.size)[0]
        return None if index < 0 else index

    def at(self, index: int) -> None:
        """Note which step is under way; -1 for none."""
        STEP_PLACE.pack_into(self._shared, HELD_HEAD.size, index)

    def mark(self, case: str, index: int, announced: str = "") -> None:
        """Write to the console which step of which case begins; a console that takes nothing does not matter.

        `announced` says what the step is, where the host does not know it: its stage, what it does, and to what.
        """
        self.at(index)
        if self._console >= 0:
            with contextlib.suppress(OSError):
                os.write(self._console, f"{STEP_MARK}{case} {index} {announced}".rstrip().encode() + b"\n")

    def hold(self, kind: str, **fields: Any) -> None:
        """Keep one line back, to be written with a later one; at once where they are many, or wait for long."""
        number, held, written = HELD_HEAD.unpack_from(self._shared)
        line = (json.dumps({"n": number + 1, "type": kind, **fields}) + "\n").encode()
        if held + len(line) > HELD_BYTES:
            self.flush()
            held = written = 0
        if len(line) > HELD_BYTES:
            HELD_HEAD.pack_into(self._shared, 0, number + 1, 0, 0)
            while line:
                line = line[os.write(self.fd, line) :]
            return
        self._shared[HELD_START + held : HELD_START + held + len(line)] = line
        HELD_HEAD.pack_into(self._shared, 0, number + 1, held + len(line), written)
        if not self.waits and time.monotonic() - self._flushed > HELD_SECONDS:
            self.try_flush()

    def send(self, kind: str, **fields: Any) -> None:
        """Write one line, and those held back before it."""
        self.hold(kind, **fields)
        self.flush()

    def try_flush(self) -> None:
        """Write what is held back, unless a case's program forbids its process to write: then its parent does."""
        with contextlib.suppress(OSError):
            self.flush()

    def flush(self) -> None:
        """Write the lines that are held back, in pieces that a pipe takes whole or not at all."""
        number, held, written = HELD_HEAD.unpack_from(self._shared)
        while written < held:
            end = min(held, written + select.PIPE_BUF)
            written += os.write(self.fd, self._shared[HELD_START + written : HELD_START + end])
            HELD_HEAD.pack_into(self._shared, 0, number, held, written)
        HELD_HEAD.pack_into(self._shared, 0, number, 0, 0)
        self._flushed = time.monotonic()
