"""Mutants of programs, made in the compiled object: what emits is silent, what returns or says a value always has one.

Nothing is compiled again and no instruction moves, so relocations, BTF and line information stay right, and the
verifier sees a program of the same shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness.mutants.elf import (
    ALU_CLASSES,
    CALL,
    CALL_HELPER,
    CLASS,
    EXIT,
    JUMP_CLASSES,
    LD_IMM64,
    LDX_DW,
    LOAD_CLASSES,
    MOV32_K,
    MOV64_K,
    MOV64_X,
    ST_DW,
    STX_DW,
    Function,
    Instruction,
    functions,
    mov,
    patched,
)

EMITTING = {1: "bpf_map_lookup_elem", 2: "bpf_map_update_elem", 25: "bpf_perf_event_output"}
"""Helpers by which a program shows that it ran (enum bpf_func_id, include/uapi/linux/bpf.h)."""
SAYING = {173: "bpf_get_func_ip", 174: "bpf_get_attach_cookie", 183: "bpf_get_func_arg", 184: "bpf_get_func_ret"}
SAYING |= {185: "bpf_get_func_arg_cnt"}
"""Helpers that say something of the traced function."""
BY_POINTER = frozenset({183, 184})
"""Those of them that return 0 and write the value where a pointer points; silenced, they leave it as it was."""
PERF_EVENT_OUTPUT = 25
TRACERS = frozenset({"fentry", "fexit", "fsession", "fentry.s", "fexit.s"})
"""Programs whose return value the verifier wants to be 0 and the trampoline ignores."""
TOLD_RETVAL = frozenset({"fexit", "fexit.s", "fsession"})
CONSTANTS = (0, 1)
RECORD_FIELDS = {8: "retval", 16: "value"}
"""Offsets in struct trace_record (bpf/include/trace.h)."""
_NUMBERED = re.compile(r"(.*?)_?\d+$")
FEW = 4
"""Of more functions or steps than these that differ only in their number, the first and the last stand for all."""


def program_mutants(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the mutants of an object as (what is changed, patched object), each different from `data`."""
    for function in representatives(functions(data)):
        for what, changes in _of_function(function):
            made = patched(data, [(function, changes)])
            if made != data:
                yield f"{function.name}: {what}", made


def representatives(found: Sequence[Function]) -> list[Function]:
    """Return the functions without those that others stand for: many that differ only in their number."""
    groups: dict[tuple[str, str], list[Function]] = {}
    for function in found:
        match = _NUMBERED.fullmatch(function.name)
        groups.setdefault((function.section, match[1] if match else function.name), []).append(function)
    kept = []
    for group in groups.values():
        kept += group if len(group) <= FEW else [group[0], group[-1]]
    return kept


def _of_function(function: Function) -> Iterator[tuple[str, Mapping[int, Instruction]]]:
    yield "emits nothing", _without(function, EMITTING)
    if function.kind not in TRACERS:
        for value in _other_values(function):
            yield f"always returns {value}", returning(function, value)
    for name, numbers in _said_by_helpers(function).items():
        for value in (0,) if numbers <= BY_POINTER else CONSTANTS:
            yield f"{name}() always gives {value}", _without(function, numbers, value=value)
    for offset, name in RECORD_FIELDS.items():
        for value in CONSTANTS:
            yield f"its {name} is always {value}", _recorded(function, offset, value)
    if function.kind in TOLD_RETVAL and _calls(function, {PERF_EVENT_OUTPUT}):
        for value in CONSTANTS:
            yield f"the return value that it reads is always {value}", _returns_always(function, value)


def _calls(function: Function, helpers: Mapping[int, str] | set[int]) -> list[int]:
    return [
        index
        for index, one in enumerate(function.code)
        if (one.code, one.src) == (CALL, CALL_HELPER) and one.imm in helpers
    ]


def _without(function: Function, helpers: Mapping[int, str] | set[int], *, value: int = 0) -> dict[int, Instruction]:
    """Return the function with each call of these helpers made `r0 = value`."""
    return {index: mov(0, value) for index in _calls(function, helpers)}


