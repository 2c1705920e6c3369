"""Kernels out of any signed apt repository: Ubuntu's, Debian's or one's own, also as a snapshot of one day."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from harness.config.matrix import AptKernel
from harness.errors import ConfigError
from harness.model.architectures import ARCHITECTURES
from harness.model.results import PackageInfo
from harness.supply.debian.apt import USUAL, PackageFile, Patience
from harness.supply.debian.archive import Archive
from harness.supply.debian.layouts import distribution_of_origin, layout_of
from harness.supply.debian.pin import AptPin
from harness.supply.debian.repositories import Repository
from harness.supply.debian.repository import Line, addresses, known_names, unknown_name
from harness.supply.debian.resolve import Build, builds
from harness.supply.kernels.cached import cached_kernel
from harness.supply.kernels.debs import changelog, description, fetched, gone, newest_whole, unpacked
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.source import Description, Resolution, SourceContext

ARCHIVE = "apt"
"""What a pinned package has in the place of one of Debian's archives."""


class Repositories(Protocol):
    """What makes the repository of an entry."""

    def __call__(self, kernel: AptKernel, /) -> tuple[Archive, list[str]]:
        """Return it, and the list to which it adds what must be said of addresses that failed."""


class AptSource:
    """Kernels out of apt repositories: addresses, a suite, keys, a package or a pattern (`KernelSource`).

    `patience` is how long is waited for them; `repositories` makes them, without it from `uris` and the mirrors.
    """

    pin_type: ClassVar[type[Any] | None] = AptPin

    def __init__(
        self, context: SourceContext, *, repositories: Repositories | None = None, patience: Patience = USUAL
    ) -> None:
        self._context = context
        self._cache = context.cache
        self._patience = patience
        self._repositories = repositories or self._repository

    def check(self, kernel: AptKernel, *, modules: Sequence[str], case_modules: Sequence[str]) -> None:  # noqa: ARG002
        """Find names that nobody has an address for, and a keyring that is not there; raise ConfigError."""
        known = known_names(self._context.named)
        wrong = [unknown_name(word) for word in kernel.uris if not known(word)]
        if kernel.keyring is not None and not kernel.keyring.is_file():
            wrong.append(f"there is no keyring {kernel.keyring}: the file with the keys that sign this repository")
        if wrong:
            raise ConfigError("\n".join(f"kernel {kernel.name}: {text}" for text in wrong))

    def builds(self, kernel: AptKernel) -> Sequence[AptPin]:
        """Return the builds that the suite's index lists now, for a meta package those of its flavour."""
        archive, _ = self._repositories(kernel)
        with _listed(kernel, archive) as listed:
            return tuple(listed.pin(build) for build in listed.builds)

    def pin(self, kernel: AptKernel) -> Resolution[AptPin]:
        """Return the newest build whose files are there, those listed without them, and addresses that failed."""
        archive, notices = self._repositories(kernel)
        what = f"{kernel.suite} ({kernel.arch}) lists {kernel.package}"
        with _listed(kernel, archive) as listed:
            build, over = newest_whole(listed.builds, archive=archive, what=what)
            return Resolution(pin=listed.pin(build), passed_over=over, remarks=(*notices, *_loudly(kernel)))

    def gone(self, kernel: AptKernel, pin: AptPin) -> Sequence[str]:
        """Return the packages that none of the addresses has any more."""
        archive, _ = self._repositories(kernel)
        return gone(pin.packages, archive=archive)

    def answers(self, kernel: AptKernel, pin: AptPin) -> bool:
        """Say whether all that says which build is meant is as in the pin; where it comes from is no part of it."""
        asked = _request(kernel)
        return replace(pin, version="", packages=(), missing=(), distribution=asked.distribution) == asked and (
            kernel.distribution in (None, pin.distribution)
        )

    def obtain(
        self, kernel: AptKernel, pin: AptPin, *, modules: Sequence[str], case_modules: Sequence[str] = ()
    ) -> KernelFiles:
        """Return the files of the pinned packages: the kernel is an entry of the cache, cases' modules are another."""
        said: list[str] = []

        def fetch(package: PackageFile, folder: Path) -> Path:
            archive, notices = self._repositories(kernel)
            path = archive.fetch(package, folder)
            said.extend(notice for notice in notices if notice not in said)
            return path

        def package(carrier: str) -> PackageInfo:
            found = next(package for package in pin.packages if package.name == carrier)
            return PackageInfo(
                source="apt",
                name=found.name,
                version=found.version,
                sha256=found.sha256,
                suite=kernel.suite,
                notice="; ".join(f"{kernel.name}: {text}" for text in (*_loudly(kernel), *said)),
                distribution=pin.distribution,
            )

        return cached_kernel(
            self._cache,
            name=kernel.name,
            arch=ARCHITECTURES[kernel.arch],
            made_of=[package.sha256 for package in pin.packages],
            unpacked=lambda folder: unpacked(pin, folder, fetch=fetch),
            package=package,
            modules=modules,
            case_modules=case_modules,
        )

    def unpack(self, kernel: AptKernel, pin: AptPin, folder: Path) -> None:
        """Fetch and unpack all packages of the pin."""
        archive, _ = self._repositories(kernel)
        for _ in fetched(pin, folder, fetch=archive.fetch):
            pass

    def changelog(self, kernel: AptKernel, pin: AptPin) -> str:
        """Return the changelog out of the packages of the pin."""
        archive, _ = self._repositories(kernel)
        return changelog(pin, fetch=archive.fetch)

    def describe(self, kernel: AptKernel, pin: AptPin | None) -> Description:
        """Return the package and its suite; of a pin its version, and whether it has come without modules."""
        where = f"{kernel.suite} of {kernel.date}" if kernel.date else kernel.suite
        return description(what=kernel.package, where=where, pin=pin)

    def _repository(self, kernel: AptKernel) -> tuple[Archive, list[str]]:
        found = addresses(kernel.uris, named=self._context.named, mirrors=self._context.mirrors, date=kernel.date)
        lines = [
            Line(
                address=address,
                suite=kernel.suite,
                components=kernel.components,
                keyring=kernel.keyring,
                unsigned=kernel.unsigned,
                dated=kernel.date is not None,
            )
            for address in found
        ]
        repository = Repository(lines, cache=self._cache, patience=self._patience)
        return repository, repository.notices


