"""Kernels out of Debian's suites: fetched through a private apt, kept in the cache."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from harness.config.matrix import DebianKernel
from harness.errors import FetchError, PackageGoneError
from harness.host.cache import digest
from harness.host.scratch import scratch_folder
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.model.results import PackageInfo
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.archive import Archive, MirroredArchive
from harness.supply.debian.pin import DebianPin
from harness.supply.debian.resolve import builds
from harness.supply.kernels.files import KernelFiles, looks_like_kernel
from harness.supply.kernels.modules import (
    CaseModule,
    built_in,
    find_for_cases,
    find_modules,
    keep_for_cases,
    keep_in_order,
    kept_for_cases,
)
from harness.supply.kernels.source import Description, Resolution, SourceContext
from harness.supply.kernels.unpack import unpack_kernel_packages

FORMAT, CASE_FORMAT = 1, 1
"""Raise one when what is kept of a package, or of its modules for cases, changes: old cache entries are made again."""

_REAL_SYSTEM_MAP = 4096
"""Debian ships a System.map of 83 bytes that only says where the real one is."""


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
        files = self._kernel(kernel, pin, modules=sorted(set(modules)))
        if not case_modules:
            return files
        return replace(files, case_modules=self._for_cases(kernel, pin, names=sorted(set(case_modules))))

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

    def _for_cases(self, kernel: DebianKernel, pin: DebianPin, *, names: Sequence[str]) -> Mapping[str, CaseModule]:
        """Return the modules that cases name: an entry of its own, so that the kernel's stays when others are named."""

        def make(folder: Path) -> dict[str, Any]:
            with self._unpacked(folder, pin) as (root, _):
                release = _release(_kernel_image(root))
                config = _text(root / "boot" / f"config-{release}")
                found = find_for_cases(root, release=release, names=names, config=config)
                return {"modules": keep_for_cases(found, folder / "modules")}

        key = digest(CASE_FORMAT, [package.sha256 for package in pin.packages], names, kernel.arch)
        entry = self._cache.entry("modules", key, make)
        return kept_for_cases(entry.meta["modules"], entry.path / "modules")

    @contextlib.contextmanager
    def _listed(self, kernel: DebianKernel) -> Iterator[Iterator[DebianPin]]:
        with self._archive.index(kernel.suite, ARCHITECTURES[kernel.arch].debian) as index:
            yield builds(index, suite=kernel.suite, package=kernel.package, version=kernel.version)

    def _kernel(self, kernel: DebianKernel, pin: DebianPin, *, modules: Sequence[str]) -> KernelFiles:
        arch = ARCHITECTURES[kernel.arch]

        def make(folder: Path) -> dict[str, Any]:
            with self._unpacked(folder, pin) as (root, carrier):
                return {**_keep(root, folder, arch=arch, modules=modules), "carrier": carrier}

        entry = self._cache.entry(
            "kernels", digest(FORMAT, [package.sha256 for package in pin.packages], modules, arch.name), make
        )
        notice = f"{kernel.name}: damaged in the cache, fetched again" if entry.repaired else ""
        meta = entry.meta
        carrier = next(package for package in pin.packages if package.name == meta["carrier"])
        config = entry.path / "config"
        return KernelFiles(
            name=kernel.name,
            arch=arch,
            release=meta["release"],
            image=entry.path / "vmlinuz",
            config=config if config.exists() else None,
            modules=tuple(entry.path / "modules" / name for name in meta["modules"]),
            absent=tuple(meta["absent"]),
            has_network=meta["has_network"],
            package=PackageInfo(
                source="debian",
                name=carrier.name,
                version=carrier.version,
                sha256=carrier.sha256,
                suite=kernel.suite,
                notice=notice,
            ),
            notice=notice,
            entry=entry.path,
        )

    @contextlib.contextmanager
    def _unpacked(self, folder: Path, pin: DebianPin) -> Iterator[tuple[Path, str]]:
        """Fetch and unpack packages; hold the tree, and the name of the package that has the kernel's image."""
        # The packages and the unpacked tree lie beside the entry, on the cache's own disk, and are deleted at once.
        with scratch_folder(parent=folder.parent) as scratch:
            root = scratch / "root"
            root.mkdir()
            carrier = ""
            for package in self._fetched(pin, root):
                if not carrier and _kernel_image(root) is not None:
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


def _kernel_image(root: Path) -> Path | None:
    return next(iter(sorted(root.glob("boot/vmlinu[xz]-*"))), None)


def _release(image: Path | None) -> str:
    """Return the release in the name of an unpacked kernel image; raise FetchError where there is none."""
    if image is None:
        raise FetchError("the packages hold no kernel image")
    return image.name.split("-", 1)[1]


def _keep(root: Path, folder: Path, *, arch: Architecture, modules: Sequence[str]) -> dict[str, Any]:
    """Copy what is kept of an unpacked kernel into `folder` and return the notes for the manifest."""
    image = _kernel_image(root)
    release = _release(image)
    assert image is not None
    with image.open("rb") as file:
        if not looks_like_kernel(file.read(128 * 1024), arch):
            raise FetchError(f"{image.name} of the package is not a kernel for {arch.name}")
    shutil.copyfile(image, folder / "vmlinuz")
    for kind in ("config", "System.map"):
        path = root / "boot" / f"{kind}-{release}"
        if path.exists() and (kind == "config" or path.stat().st_size > _REAL_SYSTEM_MAP):
            shutil.copyfile(path, folder / kind)
    files: tuple[Path, ...] = ()
    absent = tuple(modules)
    if (root / "lib/modules" / release / "kernel").is_dir():
        order = find_modules(root, release=release, names=modules)
        files, absent = order.files, order.absent
    return {
        "release": release,
        "modules": keep_in_order(files, folder / "modules"),
        "absent": list(absent),
        "has_network": "virtio_net" not in absent or built_in("VIRTIO_NET", _text(folder / "config")),
    }


def _text(path: Path) -> str | None:
    return path.read_text(errors="replace") if path.exists() else None
