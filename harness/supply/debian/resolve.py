"""From a request (package or pattern, version) to exact package files. Pure, but for the index."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.errors import PackageGoneError
from harness.supply.debian.apt import PackageFile, Stanza
from harness.supply.debian.layouts import IMAGE, LAYOUTS, Layout
from harness.supply.debian.pin import ImagePin

DEBIAN = LAYOUTS["debian"]

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

    @property
    def origin(self) -> str:
        """Who says that the packages are theirs, "" where nobody does."""

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names of all packages that begin with `prefix`."""

    def show(self, names: Iterable[str]) -> Stanzas:
        """Return these packages; those that the index does not have are absent."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """One build of a kernel: the version of its image, its packages, and the names of those that the index misses."""

    version: str
    packages: tuple[PackageFile, ...]
    missing: tuple[str, ...] = ()


def builds(index: Index, *, suite: str, package: str, version: str | None, layout: Layout = DEBIAN) -> Iterator[Build]:
    """Yield all builds of a kernel that a suite's index lists now, the newest first.

    `package` is a name or a pattern, `version` the only version that counts. A meta package (linux-image-amd64) stands
    for the build that it leads to; after that come the older builds of its flavour. The index is asked for what comes
    next only when that is wanted. Raises PackageGoneError where the suite has none, and what the index raises.
    """
    prefix = re.split(r"[*?\[]", package)[0]
    named = bool(layout.no_image.search(package))
    names = [
        name
        for name in index.names(prefix)
        if fnmatch.fnmatchcase(name, package) and (named or not layout.no_image.search(name))
    ]
    first = _stanzas(index, names, version)
    if not first and version is not None:  # a meta package has a version of its own
        metas = _stanzas(index, names, None)
        first = _older_of_flavour(index, metas[0], version, layout) if metas else []
    if not first:
        wanted = package if version is None else f"{package} = {version}"
        raise PackageGoneError(
            f"{suite} ({index.architecture}) has no package {wanted}; "
            f"it has: {_summary(index, prefix, layout) or 'none alike'}"
        )
    seen: set[tuple[PackageFile, ...]] = set()
    for chosen in _in_turn(index, first, version, layout):
        parts = parts_of(chosen, index, layout)
        for stanza in chosen:
            packages, missing = closure(stanza, parts, layout)
            if packages not in seen:
                seen.add(packages)
                image = _image_of(packages, layout)
                yield Build(
                    version=image.version if image else stanza.package.version, packages=packages, missing=missing
                )


def _image_of(packages: Iterable[PackageFile], layout: Layout) -> PackageFile | None:
    return next((package for package in packages if layout.flavour(package.name)), None)


def _stanzas(index: Index, names: Iterable[str], version: str | None) -> list[Stanza]:
    """Return all stanzas of some packages, or those of one version alone, the newest first."""
    return newest_first(
        stanza
        for stanzas in index.show(names).values()
        for stanza in stanzas
        if version is None or stanza.package.version == version
    )


def _in_turn(index: Index, first: list[Stanza], version: str | None, layout: Layout) -> Iterator[list[Stanza]]:
    """Yield what is asked for by name, then what a meta package stands for as well."""
    yield first
    yield _older_of_flavour(index, first[0], version, layout)


def _older_of_flavour(index: Index, meta: Stanza, version: str | None, layout: Layout) -> list[Stanza]:
    """Return the kernels of the flavour that a meta package leads to, none newer; none where it is no meta package."""
    if layout.part.match(meta.package.name):
        return []
    newest = _image_of(closure(meta, parts_of([meta], index, layout), layout)[0], layout)
    if newest is None:
        return []
    flavour = layout.flavour(newest.name)
    names = [
        name for name in index.names(IMAGE) if layout.flavour(name) == flavour and not layout.no_image.search(name)
    ]
    bound = Stanza(package=newest, depends=())
    found = _stanzas(index, names, version)
    return [each for each in found if newest_first([bound, each])[0] is bound]


def newest_first(stanzas: Iterable[Stanza]) -> list[Stanza]:
    """Return stanzas by Debian's order of their versions, the highest first."""
    from debian.debian_support import Version  # noqa: PLC0415  (expensive, and most runs have a lock)

    return sorted(stanzas, key=lambda each: Version(each.package.version), reverse=True)


def _needs(stanza: Stanza, layout: Layout, *, asked: bool) -> tuple[str, ...]:
    """Return the names of the packages that may carry more of a kernel; of one that was `asked` for, all of its own."""
    needed = [name for name in stanza.depends if layout.followed.match(name)]
    return tuple(dict.fromkeys([*needed, *(layout.belonging(stanza.package.name) if asked else ())]))


def parts_of(first: Iterable[Stanza], index: Index, layout: Layout = DEBIAN) -> Stanzas:
    """Return all parts that some kernel packages lead to, as far as the index has them."""
    known: dict[str, Sequence[Stanza]] = {}
    asked: set[str] = set()
    fresh = list(first)
    wanted = {name for stanza in fresh for name in _needs(stanza, layout, asked=True)}
    while names := wanted - asked:
        asked |= names
        found = index.show(sorted(names))
        known.update(found)
        fresh = [stanza for stanzas in found.values() for stanza in stanzas]
        wanted = {name for stanza in fresh for name in _needs(stanza, layout, asked=False)}
    return known


def closure(first: Stanza, parts: Stanzas, layout: Layout = DEBIAN) -> tuple[tuple[PackageFile, ...], tuple[str, ...]]:
    """Follow a kernel package to the packages that carry its files.

    Of a part with several versions the one of the package that needs it is taken, else the newest. Returns those
    packages, and the names of parts that are not in `parts`. Meta packages are left out, and so is what belongs to an
    image without being needed by it, but for an image that was asked for by itself.
    """
    packages: list[PackageFile] = []
    missing: list[str] = []
    seen = {first.package.name}
    queue = [first]
    while queue:
        stanza = queue.pop(0)
        if layout.part.match(stanza.package.name):
            packages.append(stanza.package)
        names = [name for name in _needs(stanza, layout, asked=stanza is first) if name not in seen]
        seen.update(names)
        optional = layout.belonging(stanza.package.name)
        missing += [name for name in names if name not in parts and name not in optional]
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


def _summary(index: Index, prefix: str, layout: Layout) -> str:
    stem = re.match(IMAGE, prefix)
    names = [n for n in index.names(stem.group() if stem else prefix[:6]) if not layout.no_image.search(n)]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
