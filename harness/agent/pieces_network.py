"""The pieces of the workload that are connections and packets, over the loopback of the present network namespace."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct

from harness.agent.files import read_text
from harness.agent.pieces import FOLDER, PATIENCE, fail

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any

    from harness.agent.case_state import CaseState

LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
TCP_CONGESTION = 13
PLAIN_CONGESTION = ("reno", "cubic")
CONGESTIONS = "/proc/sys/net/ipv4/tcp_available_congestion_control"
SOL_PACKET, PACKET_FANOUT = 263, 18
FANOUT = 4711
"""A group of packet sockets of its own, which are chosen by the flows of packets (PACKET_FANOUT_HASH): so these are
dissected."""


def connect(family: socket.AddressFamily, *, congestion: str = "", size: int = 2000) -> None:
    """Make a TCP connection, send some bytes both ways, and close it. OSError where that cannot be done at once."""
    with socket.socket(family, socket.SOCK_STREAM) as listener, socket.socket(family, socket.SOCK_STREAM) as client:
        for each in (listener, client):
            each.settimeout(PATIENCE)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK[family], 0))
        listener.listen(1)
        if congestion:
            client.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, congestion.encode())
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            server.settimeout(PATIENCE)
            client.getpeername()
            client.send(b"x" * size)
            server.recv(size)
            server.send(b"y")
            client.recv(1)
            client.getsockopt(socket.IPPROTO_TCP, 11, 104)  # TCP_INFO
            client.shutdown(socket.SHUT_WR)
            server.recv(1)


def tcp(_case: CaseState, _libc: Any) -> None:
    """Connect by TCP over IPv4, by each congestion control that the kernel has, and once to where nobody listens."""
    connect(socket.AF_INET)
    refused(socket.AF_INET)
    for name in (read_text(CONGESTIONS) or "").split():
        if name in PLAIN_CONGESTION:
            continue
        connect(socket.AF_INET, congestion=name, size=60_000)


def tcp6(_case: CaseState, _libc: Any) -> None:
    """Connect by TCP over IPv6."""
    connect(socket.AF_INET6)


def refused(family: socket.AddressFamily) -> None:
    """Connect to a port at which nobody listens, which is refused."""
    with socket.socket(family, socket.SOCK_STREAM) as unused, socket.socket(family, socket.SOCK_STREAM) as client:
        unused.bind((LOOPBACK[family], 0))
        client.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionRefusedError):
            client.connect(unused.getsockname())


def datagrams(family: socket.AddressFamily) -> None:
    """Send datagrams to a socket, connected and not, and one to where there is none; set and get options."""
    with socket.socket(family, socket.SOCK_DGRAM) as receiver, socket.socket(family, socket.SOCK_DGRAM) as sender:
        receiver.settimeout(PATIENCE)
        sender.settimeout(PATIENCE)
        receiver.bind((LOOPBACK[family], 0))
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 1)
        if family == socket.AF_INET:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 42)
            sender.getsockopt(socket.IPPROTO_IP, socket.IP_TOS)
        sender.sendto(b"x" * 16, receiver.getsockname())
        receiver.recvfrom(64)
        sender.connect(receiver.getsockname())
        sender.getsockname()
        sender.getpeername()
        sender.send(b"y" * 1200)
        receiver.recvmsg(2000)
        where = receiver.getsockname()
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"z", where)  # nobody is there any more: an ICMP message says so


def udp(_case: CaseState, _libc: Any) -> None:
    """Send datagrams over IPv4."""
    datagrams(socket.AF_INET)


def udp6(_case: CaseState, _libc: Any) -> None:
    """Send datagrams over IPv6."""
    datagrams(socket.AF_INET6)


def ping(_case: CaseState, _libc: Any) -> None:
    """Send an echo request by a raw socket, with a packet socket beside it that sees it and asks for its flow."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as seen:  # ETH_P_ALL
        seen.bind(("lo", 0))
        seen.setsockopt(SOL_PACKET, PACKET_FANOUT, FANOUT)
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            head = struct.pack("!BBHHH", 8, 0, 0, 1, 1)
            total = sum(struct.unpack("!4H", head))
            raw.sendto(struct.pack("!BBHHH", 8, 0, ~total & 0xFFFF, 1, 1), ("127.0.0.1", 0))
            if not select.select([raw], [], [], PATIENCE)[0]:
                raise fail(errno.ETIMEDOUT, "no answer to an echo request")
            raw.recv(100)


def unix(_case: CaseState, _libc: Any) -> None:
    """Connect by sockets of the file system, and send a file descriptor."""
    os.makedirs(FOLDER, exist_ok=True)
    place = f"{FOLDER}/socket"
    try:
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
            listener.settimeout(PATIENCE)
            client.settimeout(PATIENCE)
            listener.bind(place)
            listener.listen(1)
            client.connect(place)
            server, _ = listener.accept()
            with server:
                socket.send_fds(client, [b"x"], [1])
                _, received, _, _ = socket.recv_fds(server, 10, 1)
                for fd in received:
                    os.close(fd)
                client.getpeername()
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as two,
        ):
            one.settimeout(PATIENCE)
            one.bind(b"\0bpfmatrix-workload")
            two.sendto(b"x", b"\0bpfmatrix-workload")
            one.recvfrom(10)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place)
        os.rmdir(FOLDER)


def netlink(_case: CaseState, _libc: Any) -> None:
    """Ask for the devices and the routes of the namespace (RTM_GETLINK, RTM_GETROUTE)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.settimeout(PATIENCE)
        for kind, family in ((18, 0), (26, socket.AF_INET)):
            link.send(struct.pack("=IHHII", 32, kind, 0x301, 1, 0) + struct.pack("=B15x", family))
            link.recv(65536)
