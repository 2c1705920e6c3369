"""How distributions with RPMs split a kernel into packages: facts as a table, and the builds that an index lists. Pure.

Whose kernel it is says what its image package is called where the user does not; how that is called says what lies
beside it. All packages of a build have the same version and architecture.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.errors import PackageGoneError
from harness.supply.rpm.pin import RpmFile, RpmPin
from harness.supply.rpm.versions import compare_whole, fits

if TYPE_CHECKING:
    from harness.supply.rpm.repodata import Listing


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a kernel is split: `parts` are the endings of its packages, added to the name without `ending`.

    The package that is asked for has the name with `ending`; of the others a build has those that the index lists.
    """

    ending: str
    parts: tuple[str, ...]

    def names(self, package: str) -> tuple[str, ...]:
        """Return the names of all packages that a kernel may have, that of `package` first."""
        stem = package.removesuffix(self.ending)
        return tuple(dict.fromkeys((package, *(f"{stem}{part}" for part in self.parts))))


_SPLIT = Layout(
    ending="-core",
    parts=("-core", "-modules-core", "-modules", "-modules-extra", "-modules-internal", "-modules-partner"),
)
"""RHEL 8 and later, Fedora, Oracle's UEK 7 and later, and their flavours: kernel-core, kernel-rt-core,
kernel-64k-core, kernel-uek-core. `-modules-core` is there since RHEL 9.2 and Fedora 38 (before, kernel-core had its
modules); `-internal` and `-partner` in few repositories. The package without an ending is empty."""
_WHOLE = Layout(ending="", parts=("", "-modules", "-modules-extra", "-modules-extra-common"))
"""RHEL 7, Oracle's UEK 6, Amazon Linux (kernel, kernel6.12): the image and nearly all modules in one package."""
_SUSE = Layout(ending="", parts=("", "-extra", "-optional"))
"""SUSE: kernel-default has the image and all supported modules; kernel-default-base is a smaller kernel of its own,
and so is each flavour (kernel-rt, kernel-azure, kernel-64kb)."""


@dataclass(frozen=True, kw_only=True)
class Packaging:
    """What a distribution's kernels are called where the user does not say; of `layouts` the first that fits."""

    package: str
    layouts: tuple[Layout, ...]


PACKAGING: Mapping[str, Packaging] = MappingProxyType(
    {
        "rhel-like": Packaging(package="kernel-core", layouts=(_SPLIT, _WHOLE)),
        "fedora": Packaging(package="kernel-core", layouts=(_SPLIT, _WHOLE)),
        "amazon": Packaging(package="kernel", layouts=(_WHOLE,)),
        "suse": Packaging(package="kernel-default", layouts=(_SUSE,)),
    }
)
"""By the names of distributions that an entry of matrix.yaml gives."""


def package_of(distribution: str, package: str | None) -> str:
    """Return the name of the package with the image: what the user says, else the distribution's."""
    return package or PACKAGING[distribution].package


def names_of(distribution: str, package: str) -> tuple[str, ...]:
    """Return the names of all packages that a kernel of a distribution may have, that of its image first."""
    layouts = PACKAGING[distribution].layouts
    return next(layout for layout in layouts if package.endswith(layout.ending)).names(package)


def builds(
    listing: Listing,
    *,
    names: Sequence[str],
    architectures: Collection[str],
    version: str | None,
    repositories: tuple[str, ...],
) -> Iterator[RpmPin]:
    """Yield all builds of a kernel that a repository lists, the newest first.

    `names` are as `names_of` returns them, `architectures` RPM's names for one. Raises PackageGoneError where there is
    none, with what there is instead.
    """
    package, *others = names
    ours = [each for each in listing.packages if each.name == package]
    mine = [each for each in ours if each.arch in architectures]
    chosen = [each for each in mine if fits(each.version, version)]
    if not chosen:
        raise PackageGoneError(f"the repository has {_instead(ours, listing.names, package, architectures, version)}")
    key = functools.cmp_to_key(compare_whole)
    # A package that is listed twice, as one of two checksums or places, is one build.
    by_build = {(each.version, each.arch): each for each in reversed(chosen)}
    for image in sorted(by_build.values(), key=lambda each: key(each.version), reverse=True):
        build = (image.version, image.arch)
        beside = {each.name: each for each in reversed(listing.packages) if (each.version, each.arch) == build}
        yield RpmPin(
            package=package,
            architecture=image.arch,
            version=image.version,
            packages=(image, *(beside[name] for name in others if name in beside)),
            repositories=repositories,
            wanted_version=version,
        )


def _instead(
    ours: Sequence[RpmFile],
    names: Collection[str],
    package: str,
    architectures: Collection[str],
    version: str | None,
) -> str:
    """Return what a repository does not have, and what it has instead; `ours` are of the name `package`."""
    mine = [each for each in ours if each.arch in architectures]
    if mine:
        key = functools.cmp_to_key(compare_whole)
        there = sorted({each.version for each in mine}, key=key, reverse=True)
        return f"no {package} {version}; it has {_some(there)}"
    if ours:
        return f"{package} for {_some(sorted({each.arch for each in ours}))}, not for {'/'.join(architectures)}"
    kernels = kernels_in(names)
    return f"no package {package}; it has {_some(kernels) if kernels else 'no kernel'}"


def kernels_in(names: Collection[str]) -> list[str]:
    """Return which packages have a kernel: each has another beside it for building modules (kernel-devel)."""
    return sorted(name for name in names if f"{name.removesuffix('-core')}-devel" in names)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
