"""The modules by which bpfmatrix attaches programs."""

from __future__ import annotations

from harness.scenario.attaching import ONE_EACH, attachers_of, place_of
from harness.scenario.case import Case
from harness.scenario.jobs import job_of


def test_the_modules_are_those_of_the_sections_each_once() -> None:
    assert attachers_of(["tc", "kprobe/f", "?classifier", "action"]) == (
        "sch_ingress",
        "cls_bpf",
        "cls_matchall",
        "act_bpf",
    )
    assert attachers_of(["tcx/ingress", "xdp", "cgroup/skb"]) == ()


def test_of_which_places_a_network_namespace_has_one() -> None:
    assert place_of("xdp") == place_of("?xdp.frags") == ONE_EACH["xdp"]
    assert place_of("tc") == place_of("tc/egress") == place_of("action")
    assert len({place_of(section) for section in ("xdp", "tc", "lwt_in", "lwt_out", "netfilter", "netkit/peer")}) == 6
    assert [place_of(section) for section in ("tcx/ingress", "cgroup/connect4", "kprobe/xdp", "socket", "")] == [""] * 5


def test_what_only_the_agent_needs_may_be_missing() -> None:
    """A module that the case names is a precondition of the case; one of the attachers is not."""
    case = Case(id="c", title="t", modules=("veth",), attachers=("cls_bpf", "netkit", "none"))
    known = {"cls_bpf": {"files": ["/m.ko"], "built_in": False}, "netkit": {"files": [], "built_in": False}}
    (job,) = job_of([(case, {})], deadline=1, modules=known)["cases"]
    assert job["modules"] == [
        {"name": "veth", "files": [], "built_in": False},
        {"name": "cls_bpf", "files": ["/m.ko"], "built_in": False, "optional": True},
        {"name": "netkit", "files": [], "built_in": False, "optional": True},
    ]
