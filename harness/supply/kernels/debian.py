"""Kernels out of Debian's suites: fetched through a private apt, kept in the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from harness.config.matrix import DebianKernel
from harness.model.architectures import ARCHITECTURES
from harness.model.results import PackageInfo
from harness.supply.debian.archive import Archive, MirroredArchive
from harness.supply.debian.pin import DebianPin
from harness.supply.debian.resolve import Build, builds
from harness.supply.kernels.cached import cached_kernel
from harness.supply.kernels.debs import changelog, description, fetched, gone, newest_whole, unpacked
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.source import Description, Resolution, SourceContext


class DebianSource:
    """Kernels out of Debian packages: a suite, a package or a pattern, and perhaps a version (`KernelSource`)."""

    pin_type: ClassVar[type[Any] | None] = DebianPin

    def __init__(self, context: SourceContext, *, archive: Archive | None = None) -> None:
        self._cache = context.cache
        self._archive: Archive = archive or MirroredArchive(cache=context.cache, mirrors=context.mirrors)

    def check(self, kernel: DebianKernel, *, modules: Sequence[str], case_modules: Sequence[str]) -> None:
        """Find nothing: what can be wrong without the suite's index, reading matrix.yaml has found."""

    def builds(self, kernel: DebianKernel) -> Sequence[DebianPin]:
        """Return the builds that the suite's index lists now, for a meta package those of its flavour."""
        with self._listed(kernel) as listed:
            return tuple(_pin(kernel, build) for build in listed)

    def pin(self, kernel: DebianKernel) -> Resolution[DebianPin]:
        """Return the newest build whose files the mirror has, and those that it lists without having them."""
        what = f"{kernel.suite} ({kernel.arch}) lists {kernel.package}"
        with self._listed(kernel) as listed:
            build, over = newest_whole(listed, archive=self._archive, what=what)
        return Resolution(pin=_pin(kernel, build), passed_over=over)

    def gone(self, kernel: DebianKernel, pin: DebianPin) -> Sequence[str]:  # noqa: ARG002  (KernelSource)
        """Return the packages that the mirror has no more."""
        return gone(pin.packages, archive=self._archive)

    def answers(self, kernel: DebianKernel, pin: DebianPin) -> bool:
        """Say whether suite, package, version and architecture are those of the pin."""
        return pin.answers(
            suite=kernel.suite,
            package=kernel.package,
            version=kernel.version,
            architecture=ARCHITECTURES[kernel.arch].debian,
        )

    def obtain(
        self, kernel: DebianKernel, pin: DebianPin, *, modules: Sequence[str], case_modules: Sequence[str] = ()
    ) -> KernelFiles:
        """Return the files of the pinned packages: the kernel is an entry of the cache, cases' modules are another."""

        def package(carrier: str) -> PackageInfo:
            found = next(package for package in pin.packages if package.name == carrier)
            return PackageInfo(
                source="debian",
                name=found.name,
                version=found.version,
                sha256=found.sha256,
                suite=kernel.suite,
                distribution="debian",
            )

        return cached_kernel(
            self._cache,
            name=kernel.name,
            arch=ARCHITECTURES[kernel.arch],
            made_of=[package.sha256 for package in pin.packages],
            unpacked=lambda folder: unpacked(pin, folder, fetch=self._archive.fetch),
            package=package,
            modules=modules,
            case_modules=case_modules,
        )

    def unpack(self, kernel: DebianKernel, pin: DebianPin, folder: Path) -> None:  # noqa: ARG002  (KernelSource)
        """Fetch and unpack all packages of the pin."""
        for _ in fetched(pin, folder, fetch=self._archive.fetch):
            pass

    def changelog(self, kernel: DebianKernel, pin: DebianPin) -> str:  # noqa: ARG002  (KernelSource)
        """Return the changelog out of the packages of the pin."""
        return changelog(pin, fetch=self._archive.fetch)

    def describe(self, kernel: DebianKernel, pin: DebianPin | None) -> Description:
        """Return the package and its suite; of a pin its version, and whether it has come without modules."""
        return description(what=kernel.package, where=kernel.suite, pin=pin)

    @contextlib.contextmanager
    def _listed(self, kernel: DebianKernel) -> Iterator[Iterator[Build]]:
        with self._archive.index(kernel.suite, ARCHITECTURES[kernel.arch].debian) as index:
            yield builds(index, suite=kernel.suite, package=kernel.package, version=kernel.version)


def _pin(kernel: DebianKernel, build: Build) -> DebianPin:
    return DebianPin(
        suite=kernel.suite,
        package=kernel.package,
        architecture=ARCHITECTURES[kernel.arch].debian,
        wanted_version=kernel.version,
        version=build.version,
        packages=build.packages,
        missing=build.missing,
    )
