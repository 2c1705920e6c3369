"""Network devices: how they are made, what addresses and neighbours they get, and what the kernel says of them."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time

from harness.agent.files import write_text
from harness.agent.netlink import (
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_LINKINFO,
    IFLA_NET_NS_FD,
    IFLA_OPERSTATE,
    IFLA_XDP,
    NLM_F_CREATE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWQDISC,
    attribute,
    attributes,
    device_attributes,
    rtnetlink,
)
from harness.agent.refusal import Refused, module_of_ours

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterable

OPERATIONAL, UP_SECONDS = 6, 5.0  # IF_OPER_UP of include/uapi/linux/if.h
PERMANENT, NO_DAD = 0x80, 0x02  # NUD_PERMANENT; IFA_F_NODAD: an IPv6 address is used at once
XDP_MODES = {1: "native", 2: "generic", 3: "offload", 4: "several"}
"""enum XDP_ATTACHED_... of include/uapi/linux/if_link.h; 0 is none."""
# Handle and parent of a qdisc (include/uapi/linux/pkt_sched.h): TC_H_CLSACT, which is TC_H_INGRESS, or TC_H_ROOT.
BESIDE_THE_QUEUE = (0xFFFF0000, 0xFFFFFFF1)
AT_THE_ROOT = (0, 0xFFFFFFFF)
QDISC_PLACES = dict.fromkeys(("clsact", "ingress"), BESIDE_THE_QUEUE)
QUIET_IPV6 = {
    **{"addr_gen_mode": 1, "router_solicitations": 0, "accept_ra": 0, "accept_dad": 0, "dad_transmits": 0},
    **{"force_mld_version": 1, "mldv1_unsolicited_report_interval": 0x7FFFFFFF},
}
"""Settings (/proc/sys/net/ipv6/conf/DEVICE) with which a device sends nothing by itself once it is up.

No address of its own link, no search for routers, no doubt about addresses; of the groups of its addresses one report
at once, but the next at some time within 24 days (net/ipv6/mcast.c, igmp6_join_group()).
"""


def split_address(text: str) -> tuple[int, bytes, int]:
    """Return family, bytes and prefix length of an address as `192.0.2.1/24`."""
    address, _, length = text.partition("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    data = socket.inet_pton(family, address)
    return family, data, int(length) if length else 8 * len(data)


def hardware_address(number: int, end: int) -> bytes:
    """Return the Ethernet address of one end of the device that was made as the `number`th: nobody else's."""
    return bytes((0x02, 0, 0, 0, number & 0xFF, end))


def make_veth(name: str, peer: str, *, number: int, peer_namespace: int) -> None:
    """Make a pair of devices that are connected, in this namespace; the peer in that of a file descriptor.

    Refused with `module` where this kernel has no such devices.
    """
    own, other = (attribute(IFLA_ADDRESS, hardware_address(number, end)) for end in (1, 2))
    # VETH_INFO_PEER: a message about the peer
    made = attribute(1, _down(peer), other, attribute(IFLA_NET_NS_FD, struct.pack("=i", peer_namespace)))
    _make("veth", _down(name), own, attribute(2, made))


def make_dummy(name: str, *, number: int) -> None:
    """Make a device that swallows what it is given; Refused with `module` where this kernel has no such devices."""
    _make("dummy", _down(name), attribute(IFLA_ADDRESS, hardware_address(number, 1)), b"")


def _make(kind: str, head: bytes, more: bytes, data: bytes) -> None:
    # IFLA_INFO_KIND, and IFLA_INFO_DATA as it is given
    info = attribute(IFLA_LINKINFO, attribute(1, kind.encode() + b"\0"), data)
    with module_of_ours(kind, errno.EOPNOTSUPP):
        rtnetlink(RTM_NEWLINK, NLM_F_CREATE, head, more, info)


def _down(name: str) -> bytes:
    return struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, name.encode() + b"\0")


def configure(name: str, addresses: Iterable[str], *, up: bool) -> None:
    """Give a device its addresses, and let it send nothing that nobody asked for; `up` says that it is to work.

    Without an IPv6 address it has no IPv6 at all.
    """
    index, parted = socket.if_nametoindex(name), [split_address(each) for each in addresses]
    folder = f"/proc/sys/net/ipv6/conf/{name}"
    if os.path.isdir(folder):
        has_ipv6 = any(family == socket.AF_INET6 for family, _, _ in parted)
        for key, value in (QUIET_IPV6 if has_ipv6 else {"disable_ipv6": 1}).items():
            if os.path.exists(f"{folder}/{key}"):
                write_text(f"{folder}/{key}", str(value))
    for family, data, length in parted:
        add_address(index, family, data, length)
    if up:
        set_up(index)


def set_up(index: int) -> None:
    """Let a device work."""
    # struct ifinfomsg: family, type, index, flags and which of them change (IFF_UP). Not by name: that would rename it.
    rtnetlink(RTM_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, index, 1, 1))


def add_address(index: int, family: int, data: bytes, length: int) -> None:
    """Give a device an address, with the route to its network."""
    # struct ifaddrmsg: family, prefix length, flags, scope, index; IFA_ADDRESS, IFA_LOCAL
    head = struct.pack("=BBBBI", family, length, NO_DAD if family == socket.AF_INET6 else 0, 0, index)
    rtnetlink(RTM_NEWADDR, NLM_F_CREATE, head, attribute(1, data), attribute(2, data))


def add_neighbours(name: str, addresses: Iterable[str], *, at: bytes) -> None:
    """Tell a device who has some addresses, so that it need not ask (ARP, neighbour discovery)."""
    index = socket.if_nametoindex(name)
    for each in addresses:
        family, data, _ = split_address(each)
        # struct ndmsg: family, index, state, flags, type; NDA_DST, NDA_LLADDR
        head = struct.pack("=BxxxiHBB", family, index, PERMANENT, 0, 0)
        rtnetlink(RTM_NEWNEIGH, NLM_F_CREATE, head, attribute(1, data), attribute(2, at))


def wait_until_up(name: str) -> None:
    """Wait until a device has noticed that its peer is up: until then it drops what it is given (link_watch.c).

    Refused with ETIMEDOUT where it does not within UP_SECONDS, which is much more than that takes.
    """
    index, end = socket.if_nametoindex(name), time.monotonic() + UP_SECONDS
    while device_attributes(index).get(IFLA_OPERSTATE) != bytes((OPERATIONAL,)):
        if time.monotonic() > end:
            raise Refused(errno.ETIMEDOUT, f"the device {name} does not come up", api="rtnetlink")
        time.sleep(0.0005)
    # The kernel does what is left of that under the lock that this takes, too.
    set_up(index)


def add_qdisc(name: str, kind: str, *, module: str) -> None:
    """Give a device a queueing discipline; Refused with `module` where this kernel has none of this kind."""
    handle, parent = QDISC_PLACES.get(kind, AT_THE_ROOT)
    # struct tcmsg: family, index, handle, parent, info; TCA_KIND
    head = struct.pack("=BxxxiIII", 0, socket.if_nametoindex(name), handle, parent, 0)
    with module_of_ours(module, errno.ENOENT):
        rtnetlink(RTM_NEWQDISC, NLM_F_CREATE, head, attribute(1, kind.encode() + b"\0"))


def xdp_mode(index: int) -> str:
    """Return how the XDP program of a device runs, one of XDP_MODES, "" without one: the kernel says so."""
    # IFLA_XDP_ATTACHED, within IFLA_XDP
    state = dict(attributes(device_attributes(index).get(IFLA_XDP, b""))).get(2, b"\0")
    return XDP_MODES.get(state[0], "")
