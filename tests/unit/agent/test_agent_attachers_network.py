"""Where programs go that are attached to devices, groups and namespaces: what the kernel and libbpf are asked for."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Any

import pytest
from agent_samples import refusal

from harness.agent import attachers_network
from harness.agent.attachers_network import attach_at
from harness.agent.case_state import CaseState
from harness.agent.libbpf import Libbpf
from harness.agent.links import FdLink, Link
from harness.scenario.places import PLACED


class Asked(Libbpf):
    """Plays libbpf: which functions are called, with what."""

    def __init__(self, section: str, *, attach_types: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self._section, self._types = section, attach_types
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    def section(self, program: int) -> str:
        return self._section

    def attach_types(self) -> set[int]:
        return self._types

    def call(self, name: str, *arguments: Any) -> int:
        self.asked.append((name, arguments))
        return {"bpf_program__fd": 11, "bpf_program__expected_attach_type": 46}.get(name, 0)

    def pointer(self, name: str, *arguments: Any) -> int:
        self.asked.append((name, arguments))
        return 5

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The links that bpf(2) itself is asked for: program, target, attach type, flags, relative."""
    made: list[tuple[int, ...]] = []

    def bpf(_command: int, attributes: bytes) -> int:
        made.append(struct.unpack_from("=IIIII", attributes))
        return 0

    monkeypatch.setattr(attachers_network, "bpf", bpf)
    monkeypatch.setattr(attachers_network, "xdp_mode", lambda _index: "native")
    return made


class Case(CaseState):
    """A case that has made the device lo again, a group and no namespace."""

    def own_loopback(self) -> int:
        return 1


def attached(lib: Asked, place: dict[str, Any], **links: Link) -> Link:
    case = Case(lib, {})
    case.groups, case.links = ["one"], dict(links)
    return attach_at(case, 7, place)


def test_the_sections_that_the_host_knows_are_those_that_the_agent_attaches() -> None:
    assert PLACED.keys() == attachers_network.PLACED.keys()


@pytest.mark.parametrize(("mode", "flags"), [("generic", 2), ("native", 4)])
def test_the_mode_of_xdp_is_asked_for_and_what_the_kernel_says_is_found(
    mode: str, flags: int, links: list[tuple[int, ...]]
) -> None:
    link = attached(Asked("xdp"), {"device": "lo", "mode": mode})
    assert links == [(11, 1, 37, flags, 0)]
    assert link.found == {"xdp": "native"}


def test_without_a_mode_libbpf_attaches_it(links: list[tuple[int, ...]]) -> None:
    lib = Asked("xdp.frags")
    assert attached(lib, {"device": "lo"}).found == {"xdp": "native"}
    assert (lib.names(), links) == (["bpf_program__attach_xdp"], [])


@pytest.mark.parametrize(("side", "flags"), [("before", 1 << 3 | 1 << 13), ("after", 1 << 4 | 1 << 13)])
def test_a_program_goes_before_or_behind_another(side: str, flags: int, links: list[tuple[int, ...]]) -> None:
    attached(Asked("tcx/ingress"), {"device": "lo", side: "first"}, first=FdLink(42))
    assert links == [(11, 1, 46, flags, 42)]


@pytest.mark.parametrize(
    ("section", "types", "place", "call"),
    [
        ("tc/ingress", {46}, {}, "bpf_program__attach_tcx"),
        ("tc/ingress", {46}, {"priority": 7}, "bpf_tc_attach"),
        ("tc/egress", set(), {}, "bpf_tc_attach"),
        ("tc", {46}, {}, "bpf_tc_attach"),
    ],
)
def test_a_section_that_may_be_both_is_a_filter_where_it_must(
    section: str, types: set[int], place: dict[str, Any], call: str
) -> None:
    lib = Asked(section, attach_types=types)
    attached(lib, {"device": "lo", **place})
    assert call in lib.names()


@pytest.mark.parametrize(
    ("section", "place", "point"),
    [
        ("tc", {}, 1),
        ("tc", {"direction": "egress"}, 2),
        ("classifier", {"direction": "ingress"}, 1),
        ("tc/egress", {"priority": 3}, 2),
    ],
)
def test_a_filter_is_at_one_side_with_a_priority(section: str, place: dict[str, Any], point: int) -> None:
    lib = Asked(section)
    link = attached(lib, {"device": "lo", **place})
    hook, made = next(arguments for name, arguments in lib.asked if name == "bpf_tc_attach")
    assert (hook._obj.f0, hook._obj.f1) == (1, point)
    assert (made._obj.f0, made._obj.f4) == (11, place.get("priority", 1))
    link.close()
    assert lib.names()[-2:] == ["bpf_tc_detach", "bpf_tc_hook_destroy"]


def test_the_place_for_filters_that_a_setup_has_made_is_left_alone() -> None:
    lib = Asked("tc")
    case = Case(lib, {})
    case.hooked.add("lo")
    attach_at(case, 7, {"device": "lo"}).close()
    assert not {"bpf_tc_hook_create", "bpf_tc_hook_destroy"} & {*lib.names()}


@pytest.mark.parametrize(("flags", "number"), [([], 0), (["multi"], 2), (["override"], 1)])
def test_flags_of_a_control_group_are_those_of_prog_attach(
    flags: list[str], number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachers_network, "GROUPS", str(tmp_path))
    (tmp_path / "one").mkdir()
    lib = Asked("cgroup_skb/egress")
    attached(lib, {"cgroup": "one", "flags": flags}).close()
    name, arguments = lib.asked[2]
    assert (name, arguments[0], arguments[2:]) == ("bpf_prog_attach", 11, (46, number))
    assert lib.names()[-1] == "bpf_prog_detach2"


@pytest.mark.parametrize(
    ("section", "place", "detail"),
    [
        ("xdp", {"device": "eth0"}, "the setup has made no device eth0 (there are: none)"),
        ("cgroup/dev", {"cgroup": "two"}, "the setup has made no control group two (there are: one)"),
        ("sk_lookup", {"namespace": "other"}, "the setup has made no namespace other (there are: none)"),
        ("tcx/egress", {"device": "lo", "after": "first"}, "the setup has made no link first (there are: none)"),
    ],
)
def test_what_is_not_made_is_refused(section: str, place: dict[str, Any], detail: str) -> None:
    found = refusal(lambda: attached(Asked(section), place))
    assert (found.number, found.detail) == (errno.ENODEV, detail)


def test_what_goes_to_no_device_is_refused() -> None:
    assert refusal(lambda: attached(Asked("kprobe/f"), {"device": "lo"})).number == errno.EINVAL
