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
    weighed = weigh(ending.earlier, allow)
    if tries_programs(case) and attaching(steps, index):
        if ending.agent_killed:
            text = f"what answers in the guest was killed{where}, while {what_was_attached(steps, index)}"
            return _stopped(step, name, DifferenceKind.KILLED, text, record=record, reasons=weighed.complaints)
        if ending.silent and record.again:
            text = f"{silence(steps, index)}: {ending.reason}{where}"
            return _stopped(step, name, DifferenceKind.SILENCED, text, record=record, reasons=weighed.complaints)
        if ending.kind == OutcomeKind.LOST:
            where += "; a program that was attached then may have stopped what the guest needs to answer"
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


def silence(steps: Sequence[AgentStep], index: int) -> str:
    """Return the clause that blames what was attached in the step of an index for an answer that never came."""
    return f"no answer came, in either of two guests, while {what_was_attached(steps, index)}"


def passed_its_deadline(case: Case, record: CaseRecord, where: str, *, reasons: Sequence[str]) -> Outcome:
    """Return the outcome of a case whose process was ended at its deadline, in two guests, with a program attached."""
    index = step_at_end(record)
    text = f"{silence(case.steps, index)}: {where}"
    step, name = case.steps[index], step_names(case.steps)[index]
    return _stopped(step, name, DifferenceKind.SILENCED, text, record=record, reasons=reasons)


def may_be_silenced(case: Case, record: CaseRecord) -> bool:
    """Say whether a case has no answer, or none in time, and a program that it tries was attached meanwhile.

    Once that may be chance: a host that is too busy, a connection that broke. Whoever runs the case asks another guest.
    """
    if not tries_programs(case):
        return False
    if record.ending is not None:
        index = _last_begun(case, record, record.ending)
        return record.ending.silent and not record.ending.agent_killed and _attached(case, index)
    return bool(record.end and record.end.get("timed_out")) and _attached(case, step_at_end(record))


def step_at_end(record: CaseRecord) -> int:
    """Return the index of the step that was under way when the process of a case was ended, or of the last one."""
    index = (record.end or {}).get("step")
    return len(record.steps) - 1 if index is None else int(index)


def _attached(case: Case, index: int | None) -> bool:
    return index is not None and attaching(case.steps, index)


def _stopped(
    step: AgentStep, name: str, kind: DifferenceKind, text: str, *, record: CaseRecord, reasons: Sequence[str]
) -> Outcome:
    """Return the outcome of a case whose program has ended, or silenced, what answers in the guest.

    It was attached, or being attached, and nothing of ours does that.
    """
    ending = record.ending
    return Outcome(
        kind=OutcomeKind.MISBEHAVES,
        reason="; ".join([*reasons, text]),
        stage=step.stage,
        events=events_of(record),
        splats=ending.earlier if ending else (),
        differences=(difference(step, name, kind, text, seen="SIGKILL" if kind is DifferenceKind.KILLED else None),),
        console_tail=ending.console_tail if ending else (),
    )


def tries_programs(case: Case) -> bool:
    """Say whether a case tries programs of which nothing is known, and is to say what they do to the guest."""
    return any(step.op == WORKLOAD for step in case.steps)


def attaching(steps: Sequence[AgentStep], index: int) -> bool:
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
