"""From a request (suite, package or pattern, version) to exact package files. Pure, but for the index."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from harness.errors import PackageGoneError
from harness.supply.debian.apt import PackageFile, Stanza
from harness.supply.debian.pin import DebianPin, ImagePin

# Since 6.19 a kernel is split: linux-image-* (empty), linux-binary-* (vmlinuz), linux-modules-*,
# linux-base-* (configuration, lists of built-in modules).
_PART = re.compile(r"^linux-(image|binary|modules|base)-[0-9]")
_IMAGE = "linux-image-"
_NOT_BOOTABLE = re.compile(r"-(dbg|unsigned)$")

Stanzas = Mapping[str, Sequence[Stanza]]
"""Packages by their name, with all versions that an index has, the newest first."""


class Index(Protocol):
    """What is asked of an index of packages; `Apt` is one."""

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites that it is of."""

    @property
    def architecture(self) -> str:
        """The Debian architecture that it is of."""

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names of all packages that begin with `prefix`."""

    def show(self, names: Iterable[str]) -> Stanzas:
        """Return these packages; those that the index does not have are absent."""


def builds(index: Index, *, suite: str, package: str, version: str | None) -> Iterator[DebianPin]:
    """Yield all builds of a kernel that a suite's index lists now, the newest first.

    `package` is a name or a pattern, `version` the only version that counts. A meta package (linux-image-amd64) stands
    for the build that it leads to; after that come the older builds of its flavour. The index is asked for what comes
    next only when that is wanted. Raises PackageGoneError where the suite has none, and what the index raises.
    """
    prefix = re.split(r"[*?\[]", package)[0]
    names = [
        name for name in index.names(prefix) if fnmatch.fnmatchcase(name, package) and not _NOT_BOOTABLE.search(name)
    ]
    first = _stanzas(index, names, version)
    if not first:
        wanted = package if version is None else f"{package} = {version}"
        raise PackageGoneError(
            f"{suite} ({index.architecture}) has no package {wanted}; it has: {_summary(index, prefix) or 'none alike'}"
        )
    seen: set[tuple[PackageFile, ...]] = set()
    for chosen in _in_turn(index, first, version):
        parts = parts_of(chosen, index)
        for stanza in chosen:
            packages, missing = closure(stanza, parts)
            if packages not in seen:
                seen.add(packages)
                yield DebianPin(
                    suite=suite,
                    package=package,
                    architecture=index.architecture,
                    wanted_version=version,
                    version=stanza.package.version,
                    packages=packages,
                    missing=missing,
                )


def _stanzas(index: Index, names: Iterable[str], version: str | None) -> list[Stanza]:
    """Return all stanzas of some packages, or those of one version alone, the newest first."""
    return newest_first(
        stanza
        for stanzas in index.show(names).values()
        for stanza in stanzas
        if version is None or stanza.package.version == version
    )


def _in_turn(index: Index, first: list[Stanza], version: str | None) -> Iterator[list[Stanza]]:
    """Yield what is asked for by name, then what a meta package stands for as well."""
    yield first
    yield _older_of_flavour(index, first[0], version)


def _older_of_flavour(index: Index, meta: Stanza, version: str | None) -> list[Stanza]:
    """Return the kernels of a meta package's flavour that are no newer than it; none where it is no meta package."""
    name = meta.package.name
    if _PART.match(name) or not name.startswith(_IMAGE):
        return []
    flavour = re.compile(rf"{_IMAGE}[0-9][^-]*(-[0-9][^-]*)*-{re.escape(name.removeprefix(_IMAGE))}")
    found = _stanzas(index, [each for each in index.names(_IMAGE) if flavour.fullmatch(each)], version)
    return [each for each in found if newest_first([meta, each])[0] is meta]


def newest_first(stanzas: Iterable[Stanza]) -> list[Stanza]:
    """Return stanzas by Debian's order of their versions, the highest first."""
    from debian.debian_support import Version  # noqa: PLC0415  (expensive, and most runs have a lock)

    return sorted(stanzas, key=lambda each: Version(each.package.version), reverse=True)


def parts_of(first: Iterable[Stanza], index: Index) -> Stanzas:
    """Return all parts that some kernel packages lead to, as far as the index has them."""
    known: dict[str, Sequence[Stanza]] = {}
    asked: set[str] = set()
    fresh = list(first)
    while names := {name for stanza in fresh for name in stanza.depends if _PART.match(name)} - asked:
        asked |= names
        found = index.show(sorted(names))
        known.update(found)
        fresh = [stanza for stanzas in found.values() for stanza in stanzas]
    return known


def closure(first: Stanza, parts: Stanzas) -> tuple[tuple[PackageFile, ...], tuple[str, ...]]:
    """Follow a kernel package to the packages that carry its files.

    Of a part with several versions the one of the package that needs it is taken, else the newest. Returns those
    packages, and the names of parts that are not in `parts`. Meta packages are left out.
    """
    packages: list[PackageFile] = []
    missing: list[str] = []
    seen = {first.package.name}
    queue = [first]
    while queue:
        stanza = queue.pop(0)
        if _PART.match(stanza.package.name):
            packages.append(stanza.package)
        names = [name for name in dict.fromkeys(stanza.depends) if _PART.match(name) and name not in seen]
        seen.update(names)
        missing += [name for name in names if name not in parts]
        queue += [_fitting(parts[name], stanza.package.version) for name in names if name in parts]
    return tuple(packages), tuple(sorted(missing))


def resolve_image(index: Index, names: Iterable[str]) -> ImagePin:
    """Resolve the closed list of packages that the guest image is made of; raise PackageGoneError."""
    wanted = tuple(names)
    found = index.show(wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise PackageGoneError(f"{', '.join(index.suites)} ({index.architecture}) has no {', '.join(missing)}")
    return ImagePin(
        suites=index.suites, names=wanted, packages=tuple(sorted(found[name][0].package for name in wanted))
    )


def _fitting(stanzas: Sequence[Stanza], version: str) -> Stanza:
    return next((stanza for stanza in stanzas if stanza.package.version == version), stanzas[0])


def _summary(index: Index, prefix: str) -> str:
    stem = re.match(r"linux-image-", prefix)
    names = [n for n in index.names(stem.group() if stem else prefix[:6]) if not _NOT_BOOTABLE.search(n)]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
