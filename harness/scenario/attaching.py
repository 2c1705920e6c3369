"""What the agent needs to attach programs that libbpf alone does not attach: kernel modules, and places. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

ATTACHERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("tc", "tc/ingress", "tc/egress", "classifier"), ("sch_ingress", "cls_bpf")),
    "action": ("sch_ingress", "cls_matchall", "act_bpf"),
    **dict.fromkeys(("netkit/primary", "netkit/peer"), ("netkit",)),
}
"""The modules by the sections of programs (harness/agent/attachers.py). What else is needed no kernel has as a module,
or the guest has loaded it."""

ONE_EACH: Mapping[str, str] = {
    **dict.fromkeys(("xdp", "xdp.frags"), "the loopback device, which takes one XDP program"),
    **dict.fromkeys(("tc", "tc/ingress", "tc/egress", "classifier", "action"), "a filter of the loopback device"),
    "flow_dissector": "the dissector of a network namespace",
    "netfilter": "a priority of a hook, where one BPF program may be",
    **{section: f"the route for {section}" for section in ("lwt_in", "lwt_out", "lwt_xmit")},
    **dict.fromkeys(("netkit/primary", "netkit/peer"), "the pair of netkit devices"),
}
"""What the agent has one of in a network namespace, by the sections of the programs that it attaches there."""


def place_of(section: str) -> str:
    """Return what the agent attaches a program of a section to if one network namespace has one of it, else ""."""
    name = section.removeprefix("?")
    fitting = [known for known in ONE_EACH if name == known or name.startswith(f"{known}/")]
    return ONE_EACH[max(fitting, key=len)] if fitting else ""


def attachers_of(sections: Iterable[str]) -> tuple[str, ...]:
    """Return the modules that are needed to attach programs of some sections, each once; a section may begin with ?."""
    found = [name for section in sections for name in ATTACHERS.get(section.removeprefix("?"), ())]
    return tuple(dict.fromkeys(found))
