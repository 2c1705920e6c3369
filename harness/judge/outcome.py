"""From what the agent reported of a case to what the kernel did."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any

from harness.config.case import Case
from harness.config.steps import Observation
from harness.jobs import AgentStep, steps_of
from harness.judge.kernel_log import find_splats
from harness.judge.known_splats import NOTHING_ALLOWED, AllowList, weigh
from harness.judge.observation import differences, side_of, trace_differences
from harness.judge.records import CaseRecord, Ending
from harness.model import Outcome, OutcomeKind, Stage

REFUSABLE = frozenset({"load", "load-raw", "set-attach-target", "tail-call", "attach"})
"""Steps whose failure is the kernel's (or, on its behalf, libbpf's) refusal. Any other failing step is trouble."""

DETACHING = frozenset({"detach"})


def outcome_of(case: Case, record: CaseRecord, *, allow: AllowList = NOTHING_ALLOWED) -> Outcome:
    """Return the outcome of one cell. Without the agent's completion marker it is never a good one.

    `allow` holds the known splats of the cell's kernel; any other splat makes the outcome `misbehaves`.
    """
    if record.ending is not None:
        step = _unfinished(case, record, record.ending)
        return Outcome(
            kind=record.ending.kind,
            reason=record.ending.reason + (f", in the step {step.op} {step.what}".rstrip() if step else ""),
            stage=step.stage if step else _last_stage(record),
            events=_events(record),
            console_tail=record.ending.console_tail,
        )
    end = record.end
    if end is None:
        return _lost("the agent never reported the end of the case", record)
    unmet = end.get("precondition")
    if unmet is not None:
        return Outcome(kind=OutcomeKind.NOT_APPLICABLE, reason=_not_set(unmet), seconds=end.get("seconds"))
    splats = find_splats(end.get("kernel_log", []))
    weighed = weigh(splats, allow)
    outcome = _ended(case, record, end, complaint=weighed.complaint)
    return replace(outcome, splats=splats, allowed_splats=weighed.allowed)


def _not_set(unmet: Mapping[str, Any]) -> str:
    """Say what the case needs and cannot have, and why."""
    errno = unmet["errno_name"]
    if unmet["cause"] == "module":
        why = "it is neither a file of this kernel nor built in" if unmet["missing"] else "this kernel refuses it"
        return f"the module {unmet['name']} could not be loaded, which the case needs: {why} ({errno})"
    why = "this kernel has no such sysctl" if unmet["missing"] else "this kernel refuses it"
    return f"the sysctl {unmet['name']} could not be set to {unmet['value']}, which the case needs: {why} ({errno})"


def _ended(case: Case, record: CaseRecord, end: Mapping[str, Any], *, complaint: str) -> Outcome:
    """Return the outcome of a case that has its `case-end` line; `complaint` is the kernel's that counts, or ""."""
    if end.get("timed_out"):
        return _lost("the case deadline passed inside the guest", record)
    if end.get("signal"):
        return _lost(f"the agent's process for this case was killed by {end['signal']}", record)
    if not end.get("complete"):
        return _lost("; ".join(record.errors) or "the agent's process for this case failed", record)
    if complaint:
        return _judged(record, OutcomeKind.MISBEHAVES, complaint)
    return _walked(case, record)


def _walked(case: Case, record: CaseRecord) -> Outcome:
    """Hold the reported steps against those of the case, one after the other."""
    steps = steps_of(case, paths={file: PurePosixPath(file) for file in case.files.values()})
    found: list[str] = []
    where: Stage | None = None
    misbehaved: Stage | None = None
    for step, report in zip_longest(steps, record.steps):
        if step is None or report is None or _identity(step.job()) != _identity(report):
            return _lost("the agent reported other steps than the case has", record)
        if not report.get("ok") and not step.refused:
            return _failed(record, report, found, misbehaved=misbehaved)
        wrong = _differences(step, report, record)
        if isinstance(wrong, Outcome):
            return wrong
        found += wrong
        where = where or (step.stage if wrong else None)
        if wrong and not _refused_otherwise(step, report):
            misbehaved = misbehaved or step.stage
    if found:
        return _judged(record, OutcomeKind.MISBEHAVES, "; ".join(found), stage=where)
    return _judged(record, OutcomeKind.WORKS, "all that must be seen was seen, and nothing else")


def _refused_otherwise(step: AgentStep, report: dict[str, Any]) -> bool:
    """Whether a step that must be refused was, with another errno: the kernel may well have refused all of its kind."""
    return not report.get("ok") and report.get("errno_name") not in step.refused


