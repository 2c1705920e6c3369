"""What is attached, and how it is detached."""

from __future__ import annotations

import os
import socket

from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.agent.libbpf import Libbpf


class Link:
    """What is attached; close() detaches it."""

    def fd(self) -> int:
        """Return the link's file descriptor."""
        raise NotImplementedError(f"a {type(self).__name__} has no file descriptor")

    def close(self) -> None:
        """Detach."""
        raise NotImplementedError


class BpfLink(Link):
    """A link of libbpf."""

    def __init__(self, lib: Libbpf, handle: int) -> None:
        self._lib, self._handle = lib, handle

    def fd(self) -> int:
        """Return the link's file descriptor."""
        return self._lib.call("bpf_link__fd", self._handle)

    def close(self) -> None:
        """Detach."""
        self._lib.call("bpf_link__destroy", self._handle)


class FdLink(Link):
    """A link that is a file descriptor."""

    def __init__(self, fd: int) -> None:
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
        self._calls = calls

    def close(self) -> None:
        """Detach."""
        for call in self._calls:
            call()


class SocketLink(Link):
    """A program attached to a socket; it goes with the socket."""

    def __init__(self, ends: Sequence[socket.socket], detach: int = 27) -> None:  # SO_DETACH_BPF
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
