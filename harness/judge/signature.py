"""Comparing how a kernel misbehaved or died with the signature that a rule gives of a known bug. Pure.

A known bug is the one that the rule describes and nothing else: what comes beside the signature, and what is missing
of it, is a sentence here, and any sentence makes the cell red.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.judge.inspected import fits
from harness.model.results import Difference, DifferenceKind, Expectation, ExpectedDifference, Outcome, OutcomeKind


def signature_differences(outcome: Outcome, expected: Expectation) -> list[str]:
    """Return a sentence for each thing in which `outcome` (misbehaves or crashed) is not the bug of `expected`."""
    wrong = []
    if outcome.stage != expected.stage:
        wrong.append(f"at stage {outcome.stage}, expected {expected.stage}")
    if outcome.kind == OutcomeKind.CRASHED:
        wrong += _wrong_crash(outcome, expected)
    wrong += _wrong_splats(outcome.counted_splats, expected.splats)
    wrong += wrong_differences(outcome.differences, expected.differences)
    return wrong


def matches(expected: ExpectedDifference, found: Difference) -> bool:
    """Return whether a difference that was found is the one that a signature names."""
    if (expected.step, expected.kind, expected.of) != (found.step, found.kind, found.of):
        return False
    if expected.kind == DifferenceKind.INSPECTED:
        return fits(expected.seen, found.seen)
    if expected.kind != DifferenceKind.EVENTS:
        return bool(expected.seen == found.seen)
    patterns = _events_of(expected)
    return len(patterns) == len(found.seen) and all(
        _covers(pattern, event) for pattern, event in zip(patterns, found.seen, strict=True)
    )


def _events_of(expected: ExpectedDifference) -> tuple[Mapping[str, Any], ...]:
    return expected.seen if isinstance(expected.seen, tuple) else ()


def _covers(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    return all(event.get(key) == value for key, value in pattern.items())


def _wrong_crash(outcome: Outcome, expected: Expectation) -> Iterator[str]:
    if outcome.step != expected.step:
        yield f'in the step "{outcome.step}", expected in "{expected.step}"'
    if outcome.reset:
        if not expected.reset:
            yield f"the machine was reset without any text ({outcome.reset}), expected {_patterns(expected.panic)}"
    elif not any(re.search(pattern, outcome.crash) for pattern in expected.panic):
        first = outcome.crash.split("\n", 1)[0] or "nothing"
        yield f"the kernel's complaint ({first}) does not match {_patterns(expected.panic) or 'a reset without text'}"


def _wrong_splats(splats: Sequence[str], patterns: Sequence[str]) -> Iterator[str]:
    for splat in splats:
        if not any(re.search(pattern, splat) for pattern in patterns):
            yield f"a complaint of the kernel that the rule does not name: {splat.split(chr(10), 1)[0]}"
    for pattern in patterns:
        if not any(re.search(pattern, splat) for splat in splats):
            yield f"no complaint of the kernel matches /{pattern}/"


def wrong_differences(found: Sequence[Difference], expected: Sequence[ExpectedDifference]) -> Iterator[str]:
    """Yield a sentence for each difference that is not expected, and for each expected one that was not found."""
    left = list(expected)
    for difference in found:
        match = next((each for each in left if matches(each, difference)), None)
        if match is None:
            yield f"beside what the rule names: {difference.text}"
        else:
            left.remove(match)
    for each in left:
        yield f"missing of what the rule names: {describe(each)}"


def describe(expected: ExpectedDifference) -> str:
    """Return an expected difference in a few words."""
    of = f" {expected.of}" if expected.of else ""
    if expected.kind == DifferenceKind.EVENTS:
        seen = ", ".join(" ".join(f"{key} {value}" for key, value in event.items()) for event in _events_of(expected))
        return f"{expected.step}{of}: {seen or 'nothing'} seen"
    if expected.kind == DifferenceKind.ACCEPTED:
        return f"{expected.step}: accepted"
    return f"{expected.step}{of}: {expected.kind} {expected.seen}"


def _patterns(patterns: Sequence[str]) -> str:
    return " or ".join(f"/{pattern}/" for pattern in patterns)
