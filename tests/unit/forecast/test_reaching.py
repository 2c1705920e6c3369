"""What the verifier can come to: small programs, in which one thing decides which way is taken."""

from __future__ import annotations

import pytest

from harness.forecast.instructions import (
    ADD,
    ALU,
    ALU64,
    AND,
    ARSH,
    CALL,
    DIV,
    EXIT,
    FROM_REGISTER,
    JA,
    JCOND,
    JEQ,
    JGE,
    JGT,
    JLE,
    JLT,
    JMP,
    JMP32,
    JNE,
    JSET,
    JSGE,
    JSGT,
    JSLE,
    JSLT,
    LDX,
    LOAD_IMMEDIATE,
    LSH,
    MOD,
    MOV,
    MUL,
    NEG,
    OR,
    RSH,
    STX,
    SUB,
    SWAP,
    XOR,
    Instruction,
)
from harness.forecast.reaching import Code, Place, Written, reached
from harness.forecast.values import SOME, Constant, Data

MAIN: Place = (1, 0)
OTHER: Place = (2, 0)
DOUBLE, WORD, MEMORY = 0x18, 0x00, 0x60


def set_to(register: int, value: int) -> Instruction:
    return Instruction(ALU64 | MOV, register, 0, 0, value)


def copy(register: int, source: int, *, kind: int = ALU64) -> Instruction:
    return Instruction(kind | MOV | FROM_REGISTER, register, source, 0, 0)


def compute(operation: int, register: int, value: int, *, kind: int = ALU64) -> Instruction:
    return Instruction(kind | operation, register, 0, 0, value)


def jump(operation: int, register: int, value: int, offset: int, *, kind: int = JMP) -> Instruction:
    return Instruction(kind | operation, register, 0, offset, value)


def load(register: int, source: int, offset: int, size: int = DOUBLE) -> Instruction:
    return Instruction(LDX | MEMORY | size, register, source, offset, 0)


def store(pointer: int, source: int, offset: int, size: int = DOUBLE) -> Instruction:
    return Instruction(STX | MEMORY | size, pointer, source, offset, 0)


def call(kind: int, number: int = 1) -> Instruction:
    return Instruction(JMP | CALL, 0, kind, 0, number)


NOTHING = Written()
END = Instruction(JMP | EXIT, 0, 0, 0, 0)
STACK = copy(2, 10)


def seen(*instructions: Instruction, written: Written = NOTHING, others: dict[Place, Code] | None = None) -> list[int]:
    """Return the instructions of the main function that are reached, by number."""
    code = {MAIN: Code(place=MAIN, instructions=instructions), **(others or {})}
    found = reached(code, MAIN, written=written, order="little")
    return sorted(number for place, number in found.instructions if place == MAIN)


def goes_on(*before: Instruction, register: int = 0, value: int = 0, written: Written = NOTHING) -> str:
    """Say whether it is known behind some instructions that a register has a value: `yes`, `no` or `either`."""
    n = len(before)
    found = seen(*before, jump(JEQ, register, value, 1), END, END, written=written)
    return {(n, n + 1): "no", (n, n + 2): "yes", (n, n + 1, n + 2): "either"}[
        tuple(each for each in found if each >= n)
    ]


@pytest.mark.parametrize(
    ("operation", "left", "right", "result"),
    [
        (ADD, 5, -3, 2),
        (SUB, 5, 7, -2),
        (MUL, 5, 3, 15),
        (DIV, 17, 5, 3),
        (DIV, 17, 0, 0),
        (MOD, 17, 5, 2),
        (MOD, 17, 0, 17),
        (OR, 5, 2, 7),
        (AND, 7, 5, 5),
        (XOR, 7, 5, 2),
        (LSH, 1, 4, 16),
        (RSH, 16, 4, 1),
        (ARSH, -16, 2, -4),
        (NEG, 5, 0, -5),
        (MOV, 5, 9, 9),
    ],
)
@pytest.mark.parametrize("kind", [ALU64, ALU])
def test_arithmetic(operation: int, left: int, right: int, result: int, kind: int) -> None:
    if kind == ALU:
        result, left = result & 0xFFFFFFFF, left & 0xFFFFFFFF
        assert (
            goes_on(
                set_to(0, left), compute(operation, 0, right, kind=ALU), copy(3, 0), compute(RSH, 3, 32), register=3
            )
            == "yes"
        )
        result -= (result >> 31) << 32  # as an immediate has it
        compared = seen(
            set_to(0, left), compute(operation, 0, right, kind=ALU), jump(JEQ, 0, result, 1, kind=JMP32), END, END
        )
        assert compared == [0, 1, 2, 4]
        return
    assert goes_on(set_to(0, left), compute(operation, 0, right), value=result) == "yes"
    assert goes_on(set_to(0, left), compute(operation, 0, right), value=result + 1) == "no"


