"""What a source of the user's own needs of headers and clang does not find: what it is, and where one may lie."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

MOST_UP = 5
"""How many folders above that of the source are looked at, and in each the folders right in it."""
LIBBPF_VERSION = Path("/usr/include/bpf/libbpf_version.h")
_MISSING = re.compile(r"fatal error: '([^']+)' file not found")
_YOUNGER = re.compile(r"error: (?:[Uu]nsupported atomic operations?|Invalid usage of the XADD return value)")
_UNDECLARED = re.compile(r"(?:implicit declaration of|call to undeclared) function '(bpf_\w+)'")


def what_is_missing(log: str, *, source: Path, start: Path, version: Path = LIBBPF_VERSION) -> str:
    """Return what to do about a header, a function of libbpf's, or instructions that clang lacks; "" for all else.

    `start` is the folder that paths of check.yaml begin at, `version` the header that says which libbpf's this
    machine's are.
    """
    found = _MISSING.search(log)
    if found is not None:
        return _header(found.group(1), source=source, start=start)
    if _YOUNGER.search(log):
        return (
            "it has atomic operations that kernels know since 5.12, and instructions that all know are made: "
            "say in check.yaml `cflags: [-mcpu=v3]`"
        )
    found = _UNDECLARED.search(log)
    if found is None:
        return ""
    return (
        f"{found.group(1)} is in none of the headers that it includes{_version(version)}. Where newer ones of libbpf "
        "have it, name the folder above their bpf/bpf_helpers.h in check.yaml, `include: [FOLDER]`"
    )


def _version(path: Path) -> str:
    """Return which libbpf's headers this machine has, in words, "" where that is not known."""
    try:
        numbers = re.findall(r"define LIBBPF_(?:MAJOR|MINOR)_VERSION (\d+)", path.read_text(errors="replace"))
    except OSError:
        return ""
    return f"; this machine's are of libbpf {'.'.join(numbers)}" if numbers else ""


def _header(name: str, *, source: Path, start: Path) -> str:
    folder = _near(name, source.absolute().parent)
    place = "FOLDER" if folder is None else os.path.relpath(folder, start.absolute())
    lies = "" if folder is None else f" (there is one in {place})"
    return f"{name} is not in the folders of headers{lies}: name its folder in check.yaml, `include: [{place}]`"


def _near(name: str, folder: Path) -> Path | None:
    """Return the folder nearest to `folder` in which an include of that name would be found."""
    for above in (folder, *folder.parents[:MOST_UP]):
        places = [above / name, *sorted(above.glob(f"*/{glob.escape(name)}"))]
        for path in places:
            if path.is_file():
                return path.parents[len(Path(name).parts) - 1]
    return None
