"""What is pinned of an RPM repository: exact package files, by name, version and checksum; no host names."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid")

Algorithm = Literal["sha256", "sha512"]
ALGORITHMS: tuple[Algorithm, ...] = ("sha256", "sha512")
"""The checksums that an index may give, as it names them. Weaker ones (sha, which is SHA-1, and md5) do not do."""


@dataclass(frozen=True, kw_only=True, order=True, config=_STRICT)
class RpmFile:
    """One package as an index names it.

    `version` is `EPOCH:VERSION-RELEASE`, without an epoch that is 0; `arch` is RPM's name of an architecture. `file`
    is its address, relative to the repository's; `checksum` its hexadecimal digits; `size` is in bytes.
    """

    name: str
    version: str
    arch: str
    file: str
    checksum: str
    size: int
    algorithm: Algorithm = "sha256"

    @property
    def file_name(self) -> str:
        """The last part of its address."""
        return PurePosixPath(self.file).name


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class RpmPin:
    """One build of a kernel: what an entry of the matrix stands for.

    `package`, `architecture` and `wanted_version` repeat the request, so that a changed matrix is noticed, and
    `repositories` does with a short hash of each address, none of which is in the lock itself. The first of `packages`
    is the one that was asked for.
    """

    package: str
    architecture: str
    version: str
    packages: tuple[RpmFile, ...]
    repositories: tuple[str, ...]
    wanted_version: str | None = None

    def answers(self, *, package: str, version: str | None, architecture: str, repositories: tuple[str, ...]) -> bool:
        """Say whether this pin was made for this very request, of one of these repositories."""
        asked = (package, version, architecture)
        known = not set(repositories).isdisjoint(self.repositories)
        return known and (self.package, self.wanted_version, self.architecture) == asked


def marks_of(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return what tells addresses of repositories from others in a lock that names no host: a short hash of each."""
    return tuple(sha256(f"{address.rstrip('/')}/".encode()).hexdigest()[:12] for address in addresses)
