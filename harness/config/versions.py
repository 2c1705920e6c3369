"""Kernel versions and ranges of them, as expectations use them.

A release candidate counts as its release in every range: features land in rc1, so 7.3-rc7 is in `>=7.3`
and not in `<7.3`. For the same reason a range cannot name a release candidate as its bound.
"""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.errors import ConfigError

# 6.1.176 | 6.1.0-50-cloud-amd64 | 7.3~rc7-1~exp1 | 7.3-rc7 | 6.12.107+deb13-cloud-amd64 | 6.19-rc1+
_KERNEL = re.compile(
    r"v?(?P<release>[0-9]{1,9}(?:\.[0-9]{1,9}){1,3})(?:[-~]?rc(?P<rc>[0-9]{1,9}))?(?:[-+~._].*)?", re.DOTALL
)


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