def _failed(record: CaseRecord, step: dict[str, Any], found: list[str], *, misbehaved: Stage | None) -> Outcome:
    """Return the outcome of a case that ended with a failing step; a refusal does not hide what was wrong before it."""
    stage = Stage(step["stage"])
    what = f"{step['op']} {step.get('what', '')}".strip()
    words = "; ".join([*found, f"{what}: {step.get('errno_name', '')} ({step.get('detail', '')})"])
    if step["op"] in DETACHING:
        return _judged(record, OutcomeKind.MISBEHAVES, words, stage=stage, failed=step)
    if step["op"] not in REFUSABLE:
        return _lost(words, record, stage=stage)
    if misbehaved is not None:
        return _judged(record, OutcomeKind.MISBEHAVES, words, stage=misbehaved, failed=step)
    return _judged(record, OutcomeKind.REFUSED, words, stage=stage, failed=step)


def _identity(step: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(step.get(key, "")) for key in ("stage", "op", "what", "phase"))


def _differences(step: AgentStep, report: dict[str, Any], record: CaseRecord) -> list[str] | Outcome:
    """Return what one step shows otherwise than it must, or an outcome where that cannot be said."""
    what = f"{step.op} {step.what}"
    if step.refused:
        wanted = " or ".join(step.refused)
        if report.get("ok"):
            return [f"{what} must be refused with {wanted}, but was accepted"]
        if report.get("errno_name") not in step.refused:
            return [f"{what} must be refused with {wanted}, but was with {report.get('errno_name')}"]
        words = f"{report.get('log', '')}\n{report.get('detail', '')}"
        if step.message is not None and not re.search(step.message, words):
            return [f"nothing in the log of {what} matches /{step.message}/"]
        return []
    if step.retval is not None and report.get("retval") != step.retval:
        return [f"{what} must return {step.retval}, but returned {report.get('retval')}"]
    if step.fields:
        return list(_wrong_fields(step, report))
    if step.look is not None:
        return _seen(step, step.look, report, record)
    return []


def _wrong_fields(step: AgentStep, report: dict[str, Any]) -> Iterator[str]:
    info, ids = report.get("info", {}), report.get("ids", {})
    for name, value in step.fields.items():
        wanted = ids.get(value) if isinstance(value, str) else value
        if info.get(name) != wanted or wanted is None:
            yield f"the {name} of {step.what} must be {value}, but is {info.get(name)}"


def _seen(step: AgentStep, look: Observation, report: dict[str, Any], record: CaseRecord) -> list[str] | Outcome:
    traced = step.op == "read-trace"
    # Records of the trace have no time stamp; an event of a connection always has one, even where it is undecodable.
    items = [item for item in record.events if item["phase"] == step.phase and ("time_ns" in item["event"]) != traced]
    if report.get("lost") != 0 or len(items) != report.get("events"):
        return _lost(f"events were lost on their way out of the guest ({step.phase})", record)
    events = [item["event"] for item in items if item["ours"]]
    prefix = "with the tracers detached, " if step.phase == "control" else ""
    if traced:
        return [prefix + sentence for sentence in trace_differences(look, events)]
    ends = _ends(record, step.phase)
    if ends is None:
        return _lost(f"the agent reported no connection for the phase {step.phase}", record)
    return [prefix + sentence for sentence in differences(look, events, ends)]


def _ends(record: CaseRecord, phase: str) -> dict[str, Any] | None:
    """Return the ends of the phase's last connection: the agent tells its own events by the ports of that one."""
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
        seconds=(record.end or {}).get("seconds"),
    )


def _lost(reason: str, record: CaseRecord, *, stage: Stage | None = None) -> Outcome:
    return Outcome(
        kind=OutcomeKind.LOST,
        reason=reason,
        stage=stage or _last_stage(record),
        seconds=(record.end or {}).get("seconds"),
    )


def _unfinished(case: Case, record: CaseRecord, ending: Ending) -> AgentStep | None:
    """Return the step of a case that had begun when its guest ended, if it is known and was not reported."""
    if ending.step is None or ending.step[0] != case.id:
        return None
    steps = steps_of(case, paths={file: PurePosixPath(file) for file in case.files.values()})
    index = ending.step[1]
    return steps[index] if len(record.steps) <= index < len(steps) else None


def _last_stage(record: CaseRecord) -> Stage:
    return Stage(record.steps[-1]["stage"]) if record.steps else Stage.OPEN
