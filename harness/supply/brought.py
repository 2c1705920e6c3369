"""What a case that is no command brings into its guest: its `files`, and the programs that its triggers start."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from harness.config.case import CASE_FILE, WrittenCase
from harness.config.reading.explain import did_you_mean, problems_text
from harness.config.reading.yaml_source import Loc, dotted, load, quoted
from harness.errors import ConfigError
from harness.host.paths import shown
from harness.model.architectures import Architecture
from harness.scenario.case import Case
from harness.scenario.own_files import own_places, programs_of_triggers
from harness.supply.elf import functions_of, read_needs
from harness.supply.image.guest_files import GuestFiles
from harness.supply.pushed import (
    SERIAL_PARCEL_BYTES,
    Push,
    Pushed,
    PushedFile,
    files_of,
    parse_push,
    place_of,
    without_doubles,
)
from harness.supply.wanted import Guest, libraries_of, own_file

Problem = tuple[Loc, str]
HOW = "`files: [FILE:{name}]`"
"""How a case gives a file that its folder does not have under the name that is started."""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """The files of a case, the programs that its triggers start, and what it attaches to, by where it names each.

    `folder` is the case's on the host, where relative files begin. `attached` are places in own files, such as
    `./my-test:main`.
    """

    folder: Path
    files: tuple[tuple[Loc, Push], ...] = ()
    programs: tuple[tuple[Loc, str], ...] = ()
    attached: tuple[tuple[Loc, str], ...] = ()

    def ready(self, case: Case, arch: Architecture, guest: Guest) -> tuple[Case, Pushed]:
        """Return the case with how its programs are started in guests of an architecture, and all that it brings.

        Small files in the case's own folder go to a guest that other cases share; with any others the case has a guest
        of its own. Raises ConfigError, a line per mistake, where something cannot be pushed or could not run there.
        """
        has, cwd = guest.files(arch, []), case.own.folder
        problems: list[Problem] = [*self._doubles(cwd), *self._outside(cwd)]
        pushed = [each for loc, push in self.files for each in _collected(loc, files_of(push, cwd=cwd), problems)]
        for loc, name in [*self.programs, *((loc, _parted(to)[0]) for loc, to in self.attached)]:
            pushed += _collected(loc, self._own_file(name, cwd, has), problems)
        pushed = list(without_doubles(pushed))
        by_path = {each.path: each for each in pushed}
        started = {_place(name, cwd): loc for loc, name in self.programs if "/" in name}
        for path, loc in started.items():
            problems += ((loc, text) for text in _no_program(by_path.get(path)))
        for loc, to in self.attached:
            name, function = _parted(to)
            problems += ((loc, text) for text in _no_function(by_path.get(_place(name, cwd)), to, function, arch))
        found = libraries_of(pushed, started=started, arch=arch, guest=has, packages=False)
        problems += [(started[path], text) for path, text in found.problems]
        if problems:
            raise ConfigError(self._explained(problems))
        brought = Pushed(files=without_doubles([*pushed, *found.files]))
        starts = {place: found.before(place) for place in found.private}
        ready = replace(case, own=replace(case.own, starts=starts, env={} if starts else found.env))
        return (replace(ready, isolated=True) if needs_a_guest(brought, case) else ready), brought

    def _own_file(self, name: str, cwd: str, has: GuestFiles) -> Iterator[PushedFile]:
        """Yield the file that a relative path means; another is of the guest, or one that the case makes before."""
        if "/" in name and not Path(name).is_absolute() and _inside(_place(name, cwd), cwd):
            pushes = [push for _, push in self.files]
            try:
                yield from own_file(name, cwd=cwd, folder=self.folder, pushes=pushes, guest=has, how=HOW)
            except ConfigError:
                if (self.folder / name).is_dir():
                    raise ConfigError(f"{name} is a folder") from None
                raise

    def _doubles(self, cwd: str) -> Iterator[Problem]:
        """Yield the files that would take the place of another."""
        taken: dict[str, Push] = {}
        for loc, push in self.files:
            place = place_of(push, cwd=cwd)
            if place in taken:
                yield loc, f"{push.file} would take the place of {taken[place].file} ({place})"
            taken[place] = push

    def _outside(self, cwd: str) -> Iterator[Problem]:
        """Yield the relative places that lead out of the case's own folder."""
        places = [(loc, push.to, place_of(push, cwd=cwd)) for loc, push in self.files if push.to]
        named = [*self.programs, *((loc, _parted(to)[0]) for loc, to in self.attached)]
        places += [(loc, name, _place(name, cwd)) for loc, name in named if "/" in name]
        for loc, written, place in places:
            if not Path(written).is_absolute() and not _inside(place, cwd):
                yield loc, f"{written} leads out of the case's own folder in the guest ({cwd})"

    def _explained(self, problems: list[Problem]) -> str:
        path = self.folder / CASE_FILE
        data, positions = load(path)
        placed = [(_as_written(loc, data), text) for loc, text in problems]
        lines = dict.fromkeys((loc, f"{dotted(loc)}: {text}") for loc, text in placed)
        return problems_text(lines, path=path, positions=positions)