def test_what_is_not_computed_is_not_known() -> None:
    assert goes_on(set_to(0, 1), Instruction(ALU | SWAP, 0, 0, 0, 16)) == "either"
    assert goes_on(set_to(0, 4), Instruction(ALU64 | DIV, 0, 0, 1, 2), value=2) == "either"
    assert goes_on(call(0), compute(ADD, 0, 1)) == "either"


def test_nothing_of_what_is_unknown_is_zero() -> None:
    assert goes_on(call(0), compute(AND, 0, 0)) == "yes"
    assert goes_on(call(0), compute(MUL, 0, 0)) == "yes"


@pytest.mark.parametrize(
    ("operation", "left", "right", "taken"),
    [
        (JEQ, 1, 1, True),
        (JNE, 1, 1, False),
        (JGT, -1, 1, True),
        (JSGT, -1, 1, False),
        (JGE, 1, 1, True),
        (JSGE, -1, 1, False),
        (JLT, 1, 2, True),
        (JSLT, -1, 0, True),
        (JLE, 2, 1, False),
        (JSLE, -1, -1, True),
        (JSET, 6, 2, True),
        (JSET, 4, 2, False),
    ],
)
@pytest.mark.parametrize("kind", [JMP, JMP32])
def test_a_jump_on_a_constant_has_one_way(operation: int, left: int, right: int, kind: int, *, taken: bool) -> None:
    found = seen(set_to(0, left), jump(operation, 0, right, 1, kind=kind), END, END)
    assert found == ([0, 1, 3] if taken else [0, 1, 2])


def test_jumps_without_a_condition_and_those_that_may_be_taken() -> None:
    assert seen(jump(JA, 0, 0, 1), END, END) == [0, 2]
    assert seen(Instruction(JMP32 | JA, 0, 0, 0, 1), END, END) == [0, 2]
    assert seen(jump(JCOND, 0, 0, 1), END, END) == [0, 1, 2]


def test_a_comparison_says_what_a_register_is_on_its_way() -> None:
    assert seen(call(0), jump(JEQ, 0, 7, 1), END, jump(JEQ, 0, 7, 1), END, END) == [0, 1, 2, 3, 5]
    assert seen(call(0), jump(JNE, 0, 7, 2), jump(JNE, 0, 7, 1), END, END) == [0, 1, 2, 3, 4]


def test_where_ways_meet_only_what_both_say_is_known() -> None:
    same = (call(0), jump(JEQ, 0, 0, 2), set_to(3, 1), jump(JA, 0, 0, 1), set_to(3, 1))
    other = (*same[:4], set_to(3, 2))
    assert goes_on(*same, register=3, value=1) == "yes"
    assert goes_on(*other, register=3, value=1) == "either"


def test_a_loop_ends() -> None:
    assert seen(set_to(3, 0), compute(ADD, 3, 1), jump(JLT, 3, 100, -2), END) == [0, 1, 2, 3]


def test_the_stack_keeps_what_is_stored() -> None:
    kept = (set_to(3, 5), store(10, 3, -8), load(0, 10, -8))
    assert goes_on(*kept, value=5) == "yes"
    assert goes_on(set_to(3, 5), store(10, 3, -8, WORD), load(0, 10, -8, WORD), value=5) == "yes"
    assert goes_on(set_to(3, 5), store(10, 3, -8), load(0, 10, -8, WORD), value=5) == "either"
    assert goes_on(set_to(3, 5), store(10, 3, -8), store(10, 3, -4, WORD), load(0, 10, -8), value=5) == "either"
    assert goes_on(set_to(3, 5), store(10, 3, -8), call(0), load(0, 10, -8), value=5) == "yes"


@pytest.mark.parametrize(
    "between",
    [
        (STACK, compute(ADD, 2, -16), call(0)),
        (STACK, store(10, 2, -24), call(0)),
        (STACK, load(4, 1, 0), Instruction(ALU64 | ADD | FROM_REGISTER, 2, 4, 0, 0), store(2, 4, 0)),
        (STACK, compute(ADD, 2, -8), store(2, 1, 0)),
    ],
    ids=["a helper gets it", "it was put somewhere", "somewhere on the stack", "written directly"],
)
def test_what_others_may_write_on_the_stack_is_not_known(between: tuple[Instruction, ...]) -> None:
    assert goes_on(set_to(3, 5), store(10, 3, -8), *between, load(0, 10, -8), value=5) == "either"


def test_what_lies_below_an_address_stays() -> None:
    between = (STACK, compute(ADD, 2, -8), call(0))
    assert goes_on(set_to(3, 5), store(10, 3, -16), *between, load(0, 10, -16), value=5) == "yes"


