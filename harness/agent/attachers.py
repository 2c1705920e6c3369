"""Attaching what libbpf does not attach by itself."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct

from harness.agent.attachers_maps import (
    CGROUP_ITERATORS,
    MAP_ITERATORS,
    attach_cgroup_iterator,
    attach_map_iterator,
    attach_sockmap,
)
from harness.agent.attachers_network import PLACED
from harness.agent.attachers_targets import attach_kprobe_multi
from harness.agent.devices import add_address
from harness.agent.kernel_abi import ioctl_request, perf_event_open
from harness.agent.links import BpfLink, CallLink, SocketLink, attach_to_socket
from harness.agent.netlink import (
    NLM_F_CREATE,
    RTM_DELROUTE,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    attribute,
    ifinfo,
    rtnetlink,
)
from harness.agent.refusal import module_of_ours
from harness.agent.sysctls import set_sysctl

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.agent.case_state import CaseState
    from harness.agent.links import Link

# What is sent to the routes of lwt programs, by the program's section: number of struct lwt_bpf's attribute
# (LWT_BPF_IN, LWT_BPF_OUT, LWT_BPF_XMIT of include/uapi/linux/lwtunnel.h), address, bytes of payload.
LWT_ROUTES = {"lwt_in": (1, "10.9.9.1", 16), "lwt_out": (2, "10.9.9.2", 17), "lwt_xmit": (3, "10.9.9.3", 18)}
NETKIT_PREFIX, NETKIT_OWN, NETKIT_PEER = 24, "10.9.8.1", "10.9.8.2"
NETKIT_PEERS_OWN, NETKIT_BEHIND_PEER = "10.9.7.2", "10.9.7.1"
BPF_NETKIT_PRIMARY = 54  # enum bpf_attach_type


def attach_netkit(case: CaseState, program: int) -> Link:
    """Attach to the primary device of a pair (netkit) in a network namespace of this process's own."""
    case.has_netkit = True
    case.own_loopback()
    set_sysctl("net.ipv6.conf.default.disable_ipv6", 1)  # else the devices send packets by themselves
    # IFLA_LINKINFO: IFLA_INFO_KIND, IFLA_INFO_DATA with IFLA_NETKIT_PEER_INFO
    pair = attribute(18, attribute(1, b"netkit\0"), attribute(2, attribute(1, ifinfo(b"peer"))))
    known = BPF_NETKIT_PRIMARY in case.lib.attach_types()
    with module_of_ours("netkit", errno.EOPNOTSUPP) if known else contextlib.nullcontext():
        rtnetlink(RTM_NEWLINK, NLM_F_CREATE, ifinfo(b"primary"), pair)
    rtnetlink(RTM_NEWLINK, 0, ifinfo(b"peer", socket.if_nametoindex("peer")))  # it was made, but is not up
    index = socket.if_nametoindex("primary")
    for device, address in ((index, NETKIT_OWN), (socket.if_nametoindex("peer"), NETKIT_PEERS_OWN)):
        add_address(device, socket.AF_INET, socket.inet_aton(address), NETKIT_PREFIX)
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_netkit", program, index, None))


def attach_lwt(case: CaseState, program: int) -> Link:
    """Attach to a route of its own (a local address) in a network namespace of this process's own."""
    section = case.lib.section(program)
    number, address, _ = LWT_ROUTES[section]
    case.routes.append(section)
    index = case.own_loopback()
    # struct rtmsg: family, destination's and source's prefix, tos, RT_TABLE_LOCAL, RTPROT_STATIC, RT_SCOPE_HOST,
    # RTN_LOCAL, flags; RTA_DST, RTA_OIF
    head = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 255, 4, 254, 2, 0)
    head += attribute(1, socket.inet_aton(address)) + attribute(4, struct.pack("=I", index))
    # LWT_BPF_PROG_FD, LWT_BPF_PROG_NAME; RTA_ENCAP_TYPE (LWTUNNEL_ENCAP_BPF), RTA_ENCAP
    fd = struct.pack("=I", case.lib.call("bpf_program__fd", program))
    tunnel = attribute(number, attribute(1, fd), attribute(2, b"target\0"))
    rtnetlink(RTM_NEWROUTE, NLM_F_CREATE, head, attribute(21, struct.pack("=H", 6)), attribute(22, tunnel))
    return CallLink(lambda: rtnetlink(RTM_DELROUTE, 0, head))


def attach_socket(case: CaseState, program: int) -> Link:
    """Filter a socket pair of this process (SO_ATTACH_BPF)."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    fd = case.lib.call("bpf_program__fd", program)
    attach_to_socket(ends[1], 50, fd)
    case.use_sockets(ends)
    return SocketLink(ends)


def attach_reuseport(case: CaseState, program: int) -> Link:
    """Let the program choose among the sockets of a UDP port: there is one (SO_ATTACH_REUSEPORT_EBPF)."""
    ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    ends[1].bind(("127.0.0.1", 0))
    ends[0].connect(ends[1].getsockname())
    attach_to_socket(ends[1], 52, case.lib.call("bpf_program__fd", program))
    case.use_sockets(ends)
    return SocketLink(ends, detach=68)  # SO_DETACH_REUSEPORT_BPF


def attach_perf_event(case: CaseState, program: int) -> Link:
    """Attach to every third page fault of this process (perf_event_open(2)); the trigger lets it fire once.

    Not to its clock: where that has a limit, 6.16 hangs in its timer (Linux commit eb3182ef0405).
    """
    # struct perf_event_attr: PERF_TYPE_SOFTWARE (1), size of the first version, PERF_COUNT_SW_PAGE_FAULTS (2),
    # a period so long that it does not fire while libbpf has it enabled.
    attributes = struct.pack("=IIQQQQQ", 1, 64, 2, 10**12, 0, 0, 0) + bytes(16)
    fd = perf_event_open(attributes, os.getpid())
    link = BpfLink(case.lib, case.lib.pointer("bpf_program__attach_perf_event", program, fd))
    libc = ctypes.CDLL(None)
    libc.ioctl(fd, ctypes.c_ulong(ioctl_request("$", 1)), 0)  # PERF_EVENT_IOC_DISABLE
    period = ctypes.c_uint64(3)  # PERF_EVENT_IOC_PERIOD
    libc.ioctl(fd, ctypes.c_ulong(ioctl_request("$", 4, size=8)), ctypes.byref(period))
    case.perf_events.append(fd)
    return link


ATTACHERS: dict[str, Callable[..., Link]] = {
    **PLACED,
    "netkit": attach_netkit,
    **dict.fromkeys(LWT_ROUTES, attach_lwt),
    **dict.fromkeys(("sk_msg", "sk_skb"), attach_sockmap),
    "socket": attach_socket,
    "sk_reuseport": attach_reuseport,
    **dict.fromkeys(MAP_ITERATORS, attach_map_iterator),
    **dict.fromkeys(CGROUP_ITERATORS, attach_cgroup_iterator),
    **dict.fromkeys(("kprobe.multi", "kretprobe.multi", "kprobe.session"), attach_kprobe_multi),
    "perf_event": attach_perf_event,
}
"""What libbpf does not attach by itself, by the names of its sections (libbpf.c, section_defs[])."""


def attacher_of(section: str) -> Callable[[CaseState, int], Link] | None:
    """Return how a program of a section is attached: by the longest name that is the section, or before a slash in it.

    None where libbpf does it by itself, or nobody does.
    """
    fitting = [name for name in ATTACHERS if section == name or section.startswith(f"{name}/")]
    return ATTACHERS[max(fitting, key=len)] if fitting else None
