"""Everything that guests need, obtained before they start: kernels, the image, BPF objects, the accelerator."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.config.axes import ClangChoice, LibbpfChoice
from harness.config.matrix import Kernel, Matrix
from harness.errors import BuildError, ConfigError, ObjectFileError
from harness.host.cache import Cache
from harness.host.called_as import command
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.model.budgets import joined
from harness.qemu.accel import Accel, boot_probe, choose
from harness.scenario.case import Case, units
from harness.supply.axes import Axes
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.mirrors import Mirrors, find_mirrors
from harness.supply.dependencies import Sight
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import userland
from harness.supply.image.guest_files import GuestFiles
from harness.supply.image.guest_image import GuestImage
from harness.supply.image.keys import RunKeys
from harness.supply.image.packages import PackageArchive, Packages
from harness.supply.image.programs import GuestPrograms, guest_programs, harness_programs
from harness.supply.kernels.choosing import obtain_chosen
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.registry import make_sources
from harness.supply.kernels.source import Description, KernelSource, SourceContext
from harness.supply.lock import Lock, read_lock
from harness.supply.objects import KernelHeader, ObjectBuilder
from harness.supply.project import Project
from harness.supply.pushed import Pushed
from harness.supply.unbuilt import ModuleUser, UnbuiltCase
from harness.supply.wanted import Guest

NO_OBJECTS: Mapping[str, Mapping[str, Path]] = {}
"""For a guest whose cases are not known yet, or are none."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """What came of building the objects of some cases for one architecture.

    `files` maps a case's id to its objects (file name -> path), `pushed` to all else that it brings, `cases` to the
    case that its objects make complete, `faults` those that cannot be built to the reason. `mistakes` are those in the
    cases themselves, a line each. `compiler` is the version of the one that made the objects, where it was named.
    """

    files: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    pushed: Mapping[str, Pushed] = field(default_factory=dict)
    cases: Mapping[str, Case] = field(default_factory=dict)
    mistakes: tuple[str, ...] = ()
    faults: Mapping[str, BuildError] = field(default_factory=dict)
    compiler: str = ""


class Supplies:
    """Obtains what a run needs, each thing once. Safe to use from several threads.

    Several runs in a row may share one. Kernels have the modules of all cases for which they were asked so far.
    `locked_only` forbids builds of kernels and packages of the image that the lock does not name. `sources` are those
    of the kernels, by name; without them the registry's.
    """

    def __init__(
        self,
        project: Project,
        matrix: Matrix,
        *,
        cache: Cache,
        locked_only: bool = False,
        sources: Mapping[str, KernelSource[Any, Any]] | None = None,
    ) -> None:
        self.cache = cache
        self.lock: Lock = read_lock(project.lock_file)
        self.notices: list[str] = []
        self.stopping = threading.Event()
        """Set while what takes minutes is to end: a run is over, or was interrupted."""
        self.progress: Callable[[str, str], None] | None = None
        self.building: Callable[[str], None] = lambda text: None  # noqa: ARG005
        """Is given how far `build` is."""
        """Given a kernel's name and how far it is, while it is obtained for minutes."""
        self._matrix, self._budget = matrix, matrix.budget.value()
        self._locked_only = locked_only
        self._guard = threading.RLock()
        self._sources = sources or make_sources(
            SourceContext(
                cache=cache,
                mirrors=self.mirrors,
                named=matrix.mirrors.others,
                registry=matrix.mirrors.registry or "",
                locked_only=locked_only,
                progress=lambda kernel, text: self.progress(kernel, text) if self.progress is not None else None,
                stopping=self.stopping,
            )
        )
        self.objects = ObjectBuilder(cache=cache, include=project.includes, headers=self.headers, note=self.note)
        self._include = project.includes
        self._builders: dict[ClangChoice | None, ObjectBuilder] = {None: self.objects}
        self._kernel_guards: dict[str, threading.Lock] = {}
        self._bases: dict[str, Path] = {}
        self._accels: dict[str, Accel] = {}
        self._programs: GuestPrograms | None = None
        self._modules: set[str] = set()
        self._kernels: dict[tuple[Kernel, tuple[str, ...]], KernelFiles] = {}
        self.image = GuestImage(
            project.images,
            pins=self.lock.images,
            cache=cache,
            mirrors=self.mirrors,
            locked_only=locked_only,
            note=self.note,
        )
        self.axes = Axes(
            cache=cache, mirrors=self.mirrors, pins=self.lock.axes, locked_only=locked_only, base=self.base
        )

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

    def build_all(self, cases: Sequence[UnbuiltCase], arch: Architecture) -> Built:
        """Do what `build` does; raise BuildError where a case cannot be built, ConfigError where one is wrong."""
        built = self.build(cases, arch)
        for fault in built.faults.values():
            raise fault
        if built.mistakes:
            raise ConfigError("\n".join(built.mistakes))
        return built

    def build(self, cases: Sequence[UnbuiltCase], arch: Architecture, *, clang: ClangChoice | None = None) -> Built:
        """Build the objects of some cases, and look up in them the names that the cases give.

        `clang` is what compiles them, without it the host's. A case that cannot be built holds up no other. Kernels
        have the modules from now on that bpfmatrix attaches the programs of these by.
        """
        files: dict[str, Mapping[str, Path]] = {}
        pushed: dict[str, Pushed] = {}
        known = {case.id: case.compiled() for case in cases}
        faults: dict[str, BuildError] = {}
        mistakes: list[str] = []
        sight, builder = Sight(), self._builder(clang)
        for number, case in enumerate(cases):
            self.building(f"compiling for {arch.name}: {number} of {len(cases)} cases")
            try:
                made = case.build(builder, arch, sight=sight)
                if made.wanted is not None:
                    known[case.id], pushed[case.id] = made.wanted.ready(made.case, arch, self._guest_has)
            except BuildError as error:
                faults[case.id] = error
            except ConfigError as error:
                mistakes += str(error).splitlines()
            else:
                files[case.id] = made.files
                if made.wanted is None:
                    known[case.id] = made.case
        known = {id_: replace(case, budget=joined(self._budget, case.budget)) for id_, case in known.items()}
        with self._guard:
            self._modules.update(name for case in known.values() for unit in units(case) for name in unit.attachers)
        for note in dict.fromkeys(note for each in pushed.values() for note in each.notes):
            self.note(note)
        used = ", ".join(sorted(builder.used - {""})) if clang is not None else ""
        return Built(files=files, pushed=pushed, cases=known, faults=faults, mistakes=tuple(mistakes), compiler=used)

    def _builder(self, clang: ClangChoice | None) -> ObjectBuilder:
        with self._guard:
            if clang is not None and clang not in self._builders:
                self._builders[clang] = ObjectBuilder(
                    cache=self.cache,
                    include=self._include,
                    headers=self.headers,
                    note=self.note,
                    compiler=self.axes.compiler(clang),
                )
            return self._builders[clang]

    @functools.cached_property
    def _guest_has(self) -> Guest:
        """What guests have before anything is pushed."""

        def unpack(packages: Sequence[PackageFile], scratch: Path) -> Path:
            return userland.unpack(packages, mirrors=self.mirrors(), scratch=scratch, name="packages")

        packages = Packages(
            cache=self.cache,
            resolve=self.image.packages,
            pins=self.lock.packages,
            unpack=unpack,
            note=self.note,
        )

        def archive(names: Sequence[str], arch: Architecture) -> PackageArchive:
            return packages.archive(names, debian_arch=arch.debian, base=self.base(arch))

        return Guest(files=lambda arch, more: GuestFiles([self.base(arch), *more]), packages=archive)

    def base(self, arch: Architecture) -> Path:
        """Return the shared userland of the guest image for an architecture."""
        with self._guard:
            known = self._bases.get(arch.name)
            if known is None or not self._still_there(known.parent):
                self._bases[arch.name] = self.image.base(arch)
            return self._bases[arch.name]

    def programs(self, arch: Architecture) -> GuestPrograms:
        """Return what runs the cases in guests of `arch`."""
        base = self.base(host_architecture() or arch)
        with self._guard:
            if self._programs is None:
                self._programs = guest_programs(harness_programs(), cache=self.cache, base=base)
            return self._programs

    def source(self, kernel: Kernel) -> KernelSource[Any, Any]:
        """Return where a kernel of the matrix comes from."""
        return self._sources[kernel.source]

    def headers(self, arch: Architecture) -> Iterator[KernelHeader]:
        """Yield a vmlinux.h of a few of the matrix's kernels of an architecture, the last one's first.

        Raises ObjectFileError where none of them has BTF, and what `kernel` raises.
        """
        from harness.supply.own.vmlinux import header_folder, spread  # noqa: PLC0415  few runs need it

        problems, made = [], 0
        for kernel in spread([each for each in self._matrix.kernels if each.arch == arch.name]):
            try:
                folder = header_folder(self.kernel(kernel, cases=()), cache=self.cache)
            except ObjectFileError as error:
                problems.append(str(error))
                continue
            made += 1
            yield KernelHeader(kernel=kernel.name, folder=folder)
        if not made:
            raise ObjectFileError(
                "\n".join(problems) or f"the matrix has no kernel of {arch.name} to make a vmlinux.h of"
            )

    def pin_of(self, kernel: Kernel) -> Any:
        """Return the build that the lock names for a kernel, None where it names none for what the matrix says now."""
        entry = self.lock.kernels.get(kernel.name)
        if entry is None or entry.source != kernel.source or not self.source(kernel).answers(kernel, entry.pin):
            return None
        return entry.pin

    def describe(self, kernel: Kernel) -> Description:
        """Return what the user is shown of a kernel of the matrix, and of the build that the lock names for it."""
        return self.source(kernel).describe(kernel, self.pin_of(kernel))

    def check(self, kernel: Kernel, *, cases: Sequence[ModuleUser]) -> None:
        """Find the user's mistakes in an entry of the matrix; raise ConfigError or KernelFileError."""
        if kernel.sweeping is not None and self.pin_of(kernel) is None:
            raise ConfigError(
                f"kernel {kernel.name}: matrix.lock does not list the builds of this sweep, or those of an older "
                f"matrix.yaml; run `{command('lock')}`"
            )
        modules, case_modules = self._wanted_modules(kernel, cases)
        self.source(kernel).check(kernel, modules=modules, case_modules=case_modules)

    def check_libbpf(self, libbpf: LibbpfChoice, kernel: Kernel) -> None:
        """Find the user's mistakes in a userland of a kernel of the matrix; raise ConfigError."""
        self.axes.check_libbpf(libbpf, ARCHITECTURES[kernel.arch])

    def kernel(self, kernel: Kernel, *, cases: Sequence[ModuleUser]) -> KernelFiles:
        """Return the files of one kernel of the matrix, fetched now where they are not in the cache.

        Called for the same kernel from several threads, it obtains it once; what lies outside the cache may be another
        file by now, and is looked at again. Raises what `obtain_chosen` raises.
        """
        modules, case_modules = self._wanted_modules(kernel, cases)
        source, pin = self.source(kernel), self.pin_of(kernel)

        def obtain(build: Any) -> KernelFiles:
            return source.obtain(kernel, build, modules=modules, case_modules=case_modules)

        with self._guard:
            own = self._kernel_guards.setdefault(kernel.name, threading.Lock())
        key = (kernel, tuple(case_modules))
        with own:
            files = self._kernels.get(key)
            if files is None or not self._all_there(files):
                files = obtain_chosen(source, kernel, pin, obtain=obtain, locked_only=self._locked_only)
                self._kernels[key] = files
        if files.notice:
            self.note(files.notice)
        return files

    def _wanted_modules(self, kernel: Kernel, cases: Sequence[ModuleUser]) -> tuple[list[str], list[str]]:
        """Return the modules that every guest loads, and those of all cases so far."""
        with self._guard:
            self._modules.update(module for case in cases for module in case.modules)
            return sorted(ARCHITECTURES[kernel.arch].modules), sorted(self._modules)

    def guest(
        self,
        kernel: Kernel,
        cases: Sequence[ModuleUser],
        *,
        keys: RunKeys,
        folder: Path,
        accel: str | None = None,
        objects: Mapping[str, Mapping[str, Path]] = NO_OBJECTS,
        pushed: Mapping[str, Pushed] | None = None,
        libbpf: LibbpfChoice | None = None,
        stopping: threading.Event | None = None,
    ) -> GuestPlan:
        """Return what a guest of a kernel of the matrix is started from: everything is obtained now.

        The guest can run `cases`, with `objects` and `pushed` (as `build` returns them). `accel` is the accelerator
        that is wanted, without it the matrix's; `folder` is where the guest's results lie; `libbpf` is the guest's,
        without it the image's. Raises what `kernel`, `base` and `accel` raise.
        """
        arch = ARCHITECTURES[kernel.arch]
        files = self.kernel(kernel, cases=cases)
        base = self.base(arch)
        library = self.axes.libbpf(libbpf, arch) if libbpf is not None else None
        return GuestPlan(
            kernel=files,
            settings=kernel.settings(self._matrix.defaults),
            accel=self.accel(accel or self._matrix.defaults.accel, files).name,
            base=base,
            programs=self.programs(arch),
            keys=keys,
            objects=objects,
            pushed=pushed or {},
            folder=folder,
            snapshots=kernel.sweeping is None or kernel.sweeping.snapshots,
            cmdline=kernel.cmdline,
            archives=(library,) if library else (),
            stopping=stopping or threading.Event(),
        )

    def _all_there(self, files: KernelFiles) -> bool:
        modules = (path for module in files.case_modules.values() for path in module.files)
        return files.entry is not None and self._still_there(files.entry) and all(path.exists() for path in modules)

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