def data(offset: int = 0) -> tuple[Code, Written]:
    begin = (Instruction(LOAD_IMMEDIATE, 1, 0, 0, 0), Instruction(0, 0, 0, 0, 0), load(0, 1, 4, WORD))
    code = Code(place=MAIN, instructions=(*begin, jump(JEQ, 0, 7, 1), END, END), loads={0: Data(".rodata", offset)})
    return code, Written(constants={".rodata": b"\0\0\0\0\x07\0\0\0"})


def test_data_that_nobody_changes_is_known() -> None:
    def numbers(offset: int, *, known: bool = True) -> list[int]:
        code, written = data(offset)
        found = reached({MAIN: code}, MAIN, written=written if known else Written(), order="little")
        return sorted(number for _, number in found.instructions)

    assert numbers(0) == [0, 2, 3, 5]
    assert numbers(-4) == [0, 2, 3, 4]
    assert numbers(4) == [0, 2, 3, 4, 5]
    assert numbers(0, known=False) == [0, 2, 3, 4, 5]


def test_what_libbpf_writes_counts() -> None:
    test = (set_to(0, 1), jump(JEQ, 0, 0, 1), END, END)
    assert seen(*test) == [0, 1, 2]
    assert seen(*test, written=Written(values={(MAIN, 0): 0})) == [0, 1, 3]
    assert seen(*test, written=Written(values={(MAIN, 0): None})) == [0, 1, 2, 3]
    wide = (Instruction(LOAD_IMMEDIATE, 0, 0, 0, 1), Instruction(0, 0, 0, 0, 0), jump(JEQ, 0, 0, 1), END, END)
    assert seen(*wide) == [0, 2, 3]
    assert seen(*wide, written=Written(values={(MAIN, 0): 0})) == [0, 2, 4]
    assert seen(*wide, written=Written(loads={(MAIN, 0): Constant(0)})) == [0, 2, 4]
    assert seen(*wide, written=Written(loads={(MAIN, 0): SOME})) == [0, 2, 3]


def function(*instructions: Instruction, globally: bool = False) -> dict[Place, Code]:
    return {OTHER: Code(place=OTHER, instructions=instructions, globally=globally)}


def calling(others: dict[Place, Code]) -> list[int]:
    code = Code(place=MAIN, instructions=(set_to(1, 0), call(1, -1), jump(JEQ, 0, 0, 1), END, END), calls={1: OTHER})
    found = reached({MAIN: code, **others}, MAIN, written=Written(), order="little")
    return sorted(number for place, number in found.instructions if place == OTHER)


def test_functions_know_what_they_are_called_with_unless_they_are_global() -> None:
    own = (jump(JEQ, 1, 0, 1), END, set_to(0, 0), END)
    assert calling(function(*own)) == [0, 2, 3]
    assert calling(function(*own, globally=True)) == [0, 1, 2, 3]


def test_what_a_function_returns_is_known() -> None:
    instructions = (call(1, -1), jump(JEQ, 0, 3, 1), END, END)
    main = Code(place=MAIN, instructions=instructions, calls={0: OTHER})
    for globally, expected in ((False, [0, 1, 3]), (True, [0, 1, 2, 3])):
        others = function(set_to(0, 3), END, globally=globally)
        found = reached({MAIN: main, **others}, MAIN, written=Written(), order="little")
        assert sorted(number for place, number in found.instructions if place == MAIN) == expected


def test_a_function_whose_address_is_loaded_may_be_called() -> None:
    begin = (Instruction(LOAD_IMMEDIATE, 2, 0, 0, 0), Instruction(0, 0, 0, 0, 0), call(0, 181), END)
    main = Code(place=MAIN, instructions=begin, addressed={0: OTHER})
    found = reached({MAIN: main, **function(END)}, MAIN, written=Written(), order="little")
    assert (OTHER, 0) in found.instructions
    assert found.helpers == {181}


def test_a_function_that_calls_itself_ends() -> None:
    main = Code(place=MAIN, instructions=(call(1, -1), END), calls={0: MAIN})
    assert reached({MAIN: main}, MAIN, written=Written(), order="little").instructions


def test_what_is_read_of_the_context() -> None:
    instructions = (load(0, 1, 8), compute(ADD, 1, 16), load(0, 1, 4, WORD), jump(JEQ, 0, 0, 0), load(0, 1, 8), END)
    code = {MAIN: Code(place=MAIN, instructions=instructions)}
    written = Written(values={(MAIN, 4): 64})
    assert reached(code, MAIN, written=written, order="little").context == {(8, 8), (20, 4)}
