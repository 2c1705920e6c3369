"""Where the sources of a kernel can be: a folder, Debian's package of sources, a git clone."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from kernel_sources import build_entry, commit_all, git, make_tree, state
from source_worlds import MemoryArchive, deb

from harness.config.matrix import BuildKernel
from harness.errors import FetchError, KernelBuildError, KernelFileError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.build.pin import BuildPin
from harness.supply.build.places import PLACES, Place, place_of, source_packages, take_tarball

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
BLANK = BuildPin(place="tree", architecture="x86_64", compiler="gcc", config="c", version="")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def place(name: str, folder: Path, archive: Any = None) -> Place:
    made: Place = PLACES[name](Cache(folder / "cache"), archive)
    return made


def only(there: Place, kernel: BuildKernel) -> BuildPin:
    (pin,) = there.listed(kernel, BLANK)
    return pin


# --- a folder ---------------------------------------------------------------------------------------------------------


def test_a_folder_is_its_version_and_a_hash_and_is_built_where_it_is(tmp_path: Path, scratch: Path) -> None:
    tree, there = make_tree(tmp_path / "tree", extra="-rc2"), place("tree", tmp_path)
    kernel = build_entry(tree=tree)
    pin = only(there, kernel)
    assert pin.tree is not None
    assert pin.version == f"6.1.0-rc2 ({pin.tree[:12]})"
    assert (there.changed(kernel, pin), there.moved(kernel, pin), there.there(pin)) == ("", "", True)
    before = state(tree)
    with there.sources(kernel, pin, scratch) as sources:
        assert sources == tree
    assert state(tree) == before


def test_a_folder_that_is_not_what_it_was_says_so_and_one_that_is_gone_is_no_other(tmp_path: Path) -> None:
    tree, there = make_tree(tmp_path / "tree"), place("tree", tmp_path)
    kernel = build_entry(tree=tree)
    pin = only(there, kernel)
    (tree / "image").write_bytes(b"another")
    assert there.changed(kernel, pin) == (
        f"{tree} is not what it was when {pin.version} was pinned: its files have changed"
    )
    shutil.rmtree(tree)
    assert there.changed(kernel, pin) == "", "what was built of it may be in the cache"
    with pytest.raises(KernelFileError, match="is no source tree of a kernel"), there.sources(kernel, pin, tmp_path):
        pass


def test_a_folder_that_changes_while_it_is_built_gives_no_kernel(tmp_path: Path, scratch: Path) -> None:
    tree, there = make_tree(tmp_path / "tree"), place("tree", tmp_path)
    kernel = build_entry(tree=tree)
    with (
        pytest.raises(KernelBuildError, match="were changed while it was built"),
        there.sources(kernel, only(there, kernel), scratch),
    ):
        (tree / "image").write_bytes(b"edited meanwhile")


def test_a_folder_in_which_somebody_has_built_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    tree, there = make_tree(tmp_path / "tree"), place("tree", tmp_path)
    (tree / ".config").touch()
    for call in (lambda: there.check(build_entry(tree=tree)), lambda: there.listed(build_entry(tree=tree), BLANK)):
        with pytest.raises(KernelFileError, match=rf"\(it has \.config\).*\n  `make -C {tree} mrproper`.*source: path"):
            call()


@needs_git
def test_a_work_tree_of_git_in_which_somebody_has_built_is_copied(tmp_path: Path, scratch: Path) -> None:
    tree, there = make_tree(tmp_path / "tree"), place("tree", tmp_path)
    (tree / ".gitignore").write_text(".config\n")
    commit_all(tree)
    (tree / ".config").touch()
    (tree / "image").write_bytes(b"not committed")
    kernel = build_entry(tree=tree)
    there.check(kernel)
    before = state(tree)
    with there.sources(kernel, only(there, kernel), scratch) as sources:
        assert sources != tree
        assert (sources / "image").read_bytes() == b"not committed"
        assert not (sources / ".config").exists()
    unchanged = {name: each for name, each in before.items() if not name.startswith(".git/objects/")}
    assert unchanged.items() <= state(tree).items()


@needs_git
def test_a_work_tree_of_git_has_the_name_that_git_gives_it(tmp_path: Path) -> None:
    tree, there = make_tree(tmp_path / "tree"), place("tree", tmp_path)
    commit_all(tree)
    assert only(there, build_entry(tree=tree)).tree == git(tree, "rev-parse", "HEAD^{tree}")


# --- Debian's package -------------------------------------------------------------------------------------------------


def tarball(tree: Path, *, top: str = "linux-source-6.1") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        archive.add(tree, arcname=top)
    return data.getvalue()


class Suite(MemoryArchive):
    """A suite with packages of sources of two series, and what leads to the newest."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        packed = tarball(make_tree(folder / "packed"))
        for version in ("6.1.170-1", "6.1.176-1"):
            self.add("linux-source-6.1", version, {"usr/src/linux-source-6.1.tar.xz": packed, version: b""})
        self.add("linux-source-6.12", "6.12.9-1~bpo12+1", {"usr/src/linux-source-6.12.tar.xz": packed})
        self.add("linux-source", "6.1.176-1", {}, "linux-source-6.1")
        self.add("linux-source-6.1-doc", "6.1.176-1", {})


