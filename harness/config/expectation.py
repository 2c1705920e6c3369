"""Choose what a case expects of one kernel."""

from __future__ import annotations

from collections.abc import Iterable

from harness.config.rules import Rule
from harness.config.versions import in_ranges, kernel_version, parse_ranges
from harness.model import Expectation, OutcomeKind

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
        if rule.arch is not None and arch not in rule.arch:
            continue
        if rule.version is not None and not in_ranges(kernel, parse_ranges(rule.version)):
            continue
        return Expectation(
            outcome=rule.kind,
            reason=rule.reason,
            source=rule.source or "",
            stage=rule.stage,
            errno=rule.errno or (),
            refusal=rule.refusal or "",
            message=rule.message,
            known_bug=rule.kind in KNOWN_BUGS,
        )
    return NO_RULE
