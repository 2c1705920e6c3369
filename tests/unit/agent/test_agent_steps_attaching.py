"""The steps about links and what is pinned: what libbpf is asked for. The rest is for test_agent_steps.py."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from agent_samples import Played, refusal

from harness.agent.bpf_object import BpfObject
from harness.agent.case_state import CaseState
from harness.agent.links import BpfLink, CallLink
from harness.agent.refusal import Refused
from harness.agent.steps_attaching import BPF_F_LINK, AttachingSteps


class Asked(Played):
    """Plays libbpf: which functions are called, with what."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Any, ...]] = []
        self.map_flags = 0

    def call(self, name: str, *arguments: Any) -> int:
        self.asked.append((name, *arguments))
        return {"bpf_program__fd": 11, "bpf_link__fd": 12, "bpf_map__fd": 13}.get(name, 0)

    def found(self, name: str, *arguments: Any) -> Any:
        return self.map_flags if name == "bpf_map__map_flags" else super().found(name, *arguments)


@pytest.fixture
def lib() -> Asked:
    return Asked()


@pytest.fixture
def steps(lib: Asked) -> AttachingSteps:
    state = CaseState(lib, {})
    state.objects["target"] = BpfObject(lib, "target.bpf.o")
    state.links = {"link": BpfLink(lib, 77), "filter": CallLink()}
    lib.asked.clear()
    return AttachingSteps(state)


def test_a_link_gets_another_program(steps: AttachingSteps, lib: Asked) -> None:
    steps.do_update_link({"link": "link", "object": "target", "program": "k_tcp_connect"})
    assert lib.asked[-1] == ("bpf_link_update", 12, 11, None)


def test_a_link_of_struct_ops_gets_another_map(steps: AttachingSteps, lib: Asked) -> None:
    steps.do_update_link({"link": "link", "object": "target", "map": "ops"})
    assert lib.asked == [("bpf_link__fd", 77), ("bpf_link__update_map", 77, 5)]


@pytest.mark.parametrize("linked", [True, False])
def test_only_a_map_whose_registration_is_a_link_can_be_updated_and_pinned(
    linked: bool, steps: AttachingSteps, lib: Asked, tmp_path: Path
) -> None:
    lib.map_flags = BPF_F_LINK if linked else 0
    steps.do_attach_map({"object": "target", "map": "ops", "link": "mine"})
    update = {"link": "mine", "object": "target", "map": "other"}
    if linked:
        steps.do_update_link(update)
        steps.do_pin({"link": "mine", "path": f"{tmp_path}/mine"})
    else:
        for refused in (
            refusal(lambda: steps.do_update_link(update)),
            refusal(lambda: steps.do_pin({"link": "mine", "path": f"{tmp_path}/mine"})),
        ):
            assert (refused.number, refused.api) == (errno.EINVAL, "bpf_link__fd")
        assert not {name for name, *_ in lib.asked} & {"bpf_link__update_map", "bpf_obj_pin"}
    steps.do_detach({"link": "mine"})
    assert lib.asked[-1] == ("bpf_link__destroy", 5)


@pytest.mark.parametrize(
    ("what", "fd"), [({"object": "target", "map": "m"}, 13), ({"object": "target", "program": "k_tcp_connect"}, 11)]
)
def test_what_is_pinned_has_its_folders(
    what: dict[str, str], fd: int, steps: AttachingSteps, lib: Asked, tmp_path: Path
) -> None:
    path = f"{tmp_path}/own/deep/name"
    steps.do_pin({**what, "path": path})
    assert lib.asked[-1] == ("bpf_obj_pin", fd, path.encode())
    assert (tmp_path / "own/deep").is_dir()


def test_what_is_not_pinned_cannot_be_unpinned(steps: AttachingSteps, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    steps.do_unpin({"path": str(tmp_path / "there")})
    assert not (tmp_path / "there").exists()
    assert refusal(lambda: steps.do_unpin({"path": str(tmp_path / "there")})).number == errno.ENOENT


def test_what_has_no_link_of_the_kernels_can_neither_be_pinned_nor_updated(steps: AttachingSteps) -> None:
    pin = {"link": "filter", "path": "/nowhere"}
    assert refusal(lambda: steps.do_pin(pin)).number == errno.EINVAL
    update = {"link": "filter", "object": "target", "program": "k_tcp_connect"}
    assert refusal(lambda: steps.do_update_link(update)).number == errno.EINVAL


class Refusing(Asked):
    """Refuses to attach anything while a link is there."""

    def __init__(self, by: int) -> None:
        super().__init__()
        self.by, self.closed = by, list[int]()

    def section(self, program: int) -> str:
        return "kprobe/later"

    def pointer(self, name: str, *arguments: Any) -> int:
        if name == "bpf_program__attach" and self.by not in self.closed:
            raise Refused(errno.EPERM, "no", api=name)
        return super().pointer(name, *arguments)

    def call(self, name: str, *arguments: Any) -> int:
        if name == "bpf_link__destroy":
            self.closed.append(arguments[0])
        return 0


SECTIONS = {"first": "lsm/bpf", "second": "lsm.s/file_open", "probe": "kprobe/x", "last": "fmod_ret/f"}
ATTACH = {"op": "attach", "object": "target", "program": "k_tcp_connect"}


@pytest.mark.parametrize(
    ("by", "named", "closed"), [(2, "second", [4, 2]), (1, "first", [4, 2, 1]), (3, "", [4, 2, 1])]
)
def test_the_program_that_refuses_an_attachment_is_found_by_trying(by: int, named: str, closed: list[int]) -> None:
    lib = Refusing(by)
    state = CaseState(lib, {})
    state.objects["target"] = BpfObject(lib, "target.bpf.o")
    state.sections = dict(SECTIONS)
    state.links = {name: BpfLink(lib, number) for number, name in enumerate(SECTIONS, start=1)}
    made = AttachingSteps(state)
    assert made.refused_by(ATTACH) == named
    assert lib.closed == closed, "what can refuse nothing stays"
    assert made.refused_by({"op": "load", "object": "target"}) == ""