@dataclass(frozen=True)
class _Listed:
    """What an index lists for an entry."""

    kernel: AptKernel
    distribution: str
    builds: Iterator[Build]

    def pin(self, build: Build) -> AptPin:
        """Return the pin of one of the builds."""
        packages = tuple(replace(package, archive=ARCHIVE) for package in build.packages)
        return replace(
            _request(self.kernel),
            version=build.version,
            packages=packages,
            missing=build.missing,
            distribution=self.distribution,
        )


@contextlib.contextmanager
def _listed(kernel: AptKernel, archive: Archive) -> Iterator[_Listed]:
    with archive.index(kernel.suite, ARCHITECTURES[kernel.arch].debian) as index:
        distribution = kernel.distribution or distribution_of_origin(index.origin)
        layout = layout_of(distribution)
        found = builds(index, suite=kernel.suite, package=kernel.package, version=kernel.version, layout=layout)
        yield _Listed(kernel, distribution, found)


def _request(kernel: AptKernel) -> AptPin:
    """Return what a pin repeats of an entry, without a build."""
    return AptPin(
        suite=kernel.suite,
        components=kernel.components,
        package=kernel.package,
        architecture=ARCHITECTURES[kernel.arch].debian,
        wanted_version=kernel.version,
        date=kernel.date,
        unsigned=kernel.unsigned or None,
        version="",
        packages=(),
        distribution=kernel.distribution or "",
    )


def _loudly(kernel: AptKernel) -> tuple[str, ...]:
    """Return what a report must say of a repository whose signature nobody checks."""
    if not kernel.unsigned:
        return ()
    return (f"nobody has checked who made {kernel.package} of {kernel.suite}: its entry says `unsigned: true`",)
