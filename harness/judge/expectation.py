"""Choose what a case expects of one kernel. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from packaging.version import Version

from harness.model.distributions import facts_of
from harness.model.results import Expectation, OutcomeKind
from harness.model.versions import in_ranges, kernel_version, parse_first_releases, parse_ranges

NO_CONFIG: Mapping[str, str] = {}
NO_RULE = Expectation(
    outcome=OutcomeKind.WORKS,
    reason="no rule of the case covers this kernel, so it is expected to work",
)
UNRULED = Expectation(
    outcome=OutcomeKind.WORKS,
    reason="no rule of the case covers this kernel, and those for other distributions' kernels say nothing of it",
    unruled=True,
)
"""Of a kernel that no rule covers where a version elsewhere says nothing of what it can do."""


def choose(
    rules: Iterable[Expectation],
    *,
    arch: str,
    version: str,
    name: str = "",
    config: Mapping[str, str] = NO_CONFIG,
    distribution: str = "",
) -> Expectation:
    """Return the first of `rules` that covers the kernel.

    Without one it should work, or nothing is expected of it: the table of distributions says which.

    `name` is the kernel's in the matrix; `config` has the options that rules ask for, with their values in its
    configuration, none where it has no configuration or nobody has looked.

    `version` is anything that `kernel_version` reads; of a kernel whose distribution has no such number it is "", and
    no rule by version covers it. Which number it is, harness/model/distributions.py says. Raises ConfigError where it
    is neither.
    """
    known = facts_of(distribution)
    kernel = None if known.unruled and not version else kernel_version(version)
    found = (
        rule
        for rule in rules
        if covers(rule, arch=arch, kernel=kernel, name=name, config=config, distribution=distribution)
    )
    return next(found, UNRULED if known.unruled else NO_RULE)


def covers(
    rule: Expectation,
    *,
    arch: str,
    kernel: Version | None,
    name: str = "",
    config: Mapping[str, str] = NO_CONFIG,
    distribution: str = "",
) -> bool:
    """Whether `rule` covers the kernel: all holds that it says of name, options, distribution, architecture, version.

    No rule by version, or by the releases of a commit, covers a kernel without a version to compare with (None).
    """
    return (
        (not rule.kernel or any(fnmatchcase(name, pattern) for pattern in rule.kernel))
        and all(config.get(option) == value for option, _, value in (each.partition("=") for each in rule.config))
        and (not rule.distribution or distribution in rule.distribution)
        and (not rule.arch or arch in rule.arch)
        and _fits(rule, kernel)
    )


def _fits(rule: Expectation, kernel: Version | None) -> bool:
    """Whether what a rule says of versions and commits holds for a kernel."""
    if kernel is None:
        return not (rule.version or rule.since or rule.fixed)
    return (
        (not rule.version or in_ranges(kernel, parse_ranges(rule.version)))
        and (not rule.since or parse_first_releases(rule.since).covers(kernel))
        and (not rule.fixed or not parse_first_releases(rule.fixed).covers(kernel))
    )
