from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import ROOT, SOME_NOW, X86, written_case

from harness.config.case import WrittenCase
from harness.config.case_folders import load_case
from harness.errors import EXIT_USAGE, CompileError, MissingToolError, ObjectFileError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.supply import compilers, objects
from harness.supply.compilers import HostCompiler
from harness.supply.objects import EM_BPF, ObjectBuilder, check_object, compile_flags

SOURCE = """\
#include "shared.h"
__attribute__((section("socket"), used)) int program(void *ctx) { return VALUE; }
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
"""


class Project:
    """A folder with one case and a shared header."""

    def __init__(self, folder: Path) -> None:
        self.include = [folder / "include"]
        self.include[0].mkdir()
        (self.include[0] / "shared.h").write_text("#define VALUE 1\n")
        self.case_folder = folder / "case"
        self.case_folder.mkdir()
        self.source = self.case_folder / "target.bpf.c"
        self.source.write_text(SOURCE)
        self.cache = Cache(folder / "cache")

    @property
    def builder(self) -> ObjectBuilder:
        return ObjectBuilder(cache=self.cache, include=self.include)

    def case(self, target: str = "target.bpf.c") -> WrittenCase:
        return written_case(folder=self.case_folder, target={"object": target}, tracer=None, control=None)

    def build(self, arch: Architecture = X86, target: str = "target.bpf.c") -> Path:
        return self.builder.build(self.case(target), arch)[target].path

    def entries(self) -> int:
        return len([path for path in (self.cache.root / "objects").glob("*") if not path.name.startswith(".")])


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


def test_an_object_is_built_once(project: Project) -> None:
    first = project.build()
    stamp = first.stat().st_mtime_ns
    assert project.build() == first
    assert first.stat().st_mtime_ns == stamp
    (project.case_folder / "not-included.h").write_text("\n")
    assert project.build() == first
    assert project.entries() == 1


def test_flags_of_a_case_are_part_of_what_an_object_was_made_of(project: Project) -> None:
    plain = project.build()
    project.source.write_text(SOURCE.replace("return VALUE", "return VALUE + MORE"))

    def with_flags(*flags: str) -> Path:
        case = written_case(
            folder=project.case_folder, target={"object": "target.bpf.c"}, tracer=None, control=None, cflags=flags
        )
        return project.builder.build(case, X86)["target.bpf.c"].path

    found = [with_flags("-DMORE=5"), with_flags("-DMORE=6"), with_flags("-DMORE=5")]
    assert [value_of(path) for path in found] == [6, 7, 6]
    assert found[0] == found[2] != found[1]
    assert value_of(plain) == 1
    with pytest.raises(CompileError):
        project.build()


def reads(project: Project, include: str) -> None:
    """Let the source read VALUE from another file than the shared header."""
    project.source.write_text(SOURCE.replace('#include "shared.h"', include))


def value_of(path: Path) -> int:
    """Return what the program returns: the immediate of its first instruction (r0 = VALUE)."""
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name("socket")
        assert section is not None
        code: bytes = section.data()
    return int.from_bytes(code[4:8], "little")


@pytest.mark.parametrize(
    ("include", "file"),
    [
        ('#include "shared.h"', "include/shared.h"),
        ('#include "local.h"', "case/local.h"),
        ('#include "include/common.h"', "case/include/common.h"),
        ('#include "impl.c"', "case/impl.c"),
        ('#include "../elsewhere/far.h"', "elsewhere/far.h"),
        ("#include <system/deep.h>", "system/system/deep.h"),
        ("", "case/target.bpf.c"),
    ],
)
def test_an_object_is_built_again_when_anything_that_was_read_changes(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, include: str, file: str
) -> None:
    monkeypatch.setenv("CPATH", str(tmp_path / "system"))
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    reads(project, include)
    whole = path.read_text() if not include else ""
    built = {}
    for value in (1, 2, 1):
        path.write_text(f"#define VALUE {value}\n{whole}")
        built[value] = project.build()
        assert value_of(built[value]) == value
    assert built[1] != built[2]
    assert project.entries() == 2, "what was built before is used again"


@pytest.mark.parametrize(
    ("include", "hiding"),
    [
        ('#include "shared.h"', "case/shared.h"),
        ("#include <shared.h>", "first/shared.h"),
        ('#if __has_include("more.h")\n#include "more.h"\n#else\n#define VALUE 1\n#endif', "case/more.h"),
    ],
)
def test_an_object_is_built_again_when_a_new_header_hides_another(
    project: Project, tmp_path: Path, include: str, hiding: str
) -> None:
    (tmp_path / "first").mkdir()
    project.include = [tmp_path / "first", *project.include]
    reads(project, include)
    first = project.build()
    (tmp_path / hiding).write_text("#define VALUE 7\n")
    second = project.build()
    assert (value_of(first), value_of(second)) == (1, 7)
    (tmp_path / hiding).unlink()
    assert project.build() == first


