"""Mutants of expectations: what a case says must be seen, changed in one place; judged on what was recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from harness.config.base import frozen_copy
from harness.config.case import Case
from harness.config.signature import event_keys
from harness.config.steps import EventPattern, InfoStep, Observation, ObserveStep, RunTrigger, Step, TriggerStep
from harness.model.results import CAUSES, DifferenceKind, Expectation, ExpectedDifference, Outcome, Stage
from harness.scenario.jobs import AgentStep, step_names, steps_of

OTHER_KIND = "other-kind"
"""A kind of event that no program emits."""
OTHER_FIELD = "nothing.at_all:btf_id"
"""A field of a program's info that no agent reports."""
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


def case_mutants_beside(
    case: Case, expected: Sequence[ExpectedDifference], *, reached: int
) -> Iterator[tuple[str, Case]]:
    """Yield those of `case_mutants` that differences which a rule names do not hide.

    Where a rule says what comes instead, what should come is compared with nothing; the rule's own mutants stand for
    it.
    """
    steps = agent_steps(case)
    names = step_names(steps)
    hidden = [(each.step, word) for each in expected for word in _words_of(each)]
    for what, changed in case_mutants(case, reached=reached):
        pairs = enumerate(zip(steps, agent_steps(changed), strict=True))
        name = next(names[index] for index, (before, after) in pairs if before != after)
        if not any(name == step and word in what.replace(":", "").split() for step, word in hidden):
            yield what, changed


def _words_of(one: ExpectedDifference) -> tuple[str, ...]:
    """Return the words of which the names of mutants that a difference hides have one."""
    if one.kind == DifferenceKind.ACCEPTED:
        return ("refused", "message")
    return (one.of or one.kind,)


def rule_mutants(expected: Expectation, outcome: Outcome) -> Iterator[tuple[str, Expectation]]:
    """Yield the mutants of what a rule says of a refusal or a known bug as (what is changed, changed expectation).

    `outcome` is what came: of several ways to die only the one that came can be missed.
    """
    if expected.stage is not None:
        stages = list(Stage)
        other = stages[(stages.index(expected.stage) + 1) % len(stages)]
        yield f"rule: stage {other}", replace(expected, stage=other)
    if expected.step:
        yield "rule: another step", replace(expected, step=f"{expected.step} #99")
    if expected.errno:
        yield f"rule: errno {OTHER_ERRNO}", replace(expected, errno=(OTHER_ERRNO,))
    if expected.refusal:
        yield "rule: another class of refusal", replace(expected, refusal=OTHER_CLASS)
    if expected.message is not None:
        yield "rule: another message", replace(expected, message=NO_SUCH_TEXT)
    if expected.cause_name:
        yield f"rule: another {CAUSES[expected.cause]}", replace(expected, cause_name=f"{expected.cause_name}-2")
    if expected.panic and outcome.crash:
        yield "rule: another panic", replace(expected, panic=(NO_SUCH_TEXT,))
    if expected.reset and outcome.reset:
        yield "rule: no reset without text", replace(expected, reset=False)
    for index, pattern in enumerate(expected.splats):
        left = (*expected.splats[:index], *expected.splats[index + 1 :])
        yield f"rule: splat {index + 1} dropped", replace(expected, splats=left)
        yield f"rule: splat {index + 1} of another text", replace(expected, splats=(*left, f"{pattern}{NO_SUCH_TEXT}"))
    for index, one in enumerate(expected.differences):
        left_over = (*expected.differences[:index], *expected.differences[index + 1 :])
        name = f"rule: difference {index + 1} ({one.step})"
        yield f"{name} dropped", replace(expected, differences=left_over)
        yield (
            f"{name} in another step",
            replace(expected, differences=(*left_over, replace(one, step=f"{one.step} #99"))),
        )
        for what, seen in _other_differences(one):
            yield f"{name}: {what}", replace(expected, differences=(*left_over, replace(one, seen=seen)))


def _other_differences(one: ExpectedDifference) -> Iterator[tuple[str, Any]]:
    if one.kind == DifferenceKind.EVENTS:
        patterns = tuple(EventPattern(**event) for event in one.seen)
        for what, changed in pattern_mutants(patterns):
            if _plain(changed) != _plain(patterns):
                yield what, tuple(event_keys(each) for each in changed for _ in range(each.times))
    elif isinstance(one.seen, int):
        yield f"{one.kind} {one.seen + 1}", one.seen + 1
    elif isinstance(one.seen, str):
        yield OTHER_ERRNO, OTHER_ERRNO


# --- what the steps must show --------------------------------------------------------------------------------


def _changed_cases(case: Case) -> Iterator[tuple[str, Case]]:
    if not case.steps:
        for key in ("observe", "control"):
            look = getattr(case, key)
            if look is not None:
                for what, other in observation_mutants(look):
                    yield f"{key}: {what}", frozen_copy(Case, case, **{key: other})
        if case.again is not None:
            for what, other in observation_mutants(case.again.observe):
                again = case.again.model_copy(update={"observe": other})
                yield f"again: {what}", frozen_copy(Case, case, again=again)
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
                other = value + 1 if isinstance(value, int) else OTHER_FIELD
                yield f"{name} with {key} {other}", at(index, one.model_copy(update={key: other}))
        if index + 1 < len(patterns):
            yield f"{name} behind the next", (*patterns[:index], patterns[index + 1], one, *patterns[index + 2 :])
    if not patterns:
        yield "an event more", (EventPattern(kind="fexit"),)


def _plain(patterns: Sequence[EventPattern]) -> tuple[Any, ...]:
    """Return events as they are compared, one by one."""
    return tuple((one.kind, one.retval, one.value) for one in patterns for _ in range(one.times))
