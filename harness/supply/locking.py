"""Writing the lock: what each kernel of the matrix, and the guest image, stand for now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.config.matrix import Kernel
from harness.errors import PackageGoneError
from harness.model.architectures import ARCHITECTURES, host_architecture
from harness.supply.debian.pin import ImagePin
from harness.supply.image.packages import pin_key
from harness.supply.lock import KernelPin, Lock
from harness.supply.supplies import Supplies


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
    keep_images: bool,
    say: Callable[[str], None],
) -> Pinned:
    """Pin the newest whole build of each `chosen` kernel and return the new lock; `kernels` are all of the matrix.

    The pins of the others stay, and so does one whose source has no build any more. With `keep_images` the pins of the
    guest images and of the `packages` of cases, a list each, stay as well; one that is missing is made. `say` is given
    a line for each kernel. Raises what a source's `pin` raises, but for PackageGoneError.
    """
    names = {kernel.name: kernel.source for kernel in kernels}
    pins = {name: entry for name, entry in supplies.lock.kernels.items() if names.get(name) == entry.source}
    unpinned: list[str] = []
    for kernel in chosen:
        source = supplies.source(kernel)
        if source.pin_type is None:
            continue
        before = pins.get(kernel.name)
        was = source.describe(kernel, before.pin).version if before else ""
        try:
            found = source.pin(kernel)
        except PackageGoneError as error:
            say(f"{kernel.name}: {error}{f'; the pin of {was} stays' if before else ''}")
            unpinned += [] if before else [kernel.name]
            continue
        pins[kernel.name] = KernelPin(kernel.source, found.pin)
        about = source.describe(kernel, found.pin)
        change = f" (was {was})" if before and was != about.version else ""
        missing = f"the source does not have {', '.join(about.missing)}" if about.missing else ""
        line = (f"{kernel.name}: {about.version}{change}", missing, found.notice)
        say("; ".join(text for text in line if text))
    images = _images(supplies, kernels, keep=keep_images)
    more = _packages(supplies, packages, images, keep=keep_images)
    return Pinned(lock=Lock(kernels=pins, images=images, packages=more), unpinned=tuple(unpinned))


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


def _images(supplies: Supplies, kernels: Sequence[Kernel], *, keep: bool) -> dict[str, ImagePin]:
    """Return the pins of the guest image for the architectures of all kernels, and for the host's."""
    wanted = {ARCHITECTURES[kernel.arch].debian for kernel in kernels}
    host = host_architecture()
    if host is not None:
        wanted.add(host.debian)
    before = supplies.lock.images
    return {name: before[name] if keep and name in before else supplies.image.pin(name) for name in sorted(wanted)}