def _place(name: str, cwd: str) -> str:
    return os.path.normpath(PurePosixPath(cwd) / name)


def _inside(place: str, cwd: str) -> bool:
    return place.startswith(f"{cwd}/")


def _parted(to: str) -> tuple[str, str]:
    """Return file and function of `./my-test:main+0x4`; the function is "" of what is no function (a static probe)."""
    name, _, function = to.partition(":")
    return name, "" if ":" in function else function.partition("+")[0]


def _no_program(file: PushedFile | None) -> Iterator[str]:
    """Yield why a file that is pushed cannot be started."""
    if file is None:
        return
    if stat.S_ISDIR(file.mode):
        yield f"{file.path} is a folder, and no program"
    elif file.source is not None and not file.mode & 0o111:
        yield f"{shown(file.source)} is not executable: chmod +x"


def _no_function(file: PushedFile | None, to: str, function: str, arch: Architecture) -> Iterator[str]:
    """Yield why nothing can be attached to a function of a file that is pushed."""
    if ":" not in to:
        yield f"{quoted(to)} names no function: {to}:FUNCTION"
    if file is None or file.target:
        return
    if file.source is None:
        yield f"{file.path} is a folder, and no binary"
        return
    needs, name = read_needs(file.source), shown(file.source)
    if needs is None:
        yield f"{name} is no ELF file, so it has no functions"
    elif needs.arch != arch.name:
        yield f"{name} is for {needs.arch}, and no kernel for {arch.name} runs it: build it for {arch.name}"
    elif function:
        known = functions_of(file.source)
        if not known:
            yield f"{name} has no functions among its symbols: build it without strip"
        elif not fnmatch.filter(known, function):
            yield f"{name} has no function {quoted(function)}{did_you_mean(function, known)}"


def _as_written(loc: Loc, data: Mapping[str, Any]) -> Loc:
    """Return the place of a file in `files`, which may be a mapping; any other as it is."""
    files = data.get("files")
    return ("files", list(files)[int(loc[1])]) if loc[0] == "files" and isinstance(files, dict) else loc


def _collected(loc: Loc, files: Iterator[PushedFile], problems: list[Problem]) -> list[PushedFile]:
    """Return some files; add what is wrong with them to the problems."""
    try:
        return list(files)
    except ConfigError as error:
        problems.append((loc, str(error)))
        return []


def needs_a_guest(brought: Pushed, case: Case) -> bool:
    """Say whether what a case brings cannot lie in a guest of other cases: it is large, or could be another's, too."""
    if brought.bytes > SERIAL_PARCEL_BYTES:
        return True
    return any(file.path != case.own.folder and not _inside(file.path, case.own.folder) for file in brought.files)


def brought_by(written: WrittenCase) -> Brought | None:
    """Return what a written case that is no command brings, None where that is nothing."""
    files = tuple(
        (("files", index), parse_push(text, folder=written.folder)) for index, text in enumerate(written.brought)
    )
    programs, attached = tuple(programs_of_triggers(written)), tuple(own_places(written))
    if not (files or programs or attached):
        return None
    return Brought(folder=written.folder, files=files, programs=programs, attached=attached)
