"""The compilers of objects: what tells them apart, and a release that is unpacked and runs by its own loader."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from unit_samples import package_file

from harness.errors import ConfigError, ImageError
from harness.host.cache import Cache
from harness.supply.compilers import (
    HostCompiler,
    UnpackedCompiler,
    needed,
    put_together,
    started_by,
    version_in,
)
from harness.supply.debian.apt import PackageFile
from harness.supply.elf import read_needs
from harness.supply.libraries import DEFAULT_FOLDERS, configured_folders, find_libraries

PACKAGES = (package_file("clang-14"), package_file("libllvm14"), package_file("libc6"), package_file("libc6-dev"))


def tree(root: Path, *, headers: bool = True) -> Path:
    """Unpacked packages of a clang: a program of the host stands for it, with the loader and libraries that it needs.

    It writes how it was started.
    """
    program = Path("/bin/echo").resolve()
    found = find_libraries(program, folders=[*configured_folders(), *DEFAULT_FOLDERS])
    folder = root / "usr/lib/x86_64-linux-gnu"
    folder.mkdir(parents=True)
    for name, path in found.libraries.items():
        shutil.copy(path, folder / f"{name}.real")
        (folder / name).symlink_to(f"/usr/lib/x86_64-linux-gnu/{name}.real")
    (root / "lib64").mkdir()
    shutil.copy(found.loader, root / "lib64" / Path(found.loader).name)
    (root / "usr/lib/llvm-14/bin").mkdir(parents=True)
    shutil.copy(program, root / "usr/lib/llvm-14/bin/clang-14")
    (root / "usr/lib/llvm-14/bin/clang").symlink_to("clang-14")
    if headers:
        own = root / "usr/lib/llvm-14/lib/clang/14.0.6/include"
        own.mkdir(parents=True)
        (own / "stddef.h").write_text("/* own */")
    return root


def test_a_release_runs_by_its_own_loader_and_has_its_own_headers(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    put_together(tree(tmp_path / "root"), folder, release="14")
    loader, option, libraries, program, *more = started_by(folder)
    assert [Path(each).parent for each in (loader, libraries)] == [folder / "loader", folder]
    assert (option, more) == ("--library-path", ["-resource-dir", str(folder / "resource")])
    assert (folder / "resource/include/stddef.h").read_text() == "/* own */"
    needs = read_needs(Path(program))
    assert needs is not None
    assert set(needs.needed) <= {path.name for path in (folder / "lib").iterdir()}
    done = subprocess.run([*started_by(folder), "hello"], capture_output=True, text=True, check=True)
    assert done.stdout == f"-resource-dir {folder / 'resource'} hello\n"


def test_what_packages_lack_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="clang-15 has no usr/lib/llvm-15/bin/clang"):
        put_together(tree(tmp_path / "root"), tmp_path, release="15")
    with pytest.raises(ImageError, match="do not have its own headers"):
        put_together(tree(tmp_path / "bare", headers=False), folder_in(tmp_path), release="14")
    root = tree(tmp_path / "incomplete")
    (root / "usr/lib/x86_64-linux-gnu/libc.so.6").unlink()
    with pytest.raises(ImageError, match=r"clang-14 needs libc\.so\.6, which no package"):
        put_together(root, folder_in(tmp_path), release="14")


def folder_in(folder: Path) -> Path:
    made = folder / f"made-{len(list(folder.iterdir()))}"
    made.mkdir()
    return made


def test_it_is_unpacked_once_and_only_when_it_must_compile(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def unpack(packages: Sequence[PackageFile], scratch: Path) -> Path:
        asked.append([package.name for package in packages])
        return tree(scratch / "root")

    cache = Cache(tmp_path / "version 14.0.6")  # what stands for clang writes its words, and this is in one of them
    compiler = UnpackedCompiler("14", cache=cache, packages=lambda: PACKAGES, unpack=unpack)
    said, files = compiler.identity()
    assert (said, asked) == ("clang-14", [])
    assert compiler.clang() == compiler.clang()
    assert compiler.clang().version == "14.0.6"
    assert asked == [["clang-14", "libllvm14", "libc6"]]
    other = UnpackedCompiler("14", cache=cache, packages=lambda: PACKAGES[:2], unpack=unpack)
    assert other.identity() != (said, files)


def test_one_that_cannot_run_is_no_compiler(tmp_path: Path) -> None:
    def unpack(_: Sequence[PackageFile], scratch: Path) -> Path:
        root = tree(scratch / "root")
        shutil.copy("/bin/false", root / "usr/lib/llvm-14/bin/clang-14")
        return root

    compiler = UnpackedCompiler("14", cache=Cache(tmp_path), packages=lambda: PACKAGES, unpack=unpack)
    with pytest.raises(ImageError, match="clang-14 cannot run on this host"):
        compiler.clang()


def test_what_compiling_for_bpf_does_not_need_is_left_out() -> None:
    kept = (
        "clang-14",
        "libclang-common-14-dev",
        "libclang-cpp14",
        "libllvm19",
        "libc6",
        "libstdc++6",
        "libz3-4",
        "zlib1g",
    )
    left = ("libc6-dev", "libstdc++-12-dev", "gcc-12-base", "binutils", "llvm-14-linker-tools", "libclang1-14", "perl")
    assert [name for name in (*kept, *left) if needed(name)] == list(kept)


def test_versions_are_read_from_what_a_clang_says_of_itself() -> None:
    assert version_in("Debian clang version 19.1.7 (3~deb12u1)\nTarget: x86_64-pc-linux-gnu\n") == "19.1.7"
    assert version_in("clang version 22.0.0git (https://a.example/llvm 0123)") == "22.0.0"
    assert version_in("gcc (Debian)") == ""


def test_a_clang_of_ones_own_is_told_by_its_banner_and_its_file(tmp_path: Path) -> None:
    own = tmp_path / "clang"
    own.write_text("#!/bin/sh\necho clang version 23.1.0\n")
    own.chmod(0o755)
    compiler = HostCompiler(own)
    assert (compiler.clang().argv, compiler.clang().version) == ((str(own),), "23.1.0")
    before = HostCompiler(own).identity()
    own.write_text("#!/bin/sh\necho clang version 23.1.0 # again\n")
    assert HostCompiler(own).identity() != before
    with pytest.raises(ConfigError, match="there is no clang"):
        HostCompiler(tmp_path / "none").clang()


def test_the_hosts_clang_is_the_one_that_is_found() -> None:
    compiler = HostCompiler()
    assert compiler.clang().version
    assert Path(compiler.clang().argv[0]).name == "clang"
