"""BPF instructions as values: struct bpf_insn of include/uapi/linux/bpf.h, and the numbers in it."""

from __future__ import annotations

import struct
from typing import NamedTuple

from harness.forecast.btf import Order

BYTES = 8
LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)
"""The classes: the low three bits of an operation."""
LOADS_AND_STORES = frozenset({LDX, ST, STX})
LOAD_IMMEDIATE = 0x18
"""BPF_LD | BPF_IMM | BPF_DW, which takes two instructions."""
FROM_REGISTER = 0x08
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR, MOV, ARSH, SWAP = range(0, 0xE0, 0x10)
"""Operations of ALU and ALU64."""
JA, JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE, CALL, EXIT, JLT, JLE, JSLT, JSLE, JCOND = range(0, 0xF0, 0x10)
"""Operations of JMP and JMP32."""
ATOMIC, SIGN_EXTENDING = 0xC0, 0x80
"""Modes of loads and stores: the high three bits."""
FETCH, COMPARE_AND_EXCHANGE = 0x01, 0xF1
HELPER, FUNCTION, KFUNC = 0, 1, 2
"""What is called, by the source register of a call."""
SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
"""Bytes of a load or store, by BPF_SIZE."""
STACK = 10
"""The register that points behind the stack's end."""


class Instruction(NamedTuple):
    """One instruction; `immediate` and `offset` are signed."""

    code: int
    to: int
    source: int
    offset: int
    immediate: int

    @property
    def kind(self) -> int:
        """Its class."""
        return self.code & 7

    @property
    def operation(self) -> int:
        """What ALU and jumps do."""
        return self.code & 0xF0

    @property
    def mode(self) -> int:
        """How a load or store is done."""
        return self.code & 0xE0

    @property
    def size(self) -> int:
        """How many bytes a load or store has."""
        return SIZES[self.code & 0x18]


def decoded(code: bytes, *, order: Order) -> tuple[Instruction, ...]:
    """Return the instructions of a function; raise ValueError where they are cut off."""
    sign = "<" if order == "little" else ">"
    try:
        raw = struct.iter_unpack(f"{sign}BBhi", code)
    except struct.error as error:
        raise ValueError(f"a function has {len(code)} bytes, which are no instructions") from error
    if order == "little":
        return tuple(Instruction(code, regs & 0xF, regs >> 4, offset, value) for code, regs, offset, value in raw)
    return tuple(Instruction(code, regs >> 4, regs & 0xF, offset, value) for code, regs, offset, value in raw)
