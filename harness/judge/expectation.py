"""Choose what a case expects of one kernel. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from packaging.version import Version

from harness.model.results import Expectation, OutcomeKind
from harness.model.versions import in_ranges, kernel_version, parse_first_releases, parse_ranges

NO_CONFIG: Mapping[str, str] = {}
NO_RULE = Expectation(
    outcome=OutcomeKind.WORKS,
    reason="no rule of the case covers this kernel, so it is expected to work",
)


def choose(
    rules: Iterable[Expectation], *, arch: str, version: str, name: str = "", config: Mapping[str, str] = NO_CONFIG
) -> Expectation:
    """Return the first of `rules` that covers the kernel; a kernel without one should work.

    `name` is the kernel's in the matrix; `config` has the options that rules ask for, with their values in its
    configuration, none where it has no configuration or nobody has looked.

    `version` is anything that `kernel_version` reads; the version of the kernel's package is better than
    `uname -r`, which up to Debian bookworm has no stable number. Raises ConfigError where it is neither.
    """
    kernel = kernel_version(version)
    found = (rule for rule in rules if covers(rule, arch=arch, kernel=kernel, name=name, config=config))
    return next(found, NO_RULE)


def covers(
    rule: Expectation, *, arch: str, kernel: Version, name: str = "", config: Mapping[str, str] = NO_CONFIG
) -> bool:
    """Whether `rule` covers the kernel: all that it says of name, options, architecture, version and commits holds."""
    return (
        (not rule.kernel or any(fnmatchcase(name, pattern) for pattern in rule.kernel))
        and all(config.get(option) == value for option, _, value in (each.partition("=") for each in rule.config))
        and (not rule.arch or arch in rule.arch)
        and (not rule.version or in_ranges(kernel, parse_ranges(rule.version)))
        and (not rule.since or parse_first_releases(rule.since).covers(kernel))
        and (not rule.fixed or not parse_first_releases(rule.fixed).covers(kernel))
    )
