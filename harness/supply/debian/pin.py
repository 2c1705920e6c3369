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
class AptPin:
    """One build of a kernel out of any apt repository. File names are below its address, which is not the lock's.

    `suite`, `components`, `package`, `architecture`, `wanted_version`, `date` and `unsigned` repeat the request: what
    nobody has signed is no answer for who wants a signature. `distribution` is whose kernel it is, by the entry or by
    the repository's own word; "" where neither says.
    """

    suite: str
    package: str
    architecture: str
    version: str
    packages: tuple[PackageFile, ...]
    components: tuple[str, ...] = ("main",)
    wanted_version: str | None = None
    date: str | None = None
    unsigned: bool | None = None
    missing: tuple[str, ...] = ()
    distribution: str = ""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ImagePin:
    """The userland of the guest image for one Debian architecture."""

    suites: tuple[str, ...]
    names: tuple[str, ...]
    packages: tuple[PackageFile, ...]
