"""From what the agent reported of a case to what the kernel did."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from harness.facts.kernel_log import find_splats
from harness.facts.records import CaseRecord, Ending
from harness.judge.command import command_differences, not_started, output_of, reason_of_works
from harness.judge.inspected import inspected_differences
from harness.judge.known_splats import NOTHING_ALLOWED, AllowList, Weighed, weigh
from harness.judge.observation import differences, field_of, known, side_of, trace_differences
from harness.judge.precondition import not_applicable, ours
from harness.judge.scenario import as_reported, broken, did_nothing, missed, reason_of_scenario, unfinished
from harness.model.evidence import evidence_of
from harness.model.origins import origin_of
from harness.model.refusals import explained
from harness.model.results import THE_KERNELS, WHO, Difference, DifferenceKind, Outcome, OutcomeKind, Stage
from harness.scenario.case import COMMAND, EXPECT, SCENARIO_END, AgentStep, Case, Look, step_names

REFUSABLE = frozenset(
    {
        *("open", "set-attach-target", "load", "load-raw", "enable-stats", "listen-printk"),
        *("attach", "attach-map", "tail-call", "trigger", "info"),
        *("write-map", "delete-map"),
    }
)
"""Steps whose failure is a refusal: by the kernel, or by libbpf on its behalf, of what the case asks for.

What is left, reading back what the programs wrote, is the harness's own work: where that fails it is trouble.
"""
OF_THE_CASE = frozenset({"share-map", "set-attach-type", "listen", "listen-records"})
"""Steps that fail only where the case is wrong, in ways that its names do not show (supply/names.py): a map of another
kind, an object that was loaded already."""

DETACHING = frozenset({"detach"})
ATTACHING = frozenset({"attach", "attach-map"})
FAULTS = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS"})
"""Signals by which a process ends for its own mistake."""
OUT_OF_MEMORY = "Out of memory: "
"""What the kernel says where it kills for memory (mm/oom_kill.c, oom_kill_process())."""
WORKLOAD = "workload"
"""The step that makes a program run with whatever a guest has, and survives what it does to that."""


def outcome_of(case: Case, record: CaseRecord, *, allow: AllowList = NOTHING_ALLOWED) -> Outcome:
    """Return the outcome of one cell. Without the agent's completion marker it is never a good one.

    `allow` holds the known splats of the cell's kernel; any other splat makes the outcome `misbehaves`. Splats do not
    hide what the steps showed: both are in the outcome, and so is what the case's command wrote.
    """
    outcome = _outcome_of(*as_reported(case, record), allow=allow)
    return replace(outcome, output=output_of(record)) if record.output else outcome


def _outcome_of(case: Case, record: CaseRecord, *, allow: AllowList) -> Outcome:
    if record.ending is not None:
        return _died(case, record, record.ending, allow=allow)
    end = record.end
    if end is None:
        return _lost("the agent never reported the end of the case", record)
    unmet = end.get("precondition")
    if unmet is not None:
        return not_applicable(unmet, seconds=end.get("seconds"))
    splats = find_splats([*end.get("kernel_log", []), *record.late_log])
    weighed = weigh(splats, allow)
    outcome = _ended(case, record, end, weighed=weighed)
    return replace(outcome, splats=splats, allowed_splats=weighed.allowed, counted_splats=weighed.counted)


def _died(case: Case, record: CaseRecord, ending: Ending, *, allow: AllowList) -> Outcome:
    """Return the outcome of a case without a completion marker: its guest died or fell silent.

    A death before the case's own first step says nothing of the case.
    """
    steps = case.steps
    index = _last_begun(case, record, ending)
    if index is None:
        before = "" if ending.kind == OutcomeKind.LOST else ", before the case's first step"
        lost = _lost(ending.reason + before, record)
        return replace(lost, console_tail=ending.console_tail, crash=ending.crash)
    step, name = steps[index], step_names(steps)[index]
    where = f", in the step {name}" if len(record.steps) <= index else f", after the step {name}"
    if ending.kind == OutcomeKind.LOST and WORKLOAD in [each.op for each in steps] and _attaching(steps, index):
        where += "; a program that was attached then may have stopped what the guest needs to answer"
    weighed = weigh(ending.earlier, allow)
    found: tuple[Difference, ...] = ()
    if ending.kind == OutcomeKind.CRASHED:
        found = tuple(_before_death(case, record, index))
    shown = [each.text for each in found if each.kind != DifferenceKind.MISSING_STEPS]
    return Outcome(
        kind=ending.kind,
        reason="; ".join([ending.reason + where, *weighed.complaints, *shown]),
        stage=step.stage,
        step=name if len(record.steps) <= index else f"after {name}",
        events=_events(record),
        splats=ending.earlier,
        allowed_splats=weighed.allowed,
        counted_splats=weighed.counted,
        differences=found,
        crash=ending.crash,
        reset=ending.reset,
        console_tail=ending.console_tail,
    )


def _attaching(steps: Sequence[AgentStep], index: int) -> bool:
    """Say whether a program may have been attached in the step of an index."""
    return any(step.op in {"attach", "attach-map"} for step in steps[: index + 1])


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
        if _identity(step) != _reported_identity(report):
            yield _difference(step, name, DifferenceKind.MISSING_STEPS, f"the agent reported another step than {name}")
            return
        wrong = _differences(step, name, report, record) if report.get("ok") or step.refused else None
        if wrong is None or isinstance(wrong, Outcome):
            text = f"{name}: {wrong.reason if wrong else report.get('errno_name')}"
            yield _difference(step, name, DifferenceKind.REFUSED, text, seen=report.get("errno_name"))
        else:
            yield from wrong
    # The agent goes on to a step only where those before it succeeded. So of a step whose report was lost with the
    # guest only that matters which it would have shown.
    for step, name in list(zip(steps, step_names(steps), strict=True))[len(record.steps) : index]:
        if _shows(step):
            text = f"what the step {name} showed was lost with the guest"
            yield _difference(step, name, DifferenceKind.MISSING_STEPS, text)


def _shows(step: AgentStep) -> bool:
    """Whether a step's report says more than that it succeeded."""
    return step.op == COMMAND or step.look is not None or step.retval is not None or bool(step.fields or step.refused)


