from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_samples import ROOT, X86, sample_case

from harness import objects
from harness.architectures import ARCHITECTURES, Architecture
from harness.cache import Cache
from harness.config.case import Case, load_case
from harness.errors import EXIT_USAGE, CompileError, MissingToolError, ObjectFileError
from harness.objects import EM_BPF, ObjectBuilder, check_object, compile_flags, copy_objects

SOURCE = """\
#include "shared.h"
__attribute__((section("socket"), used)) int program(void *ctx) { return VALUE; }
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
"""


class Project:
    """A folder with one case and a shared header."""

    def __init__(self, folder: Path) -> None:
        self.include = folder / "include"
        self.include.mkdir()
        (self.include / "shared.h").write_text("#define VALUE 1\n")
        self.case_folder = folder / "case"
        self.case_folder.mkdir()
        self.source = self.case_folder / "target.bpf.c"
        self.source.write_text(SOURCE)
        self.cache = Cache(folder / "cache")

    @property
    def builder(self) -> ObjectBuilder:
        return ObjectBuilder(cache=self.cache, include=self.include)

    def case(self, target: str = "target.bpf.c") -> Case:
        return sample_case(folder=self.case_folder, target={"object": target}, tracer=None, control=None)

    def build(self, arch: Architecture = X86, target: str = "target.bpf.c") -> Path:
        return self.builder.build(self.case(target), arch)[target]

    def entries(self) -> int:
        return len([path for path in (self.cache.root / "objects").iterdir() if not path.name.startswith(".")])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def sections(path: Path) -> list[str]:
    said = subprocess.run(["llvm-readelf", "-S", str(path)], capture_output=True, text=True, check=True).stdout
    return said.split()


def test_an_object_is_for_bpf_with_btf_and_without_dwarf(project: Project) -> None:
    path = project.build()
    found = sections(path)
    assert ".BTF" in found
    assert not [name for name in found if name.startswith(".debug")]
    check_object(path, X86)


def test_an_object_is_built_once_and_anew_when_anything_in_it_changes(project: Project) -> None:
    first = project.build()
    stamp = first.stat().st_mtime_ns
    assert project.build() == first
    assert first.stat().st_mtime_ns == stamp
    (project.include / "shared.h").write_text("#define VALUE 2\n")
    second = project.build()
    assert second != first
    project.source.write_text(SOURCE + "// changed\n")
    third = project.build()
    assert third not in (first, second)
    (project.case_folder / "local.h").write_text("\n")
    assert project.build() not in (first, second, third)
    assert project.entries() == 4


def test_each_byte_order_has_objects_of_its_own(project: Project) -> None:
    little, big = project.build(X86), project.build(ARCHITECTURES["s390x"])
    assert little.read_bytes()[5] == 1
    assert big.read_bytes()[5] == 2
    with pytest.raises(ObjectFileError, match="big-endian BPF object, but x86_64 is little-endian"):
        check_object(big, X86)


def test_a_damaged_object_in_the_cache_is_built_again(project: Project) -> None:
    path = project.build()
    path.write_bytes(b"")
    assert project.build() == path
    check_object(path, X86)


def test_a_source_that_does_not_compile_is_told_in_clangs_words_and_leaves_nothing(project: Project) -> None:
    project.source.write_text("int program(void) { return undeclared; }\n")
    with pytest.raises(CompileError) as caught:
        project.build()
    assert f"{project.source} does not compile" in str(caught.value)
    assert "target.bpf.c:1:28: error: use of undeclared identifier 'undeclared'" in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE
    assert project.entries() == 0


def test_a_warning_is_an_error(project: Project) -> None:
    project.source.write_text("static int unused(void) { return 1; }\n")
    with pytest.raises(CompileError, match="-Wunused-function"):
        project.build()


