"""Where programs go that are attached to devices, control groups and namespaces."""

from __future__ import annotations

from typing import Any

import pytest

from harness.config.setup import CgroupPlace, DevicePlace, NamespacePlace
from harness.scenario.places import chosen, keys_of, placed


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        *((section, "device") for section in ("xdp", "?xdp.frags", "tcx/egress", "tc", "tc/ingress", "action")),
        *((section, "cgroup") for section in ("cgroup/connect4", "cgroup_skb/egress", "sockops", "lsm_cgroup/f")),
        *((section, "namespace") for section in ("sk_lookup", "flow_dissector", "netfilter")),
        *((section, "") for section in ("kprobe/f", "xdpx", "netkit/primary", "")),
    ],
)
def test_a_section_says_what_its_programs_go_to(section: str, kind: str) -> None:
    found = placed(section)
    assert (found.kind if found else "") == kind


@pytest.mark.parametrize(
    ("to", "section", "args"),
    [
        (DevicePlace.model_validate({"device": "a", "mode": "native"}), "xdp", {"device": "a", "mode": "native"}),
        (CgroupPlace.model_validate({"cgroup": "one", "flags": []}), "cgroup/dev", {"cgroup": "one", "flags": []}),
        (NamespacePlace(namespace="other"), "sk_lookup", {"namespace": "other"}),
        ("a", "xdp", {"device": "a"}),
        ("one", "sockops", {"cgroup": "one"}),
    ],
)
def test_a_place_is_given_to_the_agent_by_its_keys(to: Any, section: str, args: dict[str, Any]) -> None:
    assert chosen(to, section) == {"place": args}


def test_what_is_no_place_of_the_setup_is_as_it_was() -> None:
    assert chosen("tcp_connect", "kprobe") == {"to": "tcp_connect"}
    assert chosen(("a", "b"), "kprobe.multi") == {"to": ["a", "b"]}
    assert keys_of("a") == {}
