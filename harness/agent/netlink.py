"""rtnetlink(7): messages about devices, addresses, routes, queues and filters of the present network namespace."""

from __future__ import annotations

import socket
import struct

from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterator

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_DELROUTE = 16, 17, 18, 20, 24, 25
RTM_NEWNEIGH, RTM_NEWQDISC, RTM_NEWTFILTER, RTM_DELTFILTER = 28, 36, 44, 45
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x600  # the last with NLM_F_EXCL: what is there already is refused
IFLA_ADDRESS, IFLA_IFNAME, IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_NET_NS_FD, IFLA_XDP = 1, 3, 16, 18, 28, 43
NESTED = 0x3FFF
"""The bits of an attribute's type that say what it is; the others say that it is nested, or of the network's order."""


def attribute(kind: int, *parts: bytes) -> bytes:
    """Return one attribute (struct rtattr), padded; what is nested in it is given as its parts."""
    body = b"".join(parts)
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of the attributes that some bytes are."""
    place = 0
    while place + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, place)
        if size < 4:
            return
        yield kind & NESTED, data[place + 4 : place + size]
        place += size + -size % 4


def rtnetlink(kind: int, flags: int, *parts: bytes) -> None:
    """Send one message of rtnetlink(7) and wait for its answer; Refused with the kernel's errno."""
    number = struct.unpack_from("=i", _exchanged(kind, NLM_F_ACK | flags, *parts), 16)[0]
    if number:
        raise Refused(-number, f"rtnetlink(7), message {kind}", api="rtnetlink")


def device_attributes(index: int) -> dict[int, bytes]:
    """Return what the kernel says of a device, by its attributes' types (IFLA_...); nothing where there is none."""
    answer = _exchanged(RTM_GETLINK, 0, struct.pack("=BxHiII", 0, 0, index, 0, 0))
    kind = struct.unpack_from("=H", answer, 4)[0]
    return dict(attributes(answer[32:])) if kind == RTM_NEWLINK else {}  # struct nlmsghdr, struct ifinfomsg: 16 each


def _exchanged(kind: int, flags: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body)
        return link.recv(65536)


def ifinfo(name: bytes, index: int = 0) -> bytes:
    """Return the head of a message about a device that is to be up, and its name."""
    # struct ifinfomsg: family, type, index, flags and which of them change (IFF_UP); IFLA_IFNAME
    return struct.pack("=BxHiII", 0, 0, index, 1, 1) + attribute(IFLA_IFNAME, name + b"\0")
