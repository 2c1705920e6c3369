"""What a command brings into its guest: its own file, its libraries, its interpreter."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.scenario.case import Case
from harness.scenario.from_command import Command, case_of
from harness.supply.elf import read_needs
from harness.supply.image import cpio
from harness.supply.image.guest_files import GuestFiles
from harness.supply.image.packages import PackageArchive
from harness.supply.libraries import FOLDER
from harness.supply.pushed import Push, Pushed
from harness.supply.wanted import Guest, Wanted

HOST = host_architecture() or ARCHITECTURES["x86_64"]
OTHER = next(arch for arch in ARCHITECTURES.values() if arch is not HOST)
CC = shutil.which("gcc") or shutil.which("clang") or "cc"


def guest(folder: Path, *nodes: cpio.Node) -> Guest:
    (folder / "base.cpio").write_bytes(
        cpio.archive(
            [cpio.file("usr/bin/busybox", b""), cpio.link("bin", "usr/bin"), cpio.link("usr/bin/sh", "busybox"), *nodes]
        )
    )
    (folder / "packages.cpio").write_bytes(cpio.archive([cpio.file("usr/bin/bash", b"")]))

    def files(_: Architecture, more: Sequence[Path]) -> GuestFiles:
        return GuestFiles([folder / "base.cpio", *more])

    def packages(names: Sequence[str], _: Architecture) -> PackageArchive:
        return PackageArchive(path=folder / "packages.cpio", versions=tuple(f"{name} 1" for name in names))

    return Guest(files=files, packages=packages)


def ready(
    folder: Path,
    *argv: str,
    files: Sequence[Push] = (),
    packages: tuple[str, ...] = (),
    arch: Architecture = HOST,
    nodes: Sequence[cpio.Node] = (),
) -> tuple[Case, Pushed]:
    command = Command(argv=argv, env={"A": "1"})
    case = case_of(command, id="it", title="it")
    wanted = Wanted(command=command, folder=folder, files=tuple(files), packages=packages)
    (folder / "guest").mkdir(exist_ok=True)
    return wanted.ready(case, arch, guest(folder / "guest", *nodes))


def script(path: Path, line: str = "#!/bin/sh") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{line}\n")
    path.chmod(0o755)
    return path


def problem(folder: Path, *argv: str, **more: object) -> str:
    with pytest.raises(ConfigError) as caught:
        ready(folder, *argv, **more)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_command_of_the_guest_brings_nothing(tmp_path: Path) -> None:
    case, pushed = ready(tmp_path, "true", "./x")
    assert pushed == Pushed()
    assert case.steps[0].args["argv"] == ["true", "./x"]


def test_a_relative_command_is_pushed_by_itself(tmp_path: Path) -> None:
    script(tmp_path / "build/my-test")
    _, pushed = ready(tmp_path, "./build/my-test", "-v")
    (file,) = pushed.files
    assert (file.path, file.source, stat.S_IMODE(file.mode)) == (
        "/root/build/my-test",
        tmp_path / "build/my-test",
        0o755,
    )


def test_an_absolute_one_is_where_it_is_here_unless_the_guest_has_one(tmp_path: Path) -> None:
    path = script(tmp_path / "my-test")
    assert [file.path for file in ready(tmp_path, str(path))[1].files] == [str(path)]
    assert ready(tmp_path, "/bin/sh", "-c", "true")[1].files == ()


def test_a_file_that_is_pushed_to_the_commands_place_is_the_command(tmp_path: Path) -> None:
    path = script(tmp_path / "other")
    folder = script(tmp_path / "folder/inner").parent
    _, pushed = ready(tmp_path, "./my-test", files=[Push(file="other", folder=tmp_path, to="my-test")])
    assert [(file.path, file.source) for file in pushed.files] == [("/root/my-test", path)]
    _, pushed = ready(tmp_path, "./folder/inner", files=[Push(file="folder", folder=tmp_path)])
    assert [file.path for file in pushed.files] == ["/root/folder", "/root/folder/inner"]
    assert pushed.files[1].source == folder / "inner"


def test_a_command_that_is_nowhere_is_a_mistake(tmp_path: Path) -> None:
    assert problem(tmp_path, "./my-test").startswith("./my-test: there is no such file, neither here (")
    assert "cannot be pushed" in problem(tmp_path, "true", files=[Push(file="none", folder=tmp_path)])


def test_a_scripts_interpreter_must_be_there(tmp_path: Path) -> None:
    script(tmp_path / "it", "#!/usr/bin/bash -e")
    text = problem(tmp_path, "./it")
    assert "needs /usr/bin/bash, which is not in the guest: give the package that has it (--package bash)" in text
    _, pushed = ready(tmp_path, "./it", packages=("bash",))
    assert pushed.archives == (tmp_path / "guest/packages.cpio",)
    assert pushed.notes == (f"packages ({HOST.name}): bash 1",)
    _, pushed = ready(tmp_path, "./it", files=[Push(file="it", folder=tmp_path, to="/usr/bin/bash")])
    assert len(pushed.files) == 2


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with a library of its own, which it finds by its run path."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "own.c").write_text("int own(void) { return 7; }")
    (folder / "main.c").write_text("int own(void); int main(void) { return own(); }")
    (folder / "lib").mkdir()
    subprocess.run([CC, "-shared", "-fPIC", "own.c", "-o", "lib/libown.so"], cwd=folder, check=True)
    run_path = "-Wl,-rpath,$ORIGIN/lib"
    subprocess.run([CC, "main.c", "-o", "my-test", "-Llib", "-lown", run_path], cwd=folder, check=True)
    return folder / "my-test"


def libc_of_guest(version: bytes = b"GLIBC_2.99") -> list[cpio.Node]:
    """A C library and its loader, as far as anybody looks at them."""
    needs = read_needs(Path("/bin/sh").resolve())
    assert needs is not None
    return [cpio.file("usr/lib/x/libc.so.6", version + b"\0"), cpio.file(needs.loader.lstrip("/"), b"")]


def test_libraries_go_along_and_are_found_by_a_variable(program: Path) -> None:
    case, pushed = ready(program.parent, "./my-test", "x", nodes=libc_of_guest())
    found = {file.path: file.source for file in pushed.files}
    assert found[f"{FOLDER}/libown.so"] == program.parent / "lib/libown.so"
    assert not any("libc.so" in path for path in found)
    assert case.steps[0].args["argv"] == ["./my-test", "x"]
    assert case.steps[0].args["env"] == {"A": "1", "LD_LIBRARY_PATH": FOLDER}


def test_where_the_guests_c_library_is_too_old_the_hosts_runs_the_program(program: Path) -> None:
    case, pushed = ready(program.parent, "./my-test", "x", nodes=libc_of_guest(b"GLIBC_2.1"))
    names = {file.path.rpartition("/")[2] for file in pushed.files}
    loader, *rest = case.steps[0].args["argv"]
    assert {"libown.so", "libc.so.6", loader.rpartition("/")[2]} <= names
    assert rest == ["--library-path", FOLDER, "/root/my-test", "x"]
    assert case.steps[0].args["env"] == {"A": "1"}
    assert case.steps[0].what == "my-test"


def test_a_library_that_is_nowhere_is_named(tmp_path: Path, program: Path) -> None:
    shutil.copy(program, tmp_path / "my-test")
    text = problem(tmp_path, "./my-test", nodes=libc_of_guest())
    assert "my-test needs libown.so, which neither this machine nor the guest has" in text
    _, pushed = ready(
        tmp_path, "./my-test", nodes=libc_of_guest(), files=[Push(file=str(program.parent / "lib"), folder=tmp_path)]
    )
    assert "libown.so" not in {file.path.rpartition("/")[2] for file in pushed.files if FOLDER in file.path}


def test_a_program_for_another_architecture_is_refused_before_any_guest(program: Path) -> None:
    text = problem(program.parent, "./my-test", arch=OTHER)
    assert f"is a program for {HOST.name}, and cannot run on a kernel for {OTHER.name}" in text
