"""The kernel modules by which the agent attaches programs that libbpf alone does not attach. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

ATTACHERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("tc", "tc/ingress", "tc/egress", "classifier"), ("sch_ingress", "cls_bpf")),
    "action": ("sch_ingress", "cls_matchall", "act_bpf"),
    **dict.fromkeys(("netkit/primary", "netkit/peer"), ("netkit",)),
}
"""The modules by the sections of programs (harness/agent/attachers.py). What else is needed no kernel has as a module,
or the guest has loaded it."""


def attachers_of(sections: Iterable[str]) -> tuple[str, ...]:
    """Return the modules that are needed to attach programs of some sections, each once; a section may begin with ?."""
    found = [name for section in sections for name in ATTACHERS.get(section.removeprefix("?"), ())]
    return tuple(dict.fromkeys(found))
