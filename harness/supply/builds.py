"""Which builds of kernels can be looked at without a boot: the rows of the matrix, or all that its sources list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.config.matrix import Kernel
from harness.errors import PackageGoneError
from harness.host.cache import Entry
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.supply.kernel_types import keep_all, keep_modules, keep_types, kept, key_of, key_of_file, types_in
from harness.supply.supplies import Supplies
from harness.supply.sweeps import listed_builds, row_name

_OF_SOURCE = {"debian": "debian"}
"""Whose kernels a source has, where neither entry nor pin says it."""


@dataclass(frozen=True)
class Build:
    """One build of a kernel: its name, the entry whose source has it, and the pin that names it, if it has one.

    `pinned` says that it is what a run would boot.
    """

    name: str
    kernel: Kernel
    pin: Any
    version: str
    package: str
    distribution: str
    pinned: bool

    @property
    def arch(self) -> Architecture:
        """Its architecture."""
        return ARCHITECTURES[self.kernel.arch]


@dataclass(frozen=True)
class Listed:
    """Builds, each once, and what the user must know of those that are not among them."""

    builds: tuple[Build, ...]
    remarks: tuple[str, ...] = ()


def pinned_builds(supplies: Supplies, kernels: Sequence[Kernel]) -> Listed:
    """Return the build of each row of the matrix."""
    return Listed(tuple(_pinned(supplies, each) for each in kernels))


def all_builds(supplies: Supplies, kernels: Sequence[Kernel]) -> Listed:
    """Return all builds that the sources of some entries list now, each once, those with files that are gone left out.

    A build that the matrix pins keeps its row's name. Raises MirrorError where nobody answers.
    """
    found: dict[tuple[str, ...], Build] = {}
    remarks: list[str] = []
    for kernel in kernels:
        for build in _listed(supplies, kernel, remarks):
            files = _files(supplies, build) or (build.name,)
            there = found.get(files)
            if there is None or (build.pinned and not there.pinned):
                found[files] = build
    return Listed(tuple(found.values()), tuple(dict.fromkeys(remarks)))


def _listed(supplies: Supplies, kernel: Kernel, remarks: list[str]) -> list[Build]:
    """Return the builds of one entry, the oldest first, its pinned one among them."""
    source, pin = supplies.source(kernel), supplies.pin_of(kernel)
    own = [_pinned(supplies, kernel)] if pin is not None or source.pin_type is None else []
    if source.pin_type is None:
        return own
    try:
        listed, more = listed_builds(source, kernel, suites=kernel.more_suites if kernel.sweeping else ())
    except PackageGoneError as error:
        remarks.append(str(error))
        return own
    remarks += more
    builds = []
    for each in reversed(listed):
        if pin is not None and each.files == source.describe(kernel, pin).files and each.files:
            continue
        gone = source.gone(each.entry, each.pin)
        if gone:
            remarks.append(f"left out, since files of it are gone: {each.version} ({', '.join(gone)})")
            continue
        builds.append(_build(row_name(kernel.name, each.version), each.entry, each.pin, supplies, pinned=False))
    return [*builds, *own]


def _pinned(supplies: Supplies, kernel: Kernel) -> Build:
    return _build(kernel.name, kernel, supplies.pin_of(kernel), supplies, pinned=True)


def _build(name: str, kernel: Kernel, pin: Any, supplies: Supplies, *, pinned: bool) -> Build:
    about = supplies.source(kernel).describe(kernel, pin)
    whose = getattr(pin, "distribution", "") or getattr(kernel, "distribution", None) or _OF_SOURCE.get(kernel.source)
    return Build(name, kernel, pin, about.version, about.what, whose or "", pinned)


def _files(supplies: Supplies, build: Build) -> tuple[str, ...]:
    """Return what tells a build from others: the hashes of its files, or all of its pin; () for one without a pin."""
    if build.pin is None:
        return ()
    files: tuple[str, ...] = supplies.source(build.kernel).describe(build.kernel, build.pin).files
    return files or (repr(build.pin),)


def types_of_build(supplies: Supplies, build: Build) -> Entry:
    """Return the entry of the cache with the types of a build, made now where it is not there.

    Of a build that a run would boot the files are obtained as for a run; of others nothing but the types is kept.
    Raises what `Supplies.kernel` and a source's `unpack` raise.
    """
    files = _files(supplies, build)
    key = key_of(files, build.arch) if files else ""
    there = kept(supplies.cache, key) if key else None
    if there is not None:
        return there
    if build.pinned:
        obtained = supplies.kernel(build.kernel, cases=())
        own = key if key and obtained.package.version == build.version else key_of_file(obtained)
        return keep_types(obtained, own or key_of_file(obtained), cache=supplies.cache)
    source = supplies.source(build.kernel)
    return keep_all(
        lambda folder: source.unpack(build.kernel, build.pin, folder), key, arch=build.arch, cache=supplies.cache
    )


def modules_of_build(supplies: Supplies, build: Build, types: Entry) -> Entry | None:
    """Return the entry with the types of a build's modules, whose own types are those of another entry.

    None where the kernel has no types, or its source pins nothing that could be unpacked again. Raises what a source's
    `unpack` raises.
    """
    base = types_in(types.path, types.meta)
    source = supplies.source(build.kernel)
    if base is None or (build.pin is None and source.pin_type is not None):
        return None
    return keep_modules(
        lambda folder: source.unpack(build.kernel, build.pin, folder), types.path.name, base, cache=supplies.cache
    )
