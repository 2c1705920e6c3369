"""Sweeps: one entry of the matrix stands for several builds of a kernel, each of which is a row that the lock names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.config.matrix import Kernel, Matrix
from harness.errors import ConfigError, PackageGoneError
from harness.supply.kernels.source import KernelSource
from harness.supply.lock import KernelPin, Lock, SweepPin, SweptRow


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep stands for now: its rows, the pin of each by its name, and what the user must know of it."""

    sweep: SweepPin
    pins: dict[str, KernelPin]
    remarks: tuple[str, ...] = ()


def expanded(matrix: Matrix, lock: Lock) -> Matrix:
    """Return the matrix with the rows of its sweeps in the place of these.

    A sweep for which the lock has no rows, or those of another request, stays as it is, and cannot be run. Raises
    ConfigError where a row has the name of another kernel.
    """
    kernels = [row for kernel in matrix.kernels for row in _rows(kernel, lock)]
    names = [kernel.name for kernel in kernels]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{', '.join(twice)}: a row of a sweep has the name of another kernel; rename one of them")
    return matrix.model_copy(update={"kernels": tuple(kernels)})


def sweep_builds(source: KernelSource[Any, Any], kernel: Kernel) -> Swept:
    """Return the builds that an entry which is a sweep stands for now, each once, whatever suites list it.

    Builds whose files are gone are left out, and so are suites that have none; the remarks name them. Raises
    PackageGoneError where there is no whole build at all, and what the source's `builds` raises.
    """
    assert kernel.sweeping is not None
    found, remarks = _listed(source, kernel)
    wanted, over, kept = kernel.sweeping.builds, list[str](), list[_Build]()
    for build in found:
        if len(kept) == wanted:
            break
        gone = source.gone(build.entry, build.pin)
        if gone:
            over.append(f"{build.version} ({', '.join(gone)})")
        else:
            kept.append(build)
    if over:
        remarks.append(f"left out, since files of theirs are gone: {', '.join(over)}")
    if not kept:
        raise PackageGoneError(f"no build of {source.describe(kernel, None).origin} is whole: {'; '.join(remarks)}")
    rows, pins = list[SweptRow](), dict[str, KernelPin]()
    for build in reversed(kept):
        name = _name(kernel.name, build.version)
        if name in pins:  # two flavours of one version
            name = f"{name}-{build.files[0][:8]}"
        rows.append(SweptRow(name=name, suite=getattr(build.entry, "suite", "")))
        pins[name] = KernelPin(kernel.source, build.pin)
    return Swept(
        sweep=SweepPin(builds=wanted, suites=_more_suites(kernel), rows=tuple(rows)), pins=pins, remarks=tuple(remarks)
    )


@dataclass(frozen=True)
class _Build:
    """One build, and the entry, with one suite, whose source lists it."""

    entry: Kernel
    pin: Any
    version: str
    files: tuple[str, ...]


def _listed(source: KernelSource[Any, Any], kernel: Kernel) -> tuple[list[_Build], list[str]]:
    """Return all builds of all suites, the newest first, and which suites have none."""
    found, remarks = dict[tuple[str, ...], _Build](), list[str]()
    entries = [kernel, *(kernel.model_copy(update={"suite": suite}) for suite in _more_suites(kernel))]
    for entry in entries:
        try:
            pins: Sequence[Any] = source.builds(entry)
        except PackageGoneError as error:
            remarks.append(str(error))
            continue
        for pin in pins:
            about = source.describe(entry, pin)
            found.setdefault(about.files, _Build(entry, pin, about.version, about.files))
    if not found:
        raise PackageGoneError("\n".join(remarks))
    builds = list(found.values())
    if len(entries) > 1:
        # Only Debian's packages have suites, so this is the order of their versions.
        from debian.debian_support import Version  # noqa: PLC0415  (expensive, and most runs have a lock)

        builds.sort(key=lambda build: Version(build.version), reverse=True)
    return builds, remarks


def _rows(kernel: Kernel, lock: Lock) -> Sequence[Kernel]:
    """Return the rows of an entry: itself, but for a sweep whose rows the lock has."""
    asked, sweep = kernel.sweeping, lock.sweeps.get(kernel.name)
    if asked is None or sweep is None or (sweep.builds, sweep.suites) != (asked.builds, _more_suites(kernel)):
        return [kernel]
    return [
        kernel.model_copy(update={"name": row.name, **({"suite": row.suite} if row.suite else {})})
        for row in sweep.rows
    ]


def _more_suites(kernel: Kernel) -> tuple[str, ...]:
    return tuple(getattr(kernel.sweeping, "suites", ()))


def _name(entry: str, version: str) -> str:
    """Return the name of a row; a kernel's name has no `~` and no colon."""
    return f"{entry}-{re.sub('[^A-Za-z0-9._+-]', '-', version)}"
