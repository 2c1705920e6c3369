"""What a command brings into its guest, and how it is started there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    Along,
    Found,
    along_with,
    configured_folders,
    find_libraries,
)
from harness.supply.pushed import Push, Pushed, PushedFile, files_of, place_of, without_doubles

PACKAGE, PUSH = "give the package that has it (--package)", "push it"
"""What helps where something is missing in the guest."""


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
        name, cwd = self.command.argv[0], self.command.cwd
        own = list(own_file(name, cwd=cwd, folder=self.folder, pushes=self.files, guest=files))
        pushed = [*(each for push in self.files for each in files_of(push, cwd=cwd)), *own]
        place = os.path.normpath(PurePosixPath(cwd) / name) if "/" in name else ""
        found = libraries_of(pushed, started=[place, *(each.path for each in own)], arch=arch, guest=files)
        if found.problems:
            raise ConfigError("\n".join(dict.fromkeys(text for _, text in found.problems)))
        before = found.before(place)
        started = started_as(case, [*before, place, *self.command.argv[1:]], {}) if before else case
        if found.libraries and not before:
            started = started_as(case, self.command.argv, found.env)
        return started, Pushed(
            files=without_doubles([*pushed, *found.files]),
            archives=(archive.path,) if archive else (),
            notes=(f"packages ({arch.name}): {', '.join(archive.versions)}",) if archive else (),
        )


def own_file(
    name: str, *, cwd: str, folder: Path, pushes: Sequence[Push], guest: GuestFiles, how: str = "--push FILE:{name}"
) -> Iterator[PushedFile]:
    """Yield the file of a program that is started, where it is one of the host's; ConfigError where it is nowhere.

    A relative `name` begins at `folder` on the host, and at `cwd` in the guest; `how` says how to push it.
    """
    if "/" not in name:
        return
    push = Push(file=name, folder=folder)
    place = os.path.normpath(PurePosixPath(cwd) / name)
    if Path(name).is_absolute() and guest.has(place):
        return
    if any(place == place_of(each, cwd=cwd) or _within(place, each, cwd) for each in pushes):
        return
    if push.source.is_file():
        yield from (replace(each, path=place) for each in files_of(push, cwd=cwd))
    elif not guest.has(place):
        raise ConfigError(
            f"{name}: there is no such file, neither here ({shown(push.source)}) nor in the guest; build it, "
            f"or push it ({how.format(name=name)})"
        )


def _within(place: str, push: Push, cwd: str) -> bool:
    return push.source.is_dir() and place.startswith(f"{place_of(push, cwd=cwd).rstrip('/')}/")


@dataclass(frozen=True, kw_only=True)
class Guest:
    """What guests have: `files` of an architecture, with archives more; `packages` unpacks Debian packages."""

    files: Callable[[Architecture, Sequence[Path]], GuestFiles]
    packages: Callable[[Sequence[str], Architecture], PackageArchive]


@dataclass(frozen=True, kw_only=True)
class Libraries:
    """What goes along with the files that are pushed: `files`, of which `libraries` are their shared libraries.

    `private` maps a program that only the host's C library serves to the name of its loader. `problems` say of what is
    started why it could not run, each with its path.
    """

    files: tuple[PushedFile, ...] = ()
    libraries: bool = False
    private: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[tuple[str, str], ...] = ()

    def before(self, place: str) -> tuple[str, ...]:
        """Return the words before a program that starts it by a loader of its own; () where it needs none."""
        return (f"{FOLDER}/{self.private[place]}", "--library-path", FOLDER) if place in self.private else ()

    @property
    def env(self) -> dict[str, str]:
        """The variables by which the guest's own loader finds them."""
        return {"LD_LIBRARY_PATH": FOLDER} if self.libraries else {}


