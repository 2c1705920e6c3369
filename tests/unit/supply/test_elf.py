"""What programs of this host say that they need: real ones, compiled here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.model.architectures import host_name
from harness.supply.elf import functions_of, glibc_version, is_elf, read_needs, version_of

CC = shutil.which("gcc") or shutil.which("clang") or "cc"


def compiled(folder: Path, *flags: str, code: str = "int main(void) { return 0; }") -> Path:
    (folder / "program.c").write_text(code)
    subprocess.run([CC, "program.c", "-o", "program", *flags], cwd=folder, check=True)
    return folder / "program"


def test_a_program_names_its_loader_and_libraries(tmp_path: Path) -> None:
    program = compiled(tmp_path, "-Wl,-rpath,$ORIGIN/lib:/opt/x,--enable-new-dtags,--no-as-needed", "-lm")
    needs = read_needs(program)
    assert needs is not None
    assert (needs.arch, needs.needed, needs.rpath) == (host_name(), ("libm.so.6", "libc.so.6"), ())
    assert needs.runpath == ("$ORIGIN/lib", "/opt/x")
    assert Path(needs.loader).exists()
    assert needs.glibc >= (2, 2)


def test_a_library_has_a_name_and_names_the_versions_that_it_needs(tmp_path: Path) -> None:
    code = '#include <stdio.h>\nint f(void) { return puts(""); }'
    needs = read_needs(compiled(tmp_path, "-shared", "-fPIC", "-Wl,-soname,libmine.so.3", code=code))
    assert needs is not None
    assert (needs.soname, needs.loader) == ("libmine.so.3", "")
    assert max(version_of(name) for name in needs.versions["libc.so.6"]) == needs.glibc


def test_the_old_kind_of_run_path_is_another(tmp_path: Path) -> None:
    needs = read_needs(compiled(tmp_path, "-Wl,-rpath,/opt/x,--disable-new-dtags"))
    assert needs is not None
    assert (needs.rpath, needs.runpath) == (("/opt/x",), ())


def test_a_static_program_needs_nothing(tmp_path: Path) -> None:
    needs = read_needs(compiled(tmp_path, "-static", "-nostdlib", code="void _start(void) { for (;;); }"))
    assert needs is not None
    assert (needs.arch, needs.loader, needs.needed, needs.glibc) == (host_name(), "", (), ())


def test_what_is_no_program_needs_nothing(tmp_path: Path) -> None:
    for content in (b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF" + bytes(200)):
        (tmp_path / "file").write_bytes(content)
        assert read_needs(tmp_path / "file") is None
    assert is_elf(tmp_path / "file")


def test_a_file_that_is_cut_off_ends_nothing(tmp_path: Path) -> None:
    data = compiled(tmp_path).read_bytes()
    for size in (20, 64, 100, 300, 600, len(data) // 2):
        (tmp_path / "cut").write_bytes(data[:size])
        read_needs(tmp_path / "cut")


def test_a_program_for_another_machine_says_which(tmp_path: Path) -> None:
    data = bytearray(compiled(tmp_path).read_bytes())
    for machine, name in ((22, "s390"), (183, "arm64" if host_name() != "arm64" else None), (40, "arm")):
        data[18:20] = machine.to_bytes(2, "little")  # e_machine; the byte order of s390 is another
        (tmp_path / "other").write_bytes(data)
        needs = read_needs(tmp_path / "other")
        assert needs is not None
        assert name is None or needs.arch == name


@pytest.mark.parametrize(
    ("name", "version"),
    [("GLIBC_2.38", (2, 38)), ("GLIBC_2.2.5", (2, 2, 5)), ("GLIBC_PRIVATE", ()), ("GLIBCXX_3.4", ()), ("ZLIB_1.2", ())],
)
def test_only_public_versions_of_the_c_library_count(name: str, version: tuple[int, ...]) -> None:
    assert version_of(name) == version


def test_a_c_library_has_the_newest_version_that_it_names() -> None:
    assert glibc_version(b"x\0GLIBC_2.9\0GLIBC_2.41\0GLIBC_PRIVATE\0GLIBC_2.4\0") == (2, 41)
    assert glibc_version(b"") == ()


def test_the_functions_of_a_binary_are_those_that_it_defines(tmp_path: Path) -> None:
    code = "#include <stdlib.h>\nint number; int one(void) { return abs(1); } int main(void) { return one(); }"
    program = compiled(tmp_path, "-fno-builtin", code=code)
    assert {"one", "main"} <= functions_of(program)
    assert not {"abs", "number", "main.c"} & functions_of(program)
    subprocess.run(["strip", program.name], cwd=tmp_path, check=True)
    assert "one" not in functions_of(program)
    library = compiled(tmp_path, "-shared", "-fPIC", code="int two(void) { return 2; }")
    subprocess.run(["strip", library.name], cwd=tmp_path, check=True)
    assert "two" in functions_of(library), "a library exports it"
    (tmp_path / "text").write_text("no ELF file")
    assert functions_of(tmp_path / "text") == frozenset()
