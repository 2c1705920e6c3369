"""Instructions in both byte orders; the registers change their places with it."""

from __future__ import annotations

import pytest

from harness.forecast.instructions import ALU64, MOV, STX, Instruction, decoded


def test_instructions_of_both_orders() -> None:
    assert decoded(bytes.fromhex("b7010000feffffff"), order="little") == (Instruction(0xB7, 1, 0, 0, -2),)
    assert decoded(bytes.fromhex("b7100000fffffffe"), order="big") == (Instruction(0xB7, 1, 0, 0, -2),)


def test_what_an_operation_says() -> None:
    move, store = decoded(bytes.fromhex("b7010000feffffff7b1af8ff00000000"), order="little")
    assert (move.kind, move.operation) == (ALU64, MOV)
    assert (store.kind, store.size, store.to, store.source, store.offset) == (STX, 8, 10, 1, -8)


def test_what_is_cut_off_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="7 bytes"):
        decoded(bytes(7), order="little")
