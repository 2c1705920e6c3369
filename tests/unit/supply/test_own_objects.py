"""What can be named to be checked: objects under any name, sources, folders, programs that carry objects."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from unit_samples import ROOT, X86

from harness.errors import (
    EXIT_USAGE,
    BpfmatrixError,
    BuildError,
    CompileError,
    ConfigError,
    ObjectFileError,
    UsageError,
)
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.scenario.case import Case
from harness.supply.dependencies import Sight
from harness.supply.objects import ObjectBuilder
from harness.supply.own.arch_names import parts_of
from harness.supply.own.embedded import embedded_in
from harness.supply.own.given import cases_of, name_of
from harness.supply.own.object_case import ObjectCase
from harness.supply.own.said import Given, Sayings

SOURCE = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
const volatile int wanted = 1;
SEC("xdp") int pass_all(struct xdp_md *ctx) { return wanted; }
SEC("?xdp") int later(struct xdp_md *ctx) { return 2; }
char LICENSE[] SEC("license") = "GPL";
"""
S390 = ARCHITECTURES["s390x"]


@pytest.fixture(scope="session")
def object_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The object of SOURCE, by byte order."""
    folder = tmp_path_factory.mktemp("own")
    source = folder / "own.bpf.c"
    source.write_text(SOURCE)
    builder = ObjectBuilder(cache=Cache(folder / "cache"), include=[])
    made = {}
    for arch in (X86, S390):
        made[arch.byte_order] = shutil.copyfile(builder.object_of(source, arch).path, folder / f"{arch.byte_order}.o")
    return made


@pytest.fixture
def builder(tmp_path: Path) -> ObjectBuilder:
    return ObjectBuilder(cache=Cache(tmp_path / "cache"), include=[ROOT / "bpf/include"])


def cases(*paths: Path, **given: object) -> tuple[ObjectCase, ...]:
    return cases_of(paths, said_of=Sayings(Given(**given)).of)  # type: ignore[arg-type]


def built(case: ObjectCase, builder: ObjectBuilder, arch: Architecture = X86) -> Case:
    return case.build(builder, arch, sight=Sight()).case


def put(folder: Path, source: Path, *names: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [shutil.copyfile(source, folder / name) for name in names]


def parts(case: Case) -> list[str]:
    return [part.name for part in case.parts]


@pytest.mark.parametrize(
    ("name", "key", "arches", "order"),
    [
        ("my_x86_bpfel.o", ("my", ".o"), ("x86_64",), "little"),
        ("bpf_x86_bpfel.o", ("bpf", ".o"), ("x86_64",), "little"),
        ("my_arm64_bpfel.o", ("my", ".o"), ("arm64",), "little"),
        ("my_powerpc_bpfel.o", ("my", ".o"), ("ppc64le",), "little"),
        ("my_s390_bpfeb.o", ("my", ".o"), ("s390x",), "big"),
        ("my_bpfel.o", ("my", ".o"), (), "little"),
        ("my_bpfeb.o", ("my", ".o"), (), "big"),
        ("my.x86_64.bpf.o", ("my", ".bpf.o"), ("x86_64",), ""),
        ("my-amd64.o", ("my", ".o"), ("x86_64",), ""),
        ("my-aarch64.o", ("my", ".o"), ("arm64",), ""),
        ("my.bpf.o", ("my", ".bpf.o"), (), ""),
        ("x86.o", ("x86", ".o"), (), ""),
        ("my tool", ("my tool", ""), (), ""),
    ],
)
def test_what_a_name_says_of_the_architecture(
    name: str, key: tuple[str, str], arches: tuple[str, ...], order: str
) -> None:
    found = parts_of(name)
    assert (found.key, found.arches, found.order) == (key, arches, order)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.bpf.o", "a"),
        ("a.o", "a"),
        ("a.bpf.c", "a"),
        ("a_x86_bpfel.o", "a"),
        ("a.arm64.bpf.o", "a"),
        ("tool", "tool"),
    ],
)
def test_what_an_object_is_called(file: str, name: str) -> None:
    assert name_of(file) == name


def test_any_name_of_a_file(object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder) -> None:
    paths = put(tmp_path / "some folder", object_of["little"], "my probe (2).o", "noend", "-.o")
    made = cases(*paths)
    assert [case.id for case in made] == ["my-probe-2", "noend", "object"]
    assert parts(built(made[1], builder)) == ["pass_all"]


def test_two_of_a_name_are_told_apart_by_their_folders(object_of: dict[str, Path], tmp_path: Path) -> None:
    paths = [put(tmp_path / folder, object_of["little"], "prog.bpf.o")[0] for folder in ("a", "b", "x/b")]
    assert [case.id for case in cases(*paths, paths[0])] == ["a-prog", "b-prog", "prog-2"]


def test_objects_of_several_architectures_are_one_case(
    object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder
) -> None:
    little = put(tmp_path / "o", object_of["little"], "my_x86_bpfel.o", "my_arm64_bpfel.o", "other_x86_bpfel.o")
    big = put(tmp_path / "o", object_of["big"], "my_s390_bpfeb.o")
    (case,) = cases(little[0], big[0])
    assert case.id == "my"
    found = {
        name: case.build(builder, ARCHITECTURES[name], sight=Sight()).files["my"].name
        for name in ("x86_64", "arm64", "s390x")
    }
    assert found == {"x86_64": "my_x86_bpfel.o", "arm64": "my_arm64_bpfel.o", "s390x": "my_s390_bpfeb.o"}
    with pytest.raises(ObjectFileError, match=r"has no my for riscv64 .*it has my_arm64_bpfel.o, .*leave riscv64 out"):
        built(case, builder, ARCHITECTURES["riscv64"])


def test_one_of_a_byte_order_is_for_all_architectures_of_it(
    object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder
) -> None:
    put(tmp_path, object_of["little"], "my_bpfel.o", "my_x86_bpfel.o")
    put(tmp_path, object_of["big"], "my_bpfeb.o")
    (case,) = cases(tmp_path / "my_bpfel.o")
    names = {
        arch: case.build(builder, ARCHITECTURES[arch], sight=Sight()).files["my"].name
        for arch in ("x86_64", "arm64", "s390x")
    }
    assert names == {"x86_64": "my_x86_bpfel.o", "arm64": "my_bpfel.o", "s390x": "my_bpfeb.o"}


def test_an_object_of_the_other_byte_order_is_said(
    object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder
) -> None:
    (path,) = put(tmp_path, object_of["big"], "my.o")
    with pytest.raises(ObjectFileError, match="big-endian BPF object, but x86_64 is little-endian"):
        built(cases(path)[0], builder)


def test_a_source_and_a_folder_of_sources(tmp_path: Path, builder: ObjectBuilder) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/one.bpf.c").write_text(f'#include "own.h"\n{SOURCE}int unused(void) {{ int x; return OWN; }}\n')
    (tmp_path / "src/own.h").write_text("#define OWN 1\n")
    (tmp_path / "src/two.bpf.c").write_text(SOURCE)
    (tmp_path / "src/helper.c").write_text("no BPF")
    made = cases(tmp_path / "src")
    assert [case.id for case in made] == ["one", "two"]
    for case in made:  # with a warning, which is no mistake of the user's
        assert parts(built(case, builder)) == ["pass_all"]
    assert [case.id for case in cases(tmp_path / "src/two.bpf.c")] == ["two"]


def test_flags_and_headers_of_a_source(tmp_path: Path, builder: ObjectBuilder) -> None:
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers/far.h").write_text("#define FAR 1\n")
    (tmp_path / "one.bpf.c").write_text(f"#include <far.h>\n#ifdef ON\n{SOURCE}\n#endif\n")
    with pytest.raises(CompileError, match=r"far\.h"):
        built(cases(tmp_path / "one.bpf.c")[0], builder)
    (tmp_path / "check.yaml").write_text("include: [headers]\ncflags: [-DON]\n")
    assert parts(built(cases(tmp_path / "one.bpf.c")[0], builder)) == ["pass_all"]


def test_a_folder_of_objects(object_of: dict[str, Path], tmp_path: Path) -> None:
    put(tmp_path, object_of["little"], "a.o", "b_x86_bpfel.o", "b_arm64_bpfel.o")
    shutil.copyfile("/bin/true", tmp_path / "c.o")
    assert [case.id for case in cases(tmp_path)] == ["a", "b"]


# --- programs that carry objects -------------------------------------------------------------------------------


def program(folder: Path, objects: dict[str, Path], *, name: str = "my-tool") -> Path:
    """A program with these objects in variables of these names, as skeletons and include_bytes! have them."""
    lines = ["char start[] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0};", "int main(void) { return 0; }"]
    for symbol, path in objects.items():
        data = ", ".join(map(str, path.read_bytes()))
        lines.append(f"__attribute__((used, aligned(8))) static const unsigned char {symbol}[] = {{{data}}};")
    folder.mkdir(exist_ok=True)
    (folder / "tool.c").write_text("\n".join(lines))
    subprocess.run(["clang", "-o", folder / name, folder / "tool.c"], check=True)
    return folder / name


def test_objects_in_a_program(object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder) -> None:
    tool = program(
        tmp_path, {"first_bytes": object_of["little"], "data": object_of["big"], "same": object_of["little"]}
    )
    found = {each.name: each.data for each in embedded_in(tool.read_bytes())}
    assert sorted(found) == ["2", "first_bytes"] or sorted(found) == ["1", "first_bytes"]
    assert found["first_bytes"] == object_of["little"].read_bytes()
    made = cases(tool)
    first = next(case for case in made if case.id == "my-tool-first_bytes")
    assert parts(built(first, builder)) == ["pass_all"]
    with pytest.raises(ObjectFileError, match=r"is a program for x86_64, .*not for arm64"):
        built(first, builder, ARCHITECTURES["arm64"])


def test_a_stripped_program_with_one_object_gives_it_its_own_name(
    object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder
) -> None:
    tool = program(tmp_path, {"first_bytes": object_of["little"]})
    subprocess.run(["strip", tool], check=True)
    (case,) = cases(tool)
    assert case.id == "my-tool"
    assert parts(built(case, builder)) == ["pass_all"]


def test_what_only_begins_like_an_object_is_none(object_of: dict[str, Path]) -> None:
    whole = object_of["little"].read_bytes()
    assert [each.data for each in embedded_in(b"x" + whole + b"y")] == [whole]
    assert embedded_in(whole) == []
    assert embedded_in(b"x" + whole[:-1]) == []
    assert embedded_in(b"x" + whole[:70]) == []
    other = bytearray(whole)
    struct.pack_into("<H", other, 18, 62)
    assert embedded_in(b"x" + bytes(other)) == []


# --- what is said, and mistakes --------------------------------------------------------------------------------


def test_check_yaml_beside_an_object(object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder) -> None:
    path, other = put(tmp_path, object_of["little"], "my.bpf.o", "other.bpf.o")
    (tmp_path / "check.yaml").write_text("autoload: {later: true}\n")
    (tmp_path / "other.check.yaml").write_text("programs: later\nmodules: [veth]\n")
    assert parts(built(cases(path)[0], builder)) == ["pass_all", "later", "all-together"]
    (second,) = cases(other)
    assert (parts(built(second, builder)), second.modules) == (["later"], ("veth",))
    assert parts(built(cases(other, programs=["pass*"])[0], builder)) == ["pass_all"]
    assert parts(built(cases(path, file=tmp_path / "other.check.yaml")[0], builder)) == ["later"]


def test_options_of_the_command_line(object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder) -> None:
    (path,) = put(tmp_path, object_of["little"], "my.bpf.o")
    made = built(cases(path, rodata=["wanted=0x10"], require_run=True)[0], builder)
    (opened,) = [step for step in made.parts[0].steps if step.op == "open"]
    assert (opened.args["rodata"], made.require_run) == ({"wanted": 16}, True)
    made = built(cases(path, run=False)[0], builder)
    assert "workload" not in [step.op for step in made.parts[0].steps]


def test_names_that_are_not_there_are_said_with_their_place(
    object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder
) -> None:
    (path,) = put(tmp_path, object_of["little"], "my.bpf.o")
    (tmp_path / "check.yaml").write_text("# mine\nautoload: {latr: true}\n")
    with pytest.raises(ConfigError, match=r'check.yaml:2: autoload.latr: .* did you mean "later"') as caught:
        built(cases(path, programs=["pas_all"], rodata=["wantd=1"])[0], builder)
    said = str(caught.value).splitlines()
    assert '--program pas_all: the object has no program "pas_all"; did you mean "pass_all"?' in said[0]
    assert any(line.startswith("--rodata wantd=1: the object has no global variable") for line in said)


@pytest.mark.parametrize("text", ["wanted", "=1", "wanted=", "wanted=[", "1x=1"])
def test_rodata_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError):
        Sayings(Given(rodata=[text]))


def test_nothing_to_try(object_of: dict[str, Path], tmp_path: Path, builder: ObjectBuilder) -> None:
    (path,) = put(tmp_path, object_of["little"], "my.bpf.o")
    (tmp_path / "check.yaml").write_text("autoload: {pass_all: false}\n")
    with pytest.raises(ObjectFileError, match=r"all programs of .* are off \(pass_all, later\).*--program"):
        built(cases(path)[0], builder)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/none.bpf.c").write_text("int x;\n")
    with pytest.raises(BuildError, match="has no program"):
        built(cases(tmp_path / "own/none.bpf.c")[0], builder)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.o", "there is no none.o in"),
        ("text.o", "is neither a BPF object nor a program"),
        ("true", "is a program or object for machine"),
        ("folder", "has no BPF source"),
    ],
)
def test_what_cannot_be_checked_is_said(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "text.o").write_text("text")
    (tmp_path / "folder").mkdir()
    shutil.copyfile("/bin/true", tmp_path / "true")
    with pytest.raises(UsageError, match=said) as caught:
        cases(tmp_path / name)
    error: BpfmatrixError = caught.value
    assert error.exit_code == EXIT_USAGE


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        cases(tmp_path / "a.o", tmp_path / "b.o")
    assert len(str(caught.value).splitlines()) == 2
