"""Attaching to network devices, control groups and namespaces: those of a case's setup, or the agent's own.

A place is what a step says of where a program goes: `device` with `mode` (XDP), `direction` and `priority` (tc), or
`cgroup` with `flags`, or `namespace`; `before` or `after` names a link of the same hook. Without a place it is the
loopback device of a network namespace of the case's own, its own control group, and its own namespace.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

from harness.agent.devices import xdp_mode
from harness.agent.files import write_text
from harness.agent.kernel_abi import BPF_LINK_CREATE, bpf
from harness.agent.libbpf_abi import INT, U32, options
from harness.agent.links import BpfLink, CallLink, FdLink
from harness.agent.namespaces import NAMESPACES, inside, namespace_fd
from harness.agent.netlink import NLM_F_CREATE, RTM_DELTFILTER, RTM_NEWTFILTER, attribute, rtnetlink
from harness.agent.refusal import Refused, module_of_ours
from harness.agent.setup import GROUPS

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from harness.agent.case_state import CaseState
    from harness.agent.links import Link

    Place = Mapping[str, Any]

NOWHERE: dict[str, Any] = {}
INGRESS, EGRESS = 1, 2  # enum bpf_tc_attach_point: BPF_TC_INGRESS, BPF_TC_EGRESS
BPF_XDP, BPF_TCX_INGRESS, BPF_TCX_EGRESS = 37, 46, 47  # enum bpf_attach_type
XDP_FLAGS = {"auto": 0, "generic": 1 << 1, "native": 1 << 2}  # XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE of if_link.h
CGROUP_FLAGS = {"override": 1, "multi": 2}  # BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI of bpf.h
ORDER_FLAGS = {"before": 1 << 3, "after": 1 << 4}  # BPF_F_BEFORE, BPF_F_AFTER
BPF_F_LINK = 1 << 13


class Device:
    """A network device: its name, its index, and the namespace that it is in ("" for that of the case's process)."""

    def __init__(self, case: CaseState, place: Place) -> None:
        """Find the device of a place; Refused where the setup has not made it."""
        self.name, self.namespace, self.index = place.get("device", "lo"), "", case.own_loopback()
        if self.name != "lo":
            self.namespace = case.namespace_of(self.name)
            with inside(self.namespace):
                self.index = socket.if_nametoindex(self.name)


def attach_xdp(case: CaseState, program: int, place: Place = NOWHERE) -> Link:
    """Attach to a device, by the driver (native), before it (generic), or as the kernel likes; and say which it was."""
    device, mode = Device(case, place), place.get("mode", "auto")
    with inside(device.namespace):
        if mode == "auto":
            link: Link = BpfLink(case.lib, case.lib.pointer("bpf_program__attach_xdp", program, device.index))
        else:
            link = linked(case, program, device.index, kind=BPF_XDP, how=(XDP_FLAGS[mode], 0))
        link.found["xdp"] = xdp_mode(device.index)
    return link


def attach_tcx(case: CaseState, program: int, place: Place = NOWHERE) -> Link:
    """Attach to a device by tcx (Linux 6.6), behind what is there, or before or behind one of those."""
    device = Device(case, place)
    with inside(device.namespace):
        if ORDER_FLAGS.keys() & place.keys():
            kind = case.lib.call("bpf_program__expected_attach_type", program)
            return linked(case, program, device.index, kind=kind, how=order(case, place))
        return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_tcx", program, device.index, None))


def attach_tc(case: CaseState, program: int, place: Place = NOWHERE) -> Link:
    """Attach as a filter (cls_bpf, direct action), to what the device receives unless the place says otherwise."""
    return attach_filter(case, program, EGRESS if place.get("direction") == "egress" else INGRESS, place)


def attach_tc_either(case: CaseState, program: int, place: Place = NOWHERE) -> Link:
    """Attach as the section says (`tc/ingress`, `tc/egress`): by tcx, or as a filter where the kernel has none.

    libbpf takes such sections for tcx since 1.3; before that, and before Linux 6.6, there were filters alone. What
    has a priority is a filter.
    """
    if "priority" not in place and BPF_TCX_INGRESS in case.lib.attach_types():
        return attach_tcx(case, program, place)
    return attach_filter(case, program, EGRESS if case.lib.section(program).endswith("egress") else INGRESS, place)


def attach_filter(case: CaseState, program: int, point: int, place: Place = NOWHERE) -> Link:
    """Attach as a filter (cls_bpf, direct action) to one side of a device; a smaller priority runs first."""
    device = Device(case, place)
    with inside(device.namespace):
        hook, drop_hook = clsact(case, device, point)
        # struct bpf_tc_opts: prog_fd, flags, prog_id, handle, priority
        more = [(U32, value) for value in (0, 0, 1, place.get("priority", 1))]
        given = [(INT, case.lib.call("bpf_program__fd", program)), *more]
        with module_of_ours("cls_bpf", errno.ENOENT):
            case.lib.call("bpf_tc_attach", ctypes.byref(hook), ctypes.byref(options(*given)))
    gone = options((INT, 0), *given[1:])

    def drop() -> None:
        with inside(device.namespace):
            case.lib.call("bpf_tc_detach", ctypes.byref(hook), ctypes.byref(gone))

    return CallLink(drop, drop_hook)


def attach_action(case: CaseState, program: int, place: Place = NOWHERE) -> Link:
    """Attach as the action (act_bpf) of a filter for all that a device receives."""
    device = Device(case, place)
    with inside(device.namespace):
        hook, drop_hook = clsact(case, device)
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

    def drop() -> None:
        with inside(device.namespace):
            rtnetlink(RTM_DELTFILTER, 0, head)

    return CallLink(drop, drop_hook)


def clsact(case: CaseState, device: Device, point: int = INGRESS) -> tuple[Any, Callable[[], object]]:
    """Give a device the qdisc clsact, unless its setup has; return one side of it, and what takes it away.

    The last of several filters takes it away, but not one of the setup.
    """
    # struct bpf_tc_hook: ifindex, attach_point (both for the qdisc), parent
    hook, both = (options((INT, device.index), (INT, each), (U32, 0)) for each in (point, INGRESS | EGRESS))
    own, count = device.name not in case.hooked, case.filters
    if own and not count.get(device.name):
        with module_of_ours("sch_ingress", errno.ENOENT):
            case.lib.call("bpf_tc_hook_create", ctypes.byref(hook))
    count[device.name] = count.get(device.name, 0) + 1

    def drop() -> None:
        count[device.name] -= 1
        if own and not count[device.name]:
            with inside(device.namespace):
                case.lib.call("bpf_tc_hook_destroy", ctypes.byref(both))

    return hook, drop


def attach_cgroup(case: CaseState, program: int, place: Place = NOWHERE) -> Link:
    """Attach to a control group: by a link, or with `flags`, which links do not have, by BPF_PROG_ATTACH.

    Without a place it is one of the case's own, which its process joins.
    """
    folder = GROUPS
    if "cgroup" in place:
        folder = f"{GROUPS}/{place['cgroup']}"
        if place["cgroup"] not in case.groups:
            raise case.not_made("control group", place["cgroup"], case.groups)
    else:
        os.makedirs(folder, exist_ok=True)
        if not case.joined:
            write_text(f"{folder}/cgroup.procs", str(os.getpid()))
    group = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    if "flags" in place:
        return _attached_with_flags(case, program, group, place["flags"])
    if ORDER_FLAGS.keys() & place.keys():
        kind = case.lib.call("bpf_program__expected_attach_type", program)
        return linked(case, program, group, kind=kind, how=order(case, place))
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_cgroup", program, group))


def _attached_with_flags(case: CaseState, program: int, group: int, names: list[str]) -> Link:
    lib, flags = case.lib, sum(CGROUP_FLAGS[name] for name in names)
    fd = lib.call("bpf_program__fd", program)
    kind = lib.call("bpf_program__expected_attach_type", program)
    lib.call("bpf_prog_attach", fd, group, kind, flags)
    return CallLink(lambda: lib.call("bpf_prog_detach2", fd, group, kind))


def attach_netns(case: CaseState, program: int, place: Place = NOWHERE) -> Link:
    """Attach to a network namespace; without a place to that of this process."""
    fd = namespace_fd(_namespace(case, place))
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_netns", program, fd))


def attach_netfilter(case: CaseState, program: int, place: Place = NOWHERE) -> Link:
    """Attach to IPv4's NF_INET_LOCAL_OUT in a network namespace; without a place in one of this process's own."""
    case.own_loopback()
    # struct bpf_netfilter_opts: pf, hooknum, priority, flags
    made = options((U32, socket.AF_INET), (U32, 3), (ctypes.c_int32, -128), (U32, 0))
    with inside(_namespace(case, place)):
        return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_netfilter", program, ctypes.byref(made)))


def _namespace(case: CaseState, place: Place) -> str:
    name: str = place.get("namespace", "")
    if name and not os.path.exists(f"{NAMESPACES}/{name}"):
        raise case.not_made("namespace", name, case.namespaces)
    return name


def order(case: CaseState, place: Place) -> tuple[int, int]:
    """Return the flags and the file descriptor of the link that a program goes before or behind."""
    side = next(iter(ORDER_FLAGS.keys() & place.keys()))
    name = place[side]
    if name not in case.links:
        raise case.not_made("link", name, case.links)
    return ORDER_FLAGS[side] | BPF_F_LINK, case.links[name].fd()


def linked(case: CaseState, program: int, target: int, *, kind: int, how: tuple[int, int]) -> Link:
    """Make a link by bpf(2) itself: libbpf's functions do not take these flags, or only later ones do.

    `how` is the flags, and the file descriptor of a link that they are about.
    """
    fd = case.lib.call("bpf_program__fd", program)
    # union bpf_attr of BPF_LINK_CREATE: prog_fd, target_fd or target_ifindex, attach_type, flags; of tcx and cgroup:
    # relative_fd, expected_revision.
    return FdLink(bpf(BPF_LINK_CREATE, struct.pack("=IIIIIxxxxQ", fd, target, kind, *how, 0)))


PLACED: dict[str, Callable[[CaseState, int, Place], Link]] = {
    **dict.fromkeys(("cgroup", "cgroup_skb", "sockops", "lsm_cgroup"), attach_cgroup),
    **dict.fromkeys(("sk_lookup", "flow_dissector"), attach_netns),
    **dict.fromkeys(("xdp", "xdp.frags"), attach_xdp),
    "tcx": attach_tcx,
    **dict.fromkeys(("tc/ingress", "tc/egress"), attach_tc_either),
    **dict.fromkeys(("tc", "classifier"), attach_tc),
    "action": attach_action,
    "netfilter": attach_netfilter,
}
"""What is attached to a place, by the names of its sections."""


def attach_at(case: CaseState, program: int, place: Place) -> Link:
    """Attach a program to a place of the case's setup; Refused where programs of its section go to none."""
    section = case.lib.section(program)
    fitting = [name for name in PLACED if section == name or section.startswith(f"{name}/")]
    if not fitting:
        raise Refused(errno.EINVAL, f'a program of SEC("{section}") goes to no device, group or namespace', api="setup")
    return PLACED[max(fitting, key=len)](case, program, place)
