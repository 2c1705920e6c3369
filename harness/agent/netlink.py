"""rtnetlink(7): devices, addresses, routes and filters in a network namespace of a case's own."""

from __future__ import annotations

import socket
import struct

from harness.agent.refusal import Refused

RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWTFILTER, RTM_DELTFILTER = 16, 20, 24, 25, 44, 45
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x600  # the last with NLM_F_EXCL: what is there already is refused


def attribute(kind: int, *parts: bytes) -> bytes:
    """Return one attribute (struct rtattr), padded; what is nested in it is given as its parts."""
    body = b"".join(parts)
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def rtnetlink(kind: int, flags: int, *parts: bytes) -> None:
    """Send one message of rtnetlink(7) and wait for its answer; Refused with the kernel's errno."""
    body = b"".join(parts)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_ACK | flags, 1, 0) + body)
        number = struct.unpack_from("=i", link.recv(8192), 16)[0]
    if number:
        raise Refused(-number, f"rtnetlink(7), message {kind}", api="rtnetlink")


def ifinfo(name: bytes, index: int = 0) -> bytes:
    """Return the head of a message about a device that is to be up, and its name."""
    # struct ifinfomsg: family, type, index, flags and which of them change (IFF_UP); IFLA_IFNAME
    return struct.pack("=BxHiII", 0, 0, index, 1, 1) + attribute(3, name + b"\0")
