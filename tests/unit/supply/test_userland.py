# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from unit_samples import package_file

from harness.errors import CacheError, ImageError, PackageGoneError
from harness.host.cache import Cache, Entry, sha256_file
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.mirrors import Mirrors
from harness.supply.image import cpio, userland
from harness.supply.image.contents import Contents
from harness.supply.image.userland import UserlandParts, build_userland, check_libraries, select

CONTENTS = Contents(
    suites=("trixie",),
    packages=("busybox-static",),
    keep=("usr/bin/*", "usr/lib/**"),
    drop=("usr/lib/python3/test_*",),
    links={"usr/bin/sh": "busybox"},
    python="python3",
    required=("usr/bin/busybox", "usr/bin/sh"),
)
INIT = b"#!/bin/busybox sh\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, data in {
        "usr/bin/busybox": b"box",
        "usr/lib/x/libc.so.6": b"c",
        "usr/lib/python3/json.py": b"source",
        "usr/lib/python3/json.pyc": b"bytecode",
        "usr/lib/python3/test_json.py": b"no bytecode of this one",
        "usr/share/doc/x": b"documentation",
        "etc/passwd": b"the package's own",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "usr/bin/busybox").chmod(0o4755)
    (root / "usr/lib/x/libc.so").symlink_to("libc.so.6")
    (root / "usr/bin/dangling").symlink_to("/nowhere")
    return root


def nodes_of(root: Path, contents: Contents = CONTENTS) -> dict[str, cpio.Node]:
    return {node.path: node for node in select(root, contents, init=INIT)}


def test_what_is_kept_and_what_is_added(tree: Path) -> None:
    nodes = nodes_of(tree)
    assert stat.filemode(nodes["usr/bin/busybox"].mode) == "-rwxr-xr-x", "neither set-user-ID nor of others' writing"
    assert stat.filemode(nodes["usr/lib/x/libc.so.6"].mode) == "-rw-r--r--"
    assert (nodes["usr/lib/x/libc.so"].data, stat.S_ISLNK(nodes["usr/lib/x/libc.so"].mode)) == (b"libc.so.6", True)
    assert nodes["usr/bin/sh"].data == b"busybox"
    assert nodes["usr/bin/dangling"].data == b"/nowhere"
    assert nodes["bin"].data == b"usr/bin"
    assert nodes["lib"].data == b"usr/lib"
    assert "sbin" not in nodes
    assert "usr/share/doc/x" not in nodes
    assert nodes["etc/passwd"].data.startswith(b"root:x:0:0:root:/root:/bin/sh\n")
    assert nodes["etc/hosts"].data.startswith(b"127.0.0.1 localhost\n"), "what looks up names needs no server for this"
    assert (nodes["init"].data, stat.filemode(nodes["init"].mode)) == (INIT, "-rwxr-xr-x")
    assert nodes["dev/console"].device == (5, 1)
    assert stat.filemode(nodes["root"].mode) == "drwx------"
    for folder in ("proc", "sys", "dev", "run", "tmp", "modules", "etc/dropbear"):
        assert stat.S_ISDIR(nodes[folder].mode)


def test_python_is_kept_as_bytecode(tree: Path) -> None:
    nodes = nodes_of(tree)
    assert nodes["usr/lib/python3/json.pyc"].data == b"bytecode"
    assert not [name for name in nodes if name.endswith(".py")]


def test_every_entry_has_its_folder_before_it(tree: Path) -> None:
    nodes = nodes_of(tree)
    for name in nodes:
        for parent in Path(name).parents:
            if str(parent) != ".":
                assert stat.S_ISDIR(nodes[str(parent)].mode)


def test_the_same_tree_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path / "copy", symlinks=True)
    assert cpio.archive(nodes_of(tree).values()) == cpio.archive(nodes_of(tmp_path / "copy").values())


def test_a_required_file_that_is_missing_is_told(tree: Path) -> None:
    (tree / "usr/bin/busybox").unlink()
    with pytest.raises(ImageError, match=r"missing in the guest image: usr/bin/busybox; see images/contents.yaml"):
        nodes_of(tree)


def test_a_module_without_bytecode_is_told(tree: Path) -> None:
    (tree / "usr/lib/python3/json.pyc").unlink()
    with pytest.raises(ImageError, match=r"usr/lib/python3/json.py could not be compiled"):
        nodes_of(tree)


# --- libraries --------------------------------------------------------------------------------------------------------


def program() -> tuple[bytes, list[str]]:
    """A real program of this host, and the libraries that it says it needs."""
    path = shutil.which("ls")
    assert path is not None
    said = subprocess.run(["llvm-readelf", "-d", path], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"Shared library: \[([^\]]+)\]", said)
    assert needed, "ls is linked statically here: take another program for this test"
    return Path(path).read_bytes(), needed


def test_libraries_that_are_all_there() -> None:
    data, needed = program()
    nodes = [cpio.file("usr/bin/ls", data), *(cpio.link(f"usr/lib/{name}", "x") for name in needed)]
    check_libraries(nodes)
    check_libraries([cpio.file("usr/bin/script", b"#!/bin/sh"), cpio.folder("usr"), cpio.file("empty", b"")])


def test_a_library_that_is_missing_is_told_with_who_needs_it() -> None:
    data, needed = program()
    nodes = [cpio.file("usr/bin/ls", data), *(cpio.file(f"usr/lib/{name}", b"") for name in needed[1:])]
    with pytest.raises(ImageError, match=f"^usr/bin/ls of the guest image needs {re.escape(needed[0])}: add"):
        check_libraries(nodes)


# --- the whole --------------------------------------------------------------------------------------------------------


