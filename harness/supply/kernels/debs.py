"""What the sources of Debian packages share: builds out of an index, files out of packages, kept in the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from harness.errors import PackageGoneError
from harness.host.scratch import scratch_folder
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.archive import Archive
from harness.supply.debian.resolve import Build
from harness.supply.kernels.cached import kernel_image
from harness.supply.kernels.source import Description
from harness.supply.kernels.unpack import changelog_of, unpack_kernel_packages

Fetch: TypeAlias = Callable[[PackageFile, Path], Path]
"""`Archive.fetch`."""


class PackagesPin(Protocol):
    """What a pin of packages has, whichever source's it is."""

    @property
    def version(self) -> str:
        """The build's version."""

    @property
    def packages(self) -> tuple[PackageFile, ...]:
        """The packages that carry its files."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of those that the index does not have."""


def newest_whole(listed: Iterator[Build], *, archive: Archive, what: str) -> tuple[Build, tuple[str, ...]]:
    """Return the newest build whose files are all there, and those that are listed without their files.

    Raises PackageGoneError where none is whole; `what` is what lists them, in a sentence.
    """
    over: list[str] = []
    for build in listed:
        absent = gone(build.packages, archive=archive)
        if not absent:
            return build, tuple(over)
        over.append(f"{build.version} ({', '.join(absent)})")
    raise PackageGoneError(f"{what}, but the mirror no longer has its files: {', '.join(over)}")


def gone(packages: Sequence[PackageFile], *, archive: Archive) -> tuple[str, ...]:
    """Return the names of those packages whose files an archive has no more."""
    return tuple(package.name for package in packages if not archive.has(package))


def description(*, what: str, where: str, pin: PackagesPin | None) -> Description:
    """Return what is shown of an entry, and of its pin: its version, and whether it has come without modules."""
    if pin is None:
        return Description(what=what, where=where)
    return Description(
        what=what,
        where=where,
        version=pin.version,
        remark="no modules" if any(name.startswith("linux-modules-") for name in pin.missing) else "",
        missing=pin.missing,
        size=sum(package.size for package in pin.packages),
        files=tuple(sorted(package.sha256 for package in pin.packages)),
    )


def changelog(pin: PackagesPin, *, fetch: Fetch) -> str:
    """Return the first changelog that is in packages, fetched for that one by one; "" where none has one."""
    with scratch_folder() as scratch:
        for package in pin.packages:
            deb = fetch(package, scratch)
            found = changelog_of(deb)
            deb.unlink()
            if found:
                return found
    return ""


@contextlib.contextmanager
def unpacked(pin: PackagesPin, folder: Path, *, fetch: Fetch) -> Iterator[tuple[Path, str]]:
    """Fetch and unpack packages; hold the tree, and the name of the package that has the kernel's image.

    They and the tree lie beside `folder`, on the cache's own disk, and are deleted at once.
    """
    with scratch_folder(parent=folder.parent) as scratch:
        root = scratch / "root"
        root.mkdir()
        carrier = ""
        for package in fetched(pin, root, fetch=fetch):
            if not carrier and kernel_image(root) is not None:
                carrier = package.name
        yield root, carrier


def fetched(pin: PackagesPin, root: Path, *, fetch: Fetch) -> Iterator[PackageFile]:
    """Fetch all packages of a pin, then unpack them to `root`; yield each when it is unpacked."""
    with scratch_folder(parent=root.parent) as debs:
        files = [(package, fetch(package, debs)) for package in pin.packages]
        for package, deb in files:
            unpack_kernel_packages([deb], root)
            deb.unlink()
            yield package