def test_a_missing_clang_is_told(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def gone(name: str, **keys: Any) -> str:
        raise MissingToolError(f"{name} is not installed")

    monkeypatch.setattr(objects, "find_tool", gone)
    with pytest.raises(MissingToolError, match="clang"):
        project.build()


def test_a_prebuilt_object_is_taken_as_it_is(project: Project) -> None:
    built = project.case_folder / "ready.bpf.o"
    shutil.copy(project.build(), built)
    assert project.build(target="ready.bpf.o") == built


def elf(*, magic: bytes = b"\x7fELF", bits: int = 2, order: int = 1, machine: int = EM_BPF, size: int = 64) -> bytes:
    data = bytearray(size)
    data[:6] = magic + bytes([bits, order])
    data[18:20] = machine.to_bytes(2, "little" if order == 1 else "big")
    return bytes(data[:size])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is no ELF file"),
        (b"int x;\n" * 10, "it is no ELF file"),
        (elf()[:19], "it is no ELF file"),
        (elf(machine=62), "for machine 62, not for BPF"),
        (elf(bits=1), "not for BPF"),
        (elf(order=2), "big-endian BPF object, but x86_64 is little-endian"),
    ],
)
def test_a_prebuilt_file_that_is_no_bpf_object_is_refused(data: bytes, words: str, project: Project) -> None:
    path = project.case_folder / "ready.bpf.o"
    path.write_bytes(data)
    with pytest.raises(ObjectFileError, match=words) as caught:
        project.build(target="ready.bpf.o")
    assert str(path) in str(caught.value)
    assert "clang -target bpf" in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ObjectFileError, match="cannot be read: No such file"):
        check_object(tmp_path / "none.bpf.o", X86)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_an_object_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bpf.o"
    for content in (data, elf()[:20] + data, elf(order=2) + data):
        path.write_bytes(content)
        for arch in (X86, ARCHITECTURES["s390x"]):
            try:
                check_object(path, arch)
            except ObjectFileError:
                continue
            assert content[5] == (1 if arch is X86 else 2)


@pytest.mark.parametrize("arch", ARCHITECTURES.values(), ids=lambda arch: arch.name)
def test_flags(arch: Architecture) -> None:
    flags = compile_flags(arch, include=Path("/i"))
    assert f"-D__TARGET_ARCH_{arch.clang_arch}" in flags
    assert flags[flags.index("-target") + 1] == arch.bpf_target
    assert {"-mcpu=v2", "-g", "-Werror", "-I/i"} <= set(flags)


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "s390x"])
def test_the_committed_case_compiles(arch: str, tmp_path: Path) -> None:
    """The two byte orders, and both ways in which a kprobe's context is declared."""
    case = load_case(ROOT / "bpf/kprobe-fentry-fexit")
    built = ObjectBuilder(cache=Cache(tmp_path), include=ROOT / "bpf/include").build(case, ARCHITECTURES[arch])
    assert set(built) == {"target.bpf.c", "tracer.bpf.c"}
    assert all(path.stat().st_size < 40_000 for path in built.values())


def test_objects_are_copied_beside_the_results(tmp_path: Path) -> None:
    (tmp_path / "object.o").write_bytes(b"x")
    copy_objects({"target.bpf.c": tmp_path / "object.o"}, tmp_path / "results/objects")
    assert (tmp_path / "results/objects/target.bpf.o").read_bytes() == b"x"


def test_the_variants_of_the_seed_run_its_very_programs() -> None:
    # Copies, so that every case can be read and changed by itself; but what these ask is what else changes.
    seed = ROOT / "bpf/kprobe-fentry-fexit"
    traced = {"ftrace-disabled", "kprobe-fentry-fexit-jit", "kprobe-ipv6", "lockdown-confidentiality"}
    untraced = {"interpreter-tail-call", "kprobe-untraced"}
    copies = [(case, "target.bpf.c") for case in traced | untraced] + [(case, "tracer.bpf.c") for case in traced]
    other = [
        f"{case}/{name}"
        for case, name in copies
        if (ROOT / "bpf" / case / name).read_bytes() != (seed / name).read_bytes()
    ]
    assert other == []
