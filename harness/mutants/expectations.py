"""Mutants of expectations: what a case says must be seen, changed in one place; judged on what was recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.model.listing import AT_LEAST, AT_MOST
from harness.model.results import CAUSES, DifferenceKind, Expectation, ExpectedDifference, Outcome, Stage
from harness.scenario.case import COMMAND, TRIGGER, AgentStep, Case, ExpectedEvent, Inspected, Look, step_names
from harness.scenario.inspected import MATCHES

OTHER_KIND = "other-kind"
"""A kind of event that no program emits."""
OTHER_FIELD = "nothing.at_all:btf_id"
"""A field of a program's info that no agent reports."""
OTHER_ERRNO = "EXDEV"
"""An errno that no step of a case is refused with."""
OTHER_CLASS = "another-class"
"""A class of refusals that does not exist."""
MANY = 1 << 63
"""More than anything is."""
NO_SUCH_TEXT = "a text that is in no log"
ENDS = 8
"""Of a long row of events, so many at its beginning and at its end are changed; they stand for those between."""
SIDES = ("client", "listener", "trace")


def case_mutants(case: Case, *, reached: int) -> Iterator[tuple[str, Case]]:
    """Yield the mutants of what the steps of a case must show as (what is changed, changed case).

    Only steps before `reached`, a number of steps, are changed: no other is judged.
    """
    return case_mutants_beside(case, (), reached=reached)


def case_mutants_beside(
    case: Case, expected: Sequence[ExpectedDifference], *, reached: int
) -> Iterator[tuple[str, Case]]:
    """Yield those of `case_mutants` that differences which a rule names do not hide.

    Where a rule says what comes instead, what should come is compared with nothing; the rule's own mutants stand for
    it.
    """
    hidden = [(each.step, word) for each in expected for word in _words_of(each)]
    for index, (step, name) in enumerate(zip(case.steps, step_names(case.steps), strict=True)):
        if index >= reached:
            return
        for what, changed in step_mutants_of(step):
            if not any(name == hidden_step and _is_about(what, word) for hidden_step, word in hidden):
                steps = (*case.steps[:index], changed, *case.steps[index + 1 :])
                yield f"{name}: {what}", replace(case, steps=steps)


def _is_about(what: str, word: str) -> bool:
    """Say whether a mutant changes what a word names: a side, a field, or something inspected (`map seen`)."""
    return word in what.replace(":", "").split() or what.startswith(f"{word}:")


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
    if isinstance(one.seen, tuple):
        patterns = tuple(ExpectedEvent(**event) for event in one.seen)
        for what, changed in pattern_mutants(patterns):
            if _plain(changed) != _plain(patterns):
                yield what, tuple(each.keys() for each in changed for _ in range(each.times))
    elif isinstance(one.seen, int):
        yield f"{one.kind} {one.seen + 1}", one.seen + 1
    elif isinstance(one.seen, str):
        yield OTHER_ERRNO, OTHER_ERRNO


# --- what the steps must show --------------------------------------------------------------------------------


def step_mutants_of(step: AgentStep) -> Iterator[tuple[str, AgentStep]]:
    """Yield the mutants of what one step must show as (what is changed, changed step)."""
    if step.look is not None:
        for what, look in look_mutants(step.look):
            yield what, replace(step, look=look)
    for name, value in step.fields.items():
        other = value + 1 if isinstance(value, int) else "nothing.at_all"
        yield f"{name} {other}", replace(step, fields={**step.fields, name: other})
    if step.op == COMMAND and step.output is not None:
        yield "another output", replace(step, output=NO_SUCH_TEXT)
    if step.retval is not None:
        yield f"retval {step.retval + 1}", replace(step, retval=step.retval + 1)
    if step.exit is not None and (step.op == COMMAND or (step.op == TRIGGER and step.waits)):
        yield f"exit {step.exit + 1}", replace(step, exit=step.exit + 1)
    if step.arrived is not None:
        yield f"arrived {step.arrived + 1}", replace(step, arrived=step.arrived + 1)
    if step.refused:
        yield "must be accepted", replace(step, refused=(), message=None)
        yield f"refused with {OTHER_ERRNO}", replace(step, refused=(OTHER_ERRNO,))
        if step.message is not None:
            yield "another message", replace(step, message=NO_SUCH_TEXT)


