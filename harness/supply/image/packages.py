"""Debian packages with their dependencies as one more archive of the guest image: unpacked, never installed."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.errors import ConfigError, PackageGoneError
from harness.host.cache import Cache, Entry, digest, sha256_file, sha256_known
from harness.host.called_as import command
from harness.host.scratch import scratch_folder
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.pin import ImagePin
from harness.supply.image import cpio
from harness.supply.image.contents import matches

FORMAT = 1
ARCHIVE = "packages.cpio"
DROPPED = (
    *("usr/share/doc/**", "usr/share/man/**", "usr/share/info/**", "usr/share/locale/**", "usr/share/lintian/**"),
    *("usr/share/bug/**", "usr/share/doc-base/**", "usr/share/bash-completion/**", "usr/share/zsh/**", "dev/**"),
    *("proc/**", "run/**", "sys/**", "tmp/**", "boot/**", "var/lib/dpkg/**", "usr/lib/*/gconv/**", "etc/fstab"),
    *("usr/bin/sh", "init"),
)
"""What of a package no command needs, or what is the guest's own. Its `sh` is busybox, which the harness relies on."""
MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders that are links to those of the same name in /usr (Debian's merged /usr)."""
_INSTALLED = re.compile(r"^Inst (?P<name>\S+) (?:\[\S+\] )?\((?P<version>\S+) ", re.MULTILINE)


class Resolver(Protocol):
    """What finds the dependencies of packages; `Apt` is one."""

    suites: tuple[str, ...]
    architecture: str

    def simulate(self, names: Sequence[str]) -> tuple[str, str]:
        """Return what apt-get says it would install for these packages, and its errors."""

    def show(self, names: Iterable[str]) -> Mapping[str, Sequence[Any]]:
        """Return these packages by name; those that the index does not have are absent."""


def resolve_packages(apt: Resolver, names: Sequence[str]) -> ImagePin:
    """Return packages and all that they depend on, as the suites have them now; raise ConfigError where one is not.

    apt-get itself decides, as for a system that has nothing installed; packages that are only recommended stay out.
    """
    text, errors = apt.simulate(names)
    chosen = {match["name"].partition(":")[0]: match["version"] for match in _INSTALLED.finditer(text)}
    if not chosen:
        why = " ".join(line.removeprefix("E: ") for line in errors.splitlines() if line.startswith("E:"))
        raise ConfigError(
            f"the packages {', '.join(names)} cannot be had from {', '.join(apt.suites)} ({apt.architecture}): "
            f"{why or 'apt-get gives no reason'}"
        )
    found = apt.show(sorted(chosen))
    packages = []
    for name, version in sorted(chosen.items()):
        package = next((each.package for each in found.get(name, ()) if each.package.version == version), None)
        if package is None:
            raise ConfigError(f"the index of {', '.join(apt.suites)} ({apt.architecture}) has no {name} {version}")
        packages.append(package)
    return ImagePin(suites=apt.suites, names=tuple(names), packages=tuple(packages))


@dataclass(frozen=True, kw_only=True)
class PackageArchive:
    """An archive of unpacked packages, and which versions of those that were asked for are in it."""

    path: Path
    versions: tuple[str, ...]


class Packages:
    """Makes archives of packages, each kept in the cache by what is in it.

    `resolve` finds what packages are for a Debian architecture now, `pins` are those of the lock, by `pin_key`;
    `unpack` unpacks package files into a folder below another one. `note` is given what the reports must say.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        resolve: Callable[[Sequence[str], str], ImagePin],
        pins: Mapping[str, ImagePin],
        unpack: Callable[[Sequence[PackageFile], Path], Path],
        note: Callable[[str], None],
    ) -> None:
        self._cache, self._resolve, self._pins, self._unpack, self._note = cache, resolve, pins, unpack, note

    def archive(self, names: Sequence[str], *, debian_arch: str, base: Path) -> PackageArchive:
        """Return the archive of some packages with their dependencies, made now where it is not in the cache.

        What the userland `base` has already is left out. Which versions they are the lock says, or else the suites did
        when the archive was made. Where the mirror has lost what the lock names, those that it has now are taken, with
        a note, unless that is forbidden. Raises ConfigError where there are no such packages, and what fetching raises.
        """
        wanted = tuple(sorted(set(names)))
        pin = self._pins.get(pin_key(wanted, debian_arch))
        if pin is None:
            return self._made(wanted, None, debian_arch=debian_arch, base=base)
        try:
            return self._made(wanted, pin, debian_arch=debian_arch, base=base)
        except PackageGoneError:
            made = self._made(wanted, None, debian_arch=debian_arch, base=base)
        self._note(
            f"packages {' '.join(wanted)} ({debian_arch}): the mirror no longer has what is pinned; what the suites "
            f"have now was taken instead. Run `{command('lock')}` to pin it"
        )
        return made

    def _made(self, wanted: tuple[str, ...], pin: ImagePin | None, *, debian_arch: str, base: Path) -> PackageArchive:
        known = digest(pin.packages) if pin is not None else ""

        def make(folder: Path) -> dict[str, Any]:
            own = pin or self._resolve(wanted, debian_arch)
            there = {node.path for node in cpio.read(base.read_bytes())}
            with scratch_folder(parent=folder.parent) as scratch:
                nodes = list(packed(self._unpack(own.packages, scratch), without=there))
            (folder / ARCHIVE).write_bytes(cpio.archive(nodes))
            versions = [f"{each.name} {each.version}" for each in own.packages if each.name in wanted]
            return {"versions": versions, "sha256": sha256_file(folder / ARCHIVE)}

        entry: Entry = self._cache.entry(
            "packages", digest(FORMAT, wanted, debian_arch, known, sha256_known(base), DROPPED), make
        )
        return PackageArchive(path=entry.path / ARCHIVE, versions=tuple(entry.meta["versions"]))


def pin_key(names: Iterable[str], debian_arch: str) -> str:
    """Return the name of a list of packages in the lock."""
    return f"{debian_arch}: {' '.join(sorted(set(names)))}"


def packed(root: Path, *, without: Collection[str]) -> Iterator[cpio.Node]:
    """Yield the entries for an unpacked tree, but for what is dropped, and for what the userland has already.

    A Python module that the userland has as bytecode is one of these.
    """
    found: dict[str, cpio.Node] = {}
    for path in sorted(root.rglob("*")):
        name = merged(str(path.relative_to(root)))
        if name in MERGED or name in without or (name.endswith(".py") and f"{name}c" in without):
            continue
        if matches(name, DROPPED):
            continue
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            found[name] = cpio.link(name, str(path.readlink()))
        elif stat.S_ISREG(state.st_mode):
            mode = stat.S_IFREG | (state.st_mode & 0o7777)
            found[name] = cpio.Node(path=name, mode=mode, data=path.read_bytes())
        elif stat.S_ISDIR(state.st_mode):
            found[name] = cpio.folder(name)
    yield from found.values()


def merged(path: str) -> str:
    """Return a relative path as it is where /bin, /sbin, /lib and /lib64 are links into /usr."""
    top, slash, rest = path.partition("/")
    return f"usr/{top}/{rest}" if slash and top in MERGED else path