def _said_by_helpers(function: Function) -> dict[str, set[int]]:
    return {name: {number} for number, name in SAYING.items() if _calls(function, {number})}


def _other_values(function: Function) -> tuple[int, ...]:
    """Return which constants a function may return instead: one where it always returns the same, else each of them."""
    ends = [index for index, one in enumerate(function.code) if one.code == EXIT]
    values = {one.imm for one in function.code if one.dst == 0 and one.code in (MOV64_K, MOV32_K)}
    same = len(values) == 1 and all(function.code[end - 1].code in (MOV64_K, MOV32_K) for end in ends)
    return CONSTANTS if not same else tuple(value for value in CONSTANTS if value not in values)[:1]


def returning(function: Function, value: int) -> dict[int, Instruction]:
    """Return the function with `value` in r0 at each exit, or nothing where that needs more room than there is.

    The instruction before an exit becomes `r0 = value`, and what jumps to the exit jumps to it instead. Where it calls
    another function, the value is that function's, and mutants of that one stand for it.
    """
    changes: dict[int, Instruction] = {}
    wide = _second_halves(function)
    for index, one in enumerate(function.code):
        if one.code != EXIT:
            continue
        before = index - 1
        if before in wide:  # r0 = a 64-bit constant, in two instructions
            changes |= {before - 1: mov(0, value), before: mov(0, value)}
        elif before >= 0 and _only_sets_r0(function.code[before]):
            changes[before] = mov(0, value)
        else:
            return {}
        jumps = _jumps_to(function, index)
        if jumps and before in wide:
            return {}
        changes |= {start: jump._replace(offset=jump.offset - 1) for start, jump in jumps.items()}
    return changes


def _second_halves(function: Function) -> set[int]:
    halves: set[int] = set()
    for index, one in enumerate(function.code):
        if one.code == LD_IMM64 and index not in halves:
            halves.add(index + 1)
    return halves


def _only_sets_r0(one: Instruction) -> bool:
    return one.dst == 0 and one.code & CLASS in ALU_CLASSES | LOAD_CLASSES


def _jumps_to(function: Function, target: int) -> dict[int, Instruction]:
    """Return the jumps of a function that lead to an instruction, by index."""
    return {
        index: one
        for index, one in enumerate(function.code)
        if one.code & CLASS in JUMP_CLASSES and one.code not in (CALL, EXIT) and index + 1 + one.offset == target
    }


def _recorded(function: Function, offset: int, value: int) -> dict[int, Instruction]:
    """Return the function with `value` in the field of a trace record; only where it is not a constant anyway."""
    changes = {}
    looked_up = _calls(function, {1})
    for index, one in enumerate(function.code):
        if one.code != STX_DW or one.dst == 10 or one.offset != offset or not any(call < index for call in looked_up):
            continue
        if not _is_constant(function, one.src, before=index):
            changes[index] = Instruction(ST_DW, one.dst, 0, offset, value)
    return changes


def _is_constant(function: Function, register: int, *, before: int) -> bool:
    """Return whether the last instruction that sets a register gives it a constant."""
    for one in reversed(function.code[:before]):
        if one.code & CLASS in ALU_CLASSES | LOAD_CLASSES and one.dst == register:
            return one.code in (MOV64_K, MOV32_K, LD_IMM64)
    return False


def _returns_always(function: Function, value: int) -> dict[int, Instruction]:
    """Return the function with `value` where it reads its last argument, the return value of what it traces."""
    context, loads = {1}, {}
    for index, one in enumerate(function.code):
        if one.code == LDX_DW and one.src in context:
            loads[index] = one
        if one.code == MOV64_X and one.src in context:
            context.add(one.dst)
        elif one.code == CALL:
            context -= {1, 2, 3, 4, 5}
        elif one.code & CLASS in ALU_CLASSES | LOAD_CLASSES:
            context.discard(one.dst)
    last = max((one.offset for one in loads.values()), default=-1)
    return {index: mov(one.dst, value) for index, one in loads.items() if one.offset == last}
