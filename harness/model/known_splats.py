"""Complaints of kernels that do not count against a case, each until a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class KnownSplat:
    """One complaint of some kernels that does not make a case misbehave until the day `expires` (UTC) is over.

    `pattern` is searched in the splat. `arch` (None: all) and `version` (ranges; None: all) say which kernels are
    meant, `reason` why the splat says nothing about the cases, and `link` where it is reported or explained.
    """

    pattern: str
    reason: str
    link: str
    expires: date
    arch: tuple[str, ...] | None = None
    version: str | None = None
