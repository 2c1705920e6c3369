"""How distributions split a kernel into packages: facts, by distribution."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

IMAGE = "linux-image-"
"""What the name of an image's package, and of a package that stands for the newest one, begins with."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One distribution's packages of a kernel.

    `part` matches the names of packages that carry a kernel's files, `followed` those that lead to them, and `image` a
    part with an image: its `flavour`. `no_image` finds names that no pattern means, since their packages have no kernel
    that boots, or have the same as another; they are taken where the request itself names them so. `beside` are the
    beginnings of packages that belong to an image without being needed by it, in place of `linux-image-`.
    """

    part: re.Pattern[str]
    followed: re.Pattern[str]
    image: re.Pattern[str]
    no_image: re.Pattern[str]
    beside: tuple[str, ...] = ()

    def flavour(self, name: str) -> str | None:
        """Return the flavour of an image's package, such as `cloud-amd64` or `generic`, None where it is no image's."""
        found = self.image.fullmatch(name)
        return found["flavour"] if found else None

    def belonging(self, name: str) -> tuple[str, ...]:
        """Return the names of the packages that belong to an image without being needed by it."""
        found = self.image.fullmatch(name)
        return tuple(f"{head}{found['build']}" for head in self.beside) if found else ()


# Since 6.19 a kernel of Debian is split: linux-image-* (empty), linux-binary-* (vmlinuz), linux-modules-*,
# linux-base-* (configuration, lists of built-in modules).
_DEBIAN = Layout(
    part=re.compile(r"^linux-(image|binary|modules|base)-[0-9]"),
    followed=re.compile(r"^linux-(image|binary|modules|base)-[0-9]"),
    image=re.compile(r"linux-image-(?P<build>[0-9][^-]*(?:-[0-9][^-]*)*-(?P<flavour>.+?))(?:-unsigned|-dbg)?"),
    no_image=re.compile(r"-(dbg|unsigned)$"),
)

# Ubuntu: linux-image-* has vmlinuz alone (signed; linux-image-unsigned-* the same kernel without the signature),
# linux-modules-* the modules that every flavour has, config and System.map, linux-modules-extra-* all other modules.
# linux-generic leads to linux-image-generic, and that to linux-image-5.15.0-105-generic and its extra modules;
# linux-image-virtual leads to the same image without them.
_UBUNTU = Layout(
    part=re.compile(r"^linux-(image|image-unsigned|modules|modules-extra)-[0-9]"),
    followed=re.compile(r"^linux-(image|modules)-"),
    image=re.compile(r"linux-image-(?:unsigned-)?(?P<build>[0-9][^-]*(?:-[0-9][^-]*)*-(?P<flavour>.+?))(?:-dbgsym)?"),
    no_image=re.compile(r"-dbg(sym)?$|^linux-image-(unsigned|extra|uc)-"),
    beside=("linux-modules-extra-",),
)

_ANY = Layout(
    part=re.compile(r"^linux-(image|image-unsigned|binary|modules|modules-extra|base)-[0-9]"),
    followed=re.compile(r"^linux-(image|image-unsigned|binary|modules|modules-extra|base)-[0-9]"),
    image=_UBUNTU.image,
    no_image=re.compile(r"-(dbg|dbgsym|unsigned)$|^linux-image-(unsigned|extra|uc)-"),
    beside=_UBUNTU.beside,
)
"""Of a repository of which nobody says whose it is."""

LAYOUTS: Mapping[str, Layout] = MappingProxyType({"debian": _DEBIAN, "ubuntu": _UBUNTU, "": _ANY})
"""The layouts by the name of the distribution (harness/model/distributions.py)."""


def layout_of(distribution: str) -> Layout:
    """Return the layout of a distribution's packages, a common one where the table does not have it."""
    return LAYOUTS.get(distribution, _ANY)


def distribution_of_origin(origin: str) -> str:
    """Return the distribution that a Release file's `Origin` names ("Ubuntu", "Debian Backports"), else ""."""
    word = origin.lower().split(" ")[0]
    return word if word in LAYOUTS else ""