def parts(**changes: Any) -> UserlandParts:
    keys: dict[str, Any] = {
        "packages": (package_file("busybox-static"), package_file("libc6")),
        "interpreter": (package_file("busybox-static"), package_file("libc6")),
        "contents": CONTENTS,
        "init": INIT,
    }
    return UserlandParts(**{**keys, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"packages": (package_file("busybox-static"),)},
        {"packages": (package_file("libc6"), package_file("busybox-static"))},
        {"interpreter": (package_file("libc6"),)},
        {"contents": CONTENTS.model_copy(update={"keep": ("usr/**",)})},
        {"init": b"#!/bin/busybox sh -x\n"},
    ],
)
def test_the_key_follows_everything_that_goes_in(changes: dict[str, Any]) -> None:
    assert parts().key() == parts().key()
    assert parts(**changes).key() != parts().key()


def test_the_key_does_not_follow_where_a_package_lies() -> None:
    elsewhere = package_file("busybox-static", file="pool/elsewhere.deb", archive="debian-security")
    assert parts(packages=(elsewhere, package_file("libc6"))).key() == parts().key()


class Mirror:
    """A mirror of real packages, and the images that are built of them; only no interpreter runs.

    `compiled` has the files of the tree with the interpreter, each time that one would have run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "mirror"
        self.cache = Cache(folder / "cache")
        self.compiled: list[list[str]] = []

    def package(self, name: str, tree: Path) -> PackageFile:
        """Make a package of what is in a folder."""
        made = self.folder / f"{name}-tree"
        shutil.copytree(tree, made, symlinks=True)
        (made / "DEBIAN").mkdir()
        (made / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: n <n@localhost>\nDescription: x\n"
        )
        deb = self.folder / f"{name}.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(made), str(deb)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return package_file(name, file=deb.name, sha256=sha256_file(deb), size=deb.stat().st_size)

    def compile(self, root: Path, *, interpreter: Path, python: str) -> None:
        """Stand for `compile_library`."""
        self.compiled.append([str(path.relative_to(interpreter)) for path in interpreter.rglob("*") if path.is_file()])

    def build(self, *packages: PackageFile, interpreter: tuple[PackageFile, ...] | None = None) -> Entry:
        """Build an image of some packages."""
        mirrors = Mirrors({"debian": self.folder.as_uri()}, {})
        made = parts(packages=packages, interpreter=packages if interpreter is None else interpreter)
        return build_userland(cache=self.cache, mirrors=lambda: mirrors, parts=made)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    mirror = Mirror(tmp_path)
    monkeypatch.setattr(userland, "compile_library", mirror.compile)
    return mirror


def test_an_image_is_built_once(mirror: Mirror, tree: Path) -> None:
    package = mirror.package("all", tree)
    entry = mirror.build(package)
    assert len(mirror.compiled) == 1
    data = (entry.path / "base.cpio").read_bytes()
    assert data == cpio.archive(nodes_of(tree).values())
    assert entry.meta["bytes"] == len(data)
    kept = [path.name for path in (mirror.cache.root / "images").iterdir()]
    assert kept == [entry.path.name], "something was left behind"
    assert mirror.build(package).path == entry.path
    assert len(mirror.compiled) == 1


def test_an_image_has_the_files_of_all_its_packages(mirror: Mirror, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "other/usr/bin").mkdir(parents=True)
    (tmp_path / "other/usr/bin/one").write_bytes(b"1")
    entry = mirror.build(mirror.package("all", tree), mirror.package("other", tmp_path / "other"))
    nodes = {node.path: node.data for node in cpio.read((entry.path / "base.cpio").read_bytes())}
    assert (nodes["usr/bin/one"], nodes["usr/bin/busybox"]) == (b"1", b"box")


def test_another_architecture_is_compiled_with_the_hosts_interpreter(
    mirror: Mirror, tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "python/usr/bin").mkdir(parents=True)
    (tmp_path / "python/usr/bin/python3-host").write_bytes(b"x")
    host = mirror.package("python3-host", tmp_path / "python")
    mirror.build(mirror.package("all", tree), interpreter=(host,))
    assert mirror.compiled == [["usr/bin/python3-host"]]


def test_an_image_that_grew_too_big_is_refused(mirror: Mirror, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(userland, "LIMIT", 1000)
    with pytest.raises(ImageError, match=r"above its limit of 1000: images/contents.yaml keeps too much"):
        mirror.build(mirror.package("all", tree))


def test_a_package_that_is_gone_or_damaged_leaves_nothing(mirror: Mirror, tree: Path) -> None:
    good = mirror.package("all", tree)
    with pytest.raises(PackageGoneError, match="gone"):
        mirror.build(good, package_file("gone", file="gone.deb"))
    (mirror.folder / "damaged.deb").write_bytes(b"no package")
    damaged = package_file("damaged", file="damaged.deb", sha256=sha256_file(mirror.folder / "damaged.deb"), size=10)
    with pytest.raises(ImageError, match=r"damaged cannot be unpacked: .*archive"):
        mirror.build(good, damaged)
    assert list((mirror.cache.root / "images").iterdir()) == []


@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(28, "No space left on device"), CacheError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_a_build_that_is_cut_short_leaves_nothing(
    error: BaseException, raised: type[BaseException], mirror: Mirror, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(package: PackageFile, *, base: str, folder: Path) -> Path:
        (folder / "half").write_bytes(b"x")
        raise error

    monkeypatch.setattr(userland, "download", cut_short)
    with pytest.raises(raised):
        mirror.build(mirror.package("all", tree))
    assert list((mirror.cache.root / "images").iterdir()) == []


def test_an_interpreter_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no dynamic loader"):
        userland.compile_library(tmp_path, interpreter=tmp_path, python="python3")
