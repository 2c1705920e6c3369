"""matrix.lock: which exact package files the matrix is made of (names, versions, sha256; no host names)."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ConfigError
from harness.supply.debian.apt import PackageFile

_HEADER = """\
# The exact packages that matrix.yaml and images/packages.yaml stand for. Written by `invoke lock`; do not edit.
# File names are below the archive's base; the mirror that has them is not the lock's business.
"""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockedKernel(_Model):
    """What one `debian` kernel of the matrix was resolved to.

    `suite`, `package` and `wanted_version` repeat the request, so that a changed matrix is noticed.
    `missing` names packages that the kernel depends on, but the suite's index does not have.
    """

    suite: str
    package: str
    architecture: str
    wanted_version: str | None = None
    version: str
    packages: tuple[PackageFile, ...]
    missing: tuple[str, ...] = ()

    def answers(self, *, suite: str, package: str, version: str | None, architecture: str) -> bool:
        """Say whether this entry was made for this very request."""
        asked = (suite, package, version, architecture)
        return (self.suite, self.package, self.wanted_version, self.architecture) == asked


class LockedImage(_Model):
    """The userland of the guest image for one Debian architecture."""

    suites: tuple[str, ...]
    names: tuple[str, ...]
    packages: tuple[PackageFile, ...]


class Lock(_Model):
    """The whole lock: kernels by their name in the matrix, images by Debian architecture."""

    kernels: dict[str, LockedKernel] = Field(default_factory=dict)
    images: dict[str, LockedImage] = Field(default_factory=dict)

    def render(self) -> str:
        """Return the text of the file; the same lock always gives the same text."""
        data = self.model_dump(mode="json", exclude_none=True)
        return _HEADER + yaml.safe_dump(data, sort_keys=True, width=160, allow_unicode=True)


def read_lock(path: Path) -> Lock:
    """Return the lock at `path`, an empty one where there is no file; raise ConfigError on a malformed one."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return Lock.model_validate(data or {})
    except FileNotFoundError:
        return Lock()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(
            f"{path}: not a usable lock: {error}\nRun `invoke lock` to write it again, or take it back from git."
        ) from error


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the file at `path` atomically; raise OSError where that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(lock.render(), encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
