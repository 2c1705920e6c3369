"""Everything that guests need, obtained before they start: kernels, the image, BPF objects, the accelerator."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.config.case import WrittenCase
from harness.config.matrix import DebianKernel, Kernel, Matrix, PathKernel
from harness.errors import BuildError, ConfigError, PackageGoneError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.qemu.accel import Accel, boot_probe, choose
from harness.scenario.case import Case
from harness.scenario.from_yaml import compile_case
from harness.supply.debian.apt import Apt
from harness.supply.debian.lock import Lock, LockedImage, read_lock
from harness.supply.debian.mirrors import Mirrors, find_mirrors
from harness.supply.debian.resolve import resolve_image
from harness.supply.dependencies import Sight
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.contents import Contents, read_contents
from harness.supply.image.keys import RunKeys
from harness.supply.image.programs import GuestPrograms, guest_programs, harness_programs
from harness.supply.image.userland import UserlandParts, build_userland
from harness.supply.kernels import path as path_source
from harness.supply.kernels.debian import DebianRequest, DebianSource
from harness.supply.kernels.files import KernelFiles
from harness.supply.names import resolve
from harness.supply.objects import ObjectBuilder
from harness.supply.project import Project

NO_OBJECTS: Mapping[str, Mapping[str, Path]] = {}
"""For a guest whose cases are not known yet, or are none."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """What came of building the objects of some cases for one architecture.

    `files` maps a case's id to its objects (file name -> path), `cases` to the case that its objects make complete,
    `faults` those that cannot be built to the reason. `mistakes` are those in the cases themselves, a line each.
    """

    files: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    cases: Mapping[str, Case] = field(default_factory=dict)
    mistakes: tuple[str, ...] = ()
    faults: Mapping[str, BuildError] = field(default_factory=dict)


class Supplies:
    """Obtains what a run needs, each thing once. Safe to use from several threads.

    Several runs in a row may share one. Kernels have the modules of all cases for which they were asked so far.
    """

    def __init__(self, project: Project, matrix: Matrix, *, cache: Cache, locked_only: bool = False) -> None:
        self.cache = cache
        self.lock: Lock = read_lock(project.lock_file)
        self._project = project
        self._matrix = matrix
        self._locked_only = locked_only
        self._guard = threading.RLock()
        self._debian = DebianSource(cache=cache, mirrors=self.mirrors, locked_only=locked_only)
        self._objects = ObjectBuilder(cache=cache, include=project.includes)
        self._kernel_guards: dict[str, threading.Lock] = {}
        self._bases: dict[str, Path] = {}
        self._accels: dict[str, Accel] = {}
        self._programs: GuestPrograms | None = None
        self._modules: set[str] = set()
        self._kernels: dict[tuple[DebianKernel, tuple[str, ...]], KernelFiles] = {}
        self.notices: list[str] = []

    @functools.cached_property
    def contents(self) -> Contents:
        """The description of the guest image."""
        return read_contents(self._project.images / "contents.yaml")

    def mirrors(self) -> Mirrors:
        """Return the Debian mirrors in force; they are looked up when something must be fetched, not before."""
        with self._guard:
            return self._found_mirrors

    @functools.cached_property
    def _found_mirrors(self) -> Mirrors:
        configured = self._matrix.mirrors
        return find_mirrors(
            {
                "debian": configured.debian,
                "debian-security": configured.debian_security,
                "debian-ports": configured.debian_ports,
            }
        )

    def build_all(self, cases: Sequence[WrittenCase], arch: Architecture) -> Built:
        """Do what `build` does; raise BuildError where a case cannot be built, ConfigError where one is wrong."""
        built = self.build(cases, arch)
        for fault in built.faults.values():
            raise fault
        if built.mistakes:
            raise ConfigError("\n".join(built.mistakes))
        return built

    def build(self, cases: Sequence[WrittenCase], arch: Architecture) -> Built:
        """Build the objects of some cases, and look up in them the names that the cases give.

        A case that cannot be built holds up no other.
        """
        files: dict[str, Mapping[str, Path]] = {}
        known = {case.id: compile_case(case) for case in cases}
        faults: dict[str, BuildError] = {}
        mistakes: list[str] = []
        sight = Sight()
        for case in cases:
            try:
                own = case.for_arch(arch.name)
                built = self._objects.build(own, arch, sight=sight)
                known[case.id] = resolve(own, {name: each.listing for name, each in built.items()})
            except BuildError as error:
                faults[case.id] = error
            except ConfigError as error:
                mistakes += str(error).splitlines()
            else:
                files[case.id] = {name: each.path for name, each in built.items()}
        return Built(files=files, cases=known, faults=faults, mistakes=tuple(mistakes))

    def base(self, arch: Architecture) -> Path:
        """Return the shared userland of the guest image for an architecture."""
        with self._guard:
            known = self._bases.get(arch.name)
            if known is None or not self._still_there(known.parent):
                self._bases[arch.name] = self._build_base(arch)
            return self._bases[arch.name]

    def programs(self, arch: Architecture) -> GuestPrograms:
        """Return what runs the cases in guests of `arch`."""
        base = self.base(host_architecture() or arch)
        with self._guard:
            if self._programs is None:
                self._programs = guest_programs(harness_programs(), cache=self.cache, base=base)
            return self._programs

    def kernel(self, kernel: Kernel, *, cases: Sequence[WrittenCase]) -> KernelFiles:
        """Return the files of one kernel of the matrix, fetched now where they are not in the cache.

        Called for the same kernel from several threads, it obtains it once.
        """
        arch = ARCHITECTURES[kernel.arch]
        with self._guard:
            self._modules.update(module for case in cases for module in case.modules)
            modules, case_modules = sorted(arch.modules), sorted(self._modules)
            own = self._kernel_guards.setdefault(kernel.name, threading.Lock())
        if isinstance(kernel, PathKernel):  # built again at any time, so looked at again
            return path_source.obtain(kernel, arch=arch, cache=self.cache, modules=modules, case_modules=case_modules)
        key = (kernel, tuple(case_modules))
        with own:
            files = self._kernels.get(key)
            if files is None or not self._all_there(files):
                files = self._kernels[key] = self._debian_kernel(kernel, modules=modules, case_modules=case_modules)
        if files.notice and files.notice not in self.notices:
            self.note(files.notice)
        return files

    def guest(
        self,
        kernel: Kernel,
        cases: Sequence[WrittenCase],
        *,
        keys: RunKeys,
        folder: Path,
        accel: str | None = None,
        objects: Mapping[str, Mapping[str, Path]] = NO_OBJECTS,
        stopping: threading.Event | None = None,
    ) -> GuestPlan:
        """Return what a guest of a kernel of the matrix is started from: everything is obtained now.

        The guest can run `cases`, with `objects` (as `build` returns them). `accel` is the accelerator that is wanted,
        without it the matrix's; `folder` is where the guest's results lie. Raises what
        `kernel`, `base` and `accel` raise.
        """
        arch = ARCHITECTURES[kernel.arch]
        files = self.kernel(kernel, cases=cases)
        base = self.base(arch)
        return GuestPlan(
            kernel=files,
            settings=kernel.settings(self._matrix.defaults),
            accel=self.accel(accel or self._matrix.defaults.accel, files).name,
            base=base,
            programs=self.programs(arch),
            keys=keys,
            objects=objects,
            folder=folder,
            cmdline=kernel.cmdline,
            stopping=stopping or threading.Event(),
        )

    def _debian_kernel(
        self, kernel: DebianKernel, *, modules: Sequence[str], case_modules: Sequence[str]
    ) -> KernelFiles:
        arch = ARCHITECTURES[kernel.arch]
        request = debian_request(kernel)
        pinned = self.lock.kernels.get(kernel.name)
        if pinned is not None and not pinned.answers(
            suite=request.suite,
            package=request.package,
            version=request.version,
            architecture=arch.debian,
        ):
            pinned = None
        return self._debian.obtain(request, pinned=pinned, modules=modules, case_modules=case_modules)

    def _all_there(self, files: KernelFiles) -> bool:
        modules = (path for module in files.case_modules.values() for path in module.files)
        return self._still_there(files.image.parent) and all(path.exists() for path in modules)

    def _still_there(self, entry: Path) -> bool:
        """Say whether what was obtained earlier is still in the cache, and keep it there; another run may trim it."""
        try:
            return self.cache.mark_used(entry)
        except OSError:
            return False

    def note(self, text: str) -> None:
        """Remember something that the reports of all runs with these supplies must say loudly."""
        with self._guard:
            if text not in self.notices:
                self.notices.append(text)

    def accel(self, wanted: str, files: KernelFiles) -> Accel:
        """Return the accelerator for guests of this kernel's architecture, probed with this kernel."""
        arch = files.arch
        base = self.base(arch)
        with self._guard:
            if arch.name not in self._accels:
                self._accels[arch.name] = choose(
                    wanted,
                    arch,
                    cache=self.cache,
                    probe=lambda: boot_probe(arch, kernel=files.image, base=base),
                )
            return self._accels[arch.name]

    def locked_image(self, debian_arch: str) -> LockedImage:
        """Return the packages of the guest image: those of matrix.lock, else the suites' current ones."""
        pinned = self.lock.images.get(debian_arch)
        if pinned is not None and (pinned.suites, pinned.names) == (self.contents.suites, self.contents.packages):
            return pinned
        if self._locked_only:
            raise PackageGoneError(
                f"matrix.lock has no entry for the guest image of {debian_arch}; run `invoke lock`, "
                f"or leave out --locked"
            )
        return self.resolve_image(debian_arch)

    def resolve_image(self, debian_arch: str) -> LockedImage:
        """Resolve the packages of the guest image against the suites' indexes as they are now."""
        apt = Apt(cache=self.cache, mirrors=self.mirrors(), suites=self.contents.suites, architecture=debian_arch)
        with self.cache.lock(f"apt-image-{debian_arch}"):
            return resolve_image(apt, self.contents.packages)

    def _build_base(self, arch: Architecture) -> Path:
        try:
            return self._base_from(arch, self.locked_image)
        except PackageGoneError:
            if self._locked_only:
                raise
        self.notices.append(
            f"guest image ({arch.name}): the mirror no longer has a pinned package; the suites' current ones "
            f"were taken instead. Run `invoke lock` to pin them"
        )
        return self._base_from(arch, self.resolve_image)

    def _base_from(self, arch: Architecture, packages_of) -> Path:  # type: ignore[no-untyped-def]
        host = host_architecture() or arch
        packages = packages_of(arch.debian).packages
        interpreter = packages if host.debian == arch.debian else packages_of(host.debian).packages
        parts = UserlandParts(
            packages=packages,
            interpreter=interpreter,
            contents=self.contents,
            init=(self._project.images / "init").read_bytes(),
        )
        return build_userland(cache=self.cache, mirrors=self.mirrors, parts=parts).path / "base.cpio"


def debian_request(kernel: DebianKernel) -> DebianRequest:
    """Return what to look for in Debian for a kernel of the matrix."""
    return DebianRequest(
        name=kernel.name,
        arch=ARCHITECTURES[kernel.arch],
        suite=kernel.suite,
        package=kernel.package,
        version=kernel.version,
    )
