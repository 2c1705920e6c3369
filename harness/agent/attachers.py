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
from harness.agent.attachers_targets import attach_kprobe_multi
from harness.agent.kernel_abi import ioctl_request, perf_event_open
from harness.agent.libbpf_abi import INT, U32, options
from harness.agent.links import BpfLink, CallLink, SocketLink, attach_to_socket
from harness.agent.netlink import (
    NLM_F_CREATE,
    RTM_DELROUTE,
    RTM_DELTFILTER,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    RTM_NEWTFILTER,
    attribute,
    ifinfo,
    rtnetlink,
)
from harness.agent.refusal import module_of_ours
from harness.agent.sysctls import set_sysctl

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.case_state import CaseState
    from harness.agent.links import Link

# What is sent to the routes of lwt programs, by the program's section: number of struct lwt_bpf's attribute
# (LWT_BPF_IN, LWT_BPF_OUT, LWT_BPF_XMIT of include/uapi/linux/lwtunnel.h), address, bytes of payload.
LWT_ROUTES = {"lwt_in": (1, "10.9.9.1", 16), "lwt_out": (2, "10.9.9.2", 17), "lwt_xmit": (3, "10.9.9.3", 18)}
NETKIT_PREFIX, NETKIT_OWN, NETKIT_PEER = 24, "10.9.8.1", "10.9.8.2"
NETKIT_PEERS_OWN, NETKIT_BEHIND_PEER = "10.9.7.2", "10.9.7.1"
INGRESS, EGRESS = 1, 2  # enum bpf_tc_attach_point: BPF_TC_INGRESS, BPF_TC_EGRESS
BPF_TCX_INGRESS, BPF_NETKIT_PRIMARY = 46, 54  # enum bpf_attach_type


def attach_cgroup(case: CaseState, program: int) -> Link:
    """Attach to a cgroup of this process's own."""
    folder = "/sys/fs/cgroup/bpfmatrix"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    fd = os.open(folder, os.O_RDONLY)
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_cgroup", program, fd))


def attach_netns(case: CaseState, program: int) -> Link:
    """Attach to this process's network namespace."""
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_netns", program, fd))


def attach_xdp(case: CaseState, program: int) -> Link:
    """Attach to the loopback device of a network namespace of this process's own."""
    index = case.own_loopback()
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_xdp", program, index))


def attach_tcx(case: CaseState, program: int) -> Link:
    """Attach to the loopback device of a network namespace of this process's own."""
    index = case.own_loopback()
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_tcx", program, index, None))


def attach_tc(case: CaseState, program: int) -> Link:
    """Attach as a filter (cls_bpf, direct action) to what the loopback device of an own namespace receives."""
    return attach_filter(case, program, INGRESS)


def attach_tc_either(case: CaseState, program: int) -> Link:
    """Attach as the section says (`tc/ingress`, `tc/egress`): by tcx, or as a filter where the kernel has none.

    libbpf takes such sections for tcx since 1.3; before that, and before Linux 6.6, there were filters alone.
    """
    if BPF_TCX_INGRESS in case.lib.attach_types():
        return attach_tcx(case, program)
    return attach_filter(case, program, EGRESS if case.lib.section(program).endswith("egress") else INGRESS)


def attach_filter(case: CaseState, program: int, point: int) -> Link:
    """Attach as a filter (cls_bpf, direct action) to one side of the loopback device of an own namespace."""
    hook, drop_hook = clsact(case, point)
    # struct bpf_tc_opts: prog_fd, flags, prog_id, handle, priority
    given = [(INT, case.lib.call("bpf_program__fd", program)), *((U32, value) for value in (0, 0, 1, 1))]
    with module_of_ours("cls_bpf", errno.ENOENT):
        case.lib.call("bpf_tc_attach", ctypes.byref(hook), ctypes.byref(options(*given)))
    gone = options((INT, 0), *given[1:])
    return CallLink(lambda: case.lib.call("bpf_tc_detach", ctypes.byref(hook), ctypes.byref(gone)), drop_hook)


