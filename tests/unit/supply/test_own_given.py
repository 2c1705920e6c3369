"""What can be named to be checked: objects under any name, sources, folders, programs that carry objects."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from own_samples import SOURCE, built, cases, file_for, object_of, parts, program, put

from harness.errors import (
    EXIT_USAGE,
    BpfmatrixError,
    ObjectFileError,
    UsageError,
)
from harness.model.architectures import ARCHITECTURES
from harness.supply.own.embedded import embedded_in
from harness.supply.own.given import name_of


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
    assert name_of("my-el.elf") == "my"


def test_any_name_of_a_file(tmp_path: Path) -> None:
    paths = put(tmp_path / "some folder", "little", "my probe (2).o", "noend", "-.o")
    made = cases(*paths)
    assert [case.id for case in made] == ["my-probe-2", "noend", "object"]
    assert parts(built(made[1], tmp_path)) == ["pass_all"]


def test_a_folder_with_nothing_to_try_says_what_is_near(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for name in ("e/deep/x.bpf.c", "README", "d/e/f/g.bpf.c"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    nothing = f"{top} has no BPF source (*.bpf.c) and no BPF object (*.o, *.elf)"

    def said() -> str:
        with pytest.raises(UsageError) as caught:
            cases(top)
        return str(caught.value)

    assert said() == f"{nothing}; folders below it have: {top}/e/deep"
    for name in "abcde":
        (top / name).mkdir(exist_ok=True)
        (top / name / "x.bpf.o").touch()
    assert said() == f"{nothing}; folders below it have: {top}/a, {top}/b, {top}/c and 2 more"
    (top / "none").mkdir()
    for name in ("two.c", "one.c"):
        (top / name).touch()
    assert said() == f"{nothing}. If one.c is for BPF, name such sources themselves: {top}/*.c"
    with pytest.raises(UsageError, match=r"has no BPF source \(\*\.bpf\.c\) and no BPF object \(\*\.o, \*\.elf\)$"):
        cases(top / "none")


def test_two_of_a_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [put(tmp_path / folder, "little", "prog.bpf.o")[0] for folder in ("a", "b", "x/b")]
    assert [case.id for case in cases(*paths, paths[0])] == ["a-prog", "b-prog", "prog-2"]


def test_the_folder_that_tells_them_apart_may_lie_above(tmp_path: Path) -> None:
    paths = [put(tmp_path / folder / "src/bpf", "little", "main.bpf.o")[0] for folder in ("flash", "rusty", "layered")]
    assert [case.id for case in cases(*paths)] == ["flash-main", "rusty-main", "layered-main"]


def test_a_source_and_a_folder_of_sources(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/one.bpf.c").write_text(f'#include "own.h"\n{SOURCE}int unused(void) {{ int x; return OWN; }}\n')
    (tmp_path / "src/own.h").write_text("#define OWN 1\n")
    (tmp_path / "src/two.bpf.c").write_text(SOURCE)
    (tmp_path / "src/helper.c").write_text("no BPF")
    made = cases(tmp_path / "src")
    assert [case.id for case in made] == ["one", "two"]
    for case in made:  # with a warning, which is no mistake of the user's
        assert parts(built(case, tmp_path)) == ["pass_all"]
    assert [case.id for case in cases(tmp_path / "src/two.bpf.c")] == ["two"]


def test_a_folder_of_objects(tmp_path: Path) -> None:
    put(tmp_path, "little", "a.o", "b_x86_bpfel.o", "b_arm64_bpfel.o", "d-el.elf")
    put(tmp_path, "big", "d-eb.elf")
    shutil.copyfile("/bin/true", tmp_path / "c.o")
    made = cases(tmp_path)
    assert [case.id for case in made] == ["a", "b", "d"]
    assert [file_for(made[2], tmp_path, arch) for arch in ("x86_64", "s390x")] == ["d-el.elf", "d-eb.elf"]


def test_objects_in_a_program(tmp_path: Path) -> None:
    tool = program(
        tmp_path, {"first_bytes": object_of("little"), "data": object_of("big"), "same": object_of("little")}
    )
    found = {each.name: each.data for each in embedded_in(tool.read_bytes())}
    assert sorted(found) == ["first_bytes", "own"]
    assert found["first_bytes"] == object_of("little").read_bytes()
    made = cases(tool)
    first = next(case for case in made if case.id == "my-tool-first_bytes")
    assert parts(built(first, tmp_path)) == ["pass_all"]
    with pytest.raises(ObjectFileError, match=r"is a program for x86_64, .*not for arm64"):
        built(first, tmp_path, ARCHITECTURES["arm64"])


def test_a_stripped_program_with_one_object_gives_it_its_own_name(tmp_path: Path) -> None:
    tool = program(tmp_path, {"first_bytes": object_of("little")})
    subprocess.run(["strip", tool], check=True)
    (case,) = cases(tool)
    assert case.id == "my-tool"
    assert parts(built(case, tmp_path)) == ["pass_all"]


def test_a_program_with_several_names_is_one(tmp_path: Path) -> None:
    tool = program(tmp_path, {"first_bytes": object_of("little")})
    link = tool.with_name("another-name")
    link.symlink_to(tool.name)
    assert [case.id for case in cases(tool, link)] == ["my-tool"]
    assert [case.id for case in cases(link)] == ["another-name"]


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
