"""What makes targets run."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import select
import socket
import struct
import sys
import time

from harness.agent.attachers import LWT_ROUTES, NETKIT_PEER
from harness.agent.kernel_abi import ioctl_request
from harness.agent.libbpf_abi import INT, POINTER, U32, options
from harness.agent.sysctls import sysctl_path

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.case_state import CaseState
    from harness.agent.libbpf import Libbpf

# An Ethernet frame with an IPv4 header and a TCP header, 127.0.0.1:1 -> 127.0.0.1:2.
PACKET = bytes.fromhex(
    "000000000000 000000000000 0800 4500003200000000400600007f0000017f000001"
    "00010002 00000000 00000000 5000 2000 0000 0000"
)
FOLIO_BYTES = 64 * 1024
CONNECT_SECONDS = 5
"""More than a connection over the loopback device ever takes."""


def trigger_tcp_connect(_case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Make one TCP connection over the loopback device; return its two ends as (address, port)."""
    family = socket.AF_INET6 if ":" in step["address"] else socket.AF_INET
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.settimeout(CONNECT_SECONDS)
        client.settimeout(CONNECT_SECONDS)
        listener.bind((step["address"], 0))
        listener.listen(1)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            ends = {"client": list(client.getsockname()[:2]), "server": list(client.getpeername()[:2])}
            return {"ends": ends}


def trigger_run(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Let the kernel run a program by itself (BPF_PROG_TEST_RUN); return what it returned."""
    owner, name = step["program"].split(".")
    fd = case.program_fd(owner, name)
    data = (PACKET + bytes(step["data"]))[: step["data"]]
    buffer = ctypes.create_string_buffer(data, len(data)) if data else None
    given = struct.pack(f"={len(step['words'])}I", *step["words"])
    size = max(step["context"], len(given))
    context = ctypes.create_string_buffer(given, size) if size else None
    address = ctypes.cast(buffer, POINTER) if buffer else None
    # struct bpf_test_run_opts: data_in, data_out, their sizes; ctx_in, ctx_out, their sizes; retval, repeat, ...
    made = options(
        *((POINTER, address), (POINTER, None), (U32, len(data)), (U32, 0)),
        *((POINTER, ctypes.cast(context, POINTER) if context else None), (POINTER, None)),
        *((U32, size), (U32, 0), (U32, 0), (INT, step["repeat"]), (U32, 0), (U32, 0), (U32, 0), (U32, 0)),
    )
    case.lib.call("bpf_prog_test_run_opts", fd, ctypes.byref(made))
    retval = made.f8
    return {"retval": retval - (1 << 32) if retval >= 1 << 31 else retval}


def send_datagrams(*datagrams: tuple[str, int]) -> None:
    """Send bytes to addresses, given as (address, how many); that a program drops one (EPERM) is no error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for address, count in datagrams:
            with contextlib.suppress(PermissionError):
                sender.sendto(b"x" * count, (address, 9))


def sockmap_send(lib: Libbpf, sockets: int, which: int, key_size: int, value_size: int) -> None:
    """Put one end of a TCP connection (0: the sender, 1: the receiver) into a map of sockets; send 16 bytes.

    The map's keys and values have so many bytes; the key is zeroes.
    """
    with socket.socket() as listener, socket.socket() as sender:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        sender.settimeout(CONNECT_SECONDS)
        listener.settimeout(CONNECT_SECONDS)
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        with receiver:
            end = (sender, receiver)[which].fileno()
            key, value = bytes(key_size), end.to_bytes(value_size, sys.byteorder)
            lib.call("bpf_map_update_elem", sockets, key, value, 0)
            sender.send(b"x" * 16)
            if select.select([receiver], [], [], 0.2)[0]:  # a program may have dropped it
                receiver.recv(64)


def rewrite_sysctl(name: str) -> None:
    """Read a sysctl and write what it is: one system call each."""
    fd = os.open(sysctl_path(name), os.O_RDWR)
    os.pwrite(fd, os.read(fd, 256).strip(), 0)
    os.close(fd)


def call_prctl(_case: CaseState, libc: ctypes.CDLL) -> None:
    """Ask prctl(2) for an option that there is not; the rest are its arguments."""
    libc.prctl(23456, *map(ctypes.c_ulong, (34567, 0, 0, 0)))


def call_labs(_case: CaseState, libc: ctypes.CDLL) -> None:
    """Call labs() of libc."""
    libc.labs.argtypes, libc.labs.restype = [ctypes.c_long], ctypes.c_long
    libc.labs(-42)


def call_socket_send(case: CaseState, _libc: ctypes.CDLL) -> None:
    """Send a datagram to the filtered socket; that an earlier one was dropped there does not keep it."""
    case.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    case.sockets[0].send(b"x" * 16)


def call_udp_loopback(_case: CaseState, _libc: ctypes.CDLL) -> None:
    """Send a datagram over the loopback device."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        link.sendto(b"x" * 16, link.getsockname())


def call_udp_bind(_case: CaseState, _libc: ctypes.CDLL) -> None:
    """Make a socket, bind it, and close it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 4711))


