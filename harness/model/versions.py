"""Kernel versions and ranges of them, as expectations use them.

A release candidate counts as its release in every range: features land in rc1, so 7.3-rc7 is in `>=7.3`
and not in `<7.3`. For the same reason a range cannot name a release candidate as its bound.

A commit has no range: it comes with a release of mainline (6.13), and with a release of its own to each stable
series that gets a backport (6.1.191, 6.12.5). `FirstReleases` holds these, and says which kernels have the commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.errors import ConfigError

# 6.1.176 | 6.1.0-50-cloud-amd64 | 7.3~rc7-1~exp1 | 7.3-rc7 | 6.12.107+deb13-cloud-amd64 | 6.19-rc1+
_KERNEL = re.compile(
    r"v?(?P<release>[0-9]{1,9}(?:\.[0-9]{1,9}){1,3})(?:[-~]?rc(?P<rc>[0-9]{1,9}))?(?:[-+~._].*)?", re.DOTALL
)

_RELEASE = re.compile(r"(?:0|[1-9][0-9]{0,8})\.(?:0|[1-9][0-9]{0,8})(?:\.(?:0|[1-9][0-9]{0,8}))?")

Series = tuple[int, int]
"""The two numbers that the releases of a series share: (6, 1) of 6.1.191."""


@dataclass(frozen=True, kw_only=True)
class FirstReleases:
    """The first releases that have a commit: of mainline, and of each stable series that got a backport.

    All series in `stable` are older than `mainline`.
    """

    mainline: Version
    stable: Mapping[Series, Version]

    def covers(self, version: Version) -> bool:
        """Whether the kernel `version` has the commit.

        A series with a release in `stable` has it since that one. Any other follows mainline: it has the commit
        where it is that of `mainline` or younger. A release candidate counts as its release.
        """
        release = Version(version.base_version)
        return release >= self.stable.get(_series(release), self.mainline)


def kernel_version(text: str) -> Version:
    """Return the version in `text`: a release (`uname -r`), a Debian package version, or a plain number.

    What follows the number (ABI, flavour, Debian revision) is left out; a release candidate is kept and
    sorts before its release. Note that Debian's releases up to bookworm carry no stable number
    (6.1.0-50-cloud-amd64 is 6.1.176), so hold the package's version against ranges where there is one.
    Raises ConfigError where `text` does not begin with a version.
    """
    match = _KERNEL.fullmatch(text.strip())
    if not match:
        raise ConfigError(f'"{text[:80]}" is not a kernel version; expected one such as 6.1.176 or 7.3-rc7')
    rc = f"rc{match['rc']}" if match["rc"] else ""
    return Version(match["release"] + rc)


def parse_ranges(text: str) -> tuple[SpecifierSet, ...]:
    """Return the alternatives of a version range such as `>=6.8 | >=6.1.75,<6.2`.

    Raises ConfigError that says which alternative cannot be read and why.
    """
    return tuple(_alternative(part.strip()) for part in text.split("|"))


def in_ranges(version: Version, ranges: tuple[SpecifierSet, ...]) -> bool:
    """Whether `version` is in any of `ranges`; a release candidate counts as its release."""
    release = Version(version.base_version)
    return any(specifiers.contains(release, prereleases=True) for specifiers in ranges)


def parse_first_releases(entries: Sequence[str]) -> FirstReleases:
    """Return the releases that `entries` such as ("6.1.191", "6.12.5", "6.13") name, in any order.

    The one with two numbers is that of mainline; the others are of stable series. Raises ConfigError where an entry
    is no release, where mainline's is missing, and where a series is there twice or has the commit from mainline.
    """
    releases = [_release(entry) for entry in entries]
    mainline = [release for release in releases if len(release.release) == 2]
    if not mainline:
        raise ConfigError(
            "no release of mainline (two numbers, such as 6.13) is here; add the first one that has the commit, "
            "which series without an entry follow"
        )
    if len(mainline) > 1:
        raise ConfigError(
            f"{' and '.join(map(str, mainline))} are all releases of mainline (two numbers); "
            "keep the first one that has the commit"
        )
    stable: dict[Series, Version] = {}
    for release in releases:
        series = _series(release)
        if release is mainline[0]:
            continue
        if series in stable:
            raise ConfigError(
                f"{stable[series]} and {release} are of one series, {_dotted(series)}; keep the first one that has "
                "the commit"
            )
        if release >= mainline[0]:
            raise ConfigError(
                f"the series {_dotted(series)} has the commit from its beginning, since mainline has it in "
                f"{mainline[0]}; remove {release}"
            )
        stable[series] = release
    return FirstReleases(mainline=mainline[0], stable=stable)


def _release(text: str) -> Version:
    if not _RELEASE.fullmatch(text):
        raise ConfigError(
            f'"{text[:80]}" is not a release; write 6.13 for one of mainline and 6.1.191 for one of a stable series '
            "(a release candidate counts as its release)"
        )
    if text.count(".") == 2 and text.endswith(".0"):
        raise ConfigError(f'"{text}" is a release of mainline; write {text.removesuffix(".0")}')
    return Version(text)


def _series(release: Version) -> Series:
    return release.major, release.minor


def _dotted(series: Series) -> str:
    return ".".join(map(str, series))


def _alternative(text: str) -> SpecifierSet:
    if not text or not all(part.strip() for part in text.split(",")):
        raise ConfigError("a part of the range is empty; write ranges such as >=6.8 | >=6.1.75,<6.2")
    try:
        specifiers = SpecifierSet(text)
        for specifier in specifiers:
            bound = Version(specifier.version.removesuffix(".*"))
            if bound.epoch or str(bound) != bound.base_version or specifier.operator == "===":
                raise ConfigError(
                    f'"{specifier}" is not a range of releases: give the numbers of a release '
                    "(a release candidate counts as its release)"
                )
    except (InvalidSpecifier, InvalidVersion) as error:
        raise ConfigError(
            f'"{text}" is not a version range; write >=6.8 or >=6.1.75,<6.2 or ==6.1.* (operators: >= <= > < == != ~=)'
        ) from error
    return specifiers
