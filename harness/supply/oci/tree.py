"""The files of an image as its layers leave them, by name alone: nothing is unpacked to find something. Pure.

Paths are those of the image. A link leads to where it would in a container: never out of the image.
https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

MOST_LINKS = 40
"""How many links a path may lead over (as MAXSYMLINKS of the kernel)."""
MOST_PARTS = 128
"""How many folders a path may lead through."""
_WHITEOUT, _OPAQUE, _OF_AUFS = ".wh.", ".wh..wh..opq", ".wh..wh."


class HostileError(ValueError):
    """A layer names something that no image has for a good reason."""


@dataclass(frozen=True)
class File:
    """A file: in which layer it is, as which of its members, and its size in bytes."""

    layer: int
    member: int
    size: int


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Special:
    """A device, a pipe or a socket: it is in the image, and nothing is done with it."""

    kind: str


@dataclass
class Folder:
    """A folder, with what is in it by name."""

    children: dict[str, Node] = field(default_factory=dict)


Node: TypeAlias = File | Link | Special | Folder


@dataclass(frozen=True)
class HardLink:
    """Another name of a file that the image has already."""

    target: str


@dataclass(frozen=True)
class Member:
    """One entry of a layer: its path as it is written there, and what it is."""

    path: str
    what: File | Link | Special | HardLink | None
    """None: a folder."""


@dataclass(frozen=True)
class Found:
    """A file of the image: the path by which it was found, without links, and the file."""

    path: str
    file: File


class Tree:
    """What an image has."""

    def __init__(self) -> None:
        self._root = Folder()

    def apply(self, members: Iterable[Member]) -> None:
        """Lay a layer over those before it. Raises HostileError, with the path that is wrong."""
        given = [(parts_of(member.path), member) for member in members]
        for parts, _ in given:
            if parts and parts[-1].startswith(_WHITEOUT):
                self._remove(parts)
        for parts, member in given:
            if parts and not parts[-1].startswith(_WHITEOUT):
                self._add(parts, member)

    def find(self, path: str) -> Found | None:
        """Return the file that a path leads to, links followed; None where it leads to no file."""
        real, node = self._walk(path.split("/"))
        return Found("/".join(real), node) if isinstance(node, File) else None

    def what(self, path: str) -> str:
        """Say in words what a path leads to, for a message."""
        _, node = self._walk(path.split("/"), follow_last=False)
        if isinstance(node, Link):
            _, behind = self._walk(path.split("/"))
            return f"a link to {node.target}, which is {_in_words(behind)}"
        return _in_words(node)

    def match(self, pattern: str) -> list[Found]:
        """Return the files whose paths match a pattern, part for part, in the order of their names.

        A file is found once, by the first of its names. Links among the folders are followed.
        """
        found: dict[File, Found] = {}
        for parts in self._matching([], pattern.split("/")):
            each = self.find("/".join(parts))
            if each is not None:
                found.setdefault(each.file, Found("/".join(parts), each.file))
        return list(found.values())

    def folders(self, pattern: str) -> list[str]:
        """Return the paths of the folders that match a pattern, in the order of their names."""
        paths = ["/".join(parts) for parts in self._matching([], pattern.split("/"))]
        return [path for path in paths if isinstance(self._walk(path.split("/"))[1], Folder)]

    def files_below(self, path: str) -> Mapping[str, File]:
        """Return the files in a folder and in the folders in it, by their paths there; links to files are files.

        Links to folders are left out: what they lead to is elsewhere.
        """
        real, node = self._walk(path.split("/"))
        found: dict[str, File] = {}
        waiting: list[tuple[list[str], Folder]] = [([], node)] if isinstance(node, Folder) else []
        while waiting:
            parts, folder = waiting.pop()
            for name, child in folder.children.items():
                if isinstance(child, Folder):
                    waiting.append(([*parts, name], child))
                    continue
                target = child if isinstance(child, File) else self._walk([*real, *parts, name])[1]
                if isinstance(target, File):
                    found["/".join([*parts, name])] = target
        return dict(sorted(found.items()))

    def _matching(self, done: list[str], pattern: list[str]) -> Iterator[list[str]]:
        if not pattern:
            yield done
            return
        _, folder = self._walk(done)
        if isinstance(folder, Folder):
            for name in sorted(folder.children):
                if fnmatch.fnmatchcase(name, pattern[0]):
                    yield from self._matching([*done, name], pattern[1:])

    def _walk(self, parts: Iterable[str], *, follow_last: bool = True) -> tuple[list[str], Node | None]:
        """Return where a path leads to, without links, and what is there: None where there is nothing."""
        waiting, links = [part for part in parts if part not in ("", ".")], 0
        trail: list[tuple[str, Node]] = []
        while waiting:
            part = waiting.pop(0)
            here = trail[-1][1] if trail else self._root
            if part == "..":
                del trail[-1:]  # the root's parent is the root
                continue
            node = here.children.get(part) if isinstance(here, Folder) else None
            if isinstance(node, Link) and (waiting or follow_last):
                links += 1
                if links > MOST_LINKS:
                    return [name for name, _ in trail], None
                if node.target.startswith("/"):
                    trail = []
                waiting = [each for each in node.target.split("/") if each not in ("", ".")] + waiting
                continue
            if node is None:
                return [name for name, _ in trail], None
            trail.append((part, node))
        return [name for name, _ in trail], trail[-1][1] if trail else self._root

    def _add(self, parts: list[str], member: Member) -> None:
        folder = self._made(parts[:-1])
        name, what = parts[-1], member.what
        before = folder.children.get(name)
        if what is None:
            if not isinstance(before, Folder):
                folder.children[name] = Folder()
        elif isinstance(what, HardLink):
            _, target = self._walk(parts_of(what.target), follow_last=False)
            if target is None or isinstance(target, Folder):
                raise HostileError(f"{member.path} is a hard link to {what.target}, which is no file of the image")
            folder.children[name] = target
        else:
            folder.children[name] = what

    def _made(self, parts: list[str]) -> Folder:
        """Return the folder of a path, made where there is none; what else is there gives way."""
        folder = self._root
        for index, part in enumerate(parts):
            node = folder.children.get(part)
            if isinstance(node, Link):
                _, node = self._walk(parts[: index + 1])
            if not isinstance(node, Folder):
                node = folder.children[part] = Folder()
            folder = node
        return folder

    def _remove(self, parts: list[str]) -> None:
        _, folder = self._walk(parts[:-1])
        if not isinstance(folder, Folder):
            return
        if parts[-1] == _OPAQUE:
            folder.children.clear()
        elif not parts[-1].startswith(_OF_AUFS):
            folder.children.pop(parts[-1].removeprefix(_WHITEOUT), None)


_WORDS: Mapping[type, str] = {
    File: "a file",
    Folder: "a folder",
    Link: "a link that leads nowhere",
    type(None): "not in the image",
}


def _in_words(node: Node | None) -> str:
    return node.kind if isinstance(node, Special) else _WORDS[type(node)]


def parts_of(path: str) -> list[str]:
    """Return the parts of a member's path, from the image's root; raise HostileError where it leads out of that."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise HostileError(f"{path:.200} leads out of the image")
    if len(parts) > MOST_PARTS:
        raise HostileError(f"{path:.200}... is {len(parts)} folders deep")
    return parts
