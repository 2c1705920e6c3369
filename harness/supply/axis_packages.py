"""Which Debian packages a value of an axis stands for: a release of clang, the libbpf of a suite."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from harness.config.axes import ClangChoice, LibbpfChoice
from harness.errors import ConfigError, MirrorError, PackageGoneError
from harness.host.cache import Cache, digest
from harness.host.called_as import command
from harness.supply.compilers import needed
from harness.supply.debian.apt import Apt, debian_lines
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.pin import ImagePin
from harness.supply.image.packages import resolve_packages

FORMAT = 1
KIND = "axes"
CLANG_SUITES = ("bookworm", "trixie", "sid")
"""Where a release of clang is looked for, in this order, where no suite is named. bookworm has 13 to 16 and 19, trixie
17 to 19 and 22, sid what is younger (their indexes, 2026-11)."""
LIBBPF_PACKAGES = ("libbpf1", "libbpf0")
"""The packages with libbpf, by its soname: libbpf.so.1 since libbpf 1.0, libbpf.so.0 before."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of the suites: the first package of `names` that one of them has, of an architecture of Debian's.

    With `closure` what it needs of all that it depends on, too. `what` is what the user calls it.
    """

    what: str
    suites: tuple[str, ...]
    names: tuple[str, ...]
    architecture: str
    closure: bool = False

    @property
    def key(self) -> str:
        """Its name in the lock."""
        return f"{self.architecture}: {self.what} of {' or '.join(self.suites)}"


def clang_request(choice: ClangChoice, architecture: str) -> Request | None:
    """Return what a compiler asks of the suites for a host, None where it comes from no package."""
    if choice.version is None:
        return None
    name = f"clang-{choice.version}"
    suites = (choice.suite,) if choice.suite else CLANG_SUITES
    return Request(what=name, suites=suites, names=(name,), architecture=architecture, closure=True)


def libbpf_request(choice: LibbpfChoice, architecture: str) -> Request | None:
    """Return what a userland asks of its suite for a guest, None where it comes from no package."""
    if choice.suite is None:
        return None
    return Request(what="libbpf", suites=(choice.suite,), names=LIBBPF_PACKAGES, architecture=architecture)


class AxisPackages:
    """Finds packages of axes: those of the lock, else those that the suites had when they were asked first.

    `pins` are those of the lock, by `Request.key`; `locked_only` forbids all others. Safe to use from several threads.
    """

    def __init__(
        self, *, cache: Cache, mirrors: Callable[[], Mirrors], pins: Mapping[str, ImagePin], locked_only: bool
    ) -> None:
        self._cache, self._mirrors, self._pins, self._locked_only = cache, mirrors, pins, locked_only

    def packages(self, request: Request) -> ImagePin:
        """Return the packages of a request.

        Raises PackageGoneError where the lock must name them, ConfigError where no suite has them, MirrorError where no
        index can be fetched.
        """
        pin = self._pins.get(request.key)
        if pin is not None:
            return pin
        if self._locked_only:
            raise PackageGoneError(
                f"matrix.lock has no entry for {request.what} ({request.key}); run `{command('lock')}`, or leave out "
                "--locked"
            )

        def find(_: object) -> dict[str, Any]:
            return {"pin": _ADAPTER.dump_python(self.pin(request), mode="json")}

        entry = self._cache.entry(KIND, digest(FORMAT, request.key), find)
        return _ADAPTER.validate_python(entry.meta["pin"])

    def pin(self, request: Request) -> ImagePin:
        """Resolve a request against the indexes of its suites as they are now."""
        trouble, there = list[str](), dict[str, None]()
        for suite in request.suites:
            lines = debian_lines(self._mirrors(), (suite,))
            apt = Apt(cache=self._cache, lines=lines, architecture=request.architecture, kind="axis")
            with self._cache.lock(f"apt-axis-{suite}-{request.architecture}".replace("/", "_")):
                try:
                    found = apt.show(request.names)
                except MirrorError as error:
                    trouble.append(str(error))
                    continue
                name = next((name for name in request.names if name in found), None)
                if name is None:
                    there |= dict.fromkeys(_alike(apt, request))
                elif request.closure:
                    whole = resolve_packages(apt, [name]).packages
                    packages = tuple(package for package in whole if needed(package.name))
                    return ImagePin(suites=(suite,), names=(name,), packages=packages)
                else:
                    return ImagePin(suites=(suite,), names=(name,), packages=(found[name][0].package,))
        if trouble:
            raise MirrorError("\n".join(trouble))
        raise ConfigError(
            f"{', '.join(request.suites)} ({request.architecture}) has no {' or '.join(request.names)}; "
            f"there is: {', '.join(sorted(there, key=_number)) or 'none alike'}"
        )


def _alike(apt: Apt, request: Request) -> list[str]:
    """Return the packages of a suite that differ from those that are asked for in the number alone."""
    stem = re.sub(r"\d+$", "", request.names[0])
    return [name for name in apt.names(stem) if re.fullmatch(re.escape(stem) + r"\d+", name)]


def _number(package: str) -> int:
    return int(re.sub(r".*\D", "", package))


_ADAPTER = TypeAdapter(ImagePin)
