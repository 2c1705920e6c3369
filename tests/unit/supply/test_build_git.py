"""Sources out of a git clone, which is never written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kernel_sources import commit_all, git, make_tree, state

from harness.errors import KernelFileError, PackageGoneError
from harness.supply.build.git import (
    check_clone,
    export,
    file_of,
    history,
    is_ancestor,
    is_work_tree,
    merge_base,
    resolve,
    subject,
    work_tree,
)

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = make_tree(tmp_path / "clone")
    (folder / ".gitignore").write_text("*.o\n")
    commit_all(folder)
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def content(folder: Path) -> dict[str, bytes]:
    return {name: each[2] for name, each in state(folder).items()}


def test_only_the_root_of_a_work_tree_with_a_commit_is_one(clone: Path, tmp_path: Path) -> None:
    assert is_work_tree(clone)
    assert not is_work_tree(clone / "scripts")
    assert not is_work_tree(tmp_path)
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    assert not is_work_tree(tmp_path / "empty")
    git(clone, "worktree", "add", "--quiet", "--detach", str(tmp_path / "second"))
    assert is_work_tree(tmp_path / "second")


def test_a_ref_stands_for_a_commit_and_its_tree(clone: Path) -> None:
    commit, tree = git(clone, "rev-parse", "HEAD"), git(clone, "rev-parse", "HEAD^{tree}")
    git(clone, "tag", "--annotate", "--message", "a tag", "v6.1")
    for ref in ("main", "HEAD", "v6.1", commit, commit[:9], "main~0"):
        found = resolve(clone, ref, kernel="mine")
        assert (found.commit, found.tree) == (commit, tree)


def test_a_ref_that_is_not_there_and_a_folder_that_is_no_clone_are_different_errors(
    clone: Path, tmp_path: Path
) -> None:
    with pytest.raises(PackageGoneError, match=f"kernel mine: {clone} has no commit v9; `git fetch` may bring it"):
        resolve(clone, "v9", kernel="mine")
    for folder in (tmp_path / "nothing", tmp_path):
        with pytest.raises(KernelFileError, match=f"kernel mine: {folder} is no git clone"):
            resolve(folder, "main", kernel="mine")
        with pytest.raises(KernelFileError, match="is no git clone"):
            check_clone(folder, kernel="mine")
    check_clone(clone, kernel="mine")


def test_a_file_of_a_commit_is_read_without_its_work_tree(clone: Path) -> None:
    commit = git(clone, "rev-parse", "HEAD")
    shutil.rmtree(clone / "scripts")
    (clone / "Makefile").unlink()
    assert file_of(clone, commit, "Makefile").startswith("# SPDX")
    assert file_of(clone, commit, "nothing") == ""


def test_a_work_tree_has_the_name_that_a_commit_of_it_would_have(clone: Path, scratch: Path) -> None:
    """So what was built before a commit is what is built after it."""
    assert work_tree(clone, scratch=scratch) == git(clone, "rev-parse", "HEAD^{tree}")
    (clone / "image").write_bytes(b"changed, and not committed")
    (clone / "new").write_text("not even added")
    (clone / "Kconfig").unlink()
    (clone / "built.o").write_text("ignored")
    (clone / "staged").write_text("added")
    git(clone, "add", "staged")
    before = state(clone)
    found = work_tree(clone, scratch=scratch)
    assert content(clone) == {name: each[2] for name, each in before.items()}
    own = {name: each for name, each in before.items() if not name.startswith(".git/objects/")}
    assert own.items() <= state(clone).items(), "git may say of its objects that they are used; all else is not written"
    commit_all(clone, "all of it")
    assert found == git(clone, "rev-parse", "HEAD^{tree}")


def test_a_commit_is_written_to_a_folder_and_the_clone_stays_as_it_is(clone: Path, scratch: Path) -> None:
    first = git(clone, "rev-parse", "HEAD")
    (clone / "image").write_bytes(b"another")
    commit_all(clone)
    (clone / "image").write_bytes(b"and not committed")
    before = state(clone)
    export(clone, first, scratch / "source", scratch=scratch)
    assert state(clone) == before
    assert (scratch / "source/image").read_bytes() not in (b"another", b"and not committed")
    assert (scratch / "source/scripts/kconfig/conf").is_file()
    assert not (scratch / "source/.git").exists()


def test_a_work_tree_that_is_not_committed_can_be_written_too(clone: Path, scratch: Path) -> None:
    (clone / "new").write_text("not even added")
    (clone / "built.o").write_text("ignored")
    export(clone, work_tree(clone, scratch=scratch), scratch / "source", scratch=scratch)
    assert (scratch / "source/new").read_text() == "not even added"
    assert not (scratch / "source/built.o").exists()


@pytest.mark.parametrize("kind", ["bare", "linked", "shallow"])
def test_clones_of_other_kinds_are_clones(kind: str, clone: Path, scratch: Path, tmp_path: Path) -> None:
    other = tmp_path / kind
    make = {
        "bare": ("clone", "--quiet", "--bare", str(clone), str(other)),
        "shallow": ("clone", "--quiet", "--depth", "1", f"file://{clone}", str(other)),
        "linked": ("worktree", "add", "--quiet", "--detach", str(other)),
    }[kind]
    git(clone, *make)
    found = resolve(other, "HEAD", kernel="mine")
    export(other, found.commit, scratch / "source", scratch=scratch)
    assert (scratch / "source/Makefile").read_text() == (clone / "Makefile").read_text()


def test_a_sparse_clone_gives_all_of_its_files(clone: Path, scratch: Path) -> None:
    git(clone, "sparse-checkout", "set", "scripts")
    assert not (clone / "made").exists()
    export(clone, "HEAD", scratch / "source", scratch=scratch)
    assert (scratch / "source/made").is_dir()


def test_a_commit_that_is_gone_is_named(clone: Path, scratch: Path) -> None:
    with pytest.raises(PackageGoneError, match=f"{clone} no longer has 0123456789ab"):
        export(clone, "0123456789abcdef" * 2 + "01234567", scratch / "source", scratch=scratch)


def test_variables_of_a_git_that_has_started_us_do_not_count(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook, or under `git bisect run`."""
    other = make_tree(tmp_path / "other", extra="-other")
    commit_all(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert "other" not in file_of(clone, resolve(clone, "main", kernel="mine").commit, "Makefile")


def test_the_history_between_two_commits_has_children_before_parents_and_no_commit_of_the_older_one(
    clone: Path,
) -> None:
    def commit(name: str) -> str:
        git(clone, "commit", "--quiet", "--allow-empty", "--message", f"{name}\n\nmore")
        return git(clone, "rev-parse", "HEAD")

    root = git(clone, "rev-parse", "HEAD")
    git(clone, "checkout", "--quiet", "-b", "topic")
    topic = commit("topic")
    git(clone, "checkout", "--quiet", "main")
    main = commit("main")
    git(clone, "merge", "--quiet", "--no-ff", "--message", "a merge", "topic")
    merge = git(clone, "rev-parse", "HEAD")
    found = history(clone, root, merge)
    assert found == {merge: (main, topic), main: (), topic: ()}
    assert next(iter(found)) == merge
    assert history(clone, root, merge, first_parent=True) == {merge: (main,), main: ()}
    assert history(clone, main, merge) == {merge: (topic,), topic: ()}
    assert (is_ancestor(clone, root, merge), is_ancestor(clone, topic, main)) == (True, False)
    assert (merge_base(clone, topic, main), subject(clone, topic)) == (root, "topic")
