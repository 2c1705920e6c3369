"""What a guest has before anything is pushed: the files of its archives, by path."""

from __future__ import annotations

import functools
import hashlib
import posixpath
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness.supply.elf import Version, glibc_version
from harness.supply.image import cpio

MOST_LINKS = 40
"""How many links a path may lead over (as MAXSYMLINKS of the kernel)."""


class GuestFiles:
    """The files of some archives, each over those before it. They are read when something is first asked."""

    def __init__(self, archives: Sequence[Path]) -> None:
        self._archives = tuple(archives)

    @functools.cached_property
    def _nodes(self) -> dict[str, cpio.Node]:
        return {node.path: node for archive in self._archives for node in cpio.read(archive.read_bytes())}

    @functools.cached_property
    def _libraries(self) -> dict[str, str]:
        """The paths of libraries, by the last part of their names."""
        return {PurePosixPath(path).name: path for path in self._nodes if ".so" in path}

    def find(self, path: str) -> cpio.Node | None:
        """Return the file or folder that an absolute path leads to, links followed; None where there is none."""
        parts, at, links = [part for part in path.split("/") if part], "", 0
        while parts:
            part = parts.pop(0)
            at = posixpath.normpath(posixpath.join(at, part)) if at else part
            node = self._nodes.get(at)
            if node is None:
                if parts:
                    continue  # a folder that an archive has no entry for
                return None
            if stat.S_ISLNK(node.mode):
                links += 1
                if links > MOST_LINKS:
                    return None
                target = posixpath.normpath(posixpath.join("/", posixpath.dirname(at), node.data.decode()))
                parts, at = [*(each for each in target.split("/") if each), *parts], ""
        return self._nodes.get(at)

    def has(self, name: str) -> bool:
        """Say whether there is a file of an absolute path, or a library of this soname."""
        return self.find(name) is not None if name.startswith("/") else name in self._libraries

    def find_library(self, soname: str) -> cpio.Node | None:
        """Return the library of a soname; None where there is none."""
        path = self._libraries.get(soname)
        return self.find(f"/{path}") if path else None

    def same_library(self, soname: str, file: Path) -> bool:
        """Say whether there is a library of this soname with the content of a file of the host."""
        node = self.find_library(soname)
        if node is None or len(node.data) != file.stat().st_size:
            return False
        return hashlib.sha256(node.data).digest() == hashlib.sha256(file.read_bytes()).digest()

    @functools.cached_property
    def glibc(self) -> Version:
        """The version of the C library; () where there is none."""
        node = self.find_library("libc.so.6")
        return glibc_version(node.data) if node is not None else ()