@pytest.mark.parametrize(
    ("package", "version", "found"),
    [
        ("linux-source-6.1", None, ["6.1.176-1", "6.1.170-1"]),
        ("linux-source-6.1", "6.1.170-1", ["6.1.170-1"]),
        ("linux-source-6.1", "6.1.1-1", []),
        ("linux-source", None, ["6.1.176-1", "6.1.170-1"]),
        ("linux-source-6.1[0-9]", None, ["6.12.9-1~bpo12+1"]),
        ("linux-source-9", None, []),
    ],
)
def test_a_package_of_sources_is_named_or_a_pattern(
    package: str, version: str | None, found: list[str], tmp_path: Path
) -> None:
    stanzas = source_packages(Suite(tmp_path), package=package, version=version)
    assert [stanza.package.version for stanza in stanzas] == found


@pytest.mark.skipif(shutil.which("xz") is None, reason="xz is not installed, which doctor names for this source")
def test_a_package_is_fetched_and_unpacked(tmp_path: Path, scratch: Path) -> None:
    archive = Suite(tmp_path)
    there, kernel = place("package", tmp_path, archive), build_entry(package="linux-source-6.1", suite="bookworm")
    newest, older = there.listed(kernel, BLANK)
    assert (newest.version, older.version, newest.tree) == ("6.1.176-1", "6.1.170-1", None)
    assert [package.name for package in newest.packages] == ["linux-source-6.1"]
    with there.sources(kernel, newest, scratch) as sources:
        assert (sources / "Makefile").is_file()
        assert (sources / "scripts/kconfig/conf").is_file()
    assert [path.name for path in scratch.iterdir()] == ["source"]
    assert (there.there(newest), there.changed(kernel, newest), there.moved(kernel, newest)) == (True, "", "")
    archive.files.clear()
    assert not there.there(newest)


def test_a_package_that_a_suite_does_not_have_is_named_with_those_that_it_has(tmp_path: Path) -> None:
    there = place("package", tmp_path, Suite(tmp_path))
    for keys, wanted in (
        ({"package": "linux-source-9"}, "linux-source-9"),
        ({"package": "linux-source-6.1", "version": "6.1.1-1"}, "linux-source-6.1 = 6.1.1-1"),
    ):
        with pytest.raises(PackageGoneError, match=f"bookworm has no package {wanted}; it has: linux-source, "):
            there.listed(build_entry(suite="bookworm", **keys), BLANK)


