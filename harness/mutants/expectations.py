"""Mutants of expectations: what a case says must be seen, changed in one place; judged on what was recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from harness.config.base import frozen_copy
from harness.config.case import Case
from harness.config.steps import EventPattern, InfoStep, Observation, ObserveStep, RunTrigger, Step, TriggerStep
from harness.jobs import AgentStep, steps_of
from harness.model import Expectation, Stage

OTHER_KIND = "other-kind"
"""A kind of event that no program emits."""
OTHER_ERRNO = "EXDEV"
"""An errno that no step of a case is refused with."""
OTHER_CLASS = "another-class"
"""A class of refusals that does not exist."""
NO_SUCH_TEXT = "a text that is in no log"
ENDS = 8
"""Of a long row of events, so many at its beginning and at its end are changed; they stand for those between."""
SIDES = ("client", "listener", "trace")


def case_mutants(case: Case, *, reached: int) -> Iterator[tuple[str, Case]]:
    """Yield the mutants of what the steps of a case must show as (what is changed, changed case).

    Only steps before `reached`, a number of steps as the agent counts them, are changed: no other is judged.
    """
    before = agent_steps(case)
    for what, changed in _changed_cases(case):
        after = agent_steps(changed)
        first = next((index for index, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]), None)
        if first is not None and first < reached:
            yield what, changed


def agent_steps(case: Case) -> list[AgentStep]:
    """Return a case's steps; the places of its objects in the guest do not matter here."""
    return steps_of(case, paths={file: PurePosixPath(file) for file in case.files.values()})


def rule_mutants(expected: Expectation) -> Iterator[tuple[str, Expectation]]:
    """Yield the mutants of how a refusal must look as (what is changed, changed expectation)."""
    if expected.stage is not None:
        stages = list(Stage)
        other = stages[(stages.index(expected.stage) + 1) % len(stages)]
        yield f"rule: stage {other}", replace(expected, stage=other)
    if expected.errno:
        yield f"rule: errno {OTHER_ERRNO}", replace(expected, errno=(OTHER_ERRNO,))
    if expected.refusal:
        yield "rule: another class of refusal", replace(expected, refusal=OTHER_CLASS)
    if expected.message is not None:
        yield "rule: another message", replace(expected, message=NO_SUCH_TEXT)


# --- what the steps must show --------------------------------------------------------------------------------


def _changed_cases(case: Case) -> Iterator[tuple[str, Case]]:
    if not case.steps:
        for key in ("observe", "control"):
            look = getattr(case, key)
            if look is not None:
                for what, other in observation_mutants(look):
                    yield f"{key}: {what}", frozen_copy(Case, case, **{key: other})
        if isinstance(case.trigger, RunTrigger) and case.trigger.retval is not None:
            trigger = case.trigger.model_copy(update={"retval": case.trigger.retval + 1})
            yield f"trigger: retval {trigger.retval}", frozen_copy(Case, case, trigger=trigger)
        return
    for index, step in enumerate(case.steps):
        for what, changed in _changed_steps(step):
            steps = (*case.steps[:index], changed, *case.steps[index + 1 :])
            yield f"step {index + 1} ({step.do}): {what}", frozen_copy(Case, case, steps=steps)


def _changed_steps(step: Step) -> Iterator[tuple[str, Step]]:
    if isinstance(step, ObserveStep):
        for what, look in observation_mutants(step.expect):
            yield what, step.model_copy(update={"expect": look})
    elif isinstance(step, InfoStep):
        for name, value in step.expect.items():
            other = value + 1 if isinstance(value, int) else "nothing.at_all"
            yield f"{name} {other}", step.model_copy(update={"expect": {**step.expect, name: other}})
    elif isinstance(step, TriggerStep) and isinstance(step.trigger, RunTrigger) and step.trigger.retval is not None:
        trigger = step.trigger.model_copy(update={"retval": step.trigger.retval + 1})
        yield f"retval {trigger.retval}", step.model_copy(update={"trigger": trigger})
    if getattr(step, "refused", None):
        yield "must be accepted", step.model_copy(update={"refused": None, "message": None})
        yield f"refused with {OTHER_ERRNO}", step.model_copy(update={"refused": (OTHER_ERRNO,)})
        if getattr(step, "message", None) is not None:
            yield "another message", step.model_copy(update={"message": NO_SUCH_TEXT})


def observation_mutants(look: Observation) -> Iterator[tuple[str, Observation]]:
    """Yield the mutants of an observation as (what is changed, changed observation)."""
    for side in SIDES:
        patterns: tuple[EventPattern, ...] | None = getattr(look, side)
        if patterns is None:
            continue
        seen = {_plain(patterns)}
        for what, changed in pattern_mutants(patterns):
            if _plain(changed) not in seen:
                seen.add(_plain(changed))
                yield f"{side}: {what}", look.model_copy(update={side: changed})


def pattern_mutants(patterns: tuple[EventPattern, ...]) -> Iterator[tuple[str, tuple[EventPattern, ...]]]:
    """Yield the mutants of some events in a row: one dropped, doubled, at another place, or with another number."""

    def at(index: int, *instead: EventPattern) -> tuple[EventPattern, ...]:
        return (*patterns[:index], *instead, *patterns[index + 1 :])

    for index, one in enumerate(patterns):
        if ENDS <= index < len(patterns) - ENDS:
            continue
        name = f"event {index + 1} ({one.kind})"
        fewer = (one.model_copy(update={"times": one.times - 1}),) if one.times > 1 else ()
        yield f"{name} dropped", at(index, *fewer)
        yield f"{name} doubled", at(index, one.model_copy(update={"times": one.times + 1}))
        yield f"{name} of another kind", at(index, one.model_copy(update={"kind": OTHER_KIND}))
        for key, value in (("retval", one.retval), ("value", one.value)):
            if value is not None:
                yield f"{name} with {key} {value + 1}", at(index, one.model_copy(update={key: value + 1}))
        if index + 1 < len(patterns):
            yield f"{name} behind the next", (*patterns[:index], patterns[index + 1], one, *patterns[index + 2 :])
    if not patterns:
        yield "an event more", (EventPattern(kind="fexit"),)


def _plain(patterns: Sequence[EventPattern]) -> tuple[Any, ...]:
    """Return events as they are compared, one by one."""
    return tuple((one.kind, one.retval, one.value) for one in patterns for _ in range(one.times))
