"""What a case that is no command brings into its guest, and what is wrong with that: by file, line and key."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.config.case_folders import load_case
from harness.errors import ConfigError
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.scenario.case import Case
from harness.scenario.from_yaml import compile_case
from harness.supply.brought import brought_by
from harness.supply.elf import read_needs
from harness.supply.image import cpio
from harness.supply.image.guest_files import GuestFiles
from harness.supply.image.packages import PackageArchive
from harness.supply.libraries import FOLDER
from harness.supply.pushed import SERIAL_PARCEL_BYTES, Pushed
from harness.supply.wanted import Guest

HOST = host_architecture() or ARCHITECTURES["x86_64"]
OTHER = next(arch for arch in ARCHITECTURES.values() if arch is not HOST)
CC = shutil.which("gcc") or shutil.which("clang") or "cc"
OWN = "/run/bpfmatrix/my-case"
OPENED = "trigger: {kind: open}"


def guest(folder: Path, glibc: bytes) -> Guest:
    needs = read_needs(Path("/bin/sh").resolve())
    assert needs is not None
    nodes = [cpio.file("usr/bin/busybox", b""), cpio.link("bin", "usr/bin"), cpio.link("usr/bin/sh", "busybox")]
    nodes += [cpio.file("usr/lib/x/libc.so.6", glibc + b"\0"), cpio.file(needs.loader.lstrip("/"), b"")]
    (folder / "base.cpio").write_bytes(cpio.archive(nodes))

    def packages(_names: Sequence[str], _arch: Architecture) -> PackageArchive:
        raise AssertionError("no case but a command has packages")

    return Guest(files=lambda _arch, _more: GuestFiles([folder / "base.cpio"]), packages=packages)


def written(folder: Path, trigger: str, *more: str, attach_to: str = "") -> Path:
    """Write a case into a folder; its trigger is in line 4, and what is `more` begins in line 6."""
    case = folder / "my-case"
    case.mkdir(exist_ok=True)
    place = f", attach-to: {{p: '{attach_to}'}}" if attach_to else ""
    lines = ["# the case", "title: t", f"target: {{object: a.bpf.c, attach: [p]{place}}}", trigger, "observe: {}"]
    (case / "case.yaml").write_text("\n".join([*lines, *more]) + "\n")
    (case / "a.bpf.c").write_text("")
    return case


def ready(case: Path, *, arch: Architecture = HOST, glibc: bytes = b"GLIBC_2.99") -> tuple[Case, Pushed]:
    found = load_case(case)
    brought = brought_by(found)
    assert brought is not None
    return brought.ready(compile_case(found), arch, guest(case.parent, glibc))


def problems(case: Path, *, arch: Architecture = HOST) -> list[str]:
    """The mistakes of a case, without the folder of its case.yaml."""
    with pytest.raises(ConfigError) as caught:
        ready(case, arch=arch)
    return [line.partition("my-case/")[2] for line in str(caught.value).splitlines()]


def script(path: Path, line: str = "#!/bin/sh", mode: int = 0o755) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{line}\n")
    path.chmod(mode)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with a library of its own, which it finds by its run path."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "own.c").write_text("int own(void) { return 7; }")
    (folder / "main.c").write_text(
        "int own(void); int traced(void) { return own(); } int main(void) { return traced(); }"
    )
    subprocess.run([CC, "-shared", "-fPIC", "own.c", "-o", "libown.so"], cwd=folder, check=True)
    subprocess.run([CC, "main.c", "-o", "my-test", "-L.", "-lown", f"-Wl,-rpath,{folder}"], cwd=folder, check=True)
    needs_more = ["-Wl,--no-as-needed", "-lresolv"]  # a part of the C library that the guest does not have
    subprocess.run([CC, "main.c", "-o", "resolver", "-L.", "-lown", *needs_more], cwd=folder, check=True)
    return folder / "my-test"


def test_a_case_that_names_no_file_brings_nothing(tmp_path: Path) -> None:
    assert brought_by(load_case(written(tmp_path, OPENED))) is None


def test_small_files_lie_in_the_cases_own_folder_of_a_guest_that_others_share(tmp_path: Path) -> None:
    case = written(tmp_path, "trigger: {kind: exec, command: [./run, x]}", "files: [data, 'data/file:other/name']")
    script(case / "run")
    script(case / "data/file")
    made, pushed = ready(case)
    assert [(file.path, stat.S_ISDIR(file.mode)) for file in pushed.files] == [
        (f"{OWN}/data", True),
        (f"{OWN}/data/file", False),
        (f"{OWN}/other/name", False),
        (f"{OWN}/run", False),
    ]
    assert (made.own.folder, made.own.starts, made.own.env, made.alone) == (OWN, {}, {}, False)


@pytest.mark.parametrize("files", ["files: ['data:/etc/data']", "files: [large]"])
def test_large_files_and_those_elsewhere_go_into_a_guest_of_the_cases_own(files: str, tmp_path: Path) -> None:
    case = written(tmp_path, OPENED, files)
    (case / "data").write_text("x")
    (case / "large").write_bytes(bytes(SERIAL_PARCEL_BYTES + 1))
    assert ready(case)[0].alone


def test_a_program_brings_its_libraries_and_is_started_with_them(tmp_path: Path, program: Path) -> None:
    case = written(tmp_path, "trigger: {kind: exec, command: ./my-test}")
    shutil.copy(program, case)
    made, pushed = ready(case)
    assert [file.path for file in pushed.files] == [f"{OWN}/my-test", f"{FOLDER}/libown.so"]
    assert (made.own.env, made.own.starts, made.alone) == ({"LD_LIBRARY_PATH": FOLDER}, {}, True)
    made, _ = ready(case, glibc=b"GLIBC_2.1")
    loader, *rest = made.own.starts[f"{OWN}/my-test"]
    assert (made.own.env, rest) == ({}, ["--library-path", FOLDER])
    assert loader.startswith(FOLDER)


def test_where_one_program_needs_the_hosts_c_library_all_are_started_with_it(tmp_path: Path, program: Path) -> None:
    case = written(tmp_path, "trigger: {kind: exec, command: ./my-test}", "files: [resolver]")
    shutil.copy(program, case)
    shutil.copy(program.parent / "resolver", case)
    made, pushed = ready(case)
    assert made.own.starts.keys() == {f"{OWN}/my-test", f"{OWN}/resolver"}
    names = {file.path.removeprefix(f"{FOLDER}/") for file in pushed.files}
    assert {"libown.so", "libc.so.6", "libresolv.so.2"} <= names


def test_a_binary_that_is_attached_to_comes_by_itself(tmp_path: Path, program: Path) -> None:
    case = written(tmp_path, OPENED, attach_to="./my-test:traced+0x4")
    shutil.copy(program, case)
    assert ready(case)[1].files[0].path == f"{OWN}/my-test"
    case = written(tmp_path, OPENED, "files: ['libown.so:lib/it.so']", attach_to="./lib/it.so:o*n")
    shutil.copy(program.parent / "libown.so", case)
    assert ready(case)[1].files[0].path == f"{OWN}/lib/it.so"


EXEC = "trigger: {kind: exec, command: [./run]}"


@pytest.mark.parametrize(
    ("trigger", "more", "text"),
    [
        (EXEC, "", "case.yaml:4: trigger.command: ./run: there is no such file, neither here ("),
        (OPENED, "files: [data, none]", "case.yaml:6: files[1]: "),
        (OPENED, "files: {none: x}", "case.yaml:6: files.none: "),
        (
            OPENED,
            "files: ['data:../x']",
            "case.yaml:6: files[0]: ../x leads out of the case's own folder in the guest (",
        ),
        (
            "trigger: {kind: exec, command: [../run]}",
            "",
            "case.yaml:4: trigger.command: ../run leads out of the case's own folder in the guest (",
        ),
        (
            OPENED,
            "files: [data, 'other:data']",
            f"case.yaml:6: files[1]: other would take the place of data ({OWN}/data)",
        ),
        ("trigger: {kind: exec, command: [./folder]}", "", "case.yaml:4: trigger.command: ./folder is a folder"),
        (
            "trigger: {kind: exec, command: [./folder]}",
            "files: [folder]",
            f"case.yaml:4: trigger.command: {OWN}/folder is a folder, and no program",
        ),
        (
            "trigger: {kind: exec, command: [./data]}",
            "",
            "is not executable: chmod +x",
        ),
    ],
)
def test_a_file_that_cannot_be_brought_is_named_with_its_line(
    trigger: str, more: str, text: str, tmp_path: Path
) -> None:
    case = written(tmp_path, trigger, more)
    script(case / "data", mode=0o644)
    script(case / "other")
    (case / "folder").mkdir()
    (found,) = problems(case)
    assert text in found


def test_an_interpreter_that_is_not_there_is_no_matter_of_packages(tmp_path: Path) -> None:
    case = written(tmp_path, EXEC)
    script(case / "run", "#!/usr/bin/bash")
    (found,) = problems(case)
    assert found.startswith("case.yaml:4: trigger.command: ")
    assert found.endswith("needs /usr/bin/bash, which is not in the guest: push it, or begin it with #!/bin/sh")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("./my-test:trace", 'has no function "trace"; did you mean "traced"?'),
        ("./my-test", '"./my-test" names no function: ./my-test:FUNCTION'),
        ("./none:main", "./none: there is no such file, neither here ("),
        ("./../x:main", "./../x leads out of the case's own folder in the guest ("),
        ("./folder:main", "./folder is a folder"),
        ("./data:main", "is no ELF file, so it has no functions"),
        ("./stripped:main", "has no functions among its symbols: build it without strip"),
    ],
)
def test_a_place_that_is_not_in_a_binary_is_named_with_its_line(
    place: str, text: str, tmp_path: Path, program: Path
) -> None:
    case = written(tmp_path, OPENED, attach_to=place)
    shutil.copy(program, case)
    (case / "stripped").write_bytes(program.read_bytes())
    subprocess.run(["strip", "stripped"], cwd=case, check=True)
    script(case / "data")
    (case / "folder").mkdir()
    (found,) = problems(case)
    assert found.startswith("case.yaml:3: target.attach-to.p: ")
    assert text in found


def test_a_binary_of_another_architecture_is_neither_started_nor_attached_to(tmp_path: Path, program: Path) -> None:
    case = written(tmp_path, "trigger: {kind: exec, command: ./my-test}", attach_to="./my-test:traced")
    shutil.copy(program, case)
    found = problems(case, arch=OTHER)
    assert [line.partition(" ")[0] for line in found] == ["case.yaml:3:", "case.yaml:4:"]
    assert f"is for {HOST.name}, and no kernel for {OTHER.name} runs it" in found[0]
    assert f"is a program for {HOST.name}, and cannot run on a kernel for {OTHER.name}" in found[1]
