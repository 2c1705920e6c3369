"""The order of RPM's versions, which is neither Debian's nor that of numbers (rpmio/rpmvercmp.c of rpm)."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest

_PARTS = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")
"""Digits, letters, and the two marks. All else only separates these."""


def compare(one: str, two: str) -> int:
    """Return -1, 0 or 1 as the version or release `one` is older than `two`, the same, or newer.

    A tilde is older than nothing (6.1~rc1 before 6.1); a caret is newer than nothing, and older than all else.
    """
    for a, b in zip_longest(_PARTS.findall(one), _PARTS.findall(two), fillvalue=""):
        found = _compare_parts(a, b)
        if found:
            return found
    return 0


def _compare_parts(a: str, b: str) -> int:
    if a == b:
        return 0
    if _rank(a) != _rank(b):
        return _sign(_rank(a) - _rank(b))
    if a.isdigit():
        return _sign(int(a) - int(b))
    return 1 if a > b else -1


def _rank(part: str) -> int:
    """Return how new a kind of part is beside the others: a tilde, nothing, a caret, letters, digits."""
    return {"~": 0, "": 1, "^": 2}.get(part, 4 if part[:1].isdigit() else 3)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def split(version: str) -> tuple[int, str, str]:
    """Return epoch, version and release of `EPOCH:VERSION-RELEASE`; without an epoch it is 0."""
    epoch, _, rest = version.rpartition(":")
    number, _, release = rest.partition("-")
    return int(epoch or 0), number, release


def compare_whole(one: str, two: str) -> int:
    """Return -1, 0 or 1 for two of `EPOCH:VERSION-RELEASE`, as `compare` does: by epoch, then version, then release."""
    (epoch, *rest), (other, *others) = split(one), split(two)
    if epoch != other:
        return _sign(epoch - other)
    return next((found for a, b in zip(rest, others, strict=True) if (found := compare(a, b))), 0)


def newest_first(versions: Iterable[str]) -> list[str]:
    """Return versions, each of `EPOCH:VERSION-RELEASE`, by RPM's order, the highest first."""
    return sorted(versions, key=functools.cmp_to_key(compare_whole), reverse=True)


def fits(version: str, wanted: str | None) -> bool:
    """Say whether `EPOCH:VERSION-RELEASE` is what a user asked for: a pattern of all of it, or of a part.

    None asks for any. "5.14.0-503.*" is VERSION-RELEASE, "6.1.112" VERSION alone.
    """
    return wanted is None or any(fnmatch.fnmatchcase(form, wanted) for form in _forms(version))


def _forms(version: str) -> Iterator[str]:
    epoch, number, release = split(version)
    yield f"{epoch}:{number}-{release}"
    yield f"{number}-{release}"
    yield number
