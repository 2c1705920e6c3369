"""A kernel's source tree on the disk: whether it is one, its version, what is in it, and whether somebody built there.

It is read, never written.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from harness.errors import KernelFileError
from harness.host.cache import Cache, digest
from harness.supply.build.kconfig import options_in

FORMAT = 1
_VERSION = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(.*)$", re.MULTILINE)
_PARTS = ("Makefile", "Kconfig", "scripts/kconfig")
"""What every kernel's sources have, and little else does."""
_BUILT = (".config", "include/config")
"""What shows that somebody has built in a tree: the kernel's Makefile builds nowhere else from one (outputmakefile)."""
_MAKERS_OWN = re.compile(r"^arch/[^/]+/include/generated$")


def version_of(makefile: str) -> str:
    """Return the version that the kernel's Makefile names, such as 6.12.0-rc3; "" where it is none of a kernel."""
    found: dict[str, str] = dict(_VERSION.findall(makefile))
    if "VERSION" not in found or "PATCHLEVEL" not in found:
        return ""
    numbers = [found[name].strip() for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL") if found.get(name, "").strip()]
    return ".".join(numbers) + found.get("EXTRAVERSION", "").strip()


def check_tree(tree: Path, *, kernel: str) -> str:
    """Return the version of the sources in a folder; raise KernelFileError where there are none."""
    missing = [part for part in _PARTS if not (tree / part).exists()]
    if missing:
        what = f"has no {missing[0]}" if tree.is_dir() else "is no folder"
        raise KernelFileError(f"kernel {kernel}: {tree} is no source tree of a kernel: it {what}")
    try:
        version = version_of((tree / "Makefile").read_text(errors="replace"))
    except OSError as error:
        raise KernelFileError(f"kernel {kernel}: {tree}/Makefile cannot be read: {error.strerror}") from error
    if not version:
        raise KernelFileError(f"kernel {kernel}: {tree}/Makefile names no version of a kernel")
    return version


def built_in_place(tree: Path) -> str:
    """Return what shows that somebody has built in a source tree, "" where nothing does.

    No other folder can be built from such a tree: the kernel's Makefile refuses that.
    """
    found = [name for name in _BUILT if (tree / name).exists()]
    found += [
        name
        for path in sorted(tree.glob("arch/*/include/generated"))
        if _MAKERS_OWN.match(name := path.relative_to(tree).as_posix())
    ]
    return found[0] if found else ""


def known_options(tree: Path) -> frozenset[str]:
    """Return the options of the configuration that a source tree has, of any architecture."""
    return options_in(path.read_text(errors="replace") for path in sorted(tree.rglob("Kconfig*")) if path.is_file())


def tree_hash(tree: Path, *, cache: Cache) -> str:
    """Return a sha256 of all that is in a source tree: names, contents, which may be run; but for `.git`.

    Contents are read again only where a file's state is another than it was the last time.
    """
    paths = sorted(_files(tree))
    states = hashlib.sha256()
    for path in paths:
        found = path.lstat()
        state = (found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        states.update(f"{path.relative_to(tree)}\0{state}\n".encode(errors="surrogateescape"))

    def make(folder: Path) -> dict[str, str]:
        del folder  # what is kept is the hash alone
        return {"sha256": _contents(tree, paths)}

    meta = cache.entry("build-trees", digest(FORMAT, str(tree), states.hexdigest()), make).meta
    return str(meta["sha256"])


def _contents(tree: Path, paths: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        if path.is_symlink():
            what = f"link {path.readlink()}"
        else:
            with path.open("rb") as file:
                hashed = hashlib.file_digest(file, "sha256").hexdigest()
            what = f"{'run' if path.stat().st_mode & 0o100 else 'file'} {hashed}"
        whole.update(f"{path.relative_to(tree)}\0{what}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()


def _files(tree: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if name != ".git"]
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        yield from (here / name for name in [*names, *links] if name != ".git")
