"""Sources out of a git clone, which is never written: neither its files, nor its index, nor its objects.

Indexes and objects of our own lie in a temporary folder, beside the clone's objects.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import KernelFileError, PackageGoneError
from harness.host.process import find_tool, has_tool, run

_OID = re.compile(r"^[0-9a-f]{40,64}$")
_SECONDS = 900.0
_OURS = ("-c", "core.fsmonitor=false", "-c", "core.sparseCheckout=false", "-c", "core.autocrlf=false")
"""What a clone's own settings would otherwise do to the files that are taken out of it, or run."""


@dataclass(frozen=True)
class Commit:
    """A commit of a clone, and its tree, as git names them."""

    commit: str
    tree: str


def is_work_tree(folder: Path) -> bool:
    """Say whether a folder is the root of a git work tree, and git is there to read it."""
    if not (folder / ".git").exists() or not has_tool("git"):
        return False
    done = _git(folder, "rev-parse", "--show-prefix", "HEAD^{tree}")
    return done.returncode == 0 and done.stdout.startswith("\n")


def resolve(clone: Path, ref: str, *, kernel: str) -> Commit:
    """Return the commit that a branch, a tag or a commit's beginning stands for now.

    Raises KernelFileError where the folder is no clone, PackageGoneError where it has no such commit.
    """
    done = _git(clone, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    commit = done.stdout.strip()
    if done.returncode == 0 and _OID.match(commit):
        tree = _git(clone, "rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}").stdout.strip()
        if _OID.match(tree):
            return Commit(commit, tree)
    check_clone(clone, kernel=kernel)
    raise PackageGoneError(f"kernel {kernel}: {clone} has no commit {ref}; `git fetch` may bring it")


def check_clone(clone: Path, *, kernel: str) -> None:
    """Raise KernelFileError where a folder is no git clone that can be read, with git's own reason."""
    done = _git(clone, "rev-parse", "--git-dir") if clone.is_dir() else None
    if done is None or done.returncode != 0:
        why = done.stderr.strip() if done is not None else "there is no such folder"
        raise KernelFileError(f"kernel {kernel}: {clone} is no git clone: {why}")


def file_of(clone: Path, commit: str, path: str) -> str:
    """Return the text of a file of a commit; "" where it has none."""
    return _git(clone, "show", f"{commit}:{path}").stdout


def is_ancestor(clone: Path, old: str, new: str) -> bool:
    """Say whether a commit is in the past of another one."""
    return _git(clone, "merge-base", "--is-ancestor", old, new).returncode == 0


def merge_base(clone: Path, one: str, other: str) -> str:
    """Return the commit from which two others come; "" where there is none."""
    return _git(clone, "merge-base", one, other).stdout.strip()


def history(clone: Path, old: str, new: str, *, first_parent: bool = False) -> dict[str, tuple[str, ...]]:
    """Return the commits that `new` has and `old` has not, children before parents, each with its parents among them.

    With `first_parent` merged branches are left out: each has one parent at most.
    """
    argv = ["rev-list", "--topo-order", "--parents", *(["--first-parent"] if first_parent else []), new, f"^{old}"]
    lines = [line.split() for line in _git(clone, *argv).stdout.splitlines()]
    there = {commit for commit, *_ in lines}
    most = 1 if first_parent else None
    return {commit: tuple(each for each in parents[:most] if each in there) for commit, *parents in lines}


def subject(clone: Path, commit: str) -> str:
    """Return the first line of a commit's message."""
    return _git(clone, "show", "--no-patch", "--format=%s", commit).stdout.strip()


def work_tree(folder: Path, *, scratch: Path) -> str:
    """Return the name that git would give to a work tree as it is now, with what is not committed or not added.

    What git ignores is no part of it. Raises KernelFileError with git's reason.
    """
    environment = _beside(folder, scratch)
    index = _git(folder, "rev-parse", "--git-path", "index").stdout.strip()
    own = Path(environment["GIT_INDEX_FILE"])
    if index and (folder / index).is_file():
        own.write_bytes((folder / index).read_bytes())
    for argv in (("add", "--all", "--", "."), ("write-tree",)):
        done = _git(folder, *argv, environment=environment)
        if done.returncode != 0:
            raise KernelFileError(f"{folder}: git cannot say what is in it: {done.stderr.strip()}")
    return done.stdout.strip()


def export(clone: Path, tree: str, folder: Path, *, scratch: Path) -> None:
    """Write the files of a tree or commit to a folder. `scratch` is where `work_tree` made the tree, if it did.

    Raises PackageGoneError where the clone does not have it.
    """
    folder.mkdir()
    environment = {
        **_beside(clone, scratch),
        "GIT_INDEX_FILE": str(scratch / "export-index"),
        "GIT_DIR": str(clone / _git(clone, "rev-parse", "--git-dir").stdout.strip()),
        "GIT_WORK_TREE": str(folder),
    }
    done = _git(folder, "read-tree", "--reset", "-u", tree, environment=environment)
    if done.returncode != 0:
        raise PackageGoneError(f"{clone} no longer has {tree[:12]}: {done.stderr.strip()}")


def _beside(clone: Path, scratch: Path) -> dict[str, str]:
    """Return the environment in which git writes an index and objects to `scratch`, and reads those of the clone."""
    objects = _git(clone, "rev-parse", "--git-path", "objects").stdout.strip()
    own = scratch / "objects"
    own.mkdir(exist_ok=True)
    return {
        "GIT_INDEX_FILE": str(scratch / "index"),
        "GIT_OBJECT_DIRECTORY": str(own),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((clone / objects).absolute()),
    }


def _git(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    git = find_tool("git", package="git", purpose="take a kernel's sources out of a git clone")
    # Variables of a git that has started us would lead to another clone; and no lock is taken in this one.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or "_CONFIG" in name}
    env = {**outside, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **(environment or {})}
    return run([git, "-C", folder, *_OURS, *arguments], env=env, timeout=_SECONDS)
