"""Mutants of programs: patched in the compiled object, at the place that is meant and nowhere else."""

from __future__ import annotations

import pytest
from mutants_objects import committed_objects

from harness.mutants.elf import (
    CALL,
    EXIT,
    MOV64_K,
    SIZE,
    Function,
    Instruction,
    functions,
    mov,
)
from harness.mutants.programs import EMITTING, program_mutants, representatives, returning


@pytest.fixture
def compiled() -> dict[str, bytes]:
    return committed_objects()


def names(data: bytes) -> list[str]:
    return [name for name, _ in program_mutants(data)]


def by_name(data: bytes, name: str) -> dict[str, Function]:
    return {one.name: one for one in functions(dict(program_mutants(data))[name])}


def test_every_mutant_differs_in_one_function_and_has_the_same_length(compiled: dict[str, bytes]) -> None:
    for data in compiled.values():
        found = functions(data)
        for name, made in program_mutants(data):
            own = next(one for one in found if name.startswith(f"{one.name}: "))
            assert len(made) == len(data)
            places = [index for index, pair in enumerate(zip(data, made, strict=True)) if pair[0] != pair[1]]
            assert places
            assert all(own.place <= index < own.place + len(own.code) * SIZE for index in places), name


def test_a_silent_program_calls_nothing_that_emits(compiled: dict[str, bytes]) -> None:
    for data in compiled.values():
        for name in names(data):
            if name.endswith(": emits nothing"):
                code = by_name(data, name)[name.split(":")[0]].code
                assert not any(one.code == CALL and one.src == 0 and one.imm in EMITTING for one in code), name


def test_a_target_returns_a_constant_and_a_tracer_does_not_since_it_must_return_0(compiled: dict[str, bytes]) -> None:
    found = names(compiled["shared/subprog-target.bpf.c"])
    assert {"target: always returns 0", "target: always returns 1", "subprog: always returns 0"} <= set(found)
    assert [name for name in names(compiled["shared/seed-target.bpf.c"]) if "k_tcp_connect: always" in name] == [
        "k_tcp_connect: always returns 1"
    ], "another value than the 0 that it always returns"
    assert not [name for name in names(compiled["subprog-static/tracer.bpf.c"]) if "always returns" in name]
    code = by_name(compiled["shared/subprog-target.bpf.c"], "target: always returns 1")["target"].code
    assert code[-2] == mov(0, 1)


def test_a_constant_of_two_instructions_is_replaced_as_a_whole(compiled: dict[str, bytes]) -> None:
    """-1 in r0 is a 64-bit constant: its second half left alone would be no instruction."""
    code = by_name(compiled["lsm/target.bpf.c"], "target: always returns 1")["target"].code
    before = next(one for one in functions(compiled["lsm/target.bpf.c"]) if one.name == "target").code
    assert [index for index, pair in enumerate(zip(before, code, strict=True)) if pair[0] != pair[1]]
    assert all(one.code == MOV64_K for one in code[-2:-1])


def test_what_an_fexit_says_is_constant_in_the_trace_and_in_events(compiled: dict[str, bytes]) -> None:
    assert "fexit: its retval is always 0" in names(compiled["subprog-static/tracer.bpf.c"])
    events = names(compiled["shared/seed-tracers.bpf.c"])
    assert "fexit_tcp_connect: the return value that it reads is always 0" in events
    assert not [name for name in events if name.startswith("fentry") and "return value" in name]


def test_what_a_helper_says_is_constant(compiled: dict[str, bytes]) -> None:
    assert {"fexit: bpf_get_func_ip() always gives 0", "fexit: bpf_get_func_ip() always gives 1"} <= set(
        names(compiled["tracer-func-ip/tracer.bpf.c"])
    )
    found = [name for name in names(compiled["kprobe-func-ret/tracer.bpf.c"]) if "bpf_get_func_ret" in name]
    assert sorted(found) == [
        "fexit: bpf_get_func_ret() always gives 0",
        "fexit_pt_regs: bpf_get_func_ret() always gives 0",
    ]


def test_many_that_differ_in_their_number_have_two_that_stand_for_all(compiled: dict[str, bytes]) -> None:
    found = representatives(functions(compiled["tracer-limit/tracer.bpf.c"]))
    assert [one.name for one in found] == ["fexit_1", "fexit_43"]


def function(*code: Instruction) -> Function:
    return Function(name="f", section="tc", place=0, code=code)


def test_a_function_that_returns_what_another_returns_has_no_value_of_its_own() -> None:
    assert returning(function(Instruction(CALL, 0, 1, 0, -1), Instruction(EXIT, 0, 0, 0, 0)), 1) == {}


def test_what_jumps_to_an_exit_gets_the_value_as_well() -> None:
    jump, end = Instruction(0x55, 1, 0, 1, 64), Instruction(EXIT, 0, 0, 0, 0)
    changes = returning(function(mov(0, 1), jump, mov(0, 0), end), 1)
    assert changes == {1: jump._replace(offset=0), 2: mov(0, 1)}
    assert returning(function(mov(0, 3), end), 1) == {0: mov(0, 1)}
