"""The kernel's messages."""

from __future__ import annotations

import contextlib
import errno
import os
import select

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


KMSG_HALF = 1500
KMSG_RECORDS = 100_000


class Messages:
    """Messages of the kernel: of very many the first and the last KMSG_HALF; `lost` counts those that are missing."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: list[str] = []
        self._left_out = self.lost = 0

    def add(self, line: str) -> None:
        """Take in one line."""
        if len(self._head) < KMSG_HALF:
            self._head.append(line)
            return
        self._tail.append(line)
        if len(self._tail) > 2 * KMSG_HALF:
            self._left_out += len(self._tail) - KMSG_HALF
            del self._tail[:-KMSG_HALF]

    def go_on(self, text: str) -> bool:
        """Add to the line before, where there is one; else say so."""
        lines = self._tail or self._head
        if lines:
            lines[-1] += text
        return bool(lines)

    def fields(self) -> dict[str, Any]:
        """Return the messages and how many are missing, as the protocol's lines have them."""
        tail = self._tail[-KMSG_HALF:]
        left_out = self._left_out + len(self._tail) - len(tail)
        note = [f"<6> [bpfmatrix: {left_out} messages are left out here]"] if left_out else []
        return {"kernel_log": [*self._head, *note, *tail], "kernel_log_lost": self.lost + left_out}


class KernelLog:
    """Reads what the kernel has logged since the last look (Documentation/ABI/testing/dev-kmsg).

    Every record has a number, counted from 0 since the kernel was started. So it is known how many were overwritten
    before they were read.
    """

    def __init__(self) -> None:
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        self._next = 0
        self._caller: list[str] | None = None
        self._messages = Messages()
        self._take()  # there is more time now than when a restored guest goes on

    def read(self, wait: float = 0.0) -> dict[str, Any]:
        """Return the new messages, each as `<level> text`, and how many are missing, as the protocol's lines have them.

        Wait at most `wait` seconds for the first.
        """
        if wait:
            select.select([self._fd], [], [], wait)
        self._take()
        found, self._messages = self._messages, Messages()
        return found.fields()

    @contextlib.contextmanager
    def aside(self) -> Iterator[list[str]]:
        """Keep what the kernel says meanwhile out of what is read next; yield a list that has it afterwards."""
        self._take()
        kept, self._messages = self._messages, Messages()
        said: list[str] = []
        try:
            yield said
        finally:
            found = self.read()
            said += found["kernel_log"] + (["<0> messages are missing"] if found["kernel_log_lost"] else [])
            self._messages = kept

    def _take(self) -> None:
        for _ in range(KMSG_RECORDS):  # a kernel that never stops is read on at the next look
            try:
                self._record(os.read(self._fd, 8192))
            except BlockingIOError:
                return
            except OSError as failure:
                # EPIPE: records were overwritten before they were read. EINVAL: one was too long, and is skipped.
                # In both cases the next record's number says how many are missing.
                if failure.errno not in (errno.EPIPE, errno.EINVAL):
                    raise

    def _record(self, record: bytes) -> None:
        """Take in `level,number,time,flags[,caller=...];text`; lines ` KEY=value` say what device it is about."""
        prefix, _, rest = record.partition(b";")
        level, number, _, flags, *more = prefix.decode().split(",")
        self._messages.lost += int(number) - self._next
        goes_on = flags == "c" and int(number) == self._next and more == self._caller
        self._next, self._caller = int(number) + 1, more
        text, *lines = unescaped(rest.partition(b"\n")[0]).decode(errors="replace").split("\n")
        # A fragment of a line that was begun by the record before.
        if not (goes_on and self._messages.go_on(text)):
            self._messages.add(f"<{int(level) & 7}> {text}")
        for line in lines:
            self._messages.add(f"<{int(level) & 7}> {line}")


def unescaped(text: bytes) -> bytes:
    r"""Return the bytes of a message: the kernel writes all but printable ASCII, and the backslash itself, as \xNN."""
    first, *rest = text.split(b"\\x")
    return first + b"".join(bytes.fromhex(part[:2].decode()) + part[2:] for part in rest)
