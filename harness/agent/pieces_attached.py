"""The pieces of the workload that are for what is attached: iterators, sockets, routes, programs that are called."""

from __future__ import annotations

import ctypes
import os
import socket

from harness.agent.attachers import LWT_ROUTES, NETKIT_BEHIND_PEER, NETKIT_PEER
from harness.agent.calls import send_datagrams, sockmap_send
from harness.agent.libbpf_abi import INT, POINTER, U32, options

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any

    from harness.agent.case_state import CaseState

MOST_READ = 256 * 1024
"""Bytes that are read of an iterator: its program has run by then."""
CONTEXT_SIZES = (64, 0, 4096)
"""Sizes of a context that a program of the type `syscall` may want: nobody says which."""


def iterators(case: CaseState, _libc: Any) -> None:
    """Read each attached iterator."""
    for link in case.iterators:
        fd = case.lib.call("bpf_iter_create", link.fd())
        try:
            left = MOST_READ
            while left > 0 and (data := os.read(fd, 16384)):
                left -= len(data)
        finally:
            os.close(fd)


def sockets(case: CaseState, _libc: Any) -> None:
    """Send a datagram to each socket that has a program, and over each connection whose ends are in a map."""
    for ends in case.socket_pairs:
        ends[0].settimeout(0)
        ends[0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        ends[0].send(b"x" * 64)
    for place in case.sockmaps:
        sockmap_send(case.lib, *place)


def routes(case: CaseState, _libc: Any) -> None:
    """Send datagrams by the routes and devices that attachers have made."""
    if case.routes:
        send_datagrams(*((LWT_ROUTES[name][1], LWT_ROUTES[name][2]) for name in case.routes))
    if case.has_netkit:
        send_datagrams((NETKIT_PEER, 16), (NETKIT_BEHIND_PEER, 16))


def calls(case: CaseState, _libc: Any) -> None:
    """Run the programs that nothing but user space runs (BPF_PROG_TEST_RUN of the type `syscall`)."""
    for fd in case.callable_programs:
        run_called(case, fd)


def run_called(case: CaseState, fd: int) -> None:
    """Run a program of the type `syscall` with the first size of context that it takes."""
    for size in CONTEXT_SIZES:
        context = ctypes.create_string_buffer(size) if size else None
        # struct bpf_test_run_opts: data_in, data_out, their sizes; ctx_in, ctx_out, their sizes; retval, repeat, ...
        made = options(
            *((POINTER, None), (POINTER, None), (U32, 0), (U32, 0)),
            *((POINTER, ctypes.cast(context, POINTER) if context else None), (POINTER, None)),
            *((U32, size), (U32, 0), (U32, 0), (INT, 0), (U32, 0), (U32, 0), (U32, 0), (U32, 0)),
        )
        if case.lib.found("bpf_prog_test_run_opts", fd, ctypes.byref(made)) == 0:
            return
