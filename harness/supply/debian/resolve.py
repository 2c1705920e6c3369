"""From a request (suite, package or pattern, version) to exact package files. Pure, but for the index."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping

from harness.errors import PackageGoneError
from harness.supply.debian.apt import Apt, PackageFile, Stanza
from harness.supply.debian.lock import LockedImage, LockedKernel

# Since 6.19 a kernel is split: linux-image-* (empty), linux-binary-* (vmlinuz), linux-modules-*,
# linux-base-* (configuration, lists of built-in modules).
_PART = re.compile(r"^linux-(image|binary|modules|base)-[0-9]")
_NOT_BOOTABLE = re.compile(r"-(dbg|unsigned)$")


def newest(stanzas: Iterable[Stanza], *, version: str | None) -> Stanza | None:
    """Return the stanza with the highest version, or the one with exactly `version`; None where none is."""
    from debian.debian_support import Version  # noqa: PLC0415  (expensive, and most runs have a lock)

    fitting = [s for s in stanzas if version is None or s.package.version == version]
    return max(fitting, key=lambda s: Version(s.package.version), default=None)


def closure(
    first: Stanza, show: Callable[[Iterable[str]], Mapping[str, Stanza]]
) -> tuple[tuple[PackageFile, ...], tuple[str, ...]]:
    """Follow a kernel package to the packages that carry its files.

    Returns those packages, and the names of parts that the index does not have. Meta packages are left out.
    """
    packages: list[PackageFile] = []
    missing: list[str] = []
    seen = {first.package.name}
    queue = [first]
    while queue:
        stanza = queue.pop(0)
        if _PART.match(stanza.package.name):
            packages.append(stanza.package)
        parts = [name for name in stanza.depends if _PART.match(name) and name not in seen]
        seen.update(parts)
        found = show(parts)
        missing += [name for name in parts if name not in found]
        queue += [found[name] for name in parts if name in found]
    return tuple(packages), tuple(sorted(missing))


def resolve_kernel(apt: Apt, *, suite: str, package: str, version: str | None) -> LockedKernel:
    """Resolve one `debian` kernel against the suite's index as it is now.

    `package` is a name or a pattern; the newest package that matches wins. Raises PackageGoneError where
    the suite has none, MirrorError where its index cannot be fetched.
    """
    prefix = re.split(r"[*?\[]", package)[0]
    names = [
        name for name in apt.names(prefix) if fnmatch.fnmatchcase(name, package) and not _NOT_BOOTABLE.search(name)
    ]
    chosen = newest(apt.show(names).values(), version=version)
    if chosen is None:
        wanted = package if version is None else f"{package} = {version}"
        raise PackageGoneError(
            f"{suite} ({apt.architecture}) has no package {wanted}; it has: {_summary(apt, prefix) or 'none alike'}"
        )
    packages, missing = closure(chosen, apt.show)
    return LockedKernel(
        suite=suite,
        package=package,
        architecture=apt.architecture,
        wanted_version=version,
        version=chosen.package.version,
        packages=packages,
        missing=missing,
    )


def resolve_image(apt: Apt, names: Iterable[str]) -> LockedImage:
    """Resolve the closed list of packages that the guest image is made of; raise PackageGoneError."""
    wanted = tuple(names)
    found = apt.show(wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise PackageGoneError(f"{', '.join(apt.suites)} ({apt.architecture}) has no {', '.join(missing)}")
    return LockedImage(suites=apt.suites, names=wanted, packages=tuple(sorted(found[name].package for name in wanted)))


def _summary(apt: Apt, prefix: str) -> str:
    stem = re.match(r"linux-image-", prefix)
    names = [n for n in apt.names(stem.group() if stem else prefix[:6]) if not _NOT_BOOTABLE.search(n)]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