def test_an_object_is_built_again_by_another_compiler(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = project.build()
    wrapper = tmp_path / "tools/clang"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("clang")} "$@" -DNEWER\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", str(wrapper.parent), prepend=":")
    second = project.build()
    assert second != first
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("clang", path="/usr/bin")} "$@" -DNEWEST\n')
    assert project.build() not in (first, second), "the same path, the same version, another file"


def test_the_compiler_that_is_asked_for_compiles_and_its_objects_are_its_own(project: Project, tmp_path: Path) -> None:
    """One of the user's own, which passes its words on to the host's: only its banner and its file differ."""
    clang = tmp_path / "clang-of-ones-own"
    clang.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "clang version 99.1.2" && exit\nexec clang "$@"\n')
    clang.chmod(0o755)
    own = ObjectBuilder(cache=project.cache, include=project.include, compiler=HostCompiler(clang))
    first = own.build(project.case(), X86)["target.bpf.c"]
    assert (first.compiler, own.used) == ("99.1.2", {"99.1.2"})
    assert first.path != project.build()
    again = ObjectBuilder(cache=project.cache, include=project.include, compiler=HostCompiler(clang))
    # Nothing is compiled, and yet the version is known: the object has it.
    assert again.build(project.case(), X86)["target.bpf.c"] == first
    assert (again.used, project.entries()) == ({"99.1.2"}, 2)


def test_what_is_saved_while_it_is_compiled_is_compiled_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = project.include[0] / "shared.h"
    real = objects.compile_object

    def compile_and_save(*anything: Any, **more: Any) -> list[str]:
        paths = real(*anything, **more)
        if "VALUE 1" in header.read_text():
            header.write_text("#define VALUE 2\n")
        return paths

    monkeypatch.setattr(objects, "compile_object", compile_and_save)
    assert value_of(project.build()) == 2


def test_a_damaged_note_costs_a_compilation(project: Project) -> None:
    first = project.build()
    for note in (project.cache.root / "dependencies").rglob("*.json"):
        for damage in ("", "[]", '{"base": 1}', "{"):
            note.write_text(damage)
            assert project.build() == first


def test_the_listing_comes_with_the_object(project: Project) -> None:
    for _ in range(2):
        listing = project.builder.build(project.case(), X86)["target.bpf.c"].listing
        assert listing.programs == {"program": "socket"}


def test_a_warm_build_starts_no_compiler(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.build()
    monkeypatch.setattr(objects, "compile_object", None)
    monkeypatch.setitem(sys.modules, "elftools.elf.elffile", None)
    project.build()


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
    monkeypatch.setattr(compilers, "find_tool", gone)
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
    ("data", "complaint"),
    [
        (b"", "it is no ELF file"),
        (b"int x;\n" * 10, "it is no ELF file"),
        (elf()[:19], "it is no ELF file"),
        (elf(machine=62), "for machine 62, not for BPF"),
        (elf(bits=1), "not for BPF"),
        (elf(order=2), "big-endian BPF object, but x86_64 is little-endian"),
    ],
)
def test_a_prebuilt_file_that_is_no_bpf_object_is_refused(data: bytes, complaint: str, project: Project) -> None:
    path = project.case_folder / "ready.bpf.o"
    path.write_bytes(data)
    with pytest.raises(ObjectFileError, match=complaint) as caught:
        project.build(target="ready.bpf.o")
    assert str(path) in str(caught.value)
    assert "clang -target bpf" in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ObjectFileError, match="cannot be read: No such file"):
        check_object(tmp_path / "none.bpf.o", X86)


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
    flags = compile_flags(arch, include=[Path("/i")])
    assert f"-D__TARGET_ARCH_{arch.clang_arch}" in flags
    assert flags[flags.index("-target") + 1] == arch.bpf_target
    assert {"-mcpu=v2", "-g", "-Werror", "-I/i"} <= set(flags)


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "s390x"])
def test_the_committed_case_compiles(arch: str, tmp_path: Path) -> None:
    """The two byte orders, and both ways in which a kprobe's context is declared."""
    case = load_case(ROOT / "bpf/kprobe-fentry-fexit")
    built = ObjectBuilder(cache=Cache(tmp_path), include=[ROOT / "bpf/include"]).build(case, ARCHITECTURES[arch])
    assert set(built) == {"shared/seed-target.bpf.c", "shared/seed-tracers.bpf.c"}
    assert all(each.path.stat().st_size < 40_000 for each in built.values())


