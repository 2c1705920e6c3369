"""What the sections of programs mean for somebody who attaches them: a table, by the names that libbpf knows.

libbpf.c, section_defs[]: a name alone, or with a slash and a target behind it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

OPTIONAL = "?"
"""Stands before the section of a program that is loaded only where user space asks for it."""


class By(Enum):
    """How a program gets to run."""

    LINK = "link"
    """It is attached by itself."""
    MAP = "map"
    """Its struct_ops map is attached."""
    NOTHING = "nothing"
    """Nothing attaches it."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """What a section means.

    `uncounted` says why no kernel counts the runs of such a program, "" where kernels do. `needs` is what must be
    behind the slash, or be said at run time, "" where nothing must. `before_load` says that it must be known when the
    program is loaded: the verifier looks at it. `traces_programs` says that it may be a function of another program.
    `maps` are the types of map (enum bpf_map_type) of the same object by one of which it is attached, if it has such.
    """

    by: By = By.LINK
    uncounted: str = ""
    needs: str = ""
    before_load: bool = False
    traces_programs: bool = False
    maps: frozenset[int] = frozenset()


_FUNCTION = "a function of the kernel"
_FUNCTIONS = "a function of the kernel, or a pattern of several"
_TRACEPOINT = "a tracepoint of the kernel"
_USER = "a binary and a function in it, as /usr/bin/true:main"
_KPROBE = Section(needs=_FUNCTION)
_UPROBE = Section(needs=_USER)
_KPROBES = Section(needs=_FUNCTIONS)
_TRACING = Section(needs=_FUNCTION, before_load=True, traces_programs=True)
_RAW = Section(needs=_TRACEPOINT)
_TYPED = Section(needs=_TRACEPOINT, before_load=True)
_HOOK = Section(needs="a hook of the kernel's security modules", before_load=True)
_CALLED = Section(by=By.MAP)
_ITERATOR = Section(needs="what it goes through", before_load=True)
_SOCKETS = frozenset({15, 18})
"""BPF_MAP_TYPE_SOCKMAP, SOCKHASH."""
_ELEMENTS = frozenset({1, 2, 5, 6, 9, 10})
"""BPF_MAP_TYPE_HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH."""
_STORAGE = frozenset({24})
"""BPF_MAP_TYPE_SK_STORAGE."""
_OF_A_MAP = Section(
    by=By.NOTHING, uncounted="it runs for the entries of a map of devices or processors, and nobody puts it into one"
)

SECTIONS: Mapping[str, Section] = {
    **dict.fromkeys(("kprobe", "kretprobe"), _KPROBE),
    **dict.fromkeys(("ksyscall", "kretsyscall"), Section(needs="a system call")),
    **dict.fromkeys(("kprobe.multi", "kretprobe.multi", "kprobe.session"), _KPROBES),
    **dict.fromkeys(("uprobe", "uprobe.s", "uretprobe", "uretprobe.s"), _UPROBE),
    **dict.fromkeys(("uprobe.multi", "uretprobe.multi", "uprobe.session"), _UPROBE),
    **dict.fromkeys(("uprobe.multi.s", "uretprobe.multi.s", "uprobe.session.s"), _UPROBE),
    **dict.fromkeys(("usdt", "usdt.s"), Section(needs="a binary, a provider and a name in it")),
    **dict.fromkeys(("tracepoint", "tp", "tracepoint.s", "tp.s"), _RAW),
    **dict.fromkeys(("raw_tracepoint", "raw_tp", "raw_tracepoint.w", "raw_tp.w"), _RAW),
    **dict.fromkeys(("raw_tracepoint.s", "raw_tp.s"), _RAW),
    **dict.fromkeys(("tp_btf", "tp_btf.s"), _TYPED),
    **dict.fromkeys(("fentry", "fexit", "fmod_ret", "fsession"), _TRACING),
    **dict.fromkeys(("fentry.s", "fexit.s", "fmod_ret.s", "fsession.s"), _TRACING),
    "freplace": Section(
        uncounted="the kernel counts the runs of the program whose function it replaces, not its own",
        needs="a function of another program",
        before_load=True,
        traces_programs=True,
    ),
    **dict.fromkeys(("lsm", "lsm.s", "lsm_cgroup"), _HOOK),
    **dict.fromkeys(("iter", "iter.s"), _ITERATOR),
    **dict.fromkeys(("iter/bpf_map_elem", "iter.s/bpf_map_elem"), replace(_ITERATOR, maps=_ELEMENTS)),
    **dict.fromkeys(("iter/sockmap", "iter.s/sockmap"), replace(_ITERATOR, maps=_SOCKETS)),
    **dict.fromkeys(("iter/bpf_sk_storage_map", "iter.s/bpf_sk_storage_map"), replace(_ITERATOR, maps=_STORAGE)),
    **dict.fromkeys(("sk_msg", "sk_skb"), Section(maps=_SOCKETS)),
    **dict.fromkeys(("struct_ops", "struct_ops.s"), _CALLED),
    **dict.fromkeys(("xdp/devmap", "xdp.frags/devmap", "xdp/cpumap", "xdp.frags/cpumap"), _OF_A_MAP),
    "syscall": Section(by=By.NOTHING),
    "lirc_mode2": Section(by=By.NOTHING, uncounted="it needs a receiver of infrared light, which no guest has"),
}
"""The sections that need saying; programs of all others are attached, and counted."""
_ANY = Section()

_HOOKS = (
    *("sock_create", "sock_release", "sock", "post_bind4", "post_bind6", "bind4", "bind6", "dev", "skb", "sysctl"),
    *("getsockopt", "setsockopt"),
    *(f"{call}{end}" for call in ("getpeername", "getsockname") for end in ("4", "6", "_unix")),
    *(f"{call}{end}" for call in ("connect", "sendmsg", "recvmsg") for end in ("4", "6", "_unix")),
)
ALONE = (
    *("socket", "sk_reuseport", "sk_reuseport/migrate", "sk_lookup", "flow_dissector", "netfilter", "perf_event"),
    *("tc", "tc/ingress", "tc/egress", "tcx/ingress", "tcx/egress", "netkit/primary", "netkit/peer", "classifier"),
    *("action", "xdp", "xdp.frags", "lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local", "sockops", "sk_msg", "sk_skb"),
    *("sk_skb/stream_parser", "sk_skb/stream_verdict", "sk_skb/verdict", "syscall", "lirc_mode2"),
    *("cgroup_skb/ingress", "cgroup_skb/egress", *(f"cgroup/{hook}" for hook in _HOOKS)),
)
"""Sections that libbpf 1.x knows with nothing behind them. libbpf before 1.0, cilium/ebpf (Go) and aya (Rust) take the
program's type from the beginning: `xdp/mine`, `classifier/mine`, `socket_filter`, `xdp_prog`."""


def known_section(name: str) -> str:
    """Return the section that a program's section means to libbpf: its beginning where libbpf knows but that."""
    mark = OPTIONAL if name.startswith(OPTIONAL) else ""
    plain = name.removeprefix(OPTIONAL)
    if plain in ALONE or plain in SECTIONS:
        return name
    fitting = [known for known in ALONE if re.match(rf"{re.escape(known)}[/_\d-]", plain)]
    return mark + max(fitting, key=len) if fitting else name


def section_of(name: str) -> Section:
    """Return what a section's name means: the longest entry that is the name, or that a slash follows in it."""
    name = name.removeprefix(OPTIONAL)
    fitting = [known for known in SECTIONS if name == known or name.startswith(f"{known}/")]
    return SECTIONS[max(fitting, key=len)] if fitting else _ANY


def target_of(name: str) -> str:
    """Return what is behind the first slash of a section's name, "" where nothing is."""
    return name.removeprefix(OPTIONAL).partition("/")[2]
