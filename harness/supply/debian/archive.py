"""Debian's archives as a source sees them: indexes of suites, files of packages, and which files are still there."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from harness.errors import FetchError, MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.host.process import find_tool, run
from harness.host.scratch import scratch_folder
from harness.supply.debian.apt import USUAL, Apt, PackageFile, Patience, debian_lines, download
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.resolve import Index

HEAD_SECONDS = 30.0
"""How long a mirror may take to say whether it has a file."""


class Archive(Protocol):
    """What a source of Debian's kernels asks of the archives."""

    def index(self, suite: str, architecture: str) -> contextlib.AbstractContextManager[Index]:
        """Hold the index of a suite as it is now; raise MirrorError where it cannot be had."""

    def has(self, package: PackageFile) -> bool:
        """Say whether the file of a package is there; where that cannot be found out, it is taken to be."""

    def fetch(self, package: PackageFile, folder: Path) -> Path:
        """Fetch a package into `folder`, checked by its sha256; raise PackageGoneError, MirrorError or FetchError."""


class MirroredArchive:
    """The archives on the mirrors in force, by way of a private apt in the cache."""

    def __init__(self, *, cache: Cache, mirrors: Callable[[], Mirrors]) -> None:
        self._cache = cache
        self._mirrors = mirrors

    @contextlib.contextmanager
    def index(self, suite: str, architecture: str) -> Iterator[Index]:
        """Do what `Archive` says; another process waits for the same suite meanwhile."""
        apt = Apt(cache=self._cache, lines=debian_lines(self._mirrors(), [suite]), architecture=architecture)
        with self._cache.lock(f"apt-{suite}-{architecture}".replace("/", "_")):
            yield apt

    def has(self, package: PackageFile) -> bool:
        """Do what `Archive` says. Only apt's own word counts for an absence, and it is asked only on suspicion."""
        return still_has(package, base=self._mirrors().base(package.archive))

    def fetch(self, package: PackageFile, folder: Path) -> Path:
        """Do what `Archive` says."""
        return download(package, base=self._mirrors().base(package.archive), folder=folder)


def still_has(package: PackageFile, *, base: str, patience: Patience = USUAL) -> bool:
    """Say whether the file of a package is below an address; where that cannot be found out, it is taken to be."""
    if not seems_gone(f"{base}/{package.file}"):
        return True
    with scratch_folder() as folder:
        try:
            download(package, base=base, folder=folder, patience=patience)
        except PackageGoneError:
            return False
        except (MirrorError, FetchError):
            return True
    return True


def seems_gone(address: str) -> bool:
    """Say whether a server answers that there is no file at `address`. Any other answer, or none, is a no."""
    # Expensive, and only who resolves a kernel needs it.
    from urllib.error import HTTPError  # noqa: PLC0415
    from urllib.request import ProxyHandler, Request, build_opener, getproxies  # noqa: PLC0415

    if address.startswith("file://"):
        return not Path(address.removeprefix("file://")).exists()
    proxies = {scheme: proxy for scheme, proxy in {**getproxies(), **apt_proxies()}.items() if proxy}
    opener = build_opener(ProxyHandler(proxies))
    try:
        with opener.open(Request(address, method="HEAD"), timeout=HEAD_SECONDS):
            return False
    except HTTPError as error:
        return error.code in (404, 410)
    except (OSError, ValueError):
        return False


def apt_proxies() -> dict[str, str]:
    """Return the proxies that the host's apt is configured for, by scheme."""
    text = run([find_tool("apt-config", package="apt", purpose="fetch Debian's packages"), "dump"]).stdout
    return parse_proxies(text)


def parse_proxies(text: str) -> dict[str, str]:
    """Read the output of `apt-config dump`: the proxies by scheme, "" where it wants none."""
    lines = re.finditer(r'^Acquire::(https?)::Proxy "([^"]+)";$', text, re.MULTILINE)
    return {match[1]: "" if match[2] == "DIRECT" else match[2] for match in lines}
