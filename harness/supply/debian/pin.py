"""What is pinned of Debian: exact package files, by name, version and sha256; no host names."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from harness.supply.debian.apt import PackageFile

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class DebianPin:
    """One build of a kernel: what an entry of the matrix stands for.

    `suite`, `package`, `architecture` and `wanted_version` repeat the request, so that a changed matrix is noticed.
    `missing` names packages that the kernel depends on, but the suite's index does not have.
    """

    suite: str
    package: str
    architecture: str
    version: str
    packages: tuple[PackageFile, ...]
    wanted_version: str | None = None
    missing: tuple[str, ...] = ()

    def answers(self, *, suite: str, package: str, version: str | None, architecture: str) -> bool:
        """Say whether this pin was made for this very request."""
        asked = (suite, package, version, architecture)
        return (self.suite, self.package, self.wanted_version, self.architecture) == asked


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ImagePin:
    """The userland of the guest image for one Debian architecture."""

    suites: tuple[str, ...]
    names: tuple[str, ...]
    packages: tuple[PackageFile, ...]