def attach_action(case: CaseState, program: int) -> Link:
    """Attach as the action (act_bpf) of a filter for all that the loopback device of an own namespace receives."""
    hook, drop_hook = clsact(case)
    # struct tcmsg: family, ifindex, handle, parent (ingress of clsact), priority and protocol (ETH_P_ALL)
    head = struct.pack("=BxxxiIII", 0, hook.f0, 1, 0xFFFFFFF2, 1 << 16 | socket.htons(3))
    head += attribute(1, b"matchall\0")  # TCA_KIND
    # TCA_ACT_BPF_PARMS (struct tc_act_bpf: index, capab, action (TC_ACT_PIPE), refcnt, bindcnt), _FD, _NAME
    fd = struct.pack("=I", case.lib.call("bpf_program__fd", program))
    made = attribute(2, struct.pack("=IIiii", 0, 0, 3, 0, 0)), attribute(5, fd), attribute(6, b"target\0")
    # TCA_ACT_KIND and TCA_ACT_OPTIONS of the first action; TCA_MATCHALL_ACT; TCA_OPTIONS
    action = attribute(1, attribute(1, b"bpf\0"), attribute(2, *made))
    with module_of_ours("cls_matchall or act_bpf", errno.ENOENT):
        rtnetlink(RTM_NEWTFILTER, NLM_F_CREATE, head, attribute(2, attribute(2, action)))
    return CallLink(lambda: rtnetlink(RTM_DELTFILTER, 0, head), drop_hook)


def clsact(case: CaseState, point: int = INGRESS) -> tuple[Any, Callable[[], object]]:
    """Give the loopback device of an own namespace the qdisc clsact; return one side of it, and what takes it away.

    The last of several filters takes it away.
    """
    index = case.own_loopback()
    # struct bpf_tc_hook: ifindex, attach_point (both for the qdisc), parent
    hook, both = (options((INT, index), (INT, each), (U32, 0)) for each in (point, INGRESS | EGRESS))
    if not case.filters:
        with module_of_ours("sch_ingress", errno.ENOENT):
            case.lib.call("bpf_tc_hook_create", ctypes.byref(hook))
    case.filters += 1

    def drop() -> None:
        case.filters -= 1
        if not case.filters:
            case.lib.call("bpf_tc_hook_destroy", ctypes.byref(both))

    return hook, drop


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
        own = socket.inet_aton(address)
        # struct ifaddrmsg: family, prefix length, flags, scope, index; IFA_ADDRESS, IFA_LOCAL
        head = struct.pack("=BBBBI", socket.AF_INET, NETKIT_PREFIX, 0, 0, device)
        rtnetlink(RTM_NEWADDR, NLM_F_CREATE, head, attribute(1, own), attribute(2, own))
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


def attach_netfilter(case: CaseState, program: int) -> Link:
    """Attach to IPv4's NF_INET_LOCAL_OUT in a network namespace of this process's own."""
    case.own_loopback()
    # struct bpf_netfilter_opts: pf, hooknum, priority, flags
    made = options((U32, socket.AF_INET), (U32, 3), (ctypes.c_int32, -128), (U32, 0))
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_netfilter", program, ctypes.byref(made)))


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


ATTACHERS: dict[str, Callable[[CaseState, int], Link]] = {
    **dict.fromkeys(("cgroup", "cgroup_skb", "sockops", "lsm_cgroup"), attach_cgroup),
    **dict.fromkeys(("sk_lookup", "flow_dissector"), attach_netns),
    **dict.fromkeys(("xdp", "xdp.frags"), attach_xdp),
    "tcx": attach_tcx,
    **dict.fromkeys(("tc/ingress", "tc/egress"), attach_tc_either),
    **dict.fromkeys(("tc", "classifier"), attach_tc),
    "action": attach_action,
    "netkit": attach_netkit,
    **dict.fromkeys(LWT_ROUTES, attach_lwt),
    **dict.fromkeys(("sk_msg", "sk_skb"), attach_sockmap),
    "netfilter": attach_netfilter,
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