def test_the_variants_of_the_seed_run_its_very_programs() -> None:
    seed = load_case(ROOT / "bpf/kprobe-fentry-fexit").files
    traced = {"ftrace-disabled", "kprobe-fentry-fexit-jit", "kprobe-ipv6"}
    traced |= {"lockdown-confidentiality", "lockdown-integrity"}
    untraced = {"interpreter-tail-call", "kprobe-untraced"}
    files = {case: load_case(ROOT / "bpf" / case).files for case in traced | untraced}
    assert {case for case in files if files[case]["target"] != seed["target"]} == set()
    assert {case for case in traced if files[case]["tracer"] != seed["tracer"]} == set()


def test_a_file_that_cases_share_is_one_object(tmp_path: Path) -> None:
    builder = ObjectBuilder(cache=Cache(tmp_path), include=[ROOT / "bpf/include"])
    found = {
        builder.build(load_case(ROOT / "bpf" / case), X86)["shared/tc-target.bpf.c"].path
        for case in ("tracer-cookie", "freplace-main")
    }
    assert len(found) == 1


HEADERS = {
    "vmlinux.h": '#include "vmlinux.h"',
    "uapi": "#include <linux/bpf.h>",
    "more of uapi": "#include <linux/bpf.h>\n#include <linux/ip.h>\n#include <linux/in6.h>\n#include <linux/tcp.h>",
}
"""What users include beside trace.h, some of which defines the same types."""
PROGRAM = """
EVENTS_MAP(events);
SEC("raw_tp/task_rename") int on_rename(void *ctx)
{
	emit_connection(ctx, &events, ctx, EVENT_TARGET, 0, 0);
	trace_value(EVENT_TARGET, 1);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.mark.parametrize("arch", SOME_NOW, ids=list(ARCHITECTURES))
@pytest.mark.parametrize("order", [1, -1], ids=["before", "behind"])
@pytest.mark.parametrize("headers", HEADERS)
def test_the_shared_headers_stand_beside_a_users_own(
    arch: Architecture, headers: str, order: int, project: Project
) -> None:
    project.include = [ROOT / "bpf/include"]
    shutil.copy(ROOT / "tests/inputs/refused-32-vmlinux-h/vmlinux.h", project.case_folder)
    libbpf = "#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n#include <bpf/bpf_tracing.h>"
    includes = [f"{HEADERS[headers]}\n{libbpf}", '#include "trace.h"'][::order]
    project.source.write_text("\n".join(includes) + PROGRAM)
    project.build(arch)


@pytest.mark.parametrize("arch", SOME_NOW, ids=list(ARCHITECTURES))
def test_headers_that_ask_for_those_of_the_c_library(arch: Architecture, project: Project) -> None:
    """<linux/icmp.h> includes <linux/if.h>, which includes <sys/socket.h>: no 32-bit C library must be installed."""
    project.include = [ROOT / "bpf/include"]
    project.source.write_text(
        "#include <linux/bpf.h>\n#include <linux/icmp.h>\n#include <linux/if.h>\n#include <bpf/bpf_helpers.h>\n"
        'SEC("xdp") int program(struct xdp_md *xdp) { return sizeof(struct icmphdr); }\n'
        'char LICENSE[] SEC("license") = "GPL";\n'
    )
    project.build(arch)


def test_the_types_of_a_users_own_are_the_ones_that_are_used(project: Project) -> None:
    """Behind trace.h, too: kernel.h has a `struct __sk_buff` of one member."""
    project.include = [ROOT / "bpf/include"]
    project.source.write_text(
        '#include "trace.h"\n#include <linux/bpf.h>\n'
        'SEC("socket") int program(struct __sk_buff *skb) { return skb->protocol; }\n'
        'char LICENSE[] SEC("license") = "GPL";\n'
    )
    project.build()


def test_an_error_behind_the_shared_headers_is_told_as_it_is(project: Project) -> None:
    project.include = [ROOT / "bpf/include"]
    project.source.write_text('#include "trace.h"\n#include <linux/bpf.h>\nint value = undeclared;\n')
    with pytest.raises(CompileError) as caught:
        project.build()
    assert "undeclared" in caught.value.log
    assert "redefinition" not in caught.value.log
