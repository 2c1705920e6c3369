"""From what the agent reported of a case to what the kernel did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from harness.facts.kernel_log import find_splats
from harness.facts.records import OUT_OF_MEMORY, CaseRecord
from harness.judge.command import not_started, output_of, reason_of_works
from harness.judge.death import (
    ATTACHING,
    WORKLOAD,
    attaching,
    died,
    may_be_silenced,
    passed_its_deadline,
    step_at_end,
    tries_programs,
    what_was_attached,
)
from harness.judge.known_splats import NOTHING_ALLOWED, AllowList, Weighed, weigh
from harness.judge.precondition import not_applicable, ours
from harness.judge.scenario import as_reported, broken, did_nothing, missed, reason_of_scenario, unfinished
from harness.judge.steps import (
    difference,
    identity,
    judged,
    last_stage,
    lost,
    reported_identity,
    seconds_of_stages,
    step_differences,
    xdp_modes,
)
from harness.model.evidence import evidence_of
from harness.model.origins import origin_of
from harness.model.refusals import explained
from harness.model.results import THE_KERNELS, Difference, DifferenceKind, Outcome, OutcomeKind, Stage
from harness.scenario.case import COMMAND, EXPECT, SCENARIO_END, AgentStep, Case, step_names

REFUSABLE = frozenset(
    {
        *("open", "set-attach-target", "load", "load-raw", "enable-stats", "listen-printk"),
        *("make", "attach", "attach-map", "update-link", "pin", "unpin", "tail-call", "trigger", "info"),
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
FAULTS = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS"})
"""Signals by which a process ends for its own mistake."""


def outcome_of(case: Case, record: CaseRecord, *, allow: AllowList = NOTHING_ALLOWED) -> Outcome:
    """Return the outcome of one cell. Without the agent's completion marker it is never a good one.

    `allow` holds the known splats of the cell's kernel; any other splat makes the outcome `misbehaves`. Splats do not
    hide what the steps showed: both are in the outcome, and so is what the case's command wrote.
    """
    outcome = _outcome_of(*as_reported(case, record), allow=allow)
    outcome = replace(outcome, stages=seconds_of_stages(record.steps)) if record.steps else outcome
    return replace(outcome, output=output_of(record)) if record.output else outcome


def _outcome_of(case: Case, record: CaseRecord, *, allow: AllowList) -> Outcome:
    if record.ending is not None:
        return died(case, record, record.ending, allow=allow)
    end = record.end
    if end is None:
        return lost("the agent never reported the end of the case", record)
    unmet = end.get("precondition")
    if unmet is not None:
        return not_applicable(unmet, seconds=end.get("seconds"))
    splats = find_splats([*end.get("kernel_log", []), *record.late_log])
    weighed = weigh(splats, allow)
    outcome = _ended(case, record, end, weighed=weighed)
    return replace(outcome, splats=splats, allowed_splats=weighed.allowed, counted_splats=weighed.counted)


def _ended(case: Case, record: CaseRecord, end: Mapping[str, Any], *, weighed: Weighed) -> Outcome:
    """Return the outcome of a case that has its `case-end` line; `weighed` are the kernel's complaints."""
    if killed_by_its_program(case, record):
        return _stopped_by_program(case, record, end, weighed=weighed)
    trouble = _incomplete(case, record, end)
    if record.again and may_be_silenced(case, record):
        return passed_its_deadline(case, record, trouble, reasons=weighed.complaints)
    if trouble:
        return lost("; ".join([trouble, *weighed.complaints]), record)
    outcome = _with_leftovers(_walked(case, record), end.get("left") or [])
    if not weighed.counted or outcome.kind == OutcomeKind.LOST:
        return outcome
    if outcome.kind == OutcomeKind.WORKS:
        return replace(
            outcome,
            kind=OutcomeKind.MISBEHAVES,
            reason="; ".join(weighed.complaints),
            stage=last_stage(record),
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
    holes = end.get("kernel_log_lost", 0) + record.late_lost
    if holes:
        return f"the kernel's log has holes: {holes} of its messages are missing, and any of them may be a complaint"
    return ""


def killed_by_its_program(case: Case, record: CaseRecord) -> bool:
    """Say whether a signal ended the case's process while the program of a workload was attached, or being attached.

    Nothing of ours sends one then. What libbpf (or Python) itself may die of counts in the workload alone, and a kernel
    without memory says so in its log. Between two steps the last one counts, unless that has detached something.
    """
    end, index = record.end or {}, step_at_end(record)
    signal = end.get("signal")
    if not signal or end.get("timed_out") or not 0 <= index < len(case.steps):
        return False
    if end.get("step") is None and case.steps[index].op not in (*ATTACHING, WORKLOAD):
        return False
    if not tries_programs(case) or any(OUT_OF_MEMORY in line for line in end.get("kernel_log", ())):
        return False
    return case.steps[index].op == WORKLOAD or (attaching(case.steps, index) and signal not in FAULTS)


def _stopped_by_program(case: Case, record: CaseRecord, end: Mapping[str, Any], *, weighed: Weighed) -> Outcome:
    index = step_at_end(record)
    step, name = case.steps[index], step_names(case.steps)[index]
    known = what_was_attached(case.steps, index)
    text = f"the agent's process for this case was killed by {end['signal']} while {known}"
    wrong = difference(step, name, DifferenceKind.KILLED, text, seen=end["signal"])
    reason = "; ".join([*weighed.complaints, text])
    return judged(record, OutcomeKind.MISBEHAVES, reason, stage=step.stage, found=[wrong])


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
        if step is None or report is None or identity(step) != reported_identity(report):
            return lost("the agent reported other steps than the case has", record)
        if step.op == EXPECT and not report.get("ok"):
            found.append(missed(case, step, name, report))
            continue
        if step.op == SCENARIO_END and not report.get("ok"):
            return _broken(record, step, name, broken(case, report), found)
        if not report.get("ok") and ("precondition" in report or not step.refused):
            return _failed(record, step, name, report, found)
        wrong = step_differences(step, name, report, record)
        if isinstance(wrong, Outcome):
            return wrong
        found += wrong
    if found:
        reason = "; ".join(each.text for each in found)
        return judged(record, OutcomeKind.MISBEHAVES, reason, stage=found[0].stage, found=found)
    idle = did_nothing(case)
    if idle:
        return replace(lost(idle, record), wrong_input=True)
    reason = reason_of_scenario(steps) if case.scenario else reason_of_works(steps)
    modes = [f"{link} runs as {mode} XDP" for link, mode in xdp_modes(record).items()]
    return judged(record, OutcomeKind.WORKS, "; ".join([reason, *modes]))


def _broken(record: CaseRecord, step: AgentStep, name: str, text: str, found: list[Difference]) -> Outcome:
    """Return the outcome of a scenario that an exception has ended: the user's, unless the kernel misbehaved before."""
    if not found:
        return replace(lost(text, record, stage=step.stage), wrong_input=True)
    own = difference(step, name, DifferenceKind.SCENARIO, text)
    reason = "; ".join(each.text for each in [*found, own])
    return judged(record, OutcomeKind.MISBEHAVES, reason, stage=found[0].stage, found=[*found, own])


def _failed(record: CaseRecord, step: AgentStep, name: str, report: dict[str, Any], found: list[Difference]) -> Outcome:
    """Return the outcome of a case that ended with a failing step; a refusal does not hide what was wrong before it."""
    if step.op == COMMAND or report.get("mistake"):
        reason = "; ".join([*(each.text for each in found), not_started(report, step)])
        return replace(lost(reason, record, stage=step.stage), wrong_input=True)
    errno = report.get("errno_name")
    text = f"{step.op} {step.what}".strip() + f": {errno or ''} ({report.get('detail', '')})"
    own = difference(step, name, DifferenceKind.REFUSED, text, seen=errno)
    reason = "; ".join(each.text for each in [*found, own])
    if "precondition" in report:
        return ours(report["precondition"], judged(record, OutcomeKind.NOT_APPLICABLE, reason, found=found), step)
    if step.op in DETACHING:
        return judged(record, OutcomeKind.MISBEHAVES, reason, stage=step.stage, failed=report, found=[*found, own])
    if step.op not in REFUSABLE:
        return replace(lost(reason, record, stage=step.stage), wrong_input=step.op in OF_THE_CASE)
    # A step that must be refused and was, with another errno: the kernel may well have refused all of its kind.
    misbehaved = next((each.stage for each in found if each.kind != DifferenceKind.REFUSED), None)
    if misbehaved is not None:
        if origin_of(evidence_of(report)) not in THE_KERNELS:
            own = replace(own, kind=DifferenceKind.ORIGIN)  # no signature of a kernel's bug means this one
        return judged(record, OutcomeKind.MISBEHAVES, reason, stage=misbehaved, failed=report, found=[*found, own])
    outcome = judged(record, OutcomeKind.REFUSED, reason, stage=step.stage, failed=report, found=[*found, own])
    return explained(outcome, report)
