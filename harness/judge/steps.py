"""What one step showed otherwise than it must, and the outcomes that are made of that. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.facts.records import CaseRecord
from harness.judge.command import command_differences
from harness.judge.inspected import inspected_differences
from harness.judge.observation import differences, field_of, known, side_of, trace_differences
from harness.model.evidence import evidence_of
from harness.model.origins import origin_of
from harness.model.results import THE_KERNELS, WHO, Difference, DifferenceKind, Outcome, OutcomeKind, Stage
from harness.scenario.case import AgentStep, Look

AUTO = "auto"
"""The mode of an XDP program that leaves it to the kernel."""


def identity(step: AgentStep) -> tuple[str, ...]:
    """Return what tells a step of a case from others."""
    return (step.stage.value, step.op, step.what, step.phase)


def reported_identity(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the same of a step that the agent reported."""
    return tuple(str(report.get(key, "")) for key in ("stage", "op", "what", "phase"))


def difference(step: AgentStep, name: str, kind: DifferenceKind, text: str, **more: Any) -> Difference:
    """Return a difference in the step of this name; `more` are the other fields of one."""
    return Difference(step=name, stage=step.stage, kind=kind, text=text, **more)


def step_differences(
    step: AgentStep, name: str, report: dict[str, Any], record: CaseRecord
) -> list[Difference] | Outcome:
    """Return what one step shows otherwise than it must, or an outcome where that cannot be said."""
    what = f"{step.op} {step.what}"
    if step.refused:
        return list(_refused_wrongly(step, name, report))
    if step.retval is not None and report.get("retval") != step.retval:
        text = f"{what} must return {step.retval}, but returned {report.get('retval')}"
        return [difference(step, name, DifferenceKind.RETVAL, text, seen=report.get("retval"))]
    if step.fields:
        return list(_wrong_fields(step, name, report))
    mode = step.args.get("place", {}).get("mode", AUTO)
    if AUTO not in (mode, report.get("xdp", AUTO)) and report["xdp"] != mode:
        text = f"{what} must run as {mode} XDP, but runs as {report['xdp']}"
        return [difference(step, name, DifferenceKind.FIELD, text, of="xdp", seen=report["xdp"])]
    if step.arrived is not None and report.get("arrived") != step.arrived:
        return [_arrived_otherwise(step, name, report)]
    if step.waits:
        return list(command_differences(step, name, report, record))
    if step.look is not None and step.look.inspected:
        compared = inspected_differences(step.look.inspected, report, step=name, stage=step.stage)
        return lost(compared, record) if isinstance(compared, str) else compared
    if step.look is not None:
        return _seen(step, name, step.look, report, record)
    return []


def _arrived_otherwise(step: AgentStep, name: str, report: Mapping[str, Any]) -> Difference:
    """Return the difference that another number of packets or connections makes than must arrive."""
    seen, why = report.get("arrived"), f" ({report['why']})" if report.get("why") else ""
    places = " ".join(f"{word} {step.args[key]}" for word, key in _PLACES if step.args.get(key))
    text = f"of {step.args.get('count')} x {step.what} {places} {step.arrived} must arrive, but {seen} did{why}"
    return difference(step, name, DifferenceKind.ARRIVED, text, seen=seen)


_PLACES = (("to", "to"), ("from the namespace", "from_namespace"), ("in the namespace", "to_namespace"))


def _refused_wrongly(step: AgentStep, name: str, report: dict[str, Any]) -> Iterator[Difference]:
    """Yield how a step that must be refused was not, or not as it must be."""
    what, wanted, errno = f"{step.op} {step.what}", " or ".join(step.refused), report.get("errno_name")
    said = f"{report.get('log', '')}\n{report.get('detail', '')}"
    if report.get("ok"):
        text = f"{what} must be refused with {wanted}, but was accepted"
        yield difference(step, name, DifferenceKind.ACCEPTED, text)
    elif errno not in step.refused:
        text = f"{what} must be refused with {wanted}, but was with {errno}"
        yield difference(step, name, DifferenceKind.REFUSED, text, seen=errno)
    elif step.message is not None and not re.search(step.message, said):
        text = f"nothing in the log of {what} matches /{step.message}/"
        yield difference(step, name, DifferenceKind.MESSAGE, text)
    elif (origin := origin_of(evidence_of(report))) not in (wanted_by := step.origin or THE_KERNELS):
        text = f"{what} must be refused by {' or by '.join(WHO[each] for each in wanted_by)}, but was by {WHO[origin]}"
        yield difference(step, name, DifferenceKind.ORIGIN, text, seen=origin.value)


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
            yield difference(step, name, DifferenceKind.FIELD, text, of=field, seen=info.get(field))


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
        return lost(f"events were lost on their way out of the guest ({step.phase})", record)
    if traced:
        return found
    ends = _ends(record, step.phase)
    if ends is None:
        return lost(f"the agent reported no connection for the phase {step.phase}", record)
    return differences(look, events, ends, step=name, stage=step.stage)


def _ends(record: CaseRecord, phase: str) -> dict[str, Any] | None:
    """Return the ends of the phase's last connection: the agent knows its own events by the ports of that one."""
    step = next((s for s in reversed(record.steps) if s["op"] == "trigger" and s.get("phase") == phase), None)
    return None if step is None else step.get("ends")


def events_of(record: CaseRecord) -> tuple[dict[str, Any], ...]:
    """Return the trigger's own events, each with its side of the connection and its phase."""
    events: list[dict[str, Any]] = []
    for item in record.events:
        if not item["ours"]:
            continue
        ends = _ends(record, item["phase"])
        side = side_of(item["event"], ends) if ends and "saddr" in item["event"] else None
        events.append({**item["event"], "side": side, "phase": item["phase"]})
    return tuple(events)


def judged(
    record: CaseRecord,
    kind: OutcomeKind,
    reason: str,
    *,
    stage: Stage | None = None,
    failed: dict[str, Any] | None = None,
    found: Sequence[Difference] = (),
) -> Outcome:
    """Return an outcome with what the record shows; `failed` is the report of the step that ended it, if one did."""
    failed = failed or {}
    return Outcome(
        kind=kind,
        reason=reason,
        stage=stage,
        errno=failed.get("errno"),
        errno_name=failed.get("errno_name"),
        log=failed.get("log") or "",
        events=events_of(record),
        differences=tuple(found),
        seconds=(record.end or {}).get("seconds"),
        xdp=xdp_modes(record),
    )


def xdp_modes(record: CaseRecord) -> dict[str, str]:
    """Return how the kernel runs the XDP programs that were attached, by the names of their links."""
    return {step["what"]: step["xdp"] for step in record.steps if step.get("xdp")}


def lost(reason: str, record: CaseRecord, *, stage: Stage | None = None) -> Outcome:
    """Return the outcome of a case that has no complete answer; without a stage, at that of the last step."""
    return Outcome(
        kind=OutcomeKind.LOST,
        reason=reason,
        stage=stage or last_stage(record),
        seconds=(record.end or {}).get("seconds"),
    )


def seconds_of_stages(steps: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the seconds that the reported steps of each stage took, by stage, in the order of the stages."""
    found: dict[str, float] = {}
    for step in steps:
        if isinstance(took := step.get("seconds"), int | float):
            found[step["stage"]] = found.get(step["stage"], 0.0) + took
    return {str(stage): round(found[stage], 4) for stage in Stage if stage in found}


def last_stage(record: CaseRecord) -> Stage:
    """Return the stage of the last step that was reported."""
    return Stage(record.steps[-1]["stage"]) if record.steps else Stage.OPEN