def _ended(case: Case, record: CaseRecord, end: Mapping[str, Any], *, weighed: Weighed) -> Outcome:
    """Return the outcome of a case that has its `case-end` line; `weighed` are the kernel's complaints."""
    if killed_by_its_program(case, end):
        return _stopped_by_program(case, record, end, weighed=weighed)
    trouble = _incomplete(case, record, end)
    if trouble:
        return _lost("; ".join([trouble, *weighed.complaints]), record)
    outcome = _with_leftovers(_walked(case, record), end.get("left") or [])
    if not weighed.counted or outcome.kind == OutcomeKind.LOST:
        return outcome
    if outcome.kind == OutcomeKind.WORKS:
        return replace(
            outcome,
            kind=OutcomeKind.MISBEHAVES,
            reason="; ".join(weighed.complaints),
            stage=_last_stage(record),
        )
    return replace(
        outcome,
        kind=OutcomeKind.MISBEHAVES,
        reason="; ".join([*weighed.complaints, outcome.reason]),
    )


def _incomplete(case: Case, record: CaseRecord, end: Mapping[str, Any]) -> str:
    """Say why the agent's answer is not a complete one, "" where it is."""
    if end.get("timed_out"):
        names = step_names(case.steps)
        done = len(record.steps)
        where = f", in the step {names[done]}" if done < len(names) else ", after its last step"
        return f"the case deadline passed inside the guest{where}"
    if end.get("signal"):
        return f"the agent's process for this case was killed by {end['signal']}"
    if not end.get("complete"):
        return "; ".join(record.errors) or "the agent's process for this case failed"
    cut = unfinished(case, record.steps)
    if cut:
        return cut
    lost = end.get("kernel_log_lost", 0) + record.late_lost
    if lost:
        return f"the kernel's log has holes: {lost} of its messages are missing, and any of them may be a complaint"
    return ""


