"""What is attached, and how it is detached."""

from __future__ import annotations

import errno
import os
import socket

from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Sequence
    from typing import Any

    from harness.agent.libbpf import Libbpf


class Link:
    """What is attached; close() detaches it. `found` is what is reported of its attachment.

    `handle` is libbpf's pointer to the link, 0 where it has none.
    """

    handle = 0

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def fd(self) -> int:
        """Return the link's file descriptor; Refused where the kernel has no link for what is attached."""
        raise Refused(errno.EINVAL, "the kernel has no link for what is attached in this way", api="bpf_link__fd")

    def close(self) -> None:
        """Detach."""
        raise NotImplementedError


class BpfLink(Link):
    """A link of libbpf."""

    def __init__(self, lib: Libbpf, handle: int) -> None:
        super().__init__()
        self._lib, self.handle = lib, handle

    def fd(self) -> int:
        """Return the link's file descriptor."""
        return self._lib.call("bpf_link__fd", self.handle)

    def close(self) -> None:
        """Detach."""
        self._lib.call("bpf_link__destroy", self.handle)


class RegisteredMap(Link):
    """A struct_ops map that is registered without a link of the kernel's; libbpf calls that a link, too."""

    def __init__(self, lib: Libbpf, handle: int) -> None:
        super().__init__()
        self._lib, self.handle = lib, handle

    def close(self) -> None:
        """Take it back."""
        self._lib.call("bpf_link__destroy", self.handle)


class FdLink(Link):
    """A link that is a file descriptor."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd

    def fd(self) -> int:
        """Return the link's file descriptor."""
        return self._fd

    def close(self) -> None:
        """Detach."""
        os.close(self._fd)


class CallLink(Link):
    """A program that is detached by calls of one's own, in their order."""

    def __init__(self, *calls: Callable[[], object]) -> None:
        super().__init__()
        self._calls = calls

    def close(self) -> None:
        """Detach."""
        for call in self._calls:
            call()


class ElsewhereLink(Link):
    """A link that is detached where it was attached: in another network namespace."""

    def __init__(self, link: Link, there: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
        super().__init__()
        self._link, self._there = link, there
        self.found, self.handle = link.found, link.handle

    def fd(self) -> int:
        """Return the link's file descriptor."""
        return self._link.fd()

    def close(self) -> None:
        """Detach."""
        with self._there():
            self._link.close()


class SocketLink(Link):
    """A program attached to a socket; it goes with the socket."""

    def __init__(self, ends: Sequence[socket.socket], detach: int = 27) -> None:  # SO_DETACH_BPF
        super().__init__()
        self._ends, self._option = ends, detach

    def close(self) -> None:
        """Detach."""
        self._ends[1].setsockopt(socket.SOL_SOCKET, self._option, 0)


def attach_to_socket(end: socket.socket, option: int, fd: int) -> None:
    """Attach a program to a socket; Refused where the kernel refuses."""
    try:
        end.setsockopt(socket.SOL_SOCKET, option, fd)
    except OSError as error:
        raise Refused(error.errno or 0, f"setsockopt(2), option {option}", api="setsockopt") from error
