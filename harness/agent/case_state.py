"""What the steps of a case have made so far."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct

from harness.agent.kernel_abi import CLONE_NEWNET
from harness.agent.sysctls import set_sysctl, sysctl_path

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from harness.agent.bpf_object import BpfObject
    from harness.agent.libbpf import Libbpf
    from harness.agent.links import Link


class CaseState:
    """What the steps of a case have made so far; its triggers and attachers use it, and add to it."""

    def __init__(self, lib: Libbpf, sysctls: Mapping[str, str | int]) -> None:
        self.lib, self._sysctls = lib, sysctls
        self.objects: dict[str, BpfObject] = {}
        self.links: dict[str, Link] = {}
        # What triggers need of what is attached: both ends of a filtered socket, the perf events, and a map for sockets
        # with which end of a connection belongs into it.
        self.sockets: Sequence[socket.socket] = ()
        self.perf_events: list[int] = []
        self.sockmap: tuple[int, ...] = ()
        # What the workload needs: all of such sockets and maps, the links of iterators, the routes (by their programs'
        # sections), whether there is a pair of netkit devices, and the programs that only user space runs.
        self.socket_pairs: list[Sequence[socket.socket]] = []
        self.sockmaps: list[tuple[int, ...]] = []
        self.iterators: list[Link] = []
        self.routes: list[str] = []
        self.has_netkit = False
        self.filters = 0  # how many programs are at the qdisc clsact
        self.callable_programs: list[int] = []
        self._loopback: int | None = None
        # What triggers have made, in this order; the process that the last one has started; where the files lie that
        # the case has brought, and how programs among them are started; and what takes the output of programs.
        self.made: list[str] = []
        self.child = 0
        self.own: Mapping[str, Any] = {}
        self.send: Callable[[str, int], None] = lambda _text, _cut: None

    def remove_made(self) -> None:
        """Remove what triggers have made, as far as it is still there."""
        for path in reversed(self.made):
            with contextlib.suppress(OSError):
                (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)

    def program_fd(self, owner: str, name: str) -> int:
        """Return the file descriptor of a loaded program."""
        return self.lib.call("bpf_program__fd", self.objects[owner].program(name))

    def use_sockets(self, ends: Sequence[socket.socket]) -> None:
        """Keep both ends of a socket that has a program."""
        self.sockets = ends
        self.socket_pairs.append(ends)

    def object_of(self, program: int) -> BpfObject:
        """Return the object that a program belongs to."""
        return next(item for item in self.objects.values() if program in item.programs.values())

    def own_loopback(self) -> int:
        """Move this process into a network namespace of its own; return the index of its loopback device, now up."""
        if self._loopback is not None:
            return self._loopback
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            # struct ifreq: name, flags (IFF_UP); SIOCSIFFLAGS
            libc.ioctl(link.fileno(), 0x8914, struct.pack("=16sH22x", b"lo", 1))
        for name, value in self._sysctls.items():
            # Some are the namespace's own; those that are not are there only in the first one.
            if name.startswith("net.") and os.path.exists(sysctl_path(name)):
                set_sysctl(name, value)
        self._loopback = socket.if_nametoindex("lo")
        return self._loopback
