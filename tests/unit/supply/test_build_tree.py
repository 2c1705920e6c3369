"""A kernel's source tree: whether it is one, its version, what is in it, and whether somebody built there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kernel_sources import make_tree, state

from harness.errors import KernelFileError
from harness.host.cache import Cache
from harness.supply.build.tree import built_in_place, check_tree, known_options, tree_hash, version_of


@pytest.mark.parametrize(
    ("makefile", "version"),
    [
        ("# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 3\nEXTRAVERSION =\nNAME = x\n", "6.12.3"),
        ("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n", "6.12.0-rc3"),
        ("VERSION = 5\nPATCHLEVEL = 4\nSUBLEVEL =\nEXTRAVERSION =\n", "5.4"),
        ("VERSION=4\nPATCHLEVEL=18\nSUBLEVEL=0\nEXTRAVERSION=\nall:\n", "4.18.0"),
        ("all:\n\tcc\n", ""),
        ("VERSION = 1\n", ""),
        ("", ""),
    ],
)
def test_the_version_is_that_of_the_makefile(makefile: str, version: str) -> None:
    assert version_of(makefile) == version


def test_a_tree_says_its_version(tmp_path: Path) -> None:
    assert check_tree(make_tree(tmp_path / "tree", extra="-rc1"), kernel="mine") == "6.1.0-rc1"


@pytest.mark.parametrize("missing", ["Makefile", "Kconfig", "scripts/kconfig"])
def test_what_is_no_tree_is_an_error_that_says_what_it_does_not_have(missing: str, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree / missing).rename(tmp_path / "away")
    with pytest.raises(
        KernelFileError, match=f"kernel mine: {tree} is no source tree of a kernel: it has no {missing}"
    ):
        check_tree(tree, kernel="mine")


def test_a_folder_that_is_not_there_and_another_makefile_are_errors(tmp_path: Path) -> None:
    with pytest.raises(KernelFileError, match="it is no folder"):
        check_tree(tmp_path / "nothing", kernel="mine")
    tree = make_tree(tmp_path / "tree")
    (tree / "Makefile").write_text("all:\n")
    with pytest.raises(KernelFileError, match="Makefile names no version of a kernel"):
        check_tree(tree, kernel="mine")


@pytest.mark.parametrize("made", [".config", "include/config/auto.conf", "arch/x86/include/generated/asm/x.h"])
def test_a_tree_in_which_somebody_has_built_is_seen(made: str, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    assert built_in_place(tree) == ""
    (tree / made).parent.mkdir(parents=True, exist_ok=True)
    (tree / made).touch()
    assert built_in_place(tree) and made.startswith(built_in_place(tree))


def test_options_are_found_wherever_they_are_defined(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree / "net").mkdir()
    (tree / "net/Kconfig.debug").write_text("config NET_DEEP\n")
    assert {"VETH", "NET_DEEP"} <= known_options(tree)
    assert "NO_SUCH" not in known_options(tree)


def test_the_hash_is_of_names_contents_links_and_what_may_be_run(tmp_path: Path) -> None:
    tree, cache = make_tree(tmp_path / "tree"), Cache(tmp_path / "cache")
    (tree / "link").symlink_to("Makefile")
    seen = [tree_hash(tree, cache=cache)]

    def different() -> None:
        seen.append(tree_hash(tree, cache=cache))
        assert len(set(seen)) == len(seen)

    (tree / "image").write_bytes(b"another")
    different()
    (tree / "image").rename(tree / "picture")
    different()
    (tree / "scripts/kconfig/conf").chmod(0o755)
    different()
    (tree / "link").unlink()
    (tree / "link").symlink_to("Kconfig")
    different()
    (tree / "folder").symlink_to("scripts")
    different()


def test_the_hash_is_the_same_wherever_the_tree_is_and_whatever_git_has_of_it(tmp_path: Path) -> None:
    one, two = (make_tree(tmp_path / name) for name in ("one", "two"))
    (two / ".git").mkdir()
    (two / ".git/index").touch()
    cache = Cache(tmp_path / "cache")
    assert tree_hash(one, cache=cache) == tree_hash(two, cache=cache)


def test_a_tree_that_is_as_it_was_is_not_read_again_and_never_written(tmp_path: Path) -> None:
    tree, cache = make_tree(tmp_path / "tree"), Cache(tmp_path / "cache")
    before = state(tree)
    first = tree_hash(tree, cache=cache)
    made = sorted((tmp_path / "cache/build-trees").iterdir())
    assert tree_hash(tree, cache=cache) == first
    assert sorted((tmp_path / "cache/build-trees").iterdir()) == made
    os.utime(tree / "image")  # touched, so it is read again, and is the same
    assert tree_hash(tree, cache=cache) == first
    assert len(list((tmp_path / "cache/build-trees").iterdir())) == len(made) + 1
    assert {name: each[2] for name, each in state(tree).items()} == {name: each[2] for name, each in before.items()}
