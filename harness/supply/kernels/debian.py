"""Kernels out of Debian's suites: pinned by matrix.lock, fetched through a private apt, kept in the cache."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import FetchError, PackageGoneError
from harness.host.cache import Cache, digest
from harness.host.scratch import scratch_folder
from harness.model.architectures import Architecture
from harness.model.results import PackageInfo
from harness.supply.debian.apt import Apt, PackageFile, download
from harness.supply.debian.lock import LockedKernel
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.resolve import resolve_kernel
from harness.supply.kernels.files import KernelFiles, looks_like_kernel
from harness.supply.kernels.modules import (
    CaseModule,
    built_in,
    decompress,
    find_for_cases,
    find_modules,
    keep_for_cases,
    kept_for_cases,
    plain_name,
)
from harness.supply.kernels.unpack import unpack_kernel_packages

FORMAT, CASE_FORMAT = 1, 1
"""Raise one when what is kept of a package, or of its modules for cases, changes: old cache entries are made again."""

_REAL_SYSTEM_MAP = 4096
"""Debian ships a System.map of 83 bytes that only says where the real one is."""


@dataclass(frozen=True, kw_only=True)
class DebianRequest:
    """A `debian` kernel of the matrix: what to look for, and where."""

    name: str
    arch: Architecture
    suite: str
    package: str
    version: str | None = None


class DebianSource:
    """Obtains `debian` kernels. One object serves a whole run; it is safe to use from several threads."""

    def __init__(self, *, cache: Cache, mirrors: Callable[[], Mirrors], locked_only: bool = False) -> None:
        self._cache = cache
        self._mirrors = mirrors
        self._locked_only = locked_only

    def obtain(
        self,
        request: DebianRequest,
        *,
        pinned: LockedKernel | None,
        modules: Sequence[str],
        case_modules: Sequence[str] = (),
    ) -> KernelFiles:
        """Return the kernel's files, from the cache or fetched now; `modules` are for every guest, `case_modules` not.

        `pinned` is its entry of matrix.lock, if there is one that answers this request. A pinned file that
        the mirror no longer has is replaced by the suite's current one, with a notice; `locked_only` makes
        that PackageGoneError. Raises MirrorError, FetchError or CacheError where it cannot be had.
        """
        if pinned is None:
            if self._locked_only:
                raise PackageGoneError(
                    f"kernel {request.name}: matrix.lock has no entry for {request.package} of {request.suite}; "
                    f"run `invoke lock`, or leave out --locked"
                )
            notice = (
                f"{request.name}: not in matrix.lock, so the newest {request.package} of {request.suite} was "
                f"taken; run `invoke lock` to pin it"
            )
            return self._whole(request, self.resolve(request), modules, case_modules, notice=notice)
        try:
            return self._whole(request, pinned, modules, case_modules, notice="")
        except PackageGoneError as error:
            if self._locked_only:
                raise PackageGoneError(f"kernel {request.name}: {error}\n(--locked forbids another)") from error
        current = self.resolve(request)
        notice = (
            f"{request.name}: the mirror no longer has the pinned {pinned.version}; "
            f"the suite's current {current.version} was run instead. Run `invoke lock` to pin it"
        )
        return self._whole(request, current, modules, case_modules, notice=notice)

    def resolve(self, request: DebianRequest) -> LockedKernel:
        """Resolve a request against the suite's index as it is now."""
        apt = Apt(
            cache=self._cache,
            mirrors=self._mirrors(),
            suites=[request.suite],
            architecture=request.arch.debian,
        )
        with self._cache.lock(f"apt-{request.suite}-{request.arch.debian}".replace("/", "_")):
            return resolve_kernel(apt, suite=request.suite, package=request.package, version=request.version)

    def _whole(
        self,
        request: DebianRequest,
        locked: LockedKernel,
        modules: Sequence[str],
        case_modules: Sequence[str],
        *,
        notice: str,
    ) -> KernelFiles:
        files = self._obtain(request, locked, modules=modules, notice=notice)
        if not case_modules:
            return files
        return replace(files, case_modules=self._for_cases(request, locked, names=sorted(set(case_modules))))

    def _for_cases(
        self, request: DebianRequest, locked: LockedKernel, *, names: Sequence[str]
    ) -> Mapping[str, CaseModule]:
        """Return the modules that cases name: an entry of its own, so that the kernel's stays when others are named."""

        def make(folder: Path) -> dict[str, Any]:
            with self._unpacked(folder, locked.packages) as (root, _):
                release = _release(_kernel_image(root))
                config = _text(root / "boot" / f"config-{release}")
                found = find_for_cases(root, release=release, names=names, config=config)
                return {"modules": keep_for_cases(found, folder / "modules")}

        key = digest(CASE_FORMAT, [package.sha256 for package in locked.packages], names, request.arch.name)
        entry = self._cache.entry("modules", key, make)
        return kept_for_cases(entry.meta["modules"], entry.path / "modules")

    def _obtain(
        self, request: DebianRequest, locked: LockedKernel, *, modules: Sequence[str], notice: str
    ) -> KernelFiles:
        wanted = sorted(set(modules))
        key = digest(FORMAT, [package.sha256 for package in locked.packages], wanted, request.arch.name)

        def make(folder: Path) -> dict[str, Any]:
            return self._fill(folder, request=request, packages=locked.packages, modules=wanted)

        entry = self._cache.entry("kernels", key, make)
        if entry.repaired:
            notice = f"{notice}{'; ' if notice else ''}{request.name}: damaged in the cache, fetched again"
        meta = entry.meta
        carrier = next(package for package in locked.packages if package.name == meta["carrier"])
        config = entry.path / "config"
        return KernelFiles(
            name=request.name,
            arch=request.arch,
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
                suite=request.suite,
                notice=notice,
            ),
            notice=notice,
        )

    def _fill(
        self, folder: Path, *, request: DebianRequest, packages: Sequence[PackageFile], modules: Sequence[str]
    ) -> dict[str, Any]:
        with self._unpacked(folder, packages) as (root, carrier):
            return {**_keep(root, folder, arch=request.arch, modules=modules), "carrier": carrier}

    @contextlib.contextmanager
    def _unpacked(self, folder: Path, packages: Sequence[PackageFile]) -> Iterator[tuple[Path, str]]:
        """Fetch and unpack packages; hold the tree, and the name of the package that has the kernel's image."""
        # The packages and the unpacked tree lie beside the entry, on the cache's own disk, and go at once.
        with scratch_folder(parent=folder.parent) as scratch:
            mirrors = self._mirrors()
            debs: list[Path] = [download(package, mirrors=mirrors, folder=scratch) for package in packages]
            root = scratch / "root"
            root.mkdir()
            carrier = ""
            for package, deb in zip(packages, debs, strict=True):
                before = _kernel_image(root)
                unpack_kernel_packages([deb], root)
                if before is None and _kernel_image(root) is not None:
                    carrier = package.name
                deb.unlink()
            yield root, carrier


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
    names = [f"{index:02d}-{plain_name(path)}" for index, path in enumerate(files)]
    (folder / "modules").mkdir()
    for path, kept in zip(files, names, strict=True):
        (folder / "modules" / kept).write_bytes(decompress(path))
    return {
        "release": release,
        "modules": names,
        "absent": list(absent),
        "has_network": "virtio_net" not in absent or built_in("VIRTIO_NET", _text(folder / "config")),
    }


def _text(path: Path) -> str | None:
    return path.read_text(errors="replace") if path.exists() else None
