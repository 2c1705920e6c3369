"""Triggers that are packets: datagrams, connections and echo requests of either family, between namespaces.

All sockets belong to the case's own process: a socket stays in the network namespace in which it was made, so the
process enters another one only for that moment.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time

from harness.agent.namespaces import inside
from harness.agent.refusal import Refused, errno_name, mistaken

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.case_state import CaseState

PATIENCE = 5.0
"""More seconds than what must arrive ever takes; it is not waited for longer than it takes."""
DOUBT = 0.3
"""Seconds that are waited for what may not arrive, or must not."""
LACKING = {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT}
FAMILIES = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}
SO_RCVBUFFORCE, RECEIVE_BYTES = 33, 8 * 1024 * 1024
CHUNK = 65536
ECHO = {
    # family: (protocol, type of a request, type of an answer, bytes of the IP header before what is received)
    socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0, 20),
    socket.AF_INET6: (58, 128, 129, 0),  # IPPROTO_ICMPV6
}
ECHO_HEAD = struct.Struct("!BBHHH")


def family_of(address: str) -> socket.AddressFamily:
    """Return the family of an IP address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def made_socket(family: socket.AddressFamily, kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
    """Make a socket; Refused with the family as what is missing where this kernel has none of that kind."""
    try:
        return socket.socket(family, kind, protocol)
    except OSError as error:
        if error.errno not in LACKING:
            raise
        refusal = Refused(error.errno, f"this kernel has no {FAMILIES[family]} sockets of that kind", api="socket")
        refusal.module = FAMILIES[family]
        raise refusal from None


class Traffic:
    """What a trigger sends: how much of it must arrive, how much has, and with which errno the last failed that did.

    `must` is a number, or None where anything may come.
    """

    def __init__(self, step: dict[str, Any]) -> None:
        self.to, self.port = step["to"], step.get("port", 0)
        self.count, self.bytes, self.must = step["count"], step["bytes"], step["arrive"]
        self.here, self.there = step["from_namespace"], step.get("to_namespace")
        self.family = family_of(self.to)
        self.arrived = 0
        self.why = ""

    @property
    def seconds(self) -> float:
        """How long the next one is waited for."""
        return PATIENCE if self.must is not None and self.arrived < self.must else DOUBT

    def listener(self, kind: socket.SocketKind) -> socket.socket | None:
        """Return a socket that is bound where this goes; None where nobody has the address, and nothing must arrive."""
        with inside(self.there or ""):
            made = made_socket(self.family, kind)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((self.to, self.port))
        except OSError as error:
            made.close()
            if error.errno == errno.EADDRNOTAVAIL and not self.must:
                return None
            raise
        return made

    def sender(self, kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
        """Return a socket in the namespace where this comes from."""
        with inside(self.here or ""):
            return made_socket(self.family, kind, protocol)

    def failed(self, error: OSError) -> None:
        """Note why one did not arrive; one that timed out has no errno."""
        self.why = errno_name(error.errno or errno.ETIMEDOUT)

    def report(self) -> dict[str, Any]:
        """Return what is reported."""
        return {"arrived": self.arrived, "of": self.count} | ({"why": self.why} if self.why else {})


def trigger_udp(_case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Send datagrams to an address; return how many arrived there."""
    return _tried(step, _datagrams)


def trigger_tcp(_case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Make connections to an address and send bytes both ways; return over how many of them all bytes came."""
    return _tried(step, _connections)


def trigger_ping(_case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Send echo requests by a raw socket; return how many were answered."""
    return _tried(step, _echoes)


def _tried(step: dict[str, Any], act: Callable[[Traffic], None]) -> dict[str, Any]:
    """Send what a step says; report how much arrived, or what in the step is wrong."""
    traffic = Traffic(step)
    try:
        act(traffic)
    except FileNotFoundError as error:  # nothing else is opened here by its name
        name = os.path.basename(error.filename)
        return mistaken(f"there is no network namespace {name}: `setup` makes those of a case")
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        where = f"the network namespace {traffic.there}" if traffic.there else "the case's network namespace"
        return mistaken(f"{traffic.to} is no address of {where}", error.errno)
    return traffic.report()


def _datagrams(traffic: Traffic) -> None:
    data = b"x" * traffic.bytes
    receiver = traffic.listener(socket.SOCK_DGRAM)
    sender = traffic.sender(socket.SOCK_DGRAM)
    try:
        to = traffic.to, traffic.port or (receiver.getsockname()[1] if receiver else 9)
        if receiver:
            receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
        for _ in range(traffic.count):
            try:
                sender.sendto(data, to)
            except OSError as error:
                traffic.failed(error)
            if receiver:
                traffic.arrived += _received(receiver, seconds=0.0)
        while receiver and traffic.arrived < traffic.count:
            more = _received(receiver, seconds=traffic.seconds)
            traffic.arrived += more
            if not more:
                break
    finally:
        sender.close()
        if receiver:
            receiver.close()


def _received(receiver: socket.socket, *, seconds: float) -> int:
    """Take the datagrams that are there, after at most so many seconds for the first; return how many."""
    count = 0
    while select.select([receiver], [], [], seconds if not count else 0)[0]:
        receiver.recv(CHUNK)
        count += 1
    return count


def _connections(traffic: Traffic) -> None:
    listener = traffic.listener(socket.SOCK_STREAM)
    try:
        if listener:
            listener.listen(traffic.count)
        to = traffic.to, traffic.port or (listener.getsockname()[1] if listener else 9)
        for _ in range(traffic.count):
            client = traffic.sender(socket.SOCK_STREAM)
            try:
                _connected(client, listener, to, size=traffic.bytes, seconds=traffic.seconds)
                traffic.arrived += 1
            except OSError as error:
                traffic.failed(error)
            finally:
                client.close()
    finally:
        if listener:
            listener.close()


def _connected(
    client: socket.socket, listener: socket.socket | None, to: tuple[str, int], *, size: int, seconds: float
) -> None:
    """Connect, and send so many bytes to the listener's side and back; OSError where that does not succeed in time."""
    client.settimeout(seconds)
    client.connect(to)
    if listener is None:
        return
    listener.settimeout(seconds)
    server, _ = listener.accept()
    with server:
        for source, sink in ((client, server), (server, client)):
            _carried(source, sink, size=size, end=time.monotonic() + seconds)
        client.shutdown(socket.SHUT_WR)


def _carried(source: socket.socket, sink: socket.socket, *, size: int, end: float) -> None:
    """Send so many bytes from one end of a connection to the other, until the time `end`; else OSError."""
    to_send, to_come = size, size
    source.setblocking(False)
    sink.setblocking(False)
    while to_come:
        left = end - time.monotonic()
        readable, writable, _ = select.select([sink], [source] if to_send else [], [], max(left, 0))
        if writable:
            to_send -= source.send(b"x" * min(to_send, CHUNK))
        if readable:
            data = sink.recv(CHUNK)
            if not data:
                raise OSError(errno.ECONNRESET, "the other end is closed")
            to_come -= len(data)
        if left <= 0 and not readable:
            raise OSError(errno.ETIMEDOUT, "bytes are missing")


def checksum(data: bytes) -> int:
    """Return the checksum of the Internet's protocols (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def _echoes(traffic: Traffic) -> None:
    protocol, request, _, _ = ECHO[traffic.family]
    identity, payload = os.getpid() & 0xFFFF, b"x" * traffic.bytes
    with traffic.sender(socket.SOCK_RAW, protocol) as raw:
        for number in range(1, traffic.count + 1):
            packet = ECHO_HEAD.pack(request, 0, 0, identity, number) + payload
            if traffic.family == socket.AF_INET:  # of ICMPv6 the kernel makes it, as RFC 3542 says
                packet = ECHO_HEAD.pack(request, 0, checksum(packet), identity, number) + payload
            try:
                raw.sendto(packet, (traffic.to, 0))
                traffic.arrived += _answered(
                    raw, traffic.family, identity, number, end=time.monotonic() + traffic.seconds
                )
            except OSError as error:
                traffic.failed(error)


def _answered(raw: socket.socket, family: socket.AddressFamily, identity: int, number: int, *, end: float) -> bool:
    """Say whether the answer to an echo request comes before the time `end`; a raw socket sees all such messages."""
    _, _, answer, before = ECHO[family]
    while (left := end - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
        data = raw.recv(CHUNK)[before:]
        if len(data) < ECHO_HEAD.size:
            continue
        kind, _, _, of, sequence = ECHO_HEAD.unpack_from(data)
        if (kind, of, sequence) == (answer, identity, number):
            return True
    return False
