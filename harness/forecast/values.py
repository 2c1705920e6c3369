"""What is known of a register on the way through a program, and what instructions make of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from harness.forecast.instructions import (
    ADD,
    ALU64,
    AND,
    ARSH,
    DIV,
    JEQ,
    JGE,
    JGT,
    JLE,
    JLT,
    JNE,
    JSET,
    JSGE,
    JSGT,
    JSLE,
    JSLT,
    LSH,
    MOD,
    MOV,
    MUL,
    NEG,
    OR,
    RSH,
    SUB,
    SWAP,
    XOR,
    Instruction,
)

MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Constant:
    """A number of 64 bits, without a sign."""

    value: int


@dataclass(frozen=True)
class OnStack:
    """An address on the stack of the function itself, relative to its end."""

    offset: int


@dataclass(frozen=True)
class Context:
    """An address in what the program is called with."""

    offset: int


@dataclass(frozen=True)
class Data:
    """An address in a section of data, or in the kernel's configuration (the name of an option)."""

    name: str
    offset: int = 0


@dataclass(frozen=True)
class Pointer:
    """Some address that is not zero."""


Value: TypeAlias = Constant | OnStack | Context | Data | Pointer | None
"""What is known of a register; None where nothing is."""
SOME = Pointer()


def computed(found: Instruction, left: Value, right: Value) -> Value:
    """Return what an instruction of ALU or ALU64 gives for two values, None where that is not known."""
    wide, operation = found.kind == ALU64, found.operation
    if operation == MOV:
        if isinstance(right, Constant):
            value = extended(right.value, found.offset) if found.offset else right.value
            return Constant(value & (MASK if wide else 0xFFFFFFFF))
        return right if wide and not found.offset else None
    if wide and operation in (ADD, SUB) and isinstance(right, Constant) and isinstance(left, OnStack | Context | Data):
        step = extended(right.value, 64) * (1 if operation == ADD else -1)
        if isinstance(left, Data):
            return Data(left.name, left.offset + step)
        return type(left)(left.offset + step)
    zero = Constant(0)
    if operation in (AND, MUL) and zero in (left, right):
        return zero
    if operation == SWAP or not isinstance(left, Constant) or (operation != NEG and not isinstance(right, Constant)):
        return None
    bits = 64 if wide else 32
    one = left.value & (1 << bits) - 1
    other = right.value & (1 << bits) - 1 if isinstance(right, Constant) else 0
    number = _number(operation, one, other, bits=bits, signed=bool(found.offset))
    return None if number is None else Constant(number & (1 << bits) - 1)


def _number(operation: int, one: int, other: int, *, bits: int, signed: bool) -> int | None:
    """Return what ALU gives for two numbers, None where that is not known here."""
    if operation in (DIV, MOD):
        if signed:
            return None
        if not other:  # Documentation/bpf/standardization/instruction-set.rst: 0, and what it was
            return 0 if operation == DIV else one
        return one // other if operation == DIV else one % other
    simple = {
        ADD: one + other,
        SUB: one - other,
        MUL: one * other,
        OR: one | other,
        AND: one & other,
        XOR: one ^ other,
        NEG: -one,
        LSH: one << (other & bits - 1),
        RSH: one >> (other & bits - 1),
        ARSH: extended(one, bits) >> (other & bits - 1),
    }
    return simple.get(operation)


def decided(operation: int, left: Value, right: Value, *, wide: bool) -> bool | None:
    """Say whether a jump is taken on two values, None where that depends; `wide` is for all 64 bits of them."""
    if isinstance(right, Constant) and not right.value and wide and not isinstance(left, Constant | None):
        return {JEQ: False, JNE: True}.get(operation)
    if not isinstance(left, Constant) or not isinstance(right, Constant):
        return None
    bits = 64 if wide else 32
    one, other = left.value & (1 << bits) - 1, right.value & (1 << bits) - 1
    signed, against = extended(one, bits), extended(other, bits)
    return {
        JEQ: one == other,
        JNE: one != other,
        JGT: one > other,
        JGE: one >= other,
        JLT: one < other,
        JLE: one <= other,
        JSET: bool(one & other),
        JSGT: signed > against,
        JSGE: signed >= against,
        JSLT: signed < against,
        JSLE: signed <= against,
    }.get(operation)


def extended(value: int, bits: int) -> int:
    """Return the number that the low bits of a value are, with their sign."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value
