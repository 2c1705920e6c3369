"""BPF objects as far as mutants change them: functions and their instructions, by place in the file.

The instruction's layout is that of struct bpf_insn (include/uapi/linux/bpf.h); Documentation/bpf/standardization/
instruction-set.rst gives the numbers.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

SIZE = 8
LDX_DW, STX_DW, ST_DW = 0x79, 0x7B, 0x7A
MOV64_K, MOV32_K, MOV64_X = 0xB7, 0xB4, 0xBF
CALL, EXIT, LD_IMM64 = 0x85, 0x95, 0x18
CALL_HELPER = 0
"""src_reg of a call: a helper; 1 is a function of BPF, 2 one of the kernel."""
ALU_CLASSES = frozenset({0x04, 0x07})
LOAD_CLASSES = frozenset({0x00, 0x01})
JUMP_CLASSES = frozenset({0x05, 0x06})
CLASS = 0x07
SHF_EXECINSTR = 0x4


class Instruction(NamedTuple):
    """One instruction; the numbers as they are in the file, `offset` and `imm` signed."""

    code: int
    dst: int
    src: int
    offset: int
    imm: int


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function of an object: `place` is where its code begins in the file, in bytes."""

    name: str
    section: str
    place: int
    code: tuple[Instruction, ...]

    @property
    def kind(self) -> str:
        """What its section says it is, such as `fentry` of `fentry/target`; `.text` for a function of others."""
        return self.section.split("/", 1)[0]


def functions(data: bytes) -> list[Function]:
    """Return the functions of an object in the order of the file; raise ValueError where it is no ELF file."""
    # The first use of the library costs as much as a restored guest, and only mutants need it.
    from elftools.common.exceptions import ELFError  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    try:
        elf: Any = ELFFile(io.BytesIO(data))
        table = elf.get_section_by_name(".symtab")
        found = []
        for symbol in table.iter_symbols() if table is not None else ():
            index = symbol["st_shndx"]
            if symbol["st_info"]["type"] != "STT_FUNC" or not isinstance(index, int):
                continue
            section = elf.get_section(index)
            if not section["sh_flags"] & SHF_EXECINSTR:
                continue
            place = section["sh_offset"] + symbol["st_value"]
            code = decoded(data[place : place + symbol["st_size"]], little=elf.little_endian)
            found.append(Function(name=symbol.name, section=section.name, place=place, code=code))
    except ELFError as error:
        raise ValueError(f"not an ELF file that can be read: {error}") from error
    return sorted(found, key=lambda function: function.place)


def decoded(code: bytes, *, little: bool) -> tuple[Instruction, ...]:
    """Return instructions. The two registers share a byte, the destination in its first nibble as C has bit fields."""
    found = []
    for op, registers, offset, imm in struct.iter_unpack("<BBhi" if little else ">BBhi", code):
        high, low = registers >> 4, registers & 15
        dst, src = (low, high) if little else (high, low)
        found.append(Instruction(op, dst, src, offset, imm))
    return tuple(found)


def encoded(instruction: Instruction, *, little: bool) -> bytes:
    """Return the bytes of one instruction."""
    code, dst, src, offset, imm = instruction
    registers = src << 4 | dst if little else dst << 4 | src
    return struct.pack("<BBhi" if little else ">BBhi", code, registers, offset, imm)


def patched(data: bytes, changes: Iterable[tuple[Function, Mapping[int, Instruction]]]) -> bytes:
    """Return an object with some instructions of some functions replaced, by index; nothing moves."""
    little = data[5] == 1  # EI_DATA: ELFDATA2LSB
    made = bytearray(data)
    for function, instructions in changes:
        for index, instruction in instructions.items():
            start = function.place + index * SIZE
            made[start : start + SIZE] = encoded(instruction, little=little)
    return bytes(made)


def mov(register: int, value: int) -> Instruction:
    """Return `register = value`."""
    return Instruction(MOV64_K, register, 0, 0, value)
