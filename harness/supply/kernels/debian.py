"""Kernels out of Debian's suites: fetched through a private apt, kept in the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from harness.config.matrix import DebianKernel
from harness.errors import PackageGoneError
from harness.host.scratch import scratch_folder
from harness.model.architectures import ARCHITECTURES
from harness.model.results import PackageInfo
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.archive import Archive, MirroredArchive
from harness.supply.debian.pin import DebianPin
from harness.supply.debian.resolve import builds
from harness.supply.kernels.cached import cached_kernel, kernel_image
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.source import Description, Resolution, SourceContext
from harness.supply.kernels.unpack import unpack_kernel_packages


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
            return tuple(listed)

    def pin(self, kernel: DebianKernel) -> Resolution[DebianPin]:
        """Return the newest build whose files the mirror has, and those that it lists without having them."""
        over: list[str] = []
        with self._listed(kernel) as listed:
            for build in listed:
                gone = [package for package in build.packages if not self._archive.has(package)]
                if not gone:
                    return Resolution(pin=build, passed_over=tuple(over))
                over.append(f"{build.version} ({', '.join(package.name for package in gone)})")
        raise PackageGoneError(
            f"{kernel.suite} ({kernel.arch}) lists {kernel.package}, but the mirror no longer has its files: "
            f"{', '.join(over)}"
        )

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
            unpacked=lambda folder: self._unpacked(folder, pin),
            package=package,
            modules=modules,
            case_modules=case_modules,
        )

    def unpack(self, kernel: DebianKernel, pin: DebianPin, folder: Path) -> None:  # noqa: ARG002  (KernelSource)
        """Fetch and unpack all packages of the pin."""
        for _ in self._fetched(pin, folder):
            pass

    def describe(self, kernel: DebianKernel, pin: DebianPin | None) -> Description:
        """Return the package and its suite; of a pin its version, and whether it has come without modules."""
        if pin is None:
            return Description(what=kernel.package, where=kernel.suite)
        return Description(
            what=kernel.package,
            where=kernel.suite,
            version=pin.version,
            remark="no modules" if any(name.startswith("linux-modules-") for name in pin.missing) else "",
            missing=pin.missing,
            size=sum(package.size for package in pin.packages),
        )

    @contextlib.contextmanager
    def _listed(self, kernel: DebianKernel) -> Iterator[Iterator[DebianPin]]:
        with self._archive.index(kernel.suite, ARCHITECTURES[kernel.arch].debian) as index:
            yield builds(index, suite=kernel.suite, package=kernel.package, version=kernel.version)

    @contextlib.contextmanager
    def _unpacked(self, folder: Path, pin: DebianPin) -> Iterator[tuple[Path, str]]:
        """Fetch and unpack packages; hold the tree, and the name of the package that has the kernel's image."""
        # The packages and the unpacked tree lie beside the entry, on the cache's own disk, and are deleted at once.
        with scratch_folder(parent=folder.parent) as scratch:
            root = scratch / "root"
            root.mkdir()
            carrier = ""
            for package in self._fetched(pin, root):
                if not carrier and kernel_image(root) is not None:
                    carrier = package.name
            yield root, carrier

    def _fetched(self, pin: DebianPin, root: Path) -> Iterator[PackageFile]:
        """Fetch all packages, then unpack them to `root`; yield each when it is unpacked."""
        with scratch_folder(parent=root.parent) as debs:
            fetched = [(package, self._archive.fetch(package, debs)) for package in pin.packages]
            for package, deb in fetched:
                unpack_kernel_packages([deb], root)
                deb.unlink()
                yield package
