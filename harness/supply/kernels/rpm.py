"""Kernels out of RPM repositories: of RHEL-like distributions, Fedora, Amazon Linux and SUSE, kept in the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.config.matrix import RpmKernel
from harness.errors import PackageGoneError
from harness.host.scratch import scratch_folder
from harness.model.architectures import ARCHITECTURES
from harness.model.results import PackageInfo
from harness.supply.kernels.cached import cached_kernel
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.source import Description, Resolution, SourceContext
from harness.supply.rpm.layouts import builds, names_of, package_of
from harness.supply.rpm.pin import RpmPin, marks_of
from harness.supply.rpm.verify import Keys, read_keys

if TYPE_CHECKING:
    from harness.supply.rpm.archive import RpmArchive
    from harness.supply.rpm.mirror_lists import Mirrors


class RpmSource:
    """Kernels out of RPM packages: a repository, a package, and perhaps a version or a pattern (`KernelSource`)."""

    pin_type: ClassVar[type[Any] | None] = RpmPin

    def __init__(
        self, context: SourceContext, *, archive: Callable[[RpmKernel, Keys | None], RpmArchive] | None = None
    ) -> None:
        self._cache = context.cache
        self._archive_of = archive or self._repository
        self._lists: dict[tuple[str, str], Mirrors] = {}

    def check(self, kernel: RpmKernel, *, modules: Sequence[str], case_modules: Sequence[str]) -> None:  # noqa: ARG002
        """Read the keyring."""
        _keys(kernel)

    def builds(self, kernel: RpmKernel) -> Sequence[RpmPin]:
        """Return the builds that the repository lists now."""
        return tuple(self._listed(kernel, self._archive(kernel)))

    def pin(self, kernel: RpmKernel) -> Resolution[RpmPin]:
        """Return the newest build whose files the repository has, and those that it lists without having them."""
        over: list[str] = []
        archive = self._archive(kernel)
        for build in self._listed(kernel, archive):
            gone = _gone(build, archive)
            if not gone:
                return Resolution(pin=build, passed_over=tuple(over), remarks=tuple(archive.notices))
            over.append(f"{build.version} ({', '.join(gone)})")
        raise PackageGoneError(
            f"the repository lists {_package(kernel)}, but no longer has its files: {', '.join(over)}"
        )

    def gone(self, kernel: RpmKernel, pin: RpmPin) -> Sequence[str]:
        """Return the packages that none of the addresses has any more."""
        return _gone(pin, self._archive(kernel))

    def answers(self, kernel: RpmKernel, pin: RpmPin) -> bool:
        """Say whether repository, package, version and architecture are those of the pin."""
        return pin.architecture in ARCHITECTURES[kernel.arch].machines and pin.answers(
            package=_package(kernel),
            version=kernel.version,
            architecture=pin.architecture,
            repositories=marks_of(kernel.addresses),
        )

    def obtain(
        self, kernel: RpmKernel, pin: RpmPin, *, modules: Sequence[str], case_modules: Sequence[str] = ()
    ) -> KernelFiles:
        """Return the files of the pinned packages: the kernel is an entry of the cache, cases' modules are another."""
        keys = _keys(kernel)
        said = ["the signatures of its packages were not checked (unsigned: true)"] if kernel.unsigned is True else []

        def package(carrier: str) -> PackageInfo:
            found = next(package for package in pin.packages if package.name == carrier)
            return PackageInfo(
                source="rpm",
                name=found.name,
                version=found.version,
                sha256=found.checksum,
                notice="; ".join(f"{kernel.name}: {text}" for text in said),
                distribution=kernel.distribution,
            )

        return cached_kernel(
            self._cache,
            name=kernel.name,
            arch=ARCHITECTURES[kernel.arch],
            # What was taken without a signature is no answer for who wants one.
            made_of=["rpm", keys.digest if keys else "", *(package.checksum for package in pin.packages)],
            unpacked=lambda folder: self._unpacked(folder, kernel, pin, note=said.extend),
            package=package,
            modules=modules,
            case_modules=case_modules,
        )

    def unpack(self, kernel: RpmKernel, pin: RpmPin, folder: Path) -> None:
        """Fetch, verify and unpack all packages of the pin."""
        self._fetched(kernel, pin, folder)

    def changelog(self, kernel: RpmKernel, pin: RpmPin) -> str:
        """Return the changelog of the package that has the kernel's image, fetched and verified for that."""
        from harness.supply.rpm.unpack import changelog_of  # noqa: PLC0415  (few runs need it)

        with scratch_folder() as scratch:
            carriers = [package for package in pin.packages if package.name == pin.package] or list(pin.packages)
            return changelog_of(self._archive(kernel).fetch(carriers[:1], scratch)[0])

    def describe(self, kernel: RpmKernel, pin: RpmPin | None) -> Description:
        """Return the package and whose it is; of a pin its version, and whether it is signed."""
        what, where = _package(kernel), kernel.distribution
        if pin is None:
            return Description(what=what, where=where)
        return Description(
            what=what,
            where=where,
            version=pin.version,
            remark={True: "unsigned", "index": "its index unsigned"}.get(kernel.unsigned, ""),
            size=sum(package.size for package in pin.packages),
            files=tuple(sorted(package.checksum for package in pin.packages)),
        )

    def _archive(self, kernel: RpmKernel) -> RpmArchive:
        return self._archive_of(kernel, _keys(kernel))

    def _repository(self, kernel: RpmKernel, keys: Keys | None) -> RpmArchive:
        # Expensive, and what is in the cache needs no repository.
        from harness.supply.rpm.archive import SignedRepository  # noqa: PLC0415
        from harness.supply.rpm.fetch import Repository, mirrors_at  # noqa: PLC0415

        repository = Repository(kernel.baseurl)
        if kernel.list_of_mirrors is not None:
            key = (kernel.list_of_mirrors, ARCHITECTURES[kernel.arch].machines[0])
            if key not in self._lists:  # a run asks once
                self._lists[key] = mirrors_at(key[0], architecture=key[1])
            found = self._lists[key]
            repository = Repository(found.addresses, marks=marks_of(kernel.addresses), index=found.index)
        return SignedRepository(repository, cache=self._cache, keys=keys, signed_index=not kernel.unsigned)

    def _fetched(self, kernel: RpmKernel, pin: RpmPin, root: Path) -> Sequence[str]:
        """Fetch, verify and unpack all packages of a pin; return what must be said of addresses that failed."""
        from harness.supply.rpm.unpack import unpack_rpms  # noqa: PLC0415  (few runs need it)

        archive = self._archive(kernel)
        with scratch_folder(parent=root.parent) as scratch:
            unpack_rpms(archive.fetch(pin.packages, scratch), root)
        return archive.notices

    def _listed(self, kernel: RpmKernel, archive: RpmArchive) -> Iterator[RpmPin]:
        names = names_of(kernel.distribution, _package(kernel))
        return builds(
            archive.listing(names),
            names=names,
            architectures=ARCHITECTURES[kernel.arch].machines,
            version=kernel.version,
            repositories=archive.marks,
        )

    @contextlib.contextmanager
    def _unpacked(
        self, folder: Path, kernel: RpmKernel, pin: RpmPin, *, note: Callable[[Sequence[str]], None]
    ) -> Iterator[tuple[Path, str]]:
        """Fetch, verify and unpack packages; hold the tree, and the name of the package that has the kernel's image.

        `note` is given what the user must know of addresses that failed.
        """
        # The packages and the unpacked tree lie beside the entry, on the cache's own disk, and are deleted at once.
        with scratch_folder(parent=folder.parent) as scratch:
            root = scratch / "root"
            root.mkdir()
            note(self._fetched(kernel, pin, root))
            yield root, pin.package


def _gone(pin: RpmPin, archive: RpmArchive) -> tuple[str, ...]:
    return tuple(package.name for package in pin.packages if not archive.has(package))


def _package(kernel: RpmKernel) -> str:
    return package_of(kernel.distribution, kernel.package)


def _keys(kernel: RpmKernel) -> Keys | None:
    """Return the keys that the packages of a kernel must be signed by, None where the user wants no signature."""
    if kernel.unsigned is True or kernel.keyring is None:
        return None
    return read_keys(kernel.keyring, kernel=kernel.name)
