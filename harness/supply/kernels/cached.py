"""Kernels out of packages as entries of the cache: what is kept of an unpacked tree, whoever packed it.

A tree is as a distribution has it: boot/KIND-RELEASE and lib/modules/RELEASE.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from harness.errors import FetchError
from harness.host.cache import Cache, digest
from harness.model.architectures import Architecture
from harness.model.results import PackageInfo
from harness.supply.kernels.files import KernelFiles, looks_like_kernel
from harness.supply.kernels.modules import (
    CaseModule,
    find_for_cases,
    find_modules,
    keep_for_cases,
    keep_in_order,
    kept_for_cases,
    listed_as_built_in,
)
from harness.supply.kernels.needs import can_have_network

FORMAT, CASE_FORMAT = 1, 1
"""Raise one when what is kept of a kernel, or of its modules for cases, changes: old cache entries are made again."""

_REAL_SYSTEM_MAP = 4096
"""Debian ships a System.map of 83 bytes that only says where the real one is."""

Unpacked: TypeAlias = Callable[[Path], AbstractContextManager[tuple[Path, str]]]
"""Holds the tree of a kernel and the name of the package that has its image; it is made beside the folder given."""


def cached_kernel(
    cache: Cache,
    *,
    name: str,
    arch: Architecture,
    made_of: Sequence[str],
    unpacked: Unpacked,
    package: Callable[[str], PackageInfo],
    modules: Sequence[str],
    case_modules: Sequence[str],
) -> KernelFiles:
    """Return the files of a kernel: it is an entry of the cache, cases' modules are another.

    `made_of` says what exactly it is made of, `unpacked` is called where that is not in the cache, and `package` gives
    what is reported of the package with the image, by its name; a notice of it is the files' own. Raises FetchError
    where the tree has no kernel of the architecture, CacheError, and what `unpacked` raises.
    """
    wanted, named = sorted(set(modules)), sorted(set(case_modules))

    def make(folder: Path) -> dict[str, Any]:
        with unpacked(folder) as (root, carrier):
            return {**_keep(root, folder, arch=arch, modules=wanted), "carrier": carrier}

    entry = cache.entry("kernels", digest(FORMAT, list(made_of), wanted, arch.name), make)
    meta, config = entry.meta, entry.path / "config"
    found = package(meta["carrier"])
    damaged = f"{name}: damaged in the cache, fetched again" if entry.repaired else ""
    notice = "; ".join(text for text in (damaged, found.notice) if text)
    return KernelFiles(
        name=name,
        arch=arch,
        release=meta["release"],
        image=entry.path / "vmlinuz",
        config=config if config.exists() else None,
        modules=tuple(entry.path / "modules" / name for name in meta["modules"]),
        absent=tuple(meta["absent"]),
        has_network=meta["has_network"],
        package=replace(found, notice=notice),
        notice=notice,
        entry=entry.path,
        case_modules=_for_cases(cache, arch=arch, made_of=made_of, unpacked=unpacked, names=named) if named else {},
    )


def kernel_image(root: Path) -> Path | None:
    """Return the image of an unpacked kernel, None where it has none."""
    return next(iter(sorted(root.glob("boot/vmlinu[xz]-*"))), None)


def _for_cases(
    cache: Cache, *, arch: Architecture, made_of: Sequence[str], unpacked: Unpacked, names: Sequence[str]
) -> Mapping[str, CaseModule]:
    """Return the modules that cases name: an entry of its own, so that the kernel's stays when others are named."""

    def make(folder: Path) -> dict[str, Any]:
        with unpacked(folder) as (root, _):
            release = _release(kernel_image(root))
            config = _text(root / "boot" / f"config-{release}")
            found = find_for_cases(root, release=release, names=names, config=config)
            return {"modules": keep_for_cases(found, folder / "modules")}

    entry = cache.entry("modules", digest(CASE_FORMAT, list(made_of), names, arch.name), make)
    return kept_for_cases(entry.meta["modules"], entry.path / "modules")


def _release(image: Path | None) -> str:
    """Return the release in the name of an unpacked kernel image; raise FetchError where there is none."""
    if image is None:
        raise FetchError("the packages hold no kernel image")
    return image.name.split("-", 1)[1]


def _keep(root: Path, folder: Path, *, arch: Architecture, modules: Sequence[str]) -> dict[str, Any]:
    """Copy what is kept of an unpacked kernel into `folder` and return the notes for the manifest."""
    image = kernel_image(root)
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
        "has_network": can_have_network(
            absent,
            config=_text(folder / "config"),
            listed=listed_as_built_in(root / "lib/modules" / release),
        ),
    }


def _text(path: Path) -> str | None:
    return path.read_text(errors="replace") if path.exists() else None