def killed_by_its_program(case: Case, end: Mapping[str, Any]) -> bool:
    """Say whether a signal ended the case's process while the program of a workload was attached, or being attached.

    Nothing of ours sends one then. What libbpf (or Python) itself may die of counts in the workload alone, and a kernel
    without memory says so in its log.
    """
    index, signal = end.get("step"), end.get("signal")
    if not signal or end.get("timed_out") or index is None or index >= len(case.steps):
        return False
    ops = [step.op for step in case.steps]
    if WORKLOAD not in ops or any(OUT_OF_MEMORY in line for line in end.get("kernel_log", ())):
        return False
    attached = any(op in ATTACHING for op in ops[: index + 1])
    return ops[index] == WORKLOAD or (attached and signal not in FAULTS)


def _stopped_by_program(case: Case, record: CaseRecord, end: Mapping[str, Any], *, weighed: Weighed) -> Outcome:
    step, name = case.steps[end["step"]], step_names(case.steps)[end["step"]]
    text = f"the agent's process for this case was killed by {end['signal']} while the program was attached"
    wrong = _difference(step, name, DifferenceKind.KILLED, text, seen=end["signal"])
    reason = "; ".join([*weighed.complaints, text])
    return _judged(record, OutcomeKind.MISBEHAVES, reason, stage=step.stage, found=[wrong])


def _with_leftovers(outcome: Outcome, left: Sequence[Mapping[str, Any]]) -> Outcome:
    """Return an outcome with what the case left behind, which makes any but a lost one `misbehaves`."""
    if not left or outcome.kind == OutcomeKind.LOST:
        return outcome
    found = tuple(
        Difference(
            step="end",
            stage=Stage.DETACH,
            kind=DifferenceKind.LEFT,
            of=str(item.get("kind")),
            seen=str(item.get("name")),
            text=f"left behind after the case: {item.get('kind')} {item.get('name')}",
        )
        for item in left
    )
    reasons = [each.text for each in found]
    if outcome.kind != OutcomeKind.WORKS:
        reasons.insert(0, outcome.reason)
    return replace(
        outcome,
        kind=OutcomeKind.MISBEHAVES,
        reason="; ".join(reasons),
        stage=outcome.stage or Stage.DETACH,
        differences=(*outcome.differences, *found),
    )


def _walked(case: Case, record: CaseRecord) -> Outcome:
    """Compare the reported steps with those of the case, one after the other."""
    steps = case.steps
    found: list[Difference] = []
    for step, name, report in zip_longest(steps, step_names(steps), record.steps):
        if step is None or report is None or _identity(step) != _reported_identity(report):
            return _lost("the agent reported other steps than the case has", record)
        if step.op == EXPECT and not report.get("ok"):
            found.append(missed(case, step, name, report))
            continue
        if step.op == SCENARIO_END and not report.get("ok"):
            return _broken(record, step, name, broken(case, report), found)
        if not report.get("ok") and not step.refused:
            return _failed(record, step, name, report, found)
        wrong = _differences(step, name, report, record)
        if isinstance(wrong, Outcome):
            return wrong
        found += wrong
    if found:
        reason = "; ".join(each.text for each in found)
        return _judged(record, OutcomeKind.MISBEHAVES, reason, stage=found[0].stage, found=found)
    idle = did_nothing(case)
    if idle:
        return replace(_lost(idle, record), wrong_input=True)
    reason = reason_of_scenario(steps) if case.scenario else reason_of_works(steps)
    return _judged(record, OutcomeKind.WORKS, reason)


def _broken(record: CaseRecord, step: AgentStep, name: str, text: str, found: list[Difference]) -> Outcome:
    """Return the outcome of a scenario that an exception has ended: the user's, unless the kernel misbehaved before."""
    if not found:
        return replace(_lost(text, record, stage=step.stage), wrong_input=True)
    own = _difference(step, name, DifferenceKind.SCENARIO, text)
    reason = "; ".join(each.text for each in [*found, own])
    return _judged(record, OutcomeKind.MISBEHAVES, reason, stage=found[0].stage, found=[*found, own])


