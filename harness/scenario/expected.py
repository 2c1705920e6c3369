"""What a case expects, from the rules and observations of its YAML to their values. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.config.case import WrittenCase
from harness.config.rules import Rule
from harness.config.steps import EventPattern, Observation, TraceLook
from harness.model.results import CAUSES, Expectation, OutcomeKind
from harness.scenario.case import ExpectedEvent, Look

KNOWN_BUGS = frozenset({OutcomeKind.MISBEHAVES, OutcomeKind.CRASHED})
"""Expected outcomes that are bugs of the kernel, not refusals."""


def expectations_of(written: WrittenCase) -> tuple[Expectation, ...]:
    """Return the values of a written case's rules."""
    return tuple(expectation_of(rule) for rule in written.expect)


def expectation_of(rule: Rule) -> Expectation:
    """Return the value of a rule."""
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
        kernel=rule.kernel or (),
        config=rule.config or (),
        distribution=rule.distribution or (),
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


def look_of(written: Observation) -> Look:
    """Return the value of an observation."""
    trace = written.trace
    how = trace.compared()[0] if isinstance(trace, TraceLook) else "exactly"
    return Look(
        client=_events(written.client), listener=_events(written.listener), trace=_events(written.traced()), how=how
    )


def _events(patterns: Sequence[EventPattern] | None) -> tuple[ExpectedEvent, ...] | None:
    if patterns is None:
        return None
    return tuple(
        ExpectedEvent(kind=each.kind, retval=each.retval, value=each.value, times=each.times) for each in patterns
    )
