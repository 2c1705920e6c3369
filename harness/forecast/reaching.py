"""Which instructions of a program the verifier can come to, given what libbpf wrote into it for one kernel.

A relocation that fails poisons its instruction: libbpf writes a call of a helper that does not exist, and the verifier
refuses the program only where it comes there (relo_core.c, bpf_core_poison_insn()). The programs that test for a field
before they read it do not: the test is a constant by then, and the verifier follows only the branch that is taken.

This walks the instructions as the verifier does, but keeps only what is the same on all ways to a place: constants,
pointers to the stack, to the context and to data that nobody can change. So it may come to more than the verifier does,
which looks at each way by itself and knows ranges of values, and never to less: what is not reached here is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from harness.forecast.btf import Order
from harness.forecast.instructions import (
    ALU,
    ALU64,
    ATOMIC,
    CALL,
    COMPARE_AND_EXCHANGE,
    EXIT,
    FETCH,
    FROM_REGISTER,
    FUNCTION,
    HELPER,
    JA,
    JCOND,
    JEQ,
    JMP,
    JMP32,
    JNE,
    LD,
    LDX,
    LOAD_IMMEDIATE,
    MOV,
    NEG,
    SIGN_EXTENDING,
    ST,
    STX,
    SWAP,
    Instruction,
)
from harness.forecast.values import (
    MASK,
    SOME,
    Constant,
    Context,
    Data,
    OnStack,
    Value,
    computed,
    decided,
    extended,
)

Place: TypeAlias = tuple[int, int]
"""A function: the number of its section, and bytes from its start."""
DEEPEST_CALL = 8
"""How many functions call each other at most (MAX_CALL_FRAMES)."""


_Stack: TypeAlias = Mapping[int, tuple[int, Value]]


@dataclass(frozen=True, kw_only=True)
class Code:
    """A function: its instructions, and what those mean that refer to something else, by their numbers.

    `calls` are the functions that are called, `loads` what addresses are loaded; `addressed` the functions of which the
    address is loaded, which may be called by helpers. `globally` says that the verifier looks at it by itself, for any
    arguments.
    """

    place: Place
    instructions: tuple[Instruction, ...]
    calls: Mapping[int, Place] = field(default_factory=dict)
    loads: Mapping[int, Value] = field(default_factory=dict)
    addressed: Mapping[int, Place] = field(default_factory=dict)
    globally: bool = False


@dataclass(frozen=True, kw_only=True)
class Written:
    """What libbpf wrote into instructions, by function and number, beside what is in the object.

    `values` are immediates that are known, None where they are known to be no constant that matters (an offset).
    """

    values: Mapping[tuple[Place, int], int | None] = field(default_factory=dict)
    loads: Mapping[tuple[Place, int], Value] = field(default_factory=dict)
    constants: Mapping[str, bytes] = field(default_factory=dict)
    """What is in data that nobody changes, by its name."""


@dataclass(kw_only=True)
class Reached:
    """What a walk came to: instructions, reads of the context (offset and bytes), and helpers by their numbers."""

    instructions: set[tuple[Place, int]] = field(default_factory=set)
    context: set[tuple[int, int]] = field(default_factory=set)
    helpers: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _State:
    registers: tuple[Value, ...]
    stack: _Stack
    escaped: bool = False

    def joined(self, other: _State) -> _State:
        """Return what is known whichever of two ways was taken."""
        if self is other:
            return self
        stack = {place: held for place, held in self.stack.items() if other.stack.get(place) == held}
        return _State(
            tuple(one if one == two else None for one, two in zip(self.registers, other.registers, strict=True)),
            stack,
            self.escaped or other.escaped,
        )


def reached(code: Mapping[Place, Code], start: Place, *, written: Written, order: Order) -> Reached:
    """Return what a program comes to that begins with the function at `start`."""
    walk = _Walk(code, written, order)
    walk.function(start, (Context(0), None, None, None, None), depth=0)
    return walk.found


class _Walk:
    def __init__(self, code: Mapping[Place, Code], written: Written, order: Order) -> None:
        self._code, self._written, self._order = code, written, order
        self.found = Reached()
        self._results: dict[tuple[Place, tuple[Value, ...]], Value] = {}

    def function(self, place: Place, arguments: tuple[Value, ...], *, depth: int) -> Value:
        """Walk through a function and return what it returns, as far as that is known."""
        own = self._code.get(place)
        if own is None or depth >= DEEPEST_CALL:
            return None
        if own.globally and depth:
            arguments = (None,) * 5
        # The stack of a caller is not its own, and no constant.
        arguments = tuple(SOME if isinstance(each, OnStack) else each for each in arguments)
        key = (place, arguments)
        if key not in self._results:
            self._results[key] = None  # a function that calls itself is refused anyway
            self._results[key] = self._walk(own, arguments, depth)
        return None if own.globally and depth else self._results[key]

    def _walk(self, own: Code, arguments: tuple[Value, ...], depth: int) -> Value:
        first = _State((None, *arguments, None, None, None, None, OnStack(0)), {})
        states: dict[int, _State] = {}
        waiting = [(0, first)]
        results: list[Value] = []
        targets = _targets(own.instructions)
        while waiting:
            number, state = waiting.pop()
            while 0 <= number < len(own.instructions):
                if number in targets:
                    before = states.get(number)
                    joined = state if before is None else before.joined(state)
                    if joined == before:
                        break
                    states[number] = state = joined
                self.found.instructions.add((own.place, number))
                instruction = own.instructions[number]
                if instruction.kind == JMP and instruction.operation == EXIT:
                    results.append(state.registers[0])
                    break
                if instruction.kind in (JMP, JMP32) and instruction.operation != CALL:
                    ways = list(self._jump(number, instruction, state))
                    if not ways:
                        break
                    waiting += ways[1:]
                    number, state = ways[0]
                    continue
                state = self._step(own, number, instruction, state, depth)
                number += 2 if instruction.code == LOAD_IMMEDIATE else 1
        return results[0] if results and all(each == results[0] for each in results) else None

    def _jump(self, number: int, found: Instruction, state: _State) -> list[tuple[int, _State]]:
        """Return the ways that go on behind a jump, with what is known on each."""
        wide = found.kind == JMP
        if found.operation == JA:
            return [(number + 1 + (found.offset if wide else found.immediate), state)]
        taken, other = number + 1 + found.offset, number + 1
        if found.operation == JCOND:
            return [(other, state), (taken, state)]
        from_register = bool(found.code & FROM_REGISTER)
        right: Value = state.registers[found.source] if from_register else Constant(found.immediate & MASK)
        decision = decided(found.operation, state.registers[found.to], right, wide=wide)
        if decision is not None:
            return [(taken if decision else other, state)]
        known = isinstance(right, Constant) and wide and found.operation in (JEQ, JNE)
        same = _with(state, found.to, right) if known else state
        return [(other, same if found.operation == JNE else state), (taken, same if found.operation == JEQ else state)]

    def _step(self, own: Code, number: int, found: Instruction, state: _State, depth: int) -> _State:
        if found.kind in (ALU, ALU64):
            return self._compute(own, number, found, state)
        if found.kind == LDX:
            return _with(state, found.to, self._loaded(own, number, found, state))
        if found.kind in (ST, STX):
            return self._store(found, state)
        if found.kind == LD:
            if found.code != LOAD_IMMEDIATE:  # of a packet (BPF_ABS, BPF_IND)
                return _called(state, None)
            return self._load_immediate(own, number, found, state, depth)
        return self._call(own, number, found, state, depth)

    def _load_immediate(self, own: Code, number: int, found: Instruction, state: _State, depth: int) -> _State:
        place = (own.place, number)
        if number in own.addressed:
            self.function(own.addressed[number], (None,) * 5, depth=depth + 1)
            return _with(state, found.to, SOME)
        if place in self._written.loads:
            return _with(state, found.to, self._written.loads[place])
        if number in own.loads:
            return _with(state, found.to, own.loads[number])
        if place in self._written.values:
            value = self._written.values[place]
        else:
            high = own.instructions[number + 1].immediate if number + 1 < len(own.instructions) else 0
            value = (found.immediate & 0xFFFFFFFF) | (high & 0xFFFFFFFF) << 32
        return _with(state, found.to, None if value is None else Constant(value & MASK))

    def _call(self, own: Code, number: int, found: Instruction, state: _State, depth: int) -> _State:
        if found.source == FUNCTION:
            callee = own.calls.get(number)
            arguments = state.registers[1:6]
            result = self.function(callee, arguments, depth=depth + 1) if callee is not None else None
            return _called(state, result)
        if found.source == HELPER:
            self.found.helpers.add(found.immediate)
        return _called(state, None)

    def _loaded(self, own: Code, number: int, found: Instruction, state: _State) -> Value:
        """Return what a load gives."""
        pointer = state.registers[found.source]
        if isinstance(pointer, OnStack):
            held = state.stack.get(pointer.offset + found.offset)
            return held[1] if held is not None and held[0] == found.size and found.mode != SIGN_EXTENDING else None
        relocated = (own.place, number) in self._written.values
        if isinstance(pointer, Context) and not relocated:
            self.found.context.add((pointer.offset + found.offset, found.size))
        if relocated or not isinstance(pointer, Data):
            return None
        data, start = self._written.constants.get(pointer.name), pointer.offset + found.offset
        if data is None or not 0 <= start <= len(data) - found.size:
            return None
        signed = found.mode == SIGN_EXTENDING
        return Constant(int.from_bytes(data[start : start + found.size], self._order, signed=signed) & MASK)

    def _store(self, found: Instruction, state: _State) -> _State:
        pointer = state.registers[found.to]
        value: Value = state.registers[found.source] if found.kind != ST else Constant(found.immediate & MASK)
        escaped = state.escaped or (found.kind != ST and isinstance(value, OnStack))
        registers = list(state.registers)
        if found.mode == ATOMIC:
            if found.immediate == COMPARE_AND_EXCHANGE:
                registers[0] = None
            elif found.immediate & FETCH:
                registers[found.source] = None
            value = None
        stack: _Stack = state.stack
        if isinstance(pointer, OnStack):
            start, size = pointer.offset + found.offset, found.size
            held = {at: each for at, each in stack.items() if at + each[0] <= start or start + size <= at}
            if value is not None and (size == 8 or isinstance(value, Constant)):
                kept = Constant(value.value & (1 << size * 8) - 1) if isinstance(value, Constant) else value
                held[start] = (size, kept)
            stack = held
        elif pointer is None and escaped:
            stack = {}
        return _State(tuple(registers), stack, escaped)

    def _compute(self, own: Code, number: int, found: Instruction, state: _State) -> _State:
        left = state.registers[found.to]
        place = (own.place, number)
        right: Value
        if found.code & FROM_REGISTER and found.operation not in (NEG, SWAP):
            right = state.registers[found.source]
        elif place in self._written.values:
            written = self._written.values[place]
            right = None if written is None else Constant(extended(written, 32) & MASK)
        else:
            right = Constant(found.immediate & MASK)
        result = computed(found, left, right)
        involved = (right,) if found.operation == MOV else (left, right)
        escaped = state.escaped or (result is None and any(isinstance(each, OnStack) for each in involved))
        return _State(_replaced(state.registers, found.to, result), state.stack, escaped)


def _targets(instructions: tuple[Instruction, ...]) -> frozenset[int]:
    """Return where jumps lead to: the places where several ways meet."""
    found = set()
    for number, each in enumerate(instructions):
        if each.kind in (JMP, JMP32) and each.operation not in (CALL, EXIT):
            long = each.kind == JMP32 and each.operation == JA
            found |= {number + 1 + (each.immediate if long else each.offset), number + 1}
    return frozenset(found)


def _replaced(registers: tuple[Value, ...], number: int, value: Value) -> tuple[Value, ...]:
    return (*registers[:number], value, *registers[number + 1 :])


def _with(state: _State, number: int, value: Value) -> _State:
    return _State(_replaced(state.registers, number, value), state.stack, state.escaped)


def _called(state: _State, result: Value) -> _State:
    """Return what is known behind a call: it may write wherever an address on the stack leads to, and behind that."""
    stack: _Stack = state.stack
    if state.escaped:
        stack = {}
    else:
        starts = [each.offset for each in state.registers[1:6] if isinstance(each, OnStack)]
        if starts:
            stack = {at: held for at, held in stack.items() if at + held[0] <= min(starts)}
    return _State((result, None, None, None, None, None, *state.registers[6:]), stack, state.escaped)