def _failed(record: CaseRecord, step: AgentStep, name: str, report: dict[str, Any], found: list[Difference]) -> Outcome:
    """Return the outcome of a case that ended with a failing step; a refusal does not hide what was wrong before it."""
    if step.op == COMMAND:
        reason = "; ".join([*(each.text for each in found), not_started(report)])
        return replace(_lost(reason, record, stage=step.stage), wrong_input=True)
    errno = report.get("errno_name")
    text = f"{step.op} {step.what}".strip() + f": {errno or ''} ({report.get('detail', '')})"
    own = _difference(step, name, DifferenceKind.REFUSED, text, seen=errno)
    reason = "; ".join(each.text for each in [*found, own])
    if "precondition" in report:
        return ours(report["precondition"], _judged(record, OutcomeKind.NOT_APPLICABLE, reason, found=found))
    if step.op in DETACHING:
        return _judged(record, OutcomeKind.MISBEHAVES, reason, stage=step.stage, failed=report, found=[*found, own])
    if step.op not in REFUSABLE:
        return replace(_lost(reason, record, stage=step.stage), wrong_input=step.op in OF_THE_CASE)
    # A step that must be refused and was, with another errno: the kernel may well have refused all of its kind.
    misbehaved = next((each.stage for each in found if each.kind != DifferenceKind.REFUSED), None)
    if misbehaved is not None:
        if origin_of(evidence_of(report)) not in THE_KERNELS:
            own = replace(own, kind=DifferenceKind.ORIGIN)  # no signature of a kernel's bug means this one
        return _judged(record, OutcomeKind.MISBEHAVES, reason, stage=misbehaved, failed=report, found=[*found, own])
    outcome = _judged(record, OutcomeKind.REFUSED, reason, stage=step.stage, failed=report, found=[*found, own])
    return explained(outcome, report)


def _identity(step: AgentStep) -> tuple[str, ...]:
    return (step.stage.value, step.op, step.what, step.phase)


def _reported_identity(report: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(report.get(key, "")) for key in ("stage", "op", "what", "phase"))


def _difference(step: AgentStep, name: str, kind: DifferenceKind, text: str, **more: Any) -> Difference:
    return Difference(step=name, stage=step.stage, kind=kind, text=text, **more)


def _differences(step: AgentStep, name: str, report: dict[str, Any], record: CaseRecord) -> list[Difference] | Outcome:
    """Return what one step shows otherwise than it must, or an outcome where that cannot be said."""
    what = f"{step.op} {step.what}"
    if step.refused:
        return list(_refused_wrongly(step, name, report))
    if step.retval is not None and report.get("retval") != step.retval:
        text = f"{what} must return {step.retval}, but returned {report.get('retval')}"
        return [_difference(step, name, DifferenceKind.RETVAL, text, seen=report.get("retval"))]
    if step.fields:
        return list(_wrong_fields(step, name, report))
    if step.op == COMMAND:
        return list(command_differences(step, name, report, record))
    if step.look is not None and step.look.inspected:
        compared = inspected_differences(step.look.inspected, report, step=name, stage=step.stage)
        return _lost(compared, record) if isinstance(compared, str) else compared
    if step.look is not None:
        return _seen(step, name, step.look, report, record)
    return []


def _refused_wrongly(step: AgentStep, name: str, report: dict[str, Any]) -> Iterator[Difference]:
    """Yield how a step that must be refused was not, or not as it must be."""
    what, wanted, errno = f"{step.op} {step.what}", " or ".join(step.refused), report.get("errno_name")
    said = f"{report.get('log', '')}\n{report.get('detail', '')}"
    if report.get("ok"):
        text = f"{what} must be refused with {wanted}, but was accepted"
        yield _difference(step, name, DifferenceKind.ACCEPTED, text)
    elif errno not in step.refused:
        text = f"{what} must be refused with {wanted}, but was with {errno}"
        yield _difference(step, name, DifferenceKind.REFUSED, text, seen=errno)
    elif step.message is not None and not re.search(step.message, said):
        text = f"nothing in the log of {what} matches /{step.message}/"
        yield _difference(step, name, DifferenceKind.MESSAGE, text)
    elif (origin := origin_of(evidence_of(report))) not in (wanted_by := step.origin or THE_KERNELS):
        text = f"{what} must be refused by {' or by '.join(WHO[each] for each in wanted_by)}, but was by {WHO[origin]}"
        yield _difference(step, name, DifferenceKind.ORIGIN, text, seen=origin.value)