def look_mutants(look: Look) -> Iterator[tuple[str, Look]]:
    """Yield the mutants of what a look must see as (what is changed, changed look)."""
    for side in SIDES:
        patterns: tuple[ExpectedEvent, ...] | None = getattr(look, side)
        if patterns is None:
            continue
        seen = {_plain(patterns)}
        for what, changed in pattern_mutants(patterns):
            if _plain(changed) not in seen:
                seen.add(_plain(changed))
                fields: dict[str, Any] = {side: changed}
                yield f"{side}: {what}", replace(look, **fields)
    for index, one in enumerate(look.inspected):
        for what, other in inspected_mutants(one):
            inspected = (*look.inspected[:index], other, *look.inspected[index + 1 :])
            yield f"{f'{one.kind} {one.name}'.strip()}: {what}", replace(look, inspected=inspected)


def inspected_mutants(one: Inspected) -> Iterator[tuple[str, Inspected]]:
    """Yield the mutants of one thing that is looked at beside events as (what is changed, changed thing).

    Of what must come `at-least` one is not dropped or doubled: others may come. What must not come (`none`) has no
    mutants: another pattern would match nothing either.
    """
    if one.how == "none":
        return

    def at(index: int, *instead: Any) -> Inspected:
        return replace(one, wanted=(*one.wanted[:index], *instead, *one.wanted[index + 1 :]))

    several = one.kind in ("records", "printk")
    for index, wanted in enumerate(one.wanted):
        if ENDS <= index < len(one.wanted) - ENDS:
            continue
        name = f"{index + 1} " if several or one.how == "values" else ""
        if several and one.how != "at-least":
            yield f"{name}dropped", at(index)
            yield f"{name}doubled", at(index, wanted, wanted)
        if one.how == "values":
            key, value = wanted
            yield f"{name}with another value", at(index, (key, another_value(value)))
        elif several and isinstance(wanted, Mapping):
            for key, value in wanted.items():
                yield f"{name}with another {key}", at(index, {**wanted, key: another_value(value)})
        else:
            yield "another value", at(index, another_value(wanted))


def another_value(value: Any) -> Any:
    """Return what a value is not: another number, text, or the same structure with one of its parts otherwise."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return NO_SUCH_TEXT
    if isinstance(value, Mapping):
        bounds = {AT_LEAST: MANY, AT_MOST: -1, MATCHES: NO_SUCH_TEXT}
        key = next(iter(value))
        return {**value, key: bounds[key] if key in bounds else another_value(value[key])}
    return [another_value(value[0]), *value[1:]] if value else [NO_SUCH_TEXT]


def pattern_mutants(patterns: tuple[ExpectedEvent, ...]) -> Iterator[tuple[str, tuple[ExpectedEvent, ...]]]:
    """Yield the mutants of some events in a row: one dropped, doubled, at another place, or with another number."""

    def at(index: int, *instead: ExpectedEvent) -> tuple[ExpectedEvent, ...]:
        return (*patterns[:index], *instead, *patterns[index + 1 :])

    for index, one in enumerate(patterns):
        if ENDS <= index < len(patterns) - ENDS:
            continue
        name = f"event {index + 1} ({one.kind})"
        fewer = (replace(one, times=one.times - 1),) if one.times > 1 else ()
        yield f"{name} dropped", at(index, *fewer)
        yield f"{name} doubled", at(index, replace(one, times=one.times + 1))
        yield f"{name} of another kind", at(index, replace(one, kind=OTHER_KIND))
        if one.retval is not None:
            yield f"{name} with retval {one.retval + 1}", at(index, replace(one, retval=one.retval + 1))
        if one.value is not None:
            other = one.value + 1 if isinstance(one.value, int) else OTHER_FIELD
            yield f"{name} with value {other}", at(index, replace(one, value=other))
        if index + 1 < len(patterns):
            yield f"{name} behind the next", (*patterns[:index], patterns[index + 1], one, *patterns[index + 2 :])
    if not patterns:
        yield "an event more", (ExpectedEvent(kind="fexit"),)


def _plain(patterns: Sequence[ExpectedEvent]) -> tuple[Any, ...]:
    """Return events as they are compared, one by one."""
    return tuple((one.kind, one.retval, one.value) for one in patterns for _ in range(one.times))
