"""The order of kernels by their versions, and how a series of them is named. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.model.results import KernelResult
from harness.model.versions import kernel_version

_DIGITS = re.compile(r"([0-9]+)")
_AXES = re.compile(r"\+((?:libbpf|clang)-.*)$")
"""The end of a row's name that is not its kernel's (harness/model/rows.py)."""
_END = "\x01"
"""Sorted as the end of a version: behind `~`, before whatever else may follow."""

OrderKey = tuple[tuple[int, int | str], ...]


@dataclass(frozen=True, kw_only=True)
class Build:
    """One kernel as a build of it is known: two reports that have the same one speak of the same kernel.

    `number` is the version that rules compare with, "" where its distribution has none that would do; `exact` is the
    package's version, or the release of a kernel without a package; `name` is its row's.
    """

    arch: str
    distribution: str
    number: str
    exact: str
    name: str = ""

    @property
    def axes(self) -> str:
        """What its row has beside the kernel, where userlands or compilers are an axis: `libbpf-1.5+clang-14`."""
        found = _AXES.search(self.name)
        return found[1] if found else ""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What two reports must agree on to speak of the same experiment: the build, and what is beside it."""
        return self.arch, self.distribution, self.exact, self.axes

    @property
    def shown(self) -> str:
        """Its version for a reader: the number, or where it has none the exact version."""
        return self.number or self.exact

    @property
    def key(self) -> OrderKey:
        """What builds of one distribution and architecture are sorted by."""
        return version_key(self.exact) if not self.number else (*_number_key(self.number), *version_key(self.exact))


def build_of(kernel: KernelResult) -> Build:
    """Return which build a row ran."""
    package = kernel.package
    version = package.version if package else ""
    exact = version or kernel.release or kernel.name
    return Build(
        arch=kernel.arch, distribution=kernel.distribution, number=kernel.version, exact=exact, name=kernel.name
    )


def version_key(text: str) -> OrderKey:
    """Return what a version is sorted by: its numbers as numbers, `~` before the end, as package managers do."""
    parts = [part for part in _DIGITS.split(text.replace("~", "\x00")) if part]
    return tuple((1, int(part)) if part.isascii() and part.isdigit() else (0, part) for part in (*parts, _END))


def _number_key(number: str) -> OrderKey:
    try:
        found = kernel_version(number)
    except ConfigError:
        return version_key(number)
    candidate = found.pre[1] if found.pre else 1 << 30  # 7.3-rc7 comes before 7.3
    return tuple((1, part) for part in (*(*found.release, 0, 0, 0)[:3], candidate))