def _wrong_fields(step: AgentStep, name: str, report: dict[str, Any]) -> Iterator[Difference]:
    info, ids = report.get("info", {}), report.get("ids", {})
    for field, value in step.fields.items():
        if isinstance(value, str) and value.startswith("="):
            wanted: Any = value[1:]
        elif isinstance(value, str) and ":" in value:
            wanted = field_of(value, report)
        else:
            wanted = ids.get(value) if isinstance(value, str) else value
        if info.get(field) != wanted or wanted is None:
            text = f"the {field} of {step.what} must be {value}, but is {info.get(field)}"
            yield _difference(step, name, DifferenceKind.FIELD, text, of=field, seen=info.get(field))


def _seen(
    step: AgentStep, name: str, look: Look, report: dict[str, Any], record: CaseRecord
) -> list[Difference] | Outcome:
    traced = step.op == "read-trace"
    # Records of the trace have no time stamp; an event of a connection always has one, even where it is undecodable.
    items = [item for item in record.events if item["phase"] == step.phase and ("time_ns" in item["event"]) != traced]
    events = [item["event"] for item in items if item["ours"]]
    found = trace_differences(known(look, report), events, step=name, stage=step.stage) if traced else []
    # Where some at least must come, and have, nothing depends on those that were lost after them.
    whole = report.get("lost") == 0 or (traced and look.how == "at-least" and not found)
    if not whole or len(items) != report.get("events"):
        return _lost(f"events were lost on their way out of the guest ({step.phase})", record)
    if traced:
        return found
    ends = _ends(record, step.phase)
    if ends is None:
        return _lost(f"the agent reported no connection for the phase {step.phase}", record)
    return differences(look, events, ends, step=name, stage=step.stage)


def _ends(record: CaseRecord, phase: str) -> dict[str, Any] | None:
    """Return the ends of the phase's last connection: the agent knows its own events by the ports of that one."""
    step = next((s for s in reversed(record.steps) if s["op"] == "trigger" and s.get("phase") == phase), None)
    return None if step is None else step.get("ends")


def _events(record: CaseRecord) -> tuple[dict[str, Any], ...]:
    """Return the trigger's own events, each with its side of the connection and its phase."""
    events: list[dict[str, Any]] = []
    for item in record.events:
        if not item["ours"]:
            continue
        ends = _ends(record, item["phase"])
        side = side_of(item["event"], ends) if ends and "saddr" in item["event"] else None
        events.append({**item["event"], "side": side, "phase": item["phase"]})
    return tuple(events)


def _judged(
    record: CaseRecord,
    kind: OutcomeKind,
    reason: str,
    *,
    stage: Stage | None = None,
    failed: dict[str, Any] | None = None,
    found: Sequence[Difference] = (),
) -> Outcome:
    failed = failed or {}
    return Outcome(
        kind=kind,
        reason=reason,
        stage=stage,
        errno=failed.get("errno"),
        errno_name=failed.get("errno_name"),
        log=failed.get("log") or "",
        events=_events(record),
        differences=tuple(found),
        seconds=(record.end or {}).get("seconds"),
    )


def _lost(reason: str, record: CaseRecord, *, stage: Stage | None = None) -> Outcome:
    return Outcome(
        kind=OutcomeKind.LOST,
        reason=reason,
        stage=stage or _last_stage(record),
        seconds=(record.end or {}).get("seconds"),
    )


def _last_stage(record: CaseRecord) -> Stage:
    return Stage(record.steps[-1]["stage"]) if record.steps else Stage.OPEN
