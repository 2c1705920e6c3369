"""A forecast of objects on kernels that are not booted: their types are obtained, and objects compared with them."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from harness import __version__
from harness.errors import BpfmatrixError, BuildError
from harness.forecast.answers import ProgramForecast
from harness.forecast.btf import Btf
from harness.forecast.document import Forecast, LookedAt, ObjectForecast, ProgramOf
from harness.forecast.programs import Forecaster, KernelView
from harness.forecast.resolving import KernelTypes
from harness.forecast.targets import Sight
from harness.forecast.wants import Wants
from harness.host.cache import Cache, Entry
from harness.model.architectures import ARCHITECTURES, host_name
from harness.model.versions import kernel_version
from harness.run.options import Options
from harness.run.plan import choose_kernels
from harness.run.prepared import max_cache_bytes
from harness.supply.builds import Build, all_builds, modules_of_build, pinned_builds, types_of_build
from harness.supply.dependencies import Sight as Seen
from harness.supply.kernel_btf import types_of_file
from harness.supply.kernel_types import MODULES, ModuleTypes, config_in, types_in
from harness.supply.own.object_case import ObjectCase
from harness.supply.own.wants import read_wants
from harness.supply.supplies import Supplies

AT_ONCE = 4
"""How many builds are fetched and unpacked at once: most of that is waiting."""


@dataclass(frozen=True)
class _Held:
    """A build whose types are here: those of its modules, too, where somebody has asked for them."""

    build: Build
    types: Entry
    modules: Entry | None = None


@dataclass(frozen=True)
class _Object:
    """An object for one architecture. `btf` has the types of another kernel, for relocations."""

    name: str
    wants: Wants
    btf: bytes = b""


@dataclass(frozen=True)
class _Said:
    """What is said of each object on a build; `asked` says that modules may have what its kernel does not."""

    objects: Mapping[str, Sequence[ProgramForecast]]
    asked: bool


@dataclass(kw_only=True)
class _Work:
    """What the processes that compare have; it is set before they are forked."""

    objects: Mapping[str, Sequence[_Object]] = field(default_factory=dict)
    forecasters: dict[tuple[str, str], Forecaster] = field(default_factory=dict)


_WORK = _Work()


def precheck(options: Options, *, sweep: bool, say: Callable[[str], None]) -> Forecast:
    """Return what the types of the kernels of a matrix say of the objects in `options.own_cases`.

    With `sweep` of all builds that its sources list. `say` is given a line for each build that is fetched. Raises what
    reading the matrix and its sources raise; a build that cannot be had, and an object that cannot be built for an
    architecture, are in the forecast.
    """
    begun, started, limit = time.monotonic(), datetime.now(UTC), max_cache_bytes(os.environ)
    matrix = options.project.load_matrix(sweeps=sweep)
    chosen = choose_kernels(matrix, globs=options.kernels, arches=options.arches, host_arch=host_name())
    supplies = Supplies(options.project, matrix, cache=Cache(), locked_only=options.locked)
    listed = all_builds(supplies, chosen) if sweep else pinned_builds(supplies, chosen)
    cases = cast(Sequence[ObjectCase], options.own_cases)
    objects, faults = _objects(cases, supplies, {each.kernel.arch for each in listed.builds})
    held, problems = _obtained(listed.builds, supplies, say=say)
    said = _compared(held, objects, jobs=options.jobs)
    wanted = [each for each in held if said[each.build.name].asked and each.modules is None]
    if wanted:
        more = dict(_with_modules(wanted, supplies, say=say))
        held = [more.get(each.build.name, each) for each in held]
        said |= _compared(list(more.values()), objects, jobs=options.jobs)
    supplies.cache.keep_within(limit, keep_newer_than=started.timestamp())
    return Forecast(
        version=__version__,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - begun, 2),
        kernels=tuple(_kernel(each, held, problems) for each in listed.builds),
        objects=tuple(_object(each, objects, faults, said) for each in cases),
        notices=(*listed.remarks, *supplies.notices),
    )


def _objects(
    cases: Sequence[ObjectCase], supplies: Supplies, arches: set[str]
) -> tuple[dict[str, list[_Object]], dict[tuple[str, str], str]]:
    """Return what each object wants, by architecture, and why some cannot be had; raise ConfigError."""
    found: dict[str, list[_Object]] = {}
    faults: dict[tuple[str, str], str] = {}
    for name in sorted(arches):
        arch, seen = ARCHITECTURES[name], Seen()
        for case in cases:
            try:
                built = case.built(supplies.objects, arch, sight=seen)
                options = case.options(built.listing)
                wants = read_wants(built.path, name=case.id, listing=built.listing, options=options)
                other = case.kernel_btf(arch)
                btf = types_of_file(other) if other is not None else b""
            except BuildError as error:
                faults[case.id, name] = str(error)
            else:
                found.setdefault(name, []).append(_Object(case.id, wants, btf))
    return found, faults


def _obtained(
    builds: Sequence[Build], supplies: Supplies, *, say: Callable[[str], None]
) -> tuple[list[_Held], dict[str, str]]:
    """Return the builds with their types, and why those cannot be had of the others."""
    held: list[_Held] = []
    problems: dict[str, str] = {}

    def obtain(build: Build) -> Entry:
        found = types_of_build(supplies, build)
        if found.fresh:
            say(f"{build.name}: the types of {found.meta['release']} are taken out of its image")
        return found

    with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="types") as pool:
        for build, future in [(build, pool.submit(obtain, build)) for build in builds]:
            try:
                types = future.result()
            except BpfmatrixError as error:
                problems[build.name] = str(error)
                continue
            modules = supplies.cache.peek(MODULES, types.path.name)
            held.append(_Held(build, types, modules))
    return held, problems


def _with_modules(
    held: Sequence[_Held], supplies: Supplies, *, say: Callable[[str], None]
) -> Iterator[tuple[str, _Held]]:
    """Yield builds with the types of their modules; those of which they cannot be had stay without."""

    def obtain(each: _Held) -> _Held:
        try:
            found = modules_of_build(supplies, each.build, each.types)
        except BpfmatrixError as error:
            supplies.note(f"{each.build.name}: the types of its modules cannot be had: {error}")
            return each
        if found is not None and found.fresh:
            say(f"{each.build.name}: the types of {len(found.meta['modules'])} modules are taken out of its packages")
        return replace(each, modules=found)

    with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="types") as pool:
        for found in pool.map(obtain, held):
            if found.modules is not None:
                yield found.build.name, found


def _compared(held: Sequence[_Held], objects: Mapping[str, Sequence[_Object]], *, jobs: int | None) -> dict[str, _Said]:
    """Return what is said on each build, by its name: on several processors where there are several."""
    files = [_files_of(each) for each in held]
    workers = min(jobs or len(os.sched_getaffinity(0)), len(files))
    _WORK.objects, _WORK.forecasters = objects, {}
    if workers < 2:
        return {each.name: compare(each) for each in files}
    # The objects' types are not sent to the processes: those have them, since they are forked.
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        return {each.name: said for each, said in zip(files, pool.map(compare, files), strict=True)}


@dataclass(frozen=True)
class _Files:
    """Where the types of a build lie, and what else its package says; it is sent to another process."""

    name: str
    arch: str
    types: Path
    notes: Mapping[str, object]
    version: tuple[int, int, int] | None
    modules: Path | None = None
    modules_notes: Mapping[str, object] = field(default_factory=dict)


def _files_of(each: _Held) -> _Files:
    build, types, modules = each.build, each.types, each.modules
    return _Files(
        name=build.name,
        arch=build.kernel.arch,
        types=types.path,
        notes=types.meta,
        version=_number(build, str(types.meta["release"])),
        modules=modules.path if modules is not None else None,
        modules_notes=modules.meta if modules is not None else {},
    )


def _number(build: Build, release: str) -> tuple[int, int, int] | None:
    """Return the number that libbpf finds of a kernel, None where its package does not say it."""
    if build.distribution == "ubuntu":  # /proc/version_signature has it, and nothing else
        return None
    text = build.version if build.distribution == "debian" else release
    try:
        major, minor, *rest = kernel_version(text).release
    except BpfmatrixError:
        return None
    return major, minor, rest[0] if rest else 0


def compare(files: _Files) -> _Said:
    """Return what is said of each object of `_WORK` on one build."""
    own = types_in(files.types, files.notes)
    modules = ModuleTypes(files.modules, files.modules_notes, own) if files.modules and own is not None else None
    config, asked = config_in(files.types), set[str]()

    def elsewhere(name: str) -> Sequence[str]:
        asked.add(name)
        return modules.holding(name) if modules is not None else ()

    said = {}
    for each in _WORK.objects.get(files.arch, ()):
        key = (files.arch, each.name)
        forecaster = _WORK.forecasters.setdefault(key, Forecaster(wants=each.wants))
        view = KernelView(sight=None, config=config, version=files.version, arch=files.arch)
        if own is not None:
            loaded = {name: types for name in each.wants.modules if modules and (types := modules.types_of(name))}
            asked |= set(each.wants.modules)
            others = KernelTypes(Btf(each.btf, order=each.wants.order)) if each.btf else None
            sight = Sight(types=KernelTypes(own, loaded), elsewhere=elsewhere)
            view = replace(view, sight=sight, relocating=others)
        said[each.name] = tuple(forecaster.forecast(view))
    return _Said(said, asked=bool(asked))


def _kernel(build: Build, held: Sequence[_Held], problems: Mapping[str, str]) -> LookedAt:
    types = next((each.types for each in held if each.build is build or each.build.name == build.name), None)
    release = str(types.meta["release"]) if types is not None else ""
    return LookedAt(
        name=build.name,
        arch=build.kernel.arch,
        package=build.package,
        version=build.version or release,
        release=release,
        distribution=build.distribution,
        types=types is None or bool(types.meta["places"]),
        problem=problems.get(build.name, ""),
    )


def _object(
    case: ObjectCase,
    objects: Mapping[str, Sequence[_Object]],
    faults: Mapping[tuple[str, str], str],
    said: Mapping[str, _Said],
) -> ObjectForecast:
    programs: dict[str, ProgramOf] = {}
    for each in (one for those in objects.values() for one in those if one.name == case.id):
        for program in each.wants.programs.values():
            programs.setdefault(program.name, ProgramOf(name=program.name, section=program.section, on=program.on))
    return ObjectForecast(
        name=case.id,
        title=case.title,
        programs=tuple(programs.values()),
        kernels={name: tuple(each.objects[case.id]) for name, each in said.items() if case.id in each.objects},
        faults={arch: text for (name, arch), text in faults.items() if name == case.id},
        modules=case.modules,
    )
