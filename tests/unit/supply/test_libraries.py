"""Which libraries a program needs, and which of them go along."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.supply.elf import Needs
from harness.supply.libraries import (
    DEFAULT_FOLDERS,
    Along,
    Found,
    along_with,
    configured_folders,
    find_libraries,
    of_libc,
)


class Host:
    """Files with what they need, as `read_needs` would say."""

    def __init__(self, folder: Path, **files: Needs) -> None:
        self.folder = folder
        self.needs: dict[Path, Needs] = {}
        for name, needs in files.items():
            self.add(name, needs)

    def add(self, name: str, needs: Needs) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.needs[path] = needs
        return path

    def read(self, path: Path) -> Needs | None:
        return self.needs.get(path)

    def found(self, program: Path, *folders: str) -> Found:
        return find_libraries(program, folders=[str(self.folder / each) for each in folders], read=self.read)

    def names(self, found: Found) -> dict[str, str]:
        return {name: str(path.relative_to(self.folder)) for name, path in found.libraries.items()}


def needs(*names: str, arch: str = "x86_64", glibc: tuple[int, ...] = (), **more: Any) -> Needs:
    return Needs(arch=arch, loader="/lib64/ld-linux-x86-64.so.2", needed=names, glibc=glibc, **more)


def test_libraries_of_libraries_are_found_and_the_first_folder_counts(tmp_path: Path) -> None:
    host = Host(tmp_path)
    program = host.add("program", needs("a.so"))
    for folder in ("one", "two"):
        host.add(f"{folder}/b.so", needs())
    host.add("two/a.so", needs("b.so", "c.so"))
    found = host.found(program, "one", "two")
    assert host.names(found) == {"a.so": "two/a.so", "b.so": "one/b.so"}
    assert found.missing == {"c.so": "a.so"}


def test_another_architecture_is_passed_over(tmp_path: Path) -> None:
    host = Host(tmp_path)
    program = host.add("program", needs("a.so"))
    host.add("one/a.so", needs(arch="386"))
    host.add("two/a.so", needs())
    assert host.names(host.found(program, "one", "two")) == {"a.so": "two/a.so"}


def test_run_paths_come_before_the_folders_and_the_old_kind_is_inherited(tmp_path: Path) -> None:
    host = Host(tmp_path)
    for folder in ("own", "all"):
        for name in ("a.so", "b.so"):
            host.add(f"{folder}/{name}", needs("b.so") if name == "a.so" else needs())
    origin = ("$ORIGIN/own",)
    new = host.add("new", needs("a.so", runpath=origin))
    old = host.add("old", needs("a.so", rpath=origin))
    both = host.add("both", needs("a.so", rpath=origin, runpath=("${ORIGIN}/all",)))
    assert host.names(host.found(new, "all")) == {"a.so": "own/a.so", "b.so": "all/b.so"}
    assert host.names(host.found(old, "all")) == {"a.so": "own/a.so", "b.so": "own/b.so"}
    assert host.names(host.found(both, "own")) == {"a.so": "all/a.so", "b.so": "own/b.so"}


def test_the_newest_c_library_that_any_of_them_needs_counts(tmp_path: Path) -> None:
    host = Host(tmp_path)
    program = host.add("program", needs("a.so", "libc.so.6", glibc=(2, 3)))
    host.add("all/a.so", needs("libc.so.6", glibc=(2, 34)))
    host.add("all/libc.so.6", needs(glibc=(2, 99)))
    assert host.found(program, "all").glibc == (2, 34)


def test_configured_folders_are_those_of_the_files_that_are_included(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "ld.so.conf").write_text(f"# none\ninclude d/*.conf\ninclude {tmp_path}/more.conf\n/last # why\n\n")
    (tmp_path / "d/b.conf").write_text("/b\n")
    (tmp_path / "d/a.conf").write_text("/a\n/a2\n")
    (tmp_path / "more.conf").write_text("/more\ninclude ld.so.conf\n")
    found = configured_folders(tmp_path / "ld.so.conf", depth=1)
    assert found == ["/a", "/a2", "/b", "/more", "/last"]
    assert configured_folders(tmp_path / "none") == []


@pytest.mark.skipif(shutil.which("ldd") is None, reason="there is nothing to compare with")
def test_of_real_programs_the_same_is_found_as_the_loader_finds() -> None:
    for program in ("/usr/bin/apt-get", "/bin/bash", "/usr/bin/git"):
        path = Path(program).resolve()
        if not path.exists():
            continue
        text = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        wanted = {line.split(" => ")[0].strip() for line in text.splitlines() if " => /" in line}
        found = find_libraries(path, folders=[*configured_folders(), *DEFAULT_FOLDERS])
        names = {name for name in found.libraries if not name.startswith("ld-")}
        assert (names, found.missing) == (wanted, {}), program


LOADER = "/lib64/ld-linux-x86-64.so.2"
LIBC = {"libc.so.6": Path("/h/libc.so.6"), "libm.so.6": Path("/h/libm.so.6")}
OTHERS = {"libelf.so.1": Path("/h/libelf.so.1"), "libz.so.1": Path("/h/libz.so.1")}


def along(libraries: Mapping[str, Path], *, glibc: tuple[int, ...], guest: set[str], loader: str = LOADER) -> Along:
    found = Found(loader=loader, libraries=libraries, glibc=glibc)
    return along_with(found, same=lambda name, _: name == "libz.so.1", has=guest.__contains__, glibc=(2, 41))


def test_the_guests_c_library_serves_a_program_that_needs_no_newer_one() -> None:
    guest = {LOADER, *LIBC, *OTHERS}
    found = along({**LIBC, **OTHERS}, glibc=(2, 41), guest=guest)
    assert found == Along(libraries={"libelf.so.1": OTHERS["libelf.so.1"]}), "another build of it goes along"


def test_with_a_newer_c_library_the_whole_of_it_goes_along() -> None:
    found = along({**LIBC, **OTHERS}, glibc=(2, 42), guest={LOADER, *LIBC, *OTHERS})
    loader = Path(LOADER)
    assert found == Along(libraries={**OTHERS, **LIBC, loader.name: loader}, private=loader.name)


def test_so_it_does_where_the_guest_has_only_a_part_of_it() -> None:
    assert along(LIBC, glibc=(2, 2), guest={LOADER, "libc.so.6"}).private == "ld-linux-x86-64.so.2"


def test_a_library_brings_its_own_and_no_loader() -> None:
    found = along({**LIBC, **OTHERS}, glibc=(2, 99), guest=set(), loader="")
    assert found == Along(libraries={"libelf.so.1": OTHERS["libelf.so.1"]})


def test_another_kind_of_c_library_goes_to_its_own_place() -> None:
    found = along(OTHERS, glibc=(), guest=set(), loader="/lib/ld-musl-x86_64.so.1")
    assert found == Along(libraries=OTHERS, loader=Path("/lib/ld-musl-x86_64.so.1"))


@pytest.mark.parametrize("name", ["libc.so.6", "ld-linux-x86-64.so.2", "ld64.so.1", "libnss_files.so.2", "libm.so.6"])
def test_the_parts_of_the_c_library_are_known(name: str) -> None:
    assert of_libc(name)
    assert not of_libc("libcap.so.2")
    assert not of_libc("libmnl.so.0")
