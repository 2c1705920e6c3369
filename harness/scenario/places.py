"""Where programs go that are attached to devices, control groups and namespaces: a table by their sections. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.config.setup import CgroupPlace, DevicePlace, NamespacePlace
from harness.scenario.sections import OPTIONAL

Place = str | Sequence[str] | DevicePlace | CgroupPlace | NamespacePlace
"""Where a loader attaches a program: one function or other place, several functions, or something of `setup`."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What a program goes to: `device`, `cgroup` or `namespace`, and which other keys a place of it may have.

    `linked` says that the kernel has a link for it, unless the place has `flags`.
    """

    kind: str
    keys: Collection[str] = ()
    linked: bool = True


_ORDER = ("before", "after")
_CGROUP = Placed(kind="cgroup", keys=("flags", *_ORDER))
_NAMESPACE = Placed(kind="namespace")
PLACED: Mapping[str, Placed] = {
    **dict.fromkeys(("cgroup", "cgroup_skb", "sockops", "lsm_cgroup"), _CGROUP),
    **dict.fromkeys(("sk_lookup", "flow_dissector", "netfilter"), _NAMESPACE),
    **dict.fromkeys(("xdp", "xdp.frags"), Placed(kind="device", keys=("mode",))),
    "tcx": Placed(kind="device", keys=_ORDER),
    **dict.fromkeys(("tc/ingress", "tc/egress"), Placed(kind="device", keys=("priority", *_ORDER), linked=False)),
    **dict.fromkeys(("tc", "classifier"), Placed(kind="device", keys=("direction", "priority"), linked=False)),
    "action": Placed(kind="device", linked=False),
}
"""What is attached to a place, by the names of sections (harness/agent/attachers_network.py)."""


def placed(section: str) -> Placed | None:
    """Return what a section's programs are attached to, None where that is no device, group or namespace."""
    name = section.removeprefix(OPTIONAL)
    fitting = [known for known in PLACED if name == known or name.startswith(f"{known}/")]
    return PLACED[max(fitting, key=len)] if fitting else None


def keys_of(to: Place) -> dict[str, Any]:
    """Return what a place of `setup` says, by the keys that the agent knows; nothing for any other place."""
    if not isinstance(to, DevicePlace | CgroupPlace | NamespacePlace):
        return {}
    return to.model_dump(mode="json", exclude_none=True)


def chosen(to: Place, section: str) -> dict[str, Any]:
    """Return how a step says where a program is attached; a text names what the section's programs go to."""
    where = keys_of(to)
    if where:
        return {"place": where}
    goes = placed(section)
    if isinstance(to, str):
        return {"to": to} if goes is None else {"place": {goes.kind: to}}
    return {"to": list(to)}
