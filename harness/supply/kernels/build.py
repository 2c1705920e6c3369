"""Kernels that are built here: of a source tree, of Debian's package of sources, or of a commit of a git clone."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from harness.config.matrix import BuildKernel
from harness.errors import KernelBuildError, KernelFileError, PackageGoneError
from harness.host.cache import Cache, Entry, digest, sha256_known
from harness.host.scratch import scratch_folder
from harness.model.architectures import ARCHITECTURES
from harness.model.results import PackageInfo
from harness.supply.build.building import BuiltKernel, Job, build_kernel
from harness.supply.build.configuration import Configuration, configuration_of
from harness.supply.build.make import BUILD_SECONDS
from harness.supply.build.pin import BuildPin
from harness.supply.build.places import PLACES, Place, place_of
from harness.supply.build.toolchain import compilers_of, require_all, toolchain_of
from harness.supply.debian.archive import Archive, MirroredArchive
from harness.supply.kernels.cached import cached_kernel
from harness.supply.kernels.choosing import noticed
from harness.supply.kernels.debs import changelog
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.modules import find_modules
from harness.supply.kernels.needs import remarks
from harness.supply.kernels.source import Description, Resolution, SourceContext

FORMAT = 1
"""Raise it when what is kept of a build changes: kernels are built again."""
PATIENCE = 4 * BUILD_SECONDS
"""How long others may build before us: one kernel at a time has all processors."""


class BuildSource:
    """Kernels that are built here (`KernelSource`). `build` does it."""

    pin_type: ClassVar[type[Any] | None] = BuildPin

    def __init__(
        self,
        context: SourceContext,
        *,
        archive: Archive | None = None,
        build: Callable[[Job, Path], BuiltKernel] = build_kernel,
        require: Callable[[BuildKernel, Configuration], None] = require_all,
        compilers: Callable[[BuildKernel, Configuration], Sequence[str]] = compilers_of,
    ) -> None:
        self._cache: Cache = context.cache
        self._context = context
        self._archive = archive or MirroredArchive(cache=context.cache, mirrors=context.mirrors)
        self._places: Mapping[str, Place] = {
            name: place(context.cache, self._archive) for name, place in PLACES.items()
        }
        self._build = build
        self._require, self._compilers = require, compilers
        self._failed: dict[str, KernelBuildError] = {}

    def check(self, kernel: BuildKernel, *, modules: Sequence[str], case_modules: Sequence[str]) -> None:  # noqa: ARG002
        """Find sources and parts of the configuration that are not there, or are none."""
        self._place(kernel).check(kernel)
        configuration_of(kernel, ARCHITECTURES[kernel.arch])

    def builds(self, kernel: BuildKernel) -> Sequence[BuildPin]:
        """Return what its sources are now: of a suite all packages that it lists."""
        return self._place(kernel).listed(kernel, self._blank(kernel))

    def pin(self, kernel: BuildKernel) -> Resolution[BuildPin]:
        """Return the newest of them whose files are there."""
        over: list[str] = []
        for pin in self.builds(kernel):
            if self._place(kernel).there(pin):
                return Resolution(pin=pin, passed_over=tuple(over))
            over.append(pin.version)
        raise PackageGoneError(
            f"{kernel.suite} lists {kernel.package}, but the mirror no longer has its files: {', '.join(over)}"
        )

    def gone(self, kernel: BuildKernel, pin: BuildPin) -> Sequence[str]:
        """Return the packages that the mirror has no more."""
        return () if self._place(kernel).there(pin) else tuple(package.name for package in pin.packages)

    def answers(self, kernel: BuildKernel, pin: BuildPin) -> bool:
        """Say whether place, package or ref, architecture, compiler and configuration are those of the pin."""
        try:
            blank = self._blank(kernel)
        except KernelFileError:
            return False  # a part of its configuration is not there; who checks the entry says so
        empty = replace(pin, version="", packages=(), commit=None, tree=None)
        return blank == empty

    def obtain(
        self, kernel: BuildKernel, pin: BuildPin, *, modules: Sequence[str], case_modules: Sequence[str] = ()
    ) -> KernelFiles:
        """Return the files of the pinned sources' kernel, which is built now where it is not in the cache.

        Raises PackageGoneError where a tree is not what it was, KernelBuildError where it cannot be built.
        """
        entry = self._built(kernel, pin)
        release, lost = str(entry.meta["release"]), str(entry.meta["notice"])
        image = entry.path / f"root/boot/vmlinuz-{release}"
        package = PackageInfo(
            source="build",
            name=kernel.package or kernel.ref or _given(kernel.tree).name,
            version=pin.version,
            sha256=pin.packages[0].sha256 if pin.packages else sha256_known(image),
            suite=kernel.suite or "",
            distribution=_distribution(kernel),
        )

        def unpacked(folder: Path) -> AbstractContextManager[tuple[Path, str]]:
            del folder  # the tree is an entry of its own
            return contextlib.nullcontext((entry.path / "root", release))

        files = cached_kernel(
            self._cache,
            name=kernel.name,
            arch=ARCHITECTURES[kernel.arch],
            made_of=["build", entry.path.name, sha256_known(image)],
            unpacked=unpacked,
            package=lambda carrier: package,  # noqa: ARG005
            modules=modules,
            case_modules=case_modules,
        )
        about = remarks(files.config.read_text(errors="replace") if files.config is not None else None)
        said = [f"{kernel.name}: {text}" for text in (lost, about) if text]
        moved = "" if self._context.locked_only else self._place(kernel).moved(kernel, pin)
        notice = "; ".join(text for text in (files.notice, *said, moved) if text)
        return noticed(files, notice) if notice else files

    def unpack(self, kernel: BuildKernel, pin: BuildPin, folder: Path) -> None:
        """Copy the kernel and all its modules to where a distribution has them."""
        shutil.copytree(self._built(kernel, pin).path / "root", folder, dirs_exist_ok=True)

    def changelog(self, kernel: BuildKernel, pin: BuildPin) -> str:  # noqa: ARG002  (KernelSource)
        """Return the changelog of Debian's package of sources; what git knows of a tree is for git to say."""
        return changelog(pin, fetch=self._archive.fetch)

    def describe(self, kernel: BuildKernel, pin: BuildPin | None) -> Description:
        """Return the sources and where they are; of a pin their version, and a part of their hash."""
        what = kernel.package or kernel.ref or "sources"
        where = kernel.suite or str(kernel.git or kernel.tree)
        if pin is None:
            return Description(what=what, where=where)
        return Description(
            what=what,
            where=where,
            version=pin.version,
            remark="built here",
            size=sum(package.size for package in pin.packages),
            files=tuple(sorted(package.sha256 for package in pin.packages)),
        )

    def _place(self, kernel: BuildKernel) -> Place:
        return self._places[place_of(kernel)]

    def _blank(self, kernel: BuildKernel) -> BuildPin:
        """Return a pin without sources: what the entry asks for."""
        return BuildPin(
            place=place_of(kernel),
            architecture=kernel.arch,
            compiler=kernel.compiler,
            config=configuration_of(kernel, ARCHITECTURES[kernel.arch]).hash,
            version="",
            suite=kernel.suite,
            package=kernel.package,
            wanted_version=kernel.version,
            ref=kernel.ref,
        )

    def _built(self, kernel: BuildKernel, pin: BuildPin) -> Entry:
        """Return the entry of the cache with all of a build: its tree is `root`.

        A run asks twice for a kernel, ahead and when its row begins: a build that failed is not tried twice for that.
        """
        place, arch = self._place(kernel), ARCHITECTURES[kernel.arch]
        changed = place.changed(kernel, pin)
        if changed:
            raise PackageGoneError(changed)
        configuration, distribution = configuration_of(kernel, arch), _distribution(kernel)

        def make(folder: Path) -> dict[str, Any]:
            self._require(kernel, configuration)
            with self._alone(kernel), scratch_folder(parent=folder.parent) as scratch:
                self._context.progress(kernel.name, "taking the sources")
                (scratch / "sources").mkdir()
                (scratch / "work").mkdir()
                with place.sources(kernel, pin, scratch / "sources") as tree:
                    job = Job(
                        name=kernel.name,
                        arch=arch,
                        tree=tree,
                        configuration=configuration,
                        tools=toolchain_of(kernel),
                        jobs=kernel.jobs if isinstance(kernel.jobs, int) else len(os.sched_getaffinity(0)),
                        work=scratch / "work",
                        kept_log=self._cache.root / "build-logs" / f"{kernel.name}.log",
                        identity=identity(distribution, pin.version),
                        progress=lambda text: self._context.progress(kernel.name, text),
                        stopping=self._context.stopping,
                    )
                    built = self._build(job, folder / "root")
            if (folder / "root/lib/modules" / built.release / "kernel").is_dir():
                find_modules(folder / "root", release=built.release, names=())  # writes the lists that are missing
            return {"release": built.release, "notice": built.notice}

        key = digest(FORMAT, pin.sources, configuration.hash, arch.name, [*self._compilers(kernel, configuration)])
        if (failed := self._failed.pop(key, None)) is not None:
            raise failed
        try:
            return self._cache.entry("builds", key, make, patience=PATIENCE)
        except KernelBuildError as error:
            if not self._context.stopping.is_set():
                self._failed[key] = error
            raise

    @contextlib.contextmanager
    def _alone(self, kernel: BuildKernel) -> Iterator[None]:
        """Hold all processors: no other kernel is built meanwhile with this cache.

        Raises KernelBuildError where the run is over by then: nothing begins any more.
        """
        self._go_on(kernel)
        self._context.progress(kernel.name, "waiting for another build")
        with self._cache.lock("build", patience=PATIENCE):
            self._go_on(kernel)
            yield

    def _go_on(self, kernel: BuildKernel) -> None:
        if self._context.stopping.is_set():
            raise KernelBuildError(f"the build of kernel {kernel.name} was ended before it began")


def identity(distribution: str, version: str) -> Mapping[str, str]:
    """Return what a build's environment has so that `uname -v` says whose kernel it is, as a distribution's own do.

    Debian's sources put it in the place of the date (debian/patches/debian/uname-version-timestamp.patch), from where
    the number is read that rules compare with (harness/model/distributions.py).
    """
    return {"KBUILD_BUILD_VERSION_TIMESTAMP": f"Debian {version}"} if distribution == "debian" else {}


def _distribution(kernel: BuildKernel) -> str:
    return kernel.distribution or ("debian" if kernel.package else "")


def _given(path: Path | None) -> Path:
    assert path is not None  # an entry without package and ref has a tree
    return path