def call_socket_options(_case: CaseState, _libc: ctypes.CDLL) -> None:
    """Set one option of a socket and get another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 42)
        link.getsockopt(socket.IPPROTO_IP, socket.IP_TOS)


def call_touch_memory(case: CaseState, libc: ctypes.CDLL) -> None:
    """Let each perf event of the case fire once, by page faults."""
    for fd in case.perf_events:  # PERF_EVENT_IOC_REFRESH
        libc.ioctl(fd, ctypes.c_ulong(ioctl_request("$", 2)), ctypes.c_ulong(1))
    # A fault may bring 64 KiB at once: as one page, or as 16 (images/init). So each step is into fresh memory.
    with mmap.mmap(-1, 16 * FOLIO_BYTES) as memory:
        for start in range(0, len(memory), FOLIO_BYTES):
            memory[start] = 1


CALLS: dict[str, Callable[[CaseState, Any], object]] = {
    # Of a process by its number, or security_task_getpgid() is not asked; a program may let it refuse.
    "getpgid": lambda _case, libc: libc.getpgid(os.getpid()),
    "prctl": call_prctl,
    "nanosleep": lambda _case, _libc: time.sleep(0.001),
    "labs": call_labs,
    "socket-send": call_socket_send,
    "udp-loopback": call_udp_loopback,
    "touch-memory": call_touch_memory,
    "rename-task": lambda _case, libc: libc.prctl(15, b"renamed", 0, 0, 0),  # PR_SET_NAME
    "atoi": lambda _case, libc: libc.atoi(b"1234567"),
    "udp-bind": call_udp_bind,
    "socket-options": call_socket_options,
    "write-sysctl": lambda _case, _libc: rewrite_sysctl("kernel.domainname"),
    "open-device": lambda _case, _libc: os.close(os.open("/dev/full", os.O_RDONLY)),
    "sockmap-send": lambda case, _libc: sockmap_send(case.lib, *case.sockmap),
    "udp-routes": lambda _case, _libc: send_datagrams(*((to, count) for _, to, count in LWT_ROUTES.values())),
    "udp-device": lambda _case, _libc: send_datagrams((NETKIT_PEER, 16)),
}


def trigger_call(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Make one of the calls that targets are attached to."""
    CALLS[step["name"]](case, ctypes.CDLL("libc.so.6"))
    return {}


def trigger_read_iterator(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Read an iterator to its end."""
    _, name = step["program"].split(".")
    fd = case.lib.call("bpf_iter_create", case.links[name].fd())
    with open(fd, "rb", buffering=0) as file:
        while file.read(4096):
            pass
    return {}


TRIGGERS: dict[str, Callable[[CaseState, dict[str, Any]], dict[str, Any]]] = {
    "tcp-connect": trigger_tcp_connect,
    "run": trigger_run,
    "call": trigger_call,
    "read-iterator": trigger_read_iterator,
}