def test_a_package_without_a_tarball_and_a_damaged_one_are_errors(tmp_path: Path, scratch: Path) -> None:
    for files, complaint in (
        ({"usr/share/doc/linux-source-6.1/README": b"x"}, "has no tarball of a kernel's sources"),
        ({"usr/src/linux-source-6.1.tar.xz": b"no tarball"}, "linux-source-6.1 1 cannot be unpacked"),
    ):
        archive = MemoryArchive()
        archive.add("linux-source-6.1", "1", files)
        there, kernel = place("package", tmp_path, archive), build_entry(package="linux-source-6.1", suite="bookworm")
        with (
            pytest.raises(FetchError, match=complaint),
            there.sources(kernel, there.listed(kernel, BLANK)[0], scratch),
        ):
            pass
        shutil.rmtree(scratch / "source")


@pytest.mark.parametrize(
    "name", ["usr/src/linux-source-6.1.tar.xz", "usr/src/linux-source-5.15.0/linux-source-5.15.0.tar.bz2"]
)
def test_a_tarball_is_found_where_distributions_have_it(name: str, scratch: Path) -> None:
    (scratch / "a.deb").write_bytes(deb({"usr/src/linux-patch-6.1-rt.patch.xz": b"no", name: b"it"}))
    found = take_tarball(scratch / "a.deb", scratch)
    assert (found.name, found.read_bytes()) == (Path(name).name, b"it")


# --- a git clone ------------------------------------------------------------------------------------------------------


@needs_git
def test_a_ref_is_its_commit_whatever_its_work_tree_has(tmp_path: Path, scratch: Path) -> None:
    clone, there = make_tree(tmp_path / "clone", extra="-rc1"), place("git", tmp_path)
    commit = commit_all(clone)
    shutil.rmtree(clone / "scripts")
    (clone / "Makefile").unlink()
    kernel = build_entry(git=clone, ref="main")
    there.check(kernel)
    pin = only(there, kernel)
    assert (pin.version, pin.commit) == (f"6.1.0-rc1 ({commit[:12]})", commit)
    assert pin.tree == git(clone, "rev-parse", "HEAD^{tree}")
    before = state(clone)
    with there.sources(kernel, pin, scratch) as sources:
        assert (sources / "scripts/kconfig/conf").is_file()
    assert state(clone) == before


@needs_git
def test_a_branch_that_has_moved_is_a_remark_and_the_pinned_commit_is_built(tmp_path: Path, scratch: Path) -> None:
    clone, there = make_tree(tmp_path / "clone"), place("git", tmp_path)
    commit_all(clone)
    kernel = build_entry(git=clone, ref="main")
    pin = only(there, kernel)
    assert there.moved(kernel, pin) == ""
    (clone / "image").write_bytes(b"newer")
    newer = commit_all(clone)
    assert there.changed(kernel, pin) == ""
    assert f"mine: main is another commit by now ({newer[:12]}); the pinned {pin.version} was run." in there.moved(
        kernel, pin
    )
    with there.sources(kernel, pin, scratch) as sources:
        assert (sources / "image").read_bytes() != b"newer"


@needs_git
def test_a_commit_that_is_no_kernel_and_one_that_is_gone_are_errors(tmp_path: Path, scratch: Path) -> None:
    clone, there = tmp_path / "clone", place("git", tmp_path)
    clone.mkdir()
    (clone / "README").write_text("a letter")
    commit_all(clone)
    kernel = build_entry(git=clone, ref="main")
    with pytest.raises(KernelFileError, match=f"kernel mine: main of {clone} is no source tree of a kernel"):
        there.listed(kernel, BLANK)
    gone = BuildPin(
        place="git", architecture="x86_64", compiler="gcc", config="c", version="6", commit="1" * 40, tree="2" * 40
    )
    assert there.moved(kernel, gone) != ""
    with pytest.raises(PackageGoneError, match="no longer has 111111111111"), there.sources(kernel, gone, scratch):
        pass
    shutil.rmtree(clone)
    assert there.moved(kernel, gone) == ""
    with pytest.raises(KernelFileError, match="is no git clone"):
        there.check(kernel)


def test_an_entry_names_one_of_the_places(tmp_path: Path) -> None:
    assert place_of(build_entry(tree=tmp_path)) == "tree"
    assert place_of(build_entry(git=tmp_path, ref="main")) == "git"
    assert place_of(build_entry(package="linux-source-6.1", suite="bookworm")) == "package"
