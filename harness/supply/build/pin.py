"""What is pinned of a kernel that is built here: its sources and its configuration; no paths, and no host."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from harness.supply.debian.apt import PackageFile


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BuildPin:
    """One kernel that is built: what an entry of the matrix stands for.

    `place` (tree, package or git), `architecture`, `compiler`, `suite`, `package`, `wanted_version` and `ref` repeat
    the request, so that a changed matrix is noticed, and so does `config`, a hash of all that its configuration is made
    of. `version` is what is shown. The sources are `packages`, or `tree`: the name that git gives to them, or else a
    hash of all files; `commit` is the one that has it.
    """

    place: str
    architecture: str
    compiler: str
    config: str
    version: str
    suite: str | None = None
    package: str | None = None
    wanted_version: str | None = None
    ref: str | None = None
    packages: tuple[PackageFile, ...] = ()
    commit: str | None = None
    tree: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Nothing: a package of sources has all of them."""
        return ()

    @property
    def sources(self) -> tuple[str, ...]:
        """What exactly the sources are: the same for the same files, wherever they are."""
        return (self.tree,) if self.tree is not None else tuple(package.sha256 for package in self.packages)
