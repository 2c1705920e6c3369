"""The outcome of a case whose guest died, or fell silent, before the case had its completion marker. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.facts.records import CaseRecord, Ending
from harness.judge.known_splats import AllowList, weigh
from harness.judge.steps import difference, events_of, identity, lost, reported_identity, step_differences
from harness.model.results import Difference, DifferenceKind, Outcome, OutcomeKind
from harness.scenario.case import AgentStep, Case, step_names

ATTACHING = frozenset({"attach", "attach-map"})
"""Steps that attach a program."""
NAMED = 8
"""How many of several programs a reason names."""
WORKLOAD = "workload"
"""The step that makes a program run with whatever a guest has, and survives what it does to that."""


def died(case: Case, record: CaseRecord, ending: Ending, *, allow: AllowList) -> Outcome:
    """Return the outcome of a case without a completion marker: its guest died or fell silent.

    A death before the case's own first step says nothing of the case.
    """
    steps = case.steps
    index = _last_begun(case, record, ending)
    if index is None:
        before = "" if ending.kind == OutcomeKind.LOST else ", before the case's first step"
        silent = lost(ending.reason + before, record)
        return replace(silent, console_tail=ending.console_tail, crash=ending.crash)
    step, name = steps[index], step_names(steps)[index]
    where = f", in the step {name}" if len(record.steps) <= index else f", after the step {name}"
    if ending.kind == OutcomeKind.LOST and WORKLOAD in [each.op for each in steps] and _attaching(steps, index):
        where += "; a program that was attached then may have stopped what the guest needs to answer"
    weighed = weigh(ending.earlier, allow)
    if ending.agent_killed and WORKLOAD in [each.op for each in steps] and _attaching(steps, index):
        return _stopped(steps, index, where, ending, reasons=weighed.complaints, record=record)
    found: tuple[Difference, ...] = ()
    if ending.kind == OutcomeKind.CRASHED:
        found = tuple(_before_death(case, record, index))
    shown = [each.text for each in found if each.kind != DifferenceKind.MISSING_STEPS]
    return Outcome(
        kind=ending.kind,
        reason="; ".join([ending.reason + where, *weighed.complaints, *shown]),
        stage=step.stage,
        step=name if len(record.steps) <= index else f"after {name}",
        events=events_of(record),
        splats=ending.earlier,
        allowed_splats=weighed.allowed,
        counted_splats=weighed.counted,
        differences=found,
        crash=ending.crash,
        reset=ending.reset,
        console_tail=ending.console_tail,
    )


def what_was_attached(steps: Sequence[AgentStep], index: int) -> str:
    """Return what was attached, or being attached, in the step of an index, as a clause; several have their names."""
    names = [step.what for step in steps[: index + 1] if step.op in ATTACHING]
    if len(names) < 2:
        return "the program was attached"
    more = f" and {len(names) - NAMED} before" if len(names) > NAMED else ""
    return f"these were attached, the last one first: {', '.join(names[: -NAMED - 1 : -1])}{more}"


def _stopped(
    steps: Sequence[AgentStep], index: int, where: str, ending: Ending, *, reasons: Sequence[str], record: CaseRecord
) -> Outcome:
    """Return the outcome of a case whose program has ended what answers in the guest.

    It was attached, or being attached, and nothing of ours ends that.
    """
    step, name = steps[index], step_names(steps)[index]
    known = what_was_attached(steps, index)
    text = f"what answers in the guest was killed{where.split(';', maxsplit=1)[0]}, while {known}"
    return Outcome(
        kind=OutcomeKind.MISBEHAVES,
        reason="; ".join([*reasons, text]),
        stage=step.stage,
        events=events_of(record),
        splats=ending.earlier,
        differences=(difference(step, name, DifferenceKind.KILLED, text, seen="SIGKILL"),),
        console_tail=ending.console_tail,
    )


def _attaching(steps: Sequence[AgentStep], index: int) -> bool:
    """Say whether a program may have been attached in the step of an index."""
    return any(step.op in ATTACHING for step in steps[: index + 1])


def _last_begun(case: Case, record: CaseRecord, ending: Ending) -> int | None:
    """Return the index of the last step that had begun when the guest died; None where none of the case's had."""
    count = len(case.steps)
    if ending.step is not None and ending.step[0] == case.id and ending.step[1] < count:
        return ending.step[1]
    return min(len(record.steps), count) - 1 if record.steps else None


def _before_death(case: Case, record: CaseRecord, index: int) -> Iterator[Difference]:
    """Yield what the steps before the one of `index`, in which the guest died, showed otherwise than they must."""
    steps = case.steps
    for step, name, report in zip(steps[:index], step_names(steps), record.steps, strict=False):
        if identity(step) != reported_identity(report):
            yield difference(step, name, DifferenceKind.MISSING_STEPS, f"the agent reported another step than {name}")
            return
        wrong = step_differences(step, name, report, record) if report.get("ok") or step.refused else None
        if wrong is None or isinstance(wrong, Outcome):
            text = f"{name}: {wrong.reason if wrong else report.get('errno_name')}"
            yield difference(step, name, DifferenceKind.REFUSED, text, seen=report.get("errno_name"))
        else:
            yield from wrong
    # The agent goes on to a step only where those before it succeeded. So of a step whose report was lost with the
    # guest only that matters which it would have shown.
    for step, name in list(zip(steps, step_names(steps), strict=True))[len(record.steps) : index]:
        if _shows(step):
            text = f"what the step {name} showed was lost with the guest"
            yield difference(step, name, DifferenceKind.MISSING_STEPS, text)


def _shows(step: AgentStep) -> bool:
    """Whether a step's report says more than that it succeeded."""
    compared = step.look is not None or step.retval is not None or step.arrived is not None
    return compared or step.waits or bool(step.fields or step.refused)
