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
    """What a sweep stands for: its rows, the pin of each by its name, and what the user must know of it."""

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


def sweep_builds(source: KernelSource[Any, Any], kernel: Kernel, *, before: Swept | None = None) -> Swept:
    """Return the builds that an entry which is a sweep stands for now, each once, whatever suites list it.

    Builds whose files are gone are left out, and so are suites that have none; the remarks name them. `before` is what
    it stood for until now: of all builds, one that is listed no more stays as long as its files are there. The remarks
    name those that stay, and those that do not. Raises PackageGoneError where there is no whole build at all, and what
    the source's `builds` raises.
    """
    assert kernel.sweeping is not None
    found, remarks = listed_builds(source, kernel, suites=kernel.more_suites)
    wanted, over, kept = kernel.sweeping.builds, list[str](), list[ListedBuild]()
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
        name = row_name(kernel.name, build.version)
        if name in pins:  # two flavours of one version
            name = f"{name}-{build.files[0][:8]}"
        rows.append(SweptRow(name=name, suite=getattr(build.entry, "suite", "")))
        pins[name] = KernelPin(kernel.source, build.pin)
    if before is not None:
        remarks += _stay(source, kernel, before, rows=rows, pins=pins)
    return Swept(
        sweep=SweepPin(builds=wanted, suites=kernel.more_suites, rows=tuple(rows)),
        pins={row.name: pins[row.name] for row in rows},
        remarks=tuple(remarks),
    )


@dataclass(frozen=True)
class ListedBuild:
    """One build, and the entry, with one suite, whose source lists it."""

    entry: Kernel
    pin: Any
    version: str
    files: tuple[str, ...]


def listed_builds(
    source: KernelSource[Any, Any], kernel: Kernel, *, suites: Sequence[str]
) -> tuple[list[ListedBuild], list[str]]:
    """Return all builds of an entry and of it in other `suites`, the newest first, and which of these have none."""
    found, remarks = dict[tuple[str, ...], ListedBuild](), list[str]()
    entries = [kernel, *(kernel.model_copy(update={"suite": suite}) for suite in suites)]
    for entry in entries:
        try:
            pins: Sequence[Any] = source.builds(entry)
        except PackageGoneError as error:
            remarks.append(str(error))
            continue
        for pin in pins:
            about = source.describe(entry, pin)
            found.setdefault(about.files, ListedBuild(entry, pin, about.version, about.files))
    if not found:
        raise PackageGoneError("\n".join(remarks))
    builds = list(found.values())
    if len(entries) > 1:
        # Only Debian's packages have suites, so this is the order of their versions.
        from debian.debian_support import Version  # noqa: PLC0415  (expensive, and most runs have a lock)

        builds.sort(key=lambda build: Version(build.version), reverse=True)
    return builds, remarks


def _stay(
    source: KernelSource[Any, Any], kernel: Kernel, before: Swept, *, rows: list[SweptRow], pins: dict[str, KernelPin]
) -> list[str]:
    """Add to `rows` and `pins` what the source lists no more and still has; return what is said of that and the rest.

    A row stays behind the one that it was behind.
    """
    assert kernel.sweeping is not None
    there = {source.describe(kernel, entry.pin).files: name for name, entry in pins.items()}
    stay, gone, older, place = list[str](), list[str](), list[str](), 0
    for row in before.sweep.rows:
        entry, of_row = before.pins.get(row.name), kernel.row(row.name, suite=row.suite)
        if entry is None or entry.source != kernel.source or not source.answers(of_row, entry.pin):
            continue  # it was made for another request
        about = source.describe(of_row, entry.pin)
        if about.files in there:
            place = [each.name for each in rows].index(there[about.files]) + 1
        elif kernel.sweeping.builds != "all":
            older.append(about.version)
        elif row.name in pins or (lost := source.gone(of_row, entry.pin)):
            gone.append(about.version if row.name in pins else f"{about.version} ({', '.join(lost)})")
        else:
            rows.insert(place, row)
            pins[row.name] = entry
            stay.append(about.version)
            place += 1
    said = {
        "not listed any more, but their files are still there, so they stay": stay,
        "no longer in the lock, since files of theirs are gone": gone,
        f"no longer in the lock, since they are not among the newest {kernel.sweeping.builds}": older,
    }
    return [f"{what}: {', '.join(versions)}" for what, versions in said.items() if versions]


def _rows(kernel: Kernel, lock: Lock) -> Sequence[Kernel]:
    """Return the rows of an entry: itself, but for a sweep whose rows the lock has."""
    asked, sweep = kernel.sweeping, lock.sweeps.get(kernel.name)
    if asked is None or sweep is None or (sweep.builds, sweep.suites) != (asked.builds, kernel.more_suites):
        return [kernel]
    return [kernel.row(row.name, suite=row.suite) for row in sweep.rows]


def row_name(entry: str, version: str) -> str:
    """Return the name of a row; a kernel's name has no `~` and no colon."""
    return f"{entry}-{re.sub('[^A-Za-z0-9._+-]', '-', version)}"
