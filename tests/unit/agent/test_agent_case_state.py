"""What the steps of a case have made so far. A network namespace of its own is for a real guest to show."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from agent_samples import Played

from harness.agent.bpf_object import BpfObject
from harness.agent.case_state import CaseState
from harness.agent.links import Link


@pytest.fixture
def state() -> CaseState:
    lib = Played()
    state = CaseState(lib, {})
    state.objects = {"target": BpfObject(lib, "target.bpf.o"), "tracer": BpfObject(lib, "tracer.bpf.o")}
    return state


def test_a_program_belongs_to_the_object_that_has_it(state: CaseState) -> None:
    for item in state.objects.values():
        assert {state.object_of(program) for program in item.programs.values()} == {item}
    with pytest.raises(StopIteration):
        state.object_of(999)


def test_programs_that_can_refuse_what_the_process_asks_for_are_known_by_their_sections(state: CaseState) -> None:
    state.sections = {
        **{"a": "lsm/bpf", "b": "kprobe/f", "c": "cgroup/sock_create", "d": "lsm_cgroup/socket_bind", "e": "xdp"},
        **{"f": "fmod_ret.s/security_file_open", "gone": "lsm/x"},
    }
    state.links = dict.fromkeys(("a", "b", "c", "d", "e", "f", "without"), Link())
    assert state.refusers() == ["f", "d", "c", "a"]


def test_a_program_is_asked_for_by_its_object_and_its_name(state: CaseState) -> None:
    asked: list[tuple[object, ...]] = []

    class Asking(Played):
        def call(self, name: str, *arguments: object) -> int:
            asked.append((name, *arguments))
            return 11

    state.lib = Asking()
    assert state.program_fd("tracer", "fexit_tcp_connect") == 11
    assert asked == [("bpf_program__fd", state.objects["tracer"].programs["fexit_tcp_connect"])]


def test_apart_is_another_namespace_with_no_filters_yet(state: CaseState, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    inside: list[int] = []

    def spare(sysctls: object) -> int:
        made.append(50 + len(made))
        return made[-1]

    @contextlib.contextmanager
    def inside_of(fd: int) -> Iterator[None]:
        inside.append(fd)
        yield
        inside.pop()

    monkeypatch.setattr("harness.agent.case_state.spare_namespace", spare)
    monkeypatch.setattr("harness.agent.case_state.inside_of", inside_of)
    state.filters["lo"] = 3
    for number, fd in ((1, 50), (2, 51), (1, 50)):
        with state.apart(number):
            assert (inside, state.filters, state.own_loopback()) == ([fd], {}, socket.if_nametoindex("lo"))
    assert (made, inside, state.filters) == ([50, 51], [], {"lo": 3})
