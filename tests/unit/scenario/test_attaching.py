"""The modules by which bpfmatrix attaches programs."""

from __future__ import annotations

from harness.scenario.attaching import attachers_of
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
