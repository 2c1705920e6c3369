"""What instructions make of values; more of it is in test_reaching.py, where whole programs are walked through."""

from __future__ import annotations

import pytest

from harness.forecast.instructions import ADD, ALU, ALU64, FROM_REGISTER, JEQ, JNE, JSGT, MOV, SUB, Instruction
from harness.forecast.values import SOME, Constant, Context, Data, OnStack, Value, computed, decided, extended


@pytest.mark.parametrize(
    ("code", "left", "right", "result"),
    [
        (ALU64 | ADD, OnStack(0), Constant(-8 & (1 << 64) - 1), OnStack(-8)),
        (ALU64 | SUB, Context(16), Constant(8), Context(8)),
        (ALU64 | ADD, Data("a", 4), Constant(4), Data("a", 8)),
        (ALU64 | ADD, OnStack(0), None, None),
        (ALU | ADD, OnStack(0), Constant(8), None),
        (ALU64 | ADD, SOME, Constant(8), None),
        (ALU64 | MOV | FROM_REGISTER, None, Context(8), Context(8)),
        (ALU | MOV | FROM_REGISTER, None, Context(8), None),
        (ALU | MOV, None, Constant((1 << 64) - 1), Constant((1 << 32) - 1)),
    ],
)
def test_addresses_move_by_constants(code: int, left: Value, right: Value, result: Value) -> None:
    assert computed(Instruction(code, 0, 0, 0, 0), left, right) == result


def test_a_move_may_extend_the_sign() -> None:
    found = computed(Instruction(ALU64 | MOV | FROM_REGISTER, 0, 1, 8, 0), None, Constant(0x1FF))
    assert found == Constant((1 << 64) - 1)


def test_an_address_is_not_zero() -> None:
    for value in (SOME, OnStack(0), Data("a"), Context(0)):
        assert decided(JEQ, value, Constant(0), wide=True) is False
        assert decided(JNE, value, Constant(0), wide=True) is True
        assert decided(JEQ, value, Constant(1), wide=True) is None
        assert decided(JEQ, value, Constant(0), wide=False) is None
    assert decided(JEQ, None, Constant(0), wide=True) is None


def test_the_sign_counts_where_the_operation_says_so() -> None:
    assert decided(JSGT, Constant(0xFFFFFFFF), Constant(0), wide=True) is True
    assert decided(JSGT, Constant(0xFFFFFFFF), Constant(0), wide=False) is False
    assert (extended(0x80, 8), extended(0x7F, 8)) == (-128, 127)
