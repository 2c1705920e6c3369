"""What a compiler read to make an object, and where it looked: what must be as it was for the object to be used again.

A key of the cache can hold only what is known before the compiler runs. So what it read is noted when it has run: every
file with its hash, system headers included, and every path where it looked for one of them first and found none; a
header that appears there would hide the other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.host.cache import sha256_known

_INCLUDES = re.compile(rb'^[ \t]*#[ \t]*include(?:_next)?[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)
_QUESTIONS = re.compile(rb'__has_include(?:_next)?[ \t]*\([ \t]*(["<])([^">\n]+)[">]')
_FOLDERS = re.compile(r"#include <\.\.\.> search starts here:\n(.*?)End of search list", re.DOTALL)
_NO_FOLDER = re.compile(r'^ignoring nonexistent directory "(.*)"$', re.MULTILINE)
_WORD = re.compile(r"(?:\\[ #:]|\$\$|[^\s\\]|\\(?!\n))+")


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """What one object was made of: the sha256 of each file, by path, and the paths where nothing was."""

    files: Mapping[str, str]
    absent: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return the dependencies as values of JSON."""
        return {"files": dict(self.files), "absent": list(self.absent)}

    @classmethod
    def from_json(cls, value: Any) -> Dependencies:
        """Return the dependencies that `to_json` wrote; raise KeyError, TypeError or ValueError where they are none."""
        files = {str(path): str(sha256) for path, sha256 in dict(value["files"]).items()}
        return cls(files=files, absent=tuple(map(str, value["absent"])))


class Sight:
    """How the files are now, each looked at once: objects have most of their headers in common."""

    def __init__(self) -> None:
        self._hashes: dict[str, str | None] = {}
        self._there: dict[str, bool] = {}

    def hash(self, path: str) -> str | None:
        """Return the sha256 of a file, None where it cannot be read."""
        if path not in self._hashes:
            try:
                self._hashes[path] = sha256_known(Path(path))
            except OSError:
                self._hashes[path] = None
        return self._hashes[path]

    def is_there(self, path: str) -> bool:
        """Say whether something has this path."""
        if path not in self._there:
            self._there[path] = os.path.lexists(path)
        return self._there[path]

    def unchanged(self, dependencies: Dependencies) -> bool:
        """Say whether a compiler would read now what it read then, and find it in the same places."""
        return all(self.hash(path) == sha256 for path, sha256 in dependencies.files.items()) and not any(
            self.is_there(path) for path in dependencies.absent
        )


def read_depfile(text: str) -> list[str]:
    """Return the paths of a rule for make, as `clang -MD` writes it, in the order in which they were opened."""
    _, _, names = text.partition(": ")
    paths = _WORD.findall(names.replace("\\\n", " "))
    return list(dict.fromkeys(re.sub(r"\\([ #:])", r"\1", word).replace("$$", "$") for word in paths))


def search_folders(said: str) -> list[str]:
    """Return the folders in which a compiler looks for headers, from what it says with `-v`; those not there first."""
    found = _FOLDERS.search(said)
    folders = [line.strip().removesuffix(" (framework directory)") for line in (found[1] if found else "").splitlines()]
    return [*_NO_FOLDER.findall(said), *folders]


def looked_for(paths: Iterable[str], folders: Sequence[str]) -> Iterator[str]:
    """Yield the paths at which a compiler that read `paths` looked for headers before it found them, and nothing is.

    `folders` are those that it searches, in order. What a file asks for and is nowhere counts as well: there may be a
    `__has_include` before it.
    """
    for path in paths:
        text = Path(path).read_bytes()
        for quote, name in dict.fromkeys([*_INCLUDES.findall(text), *_QUESTIONS.findall(text)]):
            wanted = os.fsdecode(name).strip()
            own = [str(Path(path).parent)] if quote == b'"' else []
            for folder in [*own, *folders]:
                place = str(Path(folder, wanted))
                if Path(place).is_file():
                    break
                yield place


def newer_than(paths: Iterable[str], *, nanoseconds: int) -> bool:
    """Say whether one of some files may have been written since a time (nanoseconds of the epoch)."""
    for path in paths:
        found = Path(path).stat()
        if max(found.st_mtime_ns, found.st_ctime_ns) >= nanoseconds:
            return True
    return False
