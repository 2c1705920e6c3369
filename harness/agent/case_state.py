"""What the steps of a case have made so far."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

from harness.agent.namespaces import inside_of, new_namespace, spare_namespace
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from harness.agent.bpf_object import BpfObject
    from harness.agent.libbpf import Libbpf
    from harness.agent.links import Link

REFUSING = frozenset({"lsm", "lsm.s", "lsm_cgroup", "fmod_ret", "fmod_ret.s", "cgroup"})
"""Sections of programs that can refuse what a process asks of the kernel, by what is before the slash."""


class CaseState:
    """What the steps of a case have made so far; its triggers and attachers use it, and add to it."""

    def __init__(self, lib: Libbpf, sysctls: Mapping[str, str | int]) -> None:
        self.lib, self.sysctls = lib, sysctls
        self.objects: dict[str, BpfObject] = {}
        self.links: dict[str, Link] = {}
        self.sections: dict[str, str] = {}  # of the programs behind the links
        # What triggers need of what is attached: both ends of a filtered socket, the perf events, and a map for sockets
        # with which end of a connection belongs into it.
        self.sockets: Sequence[socket.socket] = ()
        self.perf_events: list[int] = []
        self.sockmap: tuple[int, ...] = ()
        self.sock_programs: set[tuple[int, int]] = set()  # which kinds of program a map of sockets has
        # What the workload needs: all of such sockets and maps, the links of iterators, the routes (by their programs'
        # sections), whether there is a pair of netkit devices, and the programs that only user space runs.
        self.socket_pairs: list[Sequence[socket.socket]] = []
        self.sockmaps: list[tuple[int, ...]] = []
        self.iterators: list[Link] = []
        self.routes: list[str] = []
        self.has_netkit = False
        self.filters: dict[str, int] = {}  # how many programs are at the qdisc clsact of a device
        self.callable_programs: list[int] = []
        self._loopback: int | None = None
        self._spare: dict[int, int] = {}
        # What triggers have made, in this order; the process that the last one has started; where the files lie that
        # the case has brought, and how programs among them are started; and what takes the output of programs.
        self.made: list[str] = []
        self.child = 0
        self.own: Mapping[str, Any] = {}
        self.send: Callable[[str, int], None] = lambda _text, _cut: None
        # What the case's setup has made: devices with their namespaces ("": the process's own), those with a place for
        # filters, namespaces, control groups; and whether the process has joined one of those.
        self.devices: dict[str, str] = {}
        self.hooked: set[str] = set()
        self.namespaces: list[str] = []
        self.groups: list[str] = []
        self.joined = False

    def refusers(self) -> list[str]:
        """Return the links whose programs may refuse what this process asks of the kernel, the last one first."""
        return [name for name in reversed(self.links) if self.sections.get(name, "").partition("/")[0] in REFUSING]

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
        if self._loopback is None:
            self._loopback = new_namespace(self.sysctls)
        return self._loopback

    @contextlib.contextmanager
    def apart(self, number: int) -> Iterator[None]:
        """Be in the spare network namespace of a number for a while, with its loopback device and no filters yet."""
        if number not in self._spare:
            self._spare[number] = spare_namespace(self.sysctls)
        own = self._loopback, self.filters
        with inside_of(self._spare[number]):
            self._loopback, self.filters = socket.if_nametoindex("lo"), {}
            try:
                yield
            finally:
                self._loopback, self.filters = own

    def namespace_of(self, device: str) -> str:
        """Return the namespace of a device of the case's setup, "" for its process's own; Refused where it has none."""
        if device not in self.devices:
            raise self.not_made("device", device, self.devices)
        return self.devices[device]

    def not_made(self, kind: str, name: str, there: Iterable[str]) -> Refused:
        """Return the refusal of a thing that the case's setup has not made."""
        known = ", ".join(there) or "none"
        return Refused(errno.ENODEV, f"the setup has made no {kind} {name} (there are: {known})", api="setup")
