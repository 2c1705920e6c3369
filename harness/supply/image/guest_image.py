"""The guest image of each architecture: from the packages that the lock names, else from those that the suites have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.errors import PackageGoneError
from harness.host.cache import Cache
from harness.host.called_as import command
from harness.model.architectures import Architecture, host_architecture
from harness.supply.debian.apt import Apt, debian_lines
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.pin import ImagePin
from harness.supply.debian.resolve import resolve_image
from harness.supply.image.contents import Contents, read_contents
from harness.supply.image.packages import resolve_packages
from harness.supply.image.userland import UserlandParts, build_userland


class GuestImage:
    """The userland of the guests. `folder` describes it; `pins` are those of the lock, by Debian architecture.

    `note` is given what the reports must say.
    """

    def __init__(
        self,
        folder: Path,
        *,
        pins: Mapping[str, ImagePin],
        cache: Cache,
        mirrors: Callable[[], Mirrors],
        locked_only: bool,
        note: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._pins = pins
        self._cache = cache
        self._mirrors = mirrors
        self._locked_only = locked_only
        self._note = note

    @functools.cached_property
    def contents(self) -> Contents:
        """The description of the guest image."""
        return read_contents(self._folder / "contents.yaml")

    def pinned(self, debian_arch: str) -> ImagePin:
        """Return the image's packages: those of matrix.lock, else the suites' current ones; raise PackageGoneError."""
        pin = self._pins.get(debian_arch)
        if pin is not None and (pin.suites, pin.names) == (self.contents.suites, self.contents.packages):
            return pin
        if self._locked_only:
            raise PackageGoneError(
                f"matrix.lock has no entry for the guest image of {debian_arch}; run `{command('lock')}`, "
                f"or leave out --locked"
            )
        return self.pin(debian_arch)

    def packages(self, names: Sequence[str], debian_arch: str) -> ImagePin:
        """Resolve more packages, with all that they depend on, against the suites' indexes as they are now.

        Raises ConfigError where there are none of these names, and PackageGoneError where the lock must name them.
        """
        if self._locked_only:
            raise PackageGoneError(
                f"matrix.lock has no entry for the packages {' '.join(names)} of {debian_arch}; "
                f"run `{command('lock')}`, or leave out --locked"
            )
        return self.pin_packages(names, debian_arch)

    def pin_packages(self, names: Sequence[str], debian_arch: str) -> ImagePin:
        """Do what `packages` does, for the lock itself."""
        with self._cache.lock(f"apt-image-{debian_arch}"):
            return resolve_packages(self._apt(debian_arch), sorted(set(names)))

    def _apt(self, debian_arch: str) -> Apt:
        lines = debian_lines(self._mirrors(), self.contents.suites)
        return Apt(cache=self._cache, lines=lines, architecture=debian_arch)

    def pin(self, debian_arch: str) -> ImagePin:
        """Resolve the image's packages against the suites' indexes as they are now."""
        with self._cache.lock(f"apt-image-{debian_arch}"):
            return resolve_image(self._apt(debian_arch), self.contents.packages)

    def base(self, arch: Architecture) -> Path:
        """Return the shared userland's archive in the cache, built now where it is missing.

        A pinned package that is gone is replaced by the suites' current ones, with a note, unless that is forbidden.
        """
        try:
            return self._built(arch, self.pinned)
        except PackageGoneError:
            if self._locked_only:
                raise
        self._note(
            f"guest image ({arch.name}): the mirror no longer has a pinned package; the suites' current ones "
            f"were taken instead. Run `{command('lock')}` to pin them"
        )
        return self._built(arch, self.pin)

    def _built(self, arch: Architecture, pin_of: Callable[[str], ImagePin]) -> Path:
        host = host_architecture() or arch
        packages = pin_of(arch.debian).packages
        interpreter = packages if host.debian == arch.debian else pin_of(host.debian).packages
        parts = UserlandParts(
            packages=packages,
            interpreter=interpreter,
            contents=self.contents,
            init=(self._folder / "init").read_bytes(),
        )
        return build_userland(cache=self._cache, mirrors=self._mirrors, parts=parts).path / "base.cpio"
