"""What the steps of a case have made so far. A network namespace of its own is for a real guest to show."""

from __future__ import annotations

import pytest
from agent_samples import Played

from harness.agent.bpf_object import BpfObject
from harness.agent.case_state import CaseState


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


def test_a_program_is_asked_for_by_its_object_and_its_name(state: CaseState) -> None:
    asked: list[tuple[object, ...]] = []

    class Asking(Played):
        def call(self, name: str, *arguments: object) -> int:
            asked.append((name, *arguments))
            return 11

    state.lib = Asking()
    assert state.program_fd("tracer", "fexit_tcp_connect") == 11
    assert asked == [("bpf_program__fd", state.objects["tracer"].programs["fexit_tcp_connect"])]
