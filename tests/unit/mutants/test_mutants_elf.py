"""Reading the functions and instructions of an object, and writing instructions."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutants_objects import committed_objects

from harness.mutants.elf import (
    EXIT,
    Instruction,
    decoded,
    encoded,
    functions,
)


@pytest.fixture
def compiled() -> dict[str, bytes]:
    return committed_objects()


def test_functions_are_found_with_their_sections_and_code(compiled: dict[str, bytes]) -> None:
    found = {one.name: one for one in functions(compiled["shared/subprog-target.bpf.c"])}
    assert {name: one.section for name, one in found.items()} == {"subprog": ".text", "target": "tc"}
    assert all(one.code[-1].code == EXIT for one in found.values())


@pytest.mark.parametrize("little", [True, False])
def test_an_instruction_has_the_same_bytes_after_it_was_read(little: bool) -> None:
    code = bytes.fromhex("7b1ab8ff00000000b70000000300000085000000190000ff")
    assert b"".join(encoded(one, little=little) for one in decoded(code, little=little)) == code


def test_registers_share_a_byte_in_the_order_of_the_machine() -> None:
    assert decoded(bytes.fromhex("7b1ab8ff00000000"), little=True)[0] == Instruction(0x7B, 10, 1, -72, 0)
    assert decoded(bytes.fromhex("7ba1ffb800000000"), little=False)[0] == Instruction(0x7B, 10, 1, -72, 0)


def test_what_is_no_elf_file_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not an ELF file"):
        functions(b"not an object")
