"""Which mirror serves which archive: from the environment, matrix.yaml, or the host's own apt sources."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import MirrorError
from harness.host.process import find_tool, run

ENVIRONMENT = {
    "debian": "BPFMATRIX_DEBIAN_MIRROR",
    "debian-security": "BPFMATRIX_DEBIAN_SECURITY_MIRROR",
    "debian-ports": "BPFMATRIX_DEBIAN_PORTS_MIRROR",
}

_CODENAMES = (
    "buster|bullseye|bookworm|trixie|forky|duke|sid|experimental|oldoldstable|oldstable|stable|testing|unstable"
)
_MAIN_SUITE = re.compile(rf"^({_CODENAMES})(-updates|-backports(-sloppy)?|-proposed-updates)?$")
_SECURITY_SUITE = re.compile(rf"^({_CODENAMES})(-security|/updates)$")


@dataclass(frozen=True)
class Mirrors:
    """Base addresses by archive (`debian`, `debian-security`, `debian-ports`), and where each came from."""

    bases: Mapping[str, str]
    origins: Mapping[str, str]

    def base(self, archive: str) -> str:
        """Return the address of an archive, no slash at its end; raise MirrorError where none is known."""
        try:
            return self.bases[archive]
        except KeyError:
            raise MirrorError(
                f"no mirror of the {archive} archive is known: the host's apt sources name none. "
                f"Set {ENVIRONMENT[archive]} to the base address of one (that has dists/ and pool/ below it), "
                f"or `mirrors: {{{archive}: ...}}` in matrix.yaml"
            ) from None


def archive_of(suite: str) -> str:
    """Return the archive that holds a suite: security suites have one of their own."""
    return "debian-security" if _SECURITY_SUITE.match(suite) else "debian"


def resolve(
    *, environment: Mapping[str, str], configured: Mapping[str, str | None], host: Mapping[str, str]
) -> Mirrors:
    """Choose one base per archive: the environment first, then matrix.yaml, then the host's apt sources.

    Where the main archive is known and the security archive is not, its usual place beside it is taken
    (`.../debian` and `.../debian-security`); likewise for the ports.
    """
    bases: dict[str, str] = {}
    origins: dict[str, str] = {}
    for archive, variable in ENVIRONMENT.items():
        choices = (
            (environment.get(variable), f"${variable}"),
            (configured.get(archive), "matrix.yaml"),
            (host.get(archive), "the host's apt sources"),
        )
        for base, origin in choices:
            if base:
                bases[archive], origins[archive] = base.rstrip("/"), origin
                break
    main = bases.get("debian", "")
    if main.endswith("/debian"):
        for archive in ("debian-security", "debian-ports"):
            # A main mirror chosen by hand must not be mixed with the host's other archives.
            by_hand = origins["debian"] != "the host's apt sources"
            if archive not in bases or (by_hand and origins[archive] == "the host's apt sources"):
                bases[archive] = main.removesuffix("/debian") + "/" + archive
                origins[archive] = f"beside the main archive ({origins['debian']})"
    return Mirrors(bases, origins)


def parse_update_uris(text: str) -> dict[str, str]:
    """Read `apt-get update --print-uris`: archive name -> base address.

    Other vendors call their suites `stable` or `bookworm` too. So an address must name Debian or serve several
    of its suites, and of several the one that serves most counts, else the first.
    """
    suites: dict[tuple[str, str], set[str]] = {}
    for line in text.splitlines():
        match = re.match(r"'(\S+)/dists/(.+?)/(?:InRelease|Release)'", line)
        if match is None:
            continue
        base, suite = match.groups()
        if base.endswith("/debian-ports"):
            suites.setdefault(("debian-ports", base), set()).add(suite)
        elif _SECURITY_SUITE.match(suite):
            suites.setdefault(("debian-security", base), set()).add(suite)
        elif _MAIN_SUITE.match(suite):
            suites.setdefault(("debian", base), set()).add(suite)
    found: dict[str, str] = {}
    for (archive, base), names in sorted(suites.items(), key=lambda item: -len(item[1])):
        if archive != "debian" or "debian" in base or len(names) > 1:
            found.setdefault(archive, base)
    return found


def host_sources() -> dict[str, str]:
    """Return the Debian archives that the host's own apt is configured for (apt reads its own files)."""
    apt_get = find_tool("apt-get", package="apt", purpose="fetch Debian's kernels")
    return parse_update_uris(run([apt_get, "update", "--print-uris"], timeout=60).stdout)


def find_mirrors(configured: Mapping[str, str | None]) -> Mirrors:
    """Return the mirrors in force on this host. `configured` is `mirrors` of matrix.yaml by archive name."""
    return resolve(environment=os.environ, configured=configured, host=host_sources())
