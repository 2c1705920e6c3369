"""Writing the lock: what each kernel of the matrix, and the guest image, stand for now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.config.matrix import Kernel
from harness.errors import PackageGoneError
from harness.model.architectures import ARCHITECTURES, host_architecture
from harness.supply.axis_packages import Request
from harness.supply.debian.pin import ImagePin
from harness.supply.image.packages import pin_key
from harness.supply.kernels.source import KernelSource
from harness.supply.lock import KernelPin, Lock, SweepPin
from harness.supply.supplies import Supplies
from harness.supply.sweeps import Swept, sweep_builds


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """A new lock; `unpinned` names the kernels for which there is no build, and was none before."""

    lock: Lock
    unpinned: tuple[str, ...]


def pin_again(
    supplies: Supplies,
    kernels: Sequence[Kernel],
    *,
    chosen: Sequence[Kernel],
    packages: Iterable[Sequence[str]] = (),
    axes: Iterable[Request] = (),
    keep_images: bool,
    say: Callable[[str], None],
) -> Pinned:
    """Pin the newest whole build of each `chosen` kernel and return the new lock; `kernels` are all of the matrix.

    Of a sweep all builds that it stands for are pinned.

    The pins of the others stay, and so does one whose source has no build any more. With `keep_images` the pins of the
    guest images, of the `packages` of cases, a list each, and of the `axes` stay as well; one that is missing is made.
    `say` is given a line for each kernel. Raises what a source's `pin` raises, but for PackageGoneError.
    """
    pins, sweeps = _kept(supplies.lock, kernels)
    unpinned: list[str] = []
    for kernel in chosen:
        source = supplies.source(kernel)
        if source.pin_type is None:
            continue
        try:
            line = (_pin_sweep if kernel.sweeping else _pin)(source, kernel, pins, sweeps)
        except PackageGoneError as error:
            was = _was(source, kernel, pins, sweeps)
            say(f"{kernel.name}: {error}{f'; the pin of {was} stays' if was else ''}")
            unpinned += [] if was else [kernel.name]
        else:
            say(line)
    images = _images(supplies, kernels, keep=keep_images)
    more = _packages(supplies, packages, images, keep=keep_images)
    own = _axes(supplies, axes, keep=keep_images)
    lock = Lock(kernels=pins, images=images, packages=more, sweeps=sweeps, axes=own)
    return Pinned(lock=lock, unpinned=tuple(unpinned))


def _kept(lock: Lock, kernels: Sequence[Kernel]) -> tuple[dict[str, KernelPin], dict[str, SweepPin]]:
    """Return what a lock has of the kernels of the matrix, and of its sweeps with their rows; not of what is gone."""
    sources = {kernel.name: kernel.source for kernel in kernels if not kernel.sweeping}
    sweeps = {each.name: lock.sweeps[each.name] for each in kernels if each.sweeping and each.name in lock.sweeps}
    of_rows = {each.name: each.source for each in kernels}
    sources |= {row.name: of_rows[name] for name, sweep in sweeps.items() for row in sweep.rows}
    return {name: entry for name, entry in lock.kernels.items() if sources.get(name) == entry.source}, sweeps


def _was(
    source: KernelSource[Any, Any], kernel: Kernel, pins: Mapping[str, KernelPin], sweeps: Mapping[str, SweepPin]
) -> str:
    """Return which version the pin of a kernel has, or how many builds that of a sweep, "" where there is none."""
    if kernel.name in sweeps:
        return f"{len(sweeps[kernel.name].rows)} builds"
    return source.describe(kernel, pins[kernel.name].pin).version if kernel.name in pins else ""


def _pin(
    source: KernelSource[Any, Any], kernel: Kernel, pins: dict[str, KernelPin], sweeps: Mapping[str, SweepPin]
) -> str:
    """Put the newest whole build of a kernel into `pins`; return what is said of it."""
    was = _was(source, kernel, pins, sweeps)
    found = source.pin(kernel)
    pins[kernel.name] = KernelPin(kernel.source, found.pin)
    about = source.describe(kernel, found.pin)
    change = f" (was {was}{f'; {about.moved}' if about.moved else ''})" if was and was != about.version else ""
    missing = f"the source does not have {', '.join(about.missing)}" if about.missing else ""
    line = (f"{kernel.name}: {about.version}{change}", missing, found.notice)
    return "; ".join(text for text in line if text)


def _pin_sweep(
    source: KernelSource[Any, Any], kernel: Kernel, pins: dict[str, KernelPin], sweeps: dict[str, SweepPin]
) -> str:
    """Put all builds of a sweep into `pins`, and its rows into `sweeps`; return what is said of them."""
    was = sweeps.get(kernel.name)
    of_rows = {row.name: pins[row.name] for row in (was.rows if was else ()) if row.name in pins}
    before = Swept(sweep=was, pins=of_rows) if was is not None and was.suites == kernel.more_suites else None
    swept = sweep_builds(source, kernel, before=before)
    for name in of_rows:
        del pins[name]
    sweeps[kernel.name] = swept.sweep
    pins |= swept.pins
    versions = ", ".join(source.describe(kernel, entry.pin).version for entry in swept.pins.values())
    return "; ".join((f"{kernel.name}: {len(swept.pins)} builds: {versions}", *swept.remarks))


def _packages(
    supplies: Supplies, lists: Iterable[Sequence[str]], architectures: Iterable[str], *, keep: bool
) -> dict[str, ImagePin]:
    """Return the pins of lists of packages for some Debian architectures."""
    before, found = supplies.lock.packages, dict[str, ImagePin]()
    for names in sorted({tuple(sorted(set(names))) for names in lists}):
        for architecture in sorted(architectures):
            key = pin_key(names, architecture)
            kept = before.get(key) if keep else None
            found[key] = kept or supplies.image.pin_packages(names, architecture)
    return found


def _axes(supplies: Supplies, requests: Iterable[Request], *, keep: bool) -> dict[str, ImagePin]:
    """Return the pins of what the axes ask for."""
    before, found = supplies.lock.axes, dict[str, ImagePin]()
    for request in requests:
        kept = before.get(request.key) if keep else None
        found[request.key] = kept or supplies.axes.packages.pin(request)
    return found


def _images(supplies: Supplies, kernels: Sequence[Kernel], *, keep: bool) -> dict[str, ImagePin]:
    """Return the pins of the guest image for the architectures of all kernels, and for the host's."""
    wanted = {ARCHITECTURES[kernel.arch].debian for kernel in kernels}
    host = host_architecture()
    if host is not None:
        wanted.add(host.debian)
    before = supplies.lock.images
    return {name: before[name] if keep and name in before else supplies.image.pin(name) for name in sorted(wanted)}
