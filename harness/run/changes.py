"""What was saved: the files that cases depend on, as they are at two moments, and which cases a change concerns."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from harness.config.case import CASE_FILE, SHARED_FOLDER
from harness.config.case_folders import find_folders
from harness.config.matrix import load_matrix
from harness.config.rules import SHARED_FILE
from harness.config.scenario_file import SCENARIO_FILE
from harness.errors import ConfigError
from harness.supply.project import Project

ENDINGS = {"case": (CASE_FILE, SCENARIO_FILE, ".c", ".h", ".o", ".btf"), "include": (".h",)}
"""How the names of files end that a case, with its sub-folders, and the shared headers are made of. What editors leave
beside is none."""


@dataclass(frozen=True)
class FileState:
    """How two saved states of a file differ. The inode changes where an editor saves by renaming."""

    modified_ns: int
    size: int
    inode: int


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at the files: their states, the folders of the watched cases by id, and when (seconds, the epoch's)."""

    files: Mapping[Path, FileState]
    cases: Mapping[str, Path]
    at: float = 0.0


def changed(before: Look, after: Look) -> tuple[Path, ...]:
    """Return the files that were made, changed or removed between two looks, sorted."""
    paths = before.files.keys() | after.files.keys()
    return tuple(sorted(path for path in paths if before.files.get(path) != after.files.get(path)))


def concerned(paths: Iterable[Path], *, before: Look, after: Look) -> frozenset[str]:
    """Return the cases to run after some files have changed.

    A file in a case's folder concerns that case, any other file (shared sources and headers, expectations, the matrix)
    all.
    """
    owners = {folder: case for look in (before, after) for case, folder in look.cases.items()}
    found: set[str] = set()
    for path in paths:
        owner = next((owners[folder] for folder in path.parents if folder in owners), None)
        found |= set(after.cases) if owner is None else {owner}
    return frozenset(found & after.cases.keys())


def saved_at(paths: Iterable[Path], *, before: Look, after: Look) -> float:
    """Return when the last of some changed files was saved, in seconds since the epoch.

    That is its own time, if it lies between the two looks: a file may be moved here with an old one, or be gone.
    """
    times = [after.files[path].modified_ns / 1e9 for path in paths if path in after.files]
    return min(max([*times, before.at]), after.at) if times else after.at


class Files:
    """Looks at the files that the chosen cases depend on; `patterns` are those of their ids."""

    def __init__(self, project: Project, *, patterns: Sequence[str]) -> None:
        self._project = project
        self._patterns = patterns
        self._globs: Sequence[str] = ()
        self._matrix: FileState | None = None

    def look(self) -> Look:
        """Look at the files now. While matrix.yaml is wrong, the cases are found as it said before."""
        at = time.time()
        matrix_file = self._project.matrix_file
        files = _states([matrix_file])
        if files.get(matrix_file) != self._matrix:
            self._matrix = files.get(matrix_file)
            with contextlib.suppress(ConfigError):
                self._globs = self._project.case_globs(load_matrix(matrix_file).cases)
        folders, _ = find_folders(matrix_file, self._globs)
        cases = {folder.name: folder for folder in folders if self._wanted(folder.name)}
        for folder in cases.values():
            files |= _states(_ending(folder, ENDINGS["case"]))
        parents = dict.fromkeys(folder.parent for folder in cases.values())
        files |= _states(parent / SHARED_FILE for parent in parents)
        for parent in parents:
            files |= _states(_ending(parent / SHARED_FOLDER, ENDINGS["case"]))
        for folder in self._project.includes if self._project.suite else (self._project.include,):
            files |= _states(_ending(folder, ENDINGS["include"]))
        return Look(files=files, cases=cases, at=at)

    def _wanted(self, case: str) -> bool:
        return any(fnmatchcase(case, pattern) for pattern in self._patterns)


def _ending(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Return the files in a folder and its sub-folders whose names end so."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if name.endswith(endings) and name[0] not in ".#"]
    return found


def _states(paths: Iterable[Path]) -> dict[Path, FileState]:
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.stat()
            found[path] = FileState(status.st_mtime_ns, status.st_size, status.st_ino)
    return found
