from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
from unit_samples import X86

from harness.errors import ObjectFileError
from harness.model.architectures import ARCHITECTURES
from harness.supply.kernel_btf import checked_btf

S390X = ARCHITECTURES["s390x"]


def types(order: str = "<", *, cut: int = 0) -> bytes:
    """Return the smallest BTF: a header, no types, and one empty name."""
    whole = struct.pack(f"{order}HBBIIIII", 0xEB9F, 1, 0, 24, 0, 0, 0, 1) + b"\0"
    return whole[: len(whole) - cut]


def test_types_alone_and_those_of_an_elf_file_are_taken(tmp_path: Path) -> None:
    raw = tmp_path / "vmlinux.btf"
    raw.write_bytes(types())
    assert checked_btf(raw, X86) == raw
    raw.write_bytes(types(">"))
    assert checked_btf(raw, S390X) == raw
    source, made = tmp_path / "a.c", tmp_path / "a.o"
    source.write_text("struct task_struct { int pid; } task;\n")
    subprocess.run(["clang", "-target", "bpfel", "-g", "-c", source, "-o", made], check=True)
    assert checked_btf(made, X86) == made
    subprocess.run(["clang", "-target", "bpfel", "-g0", "-c", source, "-o", made], check=True)
    with pytest.raises(ObjectFileError, match="has no BTF"):
        checked_btf(made, X86)


def test_what_is_no_btf_of_the_architecture_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "some.btf"
    with pytest.raises(ObjectFileError, match="cannot be read: No such file"):
        checked_btf(path, X86)
    for data in (b"", b"\xfd7zXZ\0", b"\x7fELF", types(cut=25)):
        path.write_bytes(data)
        with pytest.raises(ObjectFileError, match=r"has no BTF.*must be unpacked first"):
            checked_btf(path, X86)
    path.write_bytes(types(">"))
    with pytest.raises(ObjectFileError, match="types of a big-endian kernel, but x86_64 is little-endian"):
        checked_btf(path, X86)
    for cut in (1, 2, 20):
        path.write_bytes(types(cut=cut))
        with pytest.raises(ObjectFileError, match="BTF is damaged"):
            checked_btf(path, X86)
