"""What a command brings into its guest, and how it is started there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from harness.errors import ConfigError
from harness.host.paths import shown
from harness.model.architectures import Architecture, host_architecture
from harness.scenario.case import Case
from harness.scenario.from_command import Command, started_as
from harness.supply.elf import Needs, read_needs
from harness.supply.image.guest_files import GuestFiles
from harness.supply.image.packages import PackageArchive
from harness.supply.libraries import (
    DEFAULT_FOLDERS,
    FOLDER,
    along_with,
    configured_folders,
    find_libraries,
)
from harness.supply.pushed import Push, Pushed, PushedFile, files_of, place_of, without_doubles


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a command needs in its guest: files and folders of the host, and Debian packages.

    `folder` is where the command's own file is looked for.
    """

    command: Command
    folder: Path
    files: tuple[Push, ...] = ()
    packages: tuple[str, ...] = ()

    def ready(self, case: Case, arch: Architecture, guest: Guest) -> tuple[Case, Pushed]:
        """Return the case as its command is started in guests of an architecture, and all that it brings.

        Raises ConfigError where something cannot be pushed, or where it could not run there.
        """
        archive = guest.packages(self.packages, arch) if self.packages else None
        files = guest.files(arch, [archive.path] if archive else [])
        own = list(self._own_file(files))
        pushed = [*(each for push in self.files for each in files_of(push, cwd=self.command.cwd)), *own]
        started, more = _with_libraries(case, self.command, pushed, own, arch=arch, guest=files)
        return started, Pushed(
            files=without_doubles([*pushed, *more]),
            archives=(archive.path,) if archive else (),
            notes=(f"packages ({arch.name}): {', '.join(archive.versions)}",) if archive else (),
        )

    def _own_file(self, guest: GuestFiles) -> Iterator[PushedFile]:
        """Yield the command's own file, where it is one of the host's; raise ConfigError where it is nowhere."""
        name, cwd = self.command.argv[0], self.command.cwd
        if "/" not in name:
            return
        push = Push(file=name, folder=self.folder)
        place = os.path.normpath(PurePosixPath(cwd) / name)
        if Path(name).is_absolute() and guest.has(place):
            return
        if any(place == place_of(each, cwd=cwd) or _within(place, each, cwd) for each in self.files):
            return
        if push.source.is_file():
            yield from (replace(each, path=place) for each in files_of(push, cwd=cwd))
        elif not guest.has(place):
            raise ConfigError(
                f"{name}: there is no such file, neither here ({shown(push.source)}) nor in the guest; build it, "
                f"or push it (--push FILE:{name})"
            )


def _within(place: str, push: Push, cwd: str) -> bool:
    return push.source.is_dir() and place.startswith(f"{place_of(push, cwd=cwd).rstrip('/')}/")


@dataclass(frozen=True, kw_only=True)
class Guest:
    """What guests have: `files` of an architecture, with archives more; `packages` unpacks Debian packages."""

    files: Callable[[Architecture, Sequence[Path]], GuestFiles]
    packages: Callable[[Sequence[str], Architecture], PackageArchive]


def _with_libraries(
    case: Case,
    command: Command,
    pushed: Sequence[PushedFile],
    own: Sequence[PushedFile],
    *,
    arch: Architecture,
    guest: GuestFiles,
) -> tuple[Case, list[PushedFile]]:
    """Return the case and what goes along with the files that are pushed: their libraries, as far as they need any."""
    paths = {each.path for each in pushed}
    place = os.path.normpath(PurePosixPath(command.cwd) / command.argv[0]) if "/" in command.argv[0] else ""
    libraries: dict[str, Path] = {}
    more: list[PushedFile] = []
    argv = list(command.argv)
    problems: list[str] = []
    for file in pushed:
        if file.source is None:
            continue
        needs = read_needs(file.source)
        if needs is None:
            if file.path == place or any(file == each for each in own):
                problems += _script_problems(file, paths, guest)
            continue
        if needs.arch != arch.name:
            if file.path == place:
                problems.append(
                    f"{shown(file.source)} is a program for {needs.arch}, and cannot run on a kernel for {arch.name}: "
                    f"build it for {arch.name}, or choose kernels with --arch"
                )
            continue
        if not needs.needed and not needs.loader:
            continue
        if host_architecture() is not arch:
            problems += _foreign_problems(file, needs, paths, guest, arch) if file.path == place else []
            continue
        found = find_libraries(file.source, folders=[*configured_folders(), *DEFAULT_FOLDERS])
        missing = [name for name in found.missing if not guest.has(name) and not _pushed_as(name, paths)]
        if missing and file.path == place:
            problems.append(
                f"{shown(file.source)} needs {', '.join(missing)}, which neither this machine nor the guest has: "
                f"install it here, or give the package that has it (--package)"
            )
        along = along_with(found, same=guest.same_library, has=guest.has, glibc=guest.glibc)
        libraries.update({name: path for name, path in along.libraries.items() if not _pushed_as(name, paths)})
        if along.loader is not None:
            more.append(_library(str(along.loader), along.loader))
        if along.private and file.path == place:
            argv = [f"{FOLDER}/{along.private}", "--library-path", FOLDER, place, *command.argv[1:]]
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))
    more += [_library(f"{FOLDER}/{name}", path) for name, path in libraries.items()]
    private = argv != list(command.argv)
    environment = {"LD_LIBRARY_PATH": FOLDER} if libraries and not private else {}
    return (started_as(case, argv, environment) if libraries or private else case), more


def _library(place: str, file: Path) -> PushedFile:
    real = file.resolve()
    state = real.stat()
    return PushedFile(path=place, mode=state.st_mode, size=state.st_size, source=real)


def _pushed_as(name: str, paths: set[str]) -> bool:
    return any(path.endswith(f"/{name}") for path in paths)


def _foreign_problems(
    file: PushedFile, needs: Needs, paths: set[str], guest: GuestFiles, arch: Architecture
) -> Iterator[str]:
    """Yield what a program of another architecture than this host's needs, and the guest does not have."""
    wanted = [*needs.needed, *([needs.loader] if needs.loader else [])]
    missing = [name for name in wanted if not guest.has(name) and not _pushed_as(name, paths)]
    if missing:
        yield (
            f"{shown(file.source or Path(file.path))} needs {', '.join(missing)}, which guests for {arch.name} do not "
            f"have: link it statically, give the package that has it (--package), or push it"
        )


def _script_problems(file: PushedFile, paths: set[str], guest: GuestFiles) -> Iterator[str]:
    """Yield what is wrong with a script: an interpreter that is not there."""
    assert file.source is not None
    with file.source.open("rb") as source:
        line = source.readline(4096)
    if not line.startswith(b"#!"):
        return
    words = line[2:].decode(errors="replace").split()
    interpreter = words[0] if words else ""
    if not guest.has(interpreter) and interpreter not in paths:
        name = interpreter.rpartition("/")[2]
        yield (
            f"{shown(file.source)} needs {interpreter or 'an interpreter'}, which is not in the guest: give the "
            f"package that has it (--package {name or 'NAME'}), or begin it with #!/bin/sh"
        )
