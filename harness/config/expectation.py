"""Choose what a case expects of one kernel."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.version import Version

from harness.config.rules import Rule
from harness.model.results import CAUSES, Expectation, OutcomeKind
from harness.model.versions import in_ranges, kernel_version, parse_first_releases, parse_ranges

__all__ = ["choose", "kernel_version"]

KNOWN_BUGS = frozenset({OutcomeKind.MISBEHAVES, OutcomeKind.CRASHED})
"""Expected outcomes that are bugs of the kernel, not refusals."""

NO_RULE = Expectation(
    outcome=OutcomeKind.WORKS,
    reason="no rule of the case covers this kernel, so it is expected to work",
)


def choose(rules: Iterable[Rule], *, arch: str, version: str) -> Expectation:
    """Return what the first of `rules` that covers the kernel says; a kernel without one should work.

    `version` is anything that `kernel_version` reads; the version of the kernel's package is better than
    `uname -r`, which up to Debian bookworm lacks the stable number. Raises ConfigError where it is neither.
    """
    kernel = kernel_version(version)
    for rule in rules:
        if not covers(rule, arch=arch, kernel=kernel):
            continue
        return Expectation(
            outcome=rule.kind,
            reason=rule.reason,
            source=rule.source or "",
            stage=rule.stage,
            errno=rule.errno or (),
            origin=rule.origin or (),
            refusal=rule.refusal or "",
            message=rule.message,
            known_bug=rule.kind in KNOWN_BUGS,
            arch=rule.arch or (),
            version=rule.version or "",
            since=rule.since or (),
            fixed=rule.fixed or (),
            step=rule.step or "",
            splats=rule.splat or (),
            differences=tuple(each for item in rule.differences or () for each in item.expected()),
            panic=rule.panic or (),
            reset=bool(rule.reset),
            cause=next((cause for cause in CAUSES if getattr(rule, cause)), ""),
            cause_name=rule.sysctl or rule.module or rule.kconfig or "",
        )
    return NO_RULE


def covers(rule: Rule, *, arch: str, kernel: Version) -> bool:
    """Whether `rule` covers the kernel: all that it says of architecture, version and commits holds there."""
    return (
        (rule.arch is None or arch in rule.arch)
        and (rule.version is None or in_ranges(kernel, parse_ranges(rule.version)))
        and (rule.since is None or parse_first_releases(rule.since).covers(kernel))
        and (rule.fixed is None or not parse_first_releases(rule.fixed).covers(kernel))
    )
