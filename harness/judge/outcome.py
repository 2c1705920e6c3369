"""From what the agent reported of a case to what the kernel did."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from harness.config.case import Case
from harness.jobs import steps_of
from harness.judge.kernel_log import find_splats
from harness.judge.observation import differences, side_of
from harness.judge.records import CaseRecord
from harness.model import Outcome, OutcomeKind, Stage

REFUSABLE = frozenset({"load", "set-attach-target", "tail-call", "attach"})
"""Steps whose failure is the kernel's (or, on its behalf, libbpf's) refusal. Any other failing step is trouble."""

DETACHING = frozenset({"detach"})


def outcome_of(case: Case, record: CaseRecord) -> Outcome:
    """Return the outcome of one cell. Without the agent's completion marker it is never a good one."""
    if record.ending is not None:
        return Outcome(
            kind=record.ending.kind,
            reason=record.ending.reason,
            stage=_last_stage(record),
            events=_events(case, record),
            console_tail=record.ending.console_tail,
        )
    end = record.end
    if end is None:
        return _lost("the agent never reported the end of the case", record)
    unmet = end.get("precondition")
    if unmet is not None:
        reason = f"this kernel refuses {unmet['sysctl']}={unmet['value']} ({unmet['errno_name']}), which the case needs"
        return Outcome(kind=OutcomeKind.NOT_APPLICABLE, reason=reason, seconds=end.get("seconds"))
    splats = find_splats(end.get("kernel_log", []))
    if end.get("timed_out"):
        return _lost("the case deadline passed inside the guest", record, splats=splats)
    if end.get("signal"):
        return _lost(f"the agent's process for this case was killed by {end['signal']}", record, splats=splats)
    if not end.get("complete"):
        reason = "; ".join(record.errors) or "the agent's process for this case failed"
        return _lost(reason, record, splats=splats)
    if splats:
        first = splats[0].splitlines()[0]
        return _judged(case, record, OutcomeKind.MISBEHAVES, f"the kernel complained: {first}", splats=splats)
    failed = next((step for step in record.steps if not step.get("ok")), None)
    if failed is not None:
        return _failed(case, record, failed)
    if not _all_steps(case, record):
        return _lost("the agent reported other steps than the case has", record)
    found = _observed(case, record)
    if isinstance(found, Outcome):
        return found
    if found:
        return _judged(case, record, OutcomeKind.MISBEHAVES, "; ".join(found), stage=Stage.OBSERVE)
    return _judged(case, record, OutcomeKind.WORKS, "all that must be seen was seen, and nothing else")


def _failed(case: Case, record: CaseRecord, step: dict[str, Any]) -> Outcome:
    stage = Stage(step["stage"])
    what = f"{step['op']} {step.get('what', '')}".strip()
    words = f"{what}: {step.get('errno_name', '')} ({step.get('detail', '')})"
    if step["op"] in DETACHING:
        return _judged(case, record, OutcomeKind.MISBEHAVES, words, stage=stage, failed=step)
    if step["op"] not in REFUSABLE:
        return _lost(words, record, stage=stage)
    return _judged(case, record, OutcomeKind.REFUSED, words, stage=stage, failed=step)


def _all_steps(case: Case, record: CaseRecord) -> bool:
    """Say whether every step of the case was reported, in order: what was not attached must not count as seen."""
    names = [case.target.object] + ([case.tracer.object] if case.tracer is not None else [])
    wanted = steps_of(case, paths={name: PurePosixPath(name) for name in names})
    return [_identity(step) for step in record.steps] == [_identity(step) for step in wanted]


def _identity(step: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(step.get(key, "")) for key in ("stage", "op", "what", "phase"))


def _observed(case: Case, record: CaseRecord) -> list[str] | Outcome:
    """Return what differs from what must be seen, or an outcome where that cannot be said."""
    found: list[str] = []
    for phase, wanted in (("observe", case.observe), ("control", case.control)):
        if wanted is None or case.events is None:
            continue
        look = next((s for s in record.steps if s["op"] == "observe" and s.get("phase") == phase), None)
        ends = _ends(record, phase)
        if look is None or ends is None:
            return _lost(f"the agent reported no observation for the phase {phase}", record)
        events = [item["event"] for item in record.events if item["phase"] == phase and item["ours"]]
        got = sum(1 for item in record.events if item["phase"] == phase)
        if look.get("lost") != 0 or got != look.get("events"):
            return _lost(f"events were lost on their way out of the guest ({phase})", record)
        prefix = "" if phase == "observe" else "with the tracers detached, "
        found += [prefix + sentence for sentence in differences(wanted, events, ends)]
    return found


def _ends(record: CaseRecord, phase: str) -> dict[str, Any] | None:
    step = next((s for s in record.steps if s["op"] == "trigger" and s.get("phase") == phase), None)
    return None if step is None else step.get("ends")


def _events(case: Case, record: CaseRecord) -> tuple[dict[str, Any], ...]:
    """Return the trigger's own events, each with its side of the connection and its phase."""
    events: list[dict[str, Any]] = []
    for item in record.events:
        ends = _ends(record, item["phase"])
        if item["ours"] and (ends is None or case.events is not None):
            side = side_of(item["event"], ends) if ends else None
            events.append({**item["event"], "side": side, "phase": item["phase"]})
    return tuple(events)


def _judged(
    case: Case,
    record: CaseRecord,
    kind: OutcomeKind,
    reason: str,
    *,
    stage: Stage | None = None,
    failed: dict[str, Any] | None = None,
    splats: tuple[str, ...] = (),
) -> Outcome:
    failed = failed or {}
    return Outcome(
        kind=kind,
        reason=reason,
        stage=stage,
        errno=failed.get("errno"),
        errno_name=failed.get("errno_name"),
        log=failed.get("log") or "",
        events=_events(case, record),
        splats=splats,
        seconds=(record.end or {}).get("seconds"),
    )


def _lost(reason: str, record: CaseRecord, *, stage: Stage | None = None, splats: tuple[str, ...] = ()) -> Outcome:
    return Outcome(
        kind=OutcomeKind.LOST,
        reason=reason,
        stage=stage or _last_stage(record),
        splats=splats,
        seconds=(record.end or {}).get("seconds"),
    )


def _last_stage(record: CaseRecord) -> Stage:
    return Stage(record.steps[-1]["stage"]) if record.steps else Stage.OPEN
