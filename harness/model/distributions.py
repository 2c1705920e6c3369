"""Whose kernel it is, and by which number of it rules compare: a table.

A version says what a kernel can do only where its distribution counts as the kernel's own releases do. Debian's and
Ubuntu's kernels name the stable release that they are made of, each in its own place; those of RHEL and its likes keep
one number for years and get thousands of later commits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Number(StrEnum):
    """Where the version is that rules compare with."""

    PACKAGE = "package"
    """The package's version, which the kernel repeats in `uname -v`: "... Debian 6.1.176-1 (2026-...)"."""
    SIGNATURE = "signature"
    """The third word of /proc/version_signature: "Ubuntu 5.15.0-105.115-generic 5.15.148"."""
    RELEASE = "release"
    """`uname -r`, which begins with the stable release."""
    NONE = "none"
    """No number says what the kernel has: rules by version do not apply."""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One distribution.

    `number` is what rules compare with, and `how` says so to a reader. `unruled` says that a case without a rule for
    one of its kernels expects nothing of it: the numbers in its other rules were found on other kernels. `named` finds
    it in `uname -r` or `uname -v` of a kernel whose source does not say whose it is; "" where that cannot be done.
    """

    number: Number
    how: str
    unruled: bool = True
    named: str = ""


DISTRIBUTIONS: Mapping[str, Distribution] = MappingProxyType(
    {
        "debian": Distribution(number=Number.PACKAGE, how="the package's", unruled=False, named=r"\bDebian \d|\+deb\d"),
        "ubuntu": Distribution(number=Number.SIGNATURE, how="of /proc/version_signature", named=r"-Ubuntu\b"),
        "fedora": Distribution(number=Number.RELEASE, how="of uname -r", named=r"\.fc\d+\."),
        "amazon": Distribution(number=Number.RELEASE, how="of uname -r", named=r"\.amzn\d+\."),
        "rhel-like": Distribution(
            number=Number.NONE,
            how="none, so rules by version do not apply",
            named=r"\.el\d+(?:uek)?[._]|\.el\d+(?:uek)?$",
        ),
        "suse": Distribution(number=Number.NONE, how="none, so rules by version do not apply"),
    }
)
"""The distributions by the name that rules, the matrix and reports have for them."""

UNKNOWN = Distribution(number=Number.RELEASE, how="of uname -r", unruled=False)
"""Of a kernel that is nobody's, or whose owner is not known: one of the user's own, or of the kernel's developers."""

SIGNATURE = "version_signature"
"""The key of the guest's environment with the text of /proc/version_signature (Ubuntu's kernels alone have it)."""


def facts_of(name: str) -> Distribution:
    """Return what is known of a distribution, `UNKNOWN` for "" or a name that the table does not have."""
    return DISTRIBUTIONS.get(name, UNKNOWN)


def distribution_of(known: str, environment: Mapping[str, object]) -> str:
    """Return whose kernel a guest runs: `known`, which its source says, else what the kernel itself says, else "".

    `environment` is what the guest reported (harness/agent/environment.py), empty where it never did.
    """
    if known:
        return known
    if str(environment.get(SIGNATURE) or "").startswith("Ubuntu "):
        return "ubuntu"
    text = f"{environment.get('release') or ''}\n{environment.get('version') or ''}"
    found = (name for name, facts in DISTRIBUTIONS.items() if facts.named and re.search(facts.named, text, re.M))
    return next(found, "")


def number_of(distribution: str, environment: Mapping[str, object], *, fallback: str) -> str:
    """Return the version that rules compare with, "" where there is none.

    `fallback` is what the kernel's files are called, for a guest that has said nothing. It does for a distribution
    whose packages or releases carry the number, and for no other.
    """
    release = str(environment.get("release") or fallback)
    match facts_of(distribution).number:
        case Number.PACKAGE:
            found = re.search(r"\bDebian (\d\S+)", str(environment.get("version") or ""))
            return found.group(1) if found else release
        case Number.SIGNATURE:
            signature = re.fullmatch(r"Ubuntu \S+ (\d+\.\d+\S*)", str(environment.get(SIGNATURE) or ""))
            return signature.group(1) if signature else ""
        case Number.RELEASE:
            return release
        case Number.NONE:
            return ""


ROLLING = frozenset({"sid", "unstable", "testing", "experimental"})
"""Suites of Debian that have neither updates nor a security archive."""


def siblings(suite: str) -> tuple[str, ...]:
    """Return the suites of Debian with other builds of a suite's kernels: a stable one's updates and security."""
    release, _, pocket = suite.partition("-")
    if release in ROLLING or pocket not in ("", "updates", "security"):
        return ()
    every = (release, f"{release}-updates", f"{release}-security")
    return tuple(each for each in every if each != suite)
