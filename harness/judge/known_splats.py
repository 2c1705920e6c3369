"""Telling the splats that matrix.yaml allows from those that count. The day is given, never looked up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from harness.errors import ConfigError
from harness.facts.kernel_log import find_splats
from harness.facts.records import KernelLog
from harness.model.known_splats import KnownSplat
from harness.model.results import AllowedSplat
from harness.model.versions import in_ranges, kernel_version, parse_ranges


@dataclass(frozen=True, kw_only=True)
class AllowList:
    """The known splats of matrix.yaml (or those of one kernel), and the day (UTC) on which a run is judged."""

    entries: tuple[KnownSplat, ...]
    today: date

    def expired(self, entry: KnownSplat) -> bool:
        """Say whether an entry counts no more: it does on the day that it names, and not on the next."""
        return self.today > entry.expires

    def concerning(self, *, arch: str, version: str) -> AllowList:
        """Return the list of one kernel; an entry for some versions does not cover a kernel of unknown version."""
        return replace(
            self, entries=tuple(entry for entry in self.entries if _covers(entry, arch=arch, version=version))
        )


NOTHING_ALLOWED = AllowList(entries=(), today=date.min)
"""The list of a matrix without known splats."""


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """Some splats, weighed: which entries allow some of them, those that count, and a sentence on each of these."""

    allowed: tuple[AllowedSplat, ...] = ()
    counted: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()


def weigh(splats: Sequence[str], allow: AllowList) -> Weighed:
    """Return what of a case's splats `allow`, the list of its kernel, lets pass, and what counts all the same."""
    passed: dict[int, list[str]] = {}
    counted: list[str] = []
    complaints: list[str] = []
    for splat in splats:
        fitting = [number for number, entry in enumerate(allow.entries) if re.search(entry.pattern, splat)]
        valid = next((number for number in fitting if not allow.expired(allow.entries[number])), None)
        line = splat.split("\n", 1)[0]
        if valid is not None:
            passed.setdefault(valid, []).append(line)
            continue
        complaint = f"the kernel complained: {line}"
        if fitting:
            entry = allow.entries[fitting[0]]
            complaint += f" (allowed until {entry.expires}, which is over: {entry.reason} [{entry.link}])"
        counted.append(splat)
        complaints.append(complaint)
    allowed = (_allowed_splat(allow.entries[number], lines) for number, lines in sorted(passed.items()))
    return Weighed(allowed=tuple(allowed), counted=tuple(counted), complaints=tuple(complaints))


def boot_problems(logs: Iterable[KernelLog], *, allow: AllowList) -> tuple[str, ...]:
    """Return a sentence for each complaint of a kernel before its first case that `allow` does not let pass.

    No case can be blamed for it, but a kernel that complained is not the one that its answers stand for: the run is not
    green. `logs` are those of all guests of one kernel; a complaint that several share is reported once.
    """
    problems: dict[str, None] = {}
    for log in logs:
        for complaint in weigh(find_splats(log.lines), allow).complaints:
            problems[f"before the first case, {complaint}"] = None
        if log.lost:
            problems[f"before the first case, {log.lost} messages of the kernel are missing"] = None
    return tuple(problems)


def expiry_notices(allow: AllowList, *, file: str) -> tuple[str, ...]:
    """Return a sentence per entry that has expired: which one of `file`, since when, and what to do."""
    return tuple(
        f"{file}: known-splats[{number}] (/{entry.pattern}/: {entry.reason}) expired after {entry.expires} and counts "
        f"no more: a splat that it matches makes the case misbehave again. See whether {entry.link} is fixed: if so, "
        f"remove the entry, else give it a later date"
        for number, entry in enumerate(allow.entries)
        if allow.expired(entry)
    )


def _covers(entry: KnownSplat, *, arch: str, version: str) -> bool:
    if entry.arch is not None and arch not in entry.arch:
        return False
    if entry.version is None:
        return True
    try:
        return in_ranges(kernel_version(version), parse_ranges(entry.version))
    except ConfigError:  # a kernel of the user's own may call itself anything
        return False


def _allowed_splat(entry: KnownSplat, lines: Sequence[str]) -> AllowedSplat:
    return AllowedSplat(
        line=lines[0],
        count=len(lines),
        pattern=entry.pattern,
        reason=entry.reason,
        link=entry.link,
        expires=entry.expires.isoformat(),
    )