def libraries_of(
    pushed: Sequence[PushedFile],
    *,
    started: Collection[str],
    arch: Architecture,
    guest: GuestFiles,
    packages: bool = True,
) -> Libraries:
    """Return what goes along with files that are pushed; `started` are the paths of those that will be started.

    `packages` says whether the guest can be given Debian packages, too.
    """
    paths = {each.path for each in pushed}
    problems: list[tuple[str, str]] = []
    programs: dict[str, Found] = {}
    for file in pushed:
        if file.source is None:
            continue
        needs = read_needs(file.source)
        if needs is None:
            if file.path in started:
                problems += ((file.path, text) for text in _script_problems(file, paths, guest, packages=packages))
            continue
        if needs.arch != arch.name:
            if file.path in started:
                text = (
                    f"{shown(file.source)} is a program for {needs.arch}, and cannot run on a kernel for {arch.name}: "
                    f"build it for {arch.name}, or choose kernels with --arch"
                )
                problems.append((file.path, text))
            continue
        if not needs.needed and not needs.loader:
            continue
        if host_architecture() is not arch:
            if file.path in started:
                found_problems = _foreign_problems(file, needs, paths, guest, arch, packages=packages)
                problems += ((file.path, text) for text in found_problems)
            continue
        found = find_libraries(file.source, folders=[*configured_folders(), *DEFAULT_FOLDERS])
        missing = [name for name in found.missing if not guest.has(name) and not _pushed_as(name, paths)]
        if missing and file.path in started:
            text = (
                f"{shown(file.source)} needs {', '.join(missing)}, which neither this machine nor the guest has: "
                f"install it here, or {PACKAGE if packages else PUSH}"
            )
            problems.append((file.path, text))
        programs[file.path] = found
    alongs = _alongs(programs, guest)
    libraries = {
        name: path for along in alongs.values() for name, path in along.libraries.items() if not _pushed_as(name, paths)
    }
    loaders = [along.loader for along in alongs.values() if along.loader is not None]
    files = [_library(str(path), path) for path in loaders]
    files += [_library(f"{FOLDER}/{name}", path) for name, path in libraries.items()]
    return Libraries(
        files=tuple(files),
        libraries=bool(libraries),
        private={path: along.private for path, along in alongs.items() if along.private},
        problems=tuple(problems),
    )


def _alongs(programs: Mapping[str, Found], guest: GuestFiles) -> Mapping[str, Along]:
    """Return what goes along with each of some programs, by path: where one needs the host's C library, all have it,
    since the libraries of all lie in one folder.
    """
    alongs: dict[str, Along] = {}
    for glibc in (guest.glibc, ()):
        alongs = {
            path: along_with(found, same=guest.same_library, has=guest.has, glibc=glibc)
            for path, found in programs.items()
        }
        if not any(along.private for along in alongs.values()):
            break
    return alongs


def _library(place: str, file: Path) -> PushedFile:
    real = file.resolve()
    state = real.stat()
    return PushedFile(path=place, mode=state.st_mode, size=state.st_size, source=real)


def _pushed_as(name: str, paths: set[str]) -> bool:
    return any(path.endswith(f"/{name}") for path in paths)


def _foreign_problems(
    file: PushedFile, needs: Needs, paths: set[str], guest: GuestFiles, arch: Architecture, *, packages: bool
) -> Iterator[str]:
    """Yield what a program of another architecture than this host's needs, and the guest does not have."""
    wanted = [*needs.needed, *([needs.loader] if needs.loader else [])]
    missing = [name for name in wanted if not guest.has(name) and not _pushed_as(name, paths)]
    if missing:
        yield (
            f"{shown(file.source or Path(file.path))} needs {', '.join(missing)}, which guests for {arch.name} do not "
            f"have: link it statically, {f'{PACKAGE}, ' if packages else ''}or {PUSH}"
        )


def _script_problems(file: PushedFile, paths: set[str], guest: GuestFiles, *, packages: bool) -> Iterator[str]:
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
        how = f"give the package that has it (--package {name or 'NAME'})" if packages else PUSH
        yield (
            f"{shown(file.source)} needs {interpreter or 'an interpreter'}, which is not in the guest: {how}, "
            f"or begin it with #!/bin/sh"
        )
