"""The outcome of a case with steps of its own: each step is compared with what it must show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest
from outcome_samples import WORKS, K
from unit_samples import (
    Line,
    golden_lines,
    record_of,
    steps_case,
    written_case,
)

from harness.facts.records import CaseRecord
from harness.judge.outcome import outcome_of
from harness.judge.verdict import judge
from harness.model.results import Outcome, Stage, Verdict

# --- steps of its own, one by one -------------------------------------------------------------------------------------

PATHS = {name: PurePosixPath(name) for name in ("target.bpf.c", "tracer.bpf.c")}


FAILED = "libbpf: prog 'fexit': failed to attach: Invalid argument"


NO = {"ok": False, "refused": True, "errno": 22, "errno_name": "EINVAL", "detail": FAILED, "log": ""}


RECORDS: list[Line] = [
    {"kind": "target", "retval": None},
    {"kind": "fexit", "retval": 2},
    {"kind": "fexit", "retval": 2},
]


IDS = {"target.main": 7, "tracer.fexit": 8}


FOUND: dict[str, dict[str, Any]] = {
    "again": NO,
    "run": {"retval": 2},
    "trace": {"events": len(RECORDS), "lost": 0},
    "info": {"info": {"type": 2, "target_obj_id": 7}, "ids": IDS},
}


def key_of(job: dict[str, Any]) -> str:
    return "info" if job["op"] == "info" else str(job["what"])


def reported(records: Sequence[Line] = RECORDS, **changes: dict[str, Any]) -> CaseRecord:
    """What the agent reports of the case `steps_case`; `changes` are of the steps that `FOUND` names."""
    lines = []
    for index, step in enumerate(steps_case().steps):
        job = step.job()
        key = key_of(job)
        base: Line = {name: job[name] for name in ("stage", "op", "what", "phase") if name in job}
        shows = job["op"] in ("attach", "trigger", "read-trace", "info")
        found: dict[str, Any] = FOUND.get(key, {}) if shows else {}
        line: Line = {"index": index, **base, "ok": True}
        lines.append({**line, **found, **changes.get(key, {})})
    events = tuple({"phase": "look-1", "ours": True, "event": event} for event in records)
    end = {"seconds": 1.0, "kernel_log": [], "complete": True, "signal": None, "timed_out": False}
    return CaseRecord(steps=tuple(lines), events=events, end=end)


def walked(records: Sequence[Line] = RECORDS, **changes: dict[str, Any]) -> Outcome:
    return outcome_of(steps_case(), reported(records, **changes))


def test_a_case_with_steps_works_where_each_shows_what_it_must() -> None:
    found = walked()
    assert (found.kind, found.stage, found.errno) == (K.WORKS, None, None), found.reason
    assert [(event["kind"], event["retval"], event["side"], event["phase"]) for event in found.events] == [
        ("target", None, None, "look-1"),
        ("fexit", 2, None, "look-1"),
        ("fexit", 2, None, "look-1"),
    ]
    assert walked(again={"errno": 16, "errno_name": "EBUSY"}).kind == K.WORKS, "either errno will do"
    said = {"detail": "no", "log": "it failed", "asked": {"api": "BPF_LINK_CREATE"}}
    assert walked(again=said).kind == K.WORKS, "the words may stand in the log"


@pytest.mark.parametrize(
    ("changes", "stage", "reason"),
    [
        (
            {"again": {"ok": True}},
            Stage.ATTACH_TRACER,
            "attach again must be refused with EINVAL or EBUSY, but was accepted",
        ),
        (
            {"again": {"errno": 7, "errno_name": "E2BIG"}},
            Stage.ATTACH_TRACER,
            "attach again must be refused with EINVAL or EBUSY, but was with E2BIG",
        ),
        ({"again": {"detail": "no"}}, Stage.ATTACH_TRACER, "nothing in the log of attach again matches /failed/"),
        (
            # A mistyped name, refused with an errno that is among the expected ones.
            {"again": {"detail": "failed", "asked": {"api": "bpf_object__find_program_by_name"}}},
            Stage.ATTACH_TRACER,
            "attach again must be refused by the kernel or by libbpf after reading this kernel, but was by libbpf "
            "alone, as on any kernel",
        ),
        (
            {"again": {"detail": "libbpf: failed"}},
            Stage.ATTACH_TRACER,
            "attach again must be refused by the kernel or by libbpf after reading this kernel, but was by an unknown "
            "party",
        ),
        ({"run": {"retval": 3}}, Stage.TRIGGER, "trigger run must return 2, but returned 3"),
        ({"run": {"retval": None}}, Stage.TRIGGER, "trigger run must return 2, but returned None"),
        (
            {"info": {"info": {"type": 3, "target_obj_id": 7}}},
            Stage.OBSERVE,
            "the type of fexit must be 2, but is 3",
        ),
        (
            {"info": {"info": {"type": 2, "target_obj_id": 8}}},
            Stage.OBSERVE,
            "the target_obj_id of fexit must be target.main, but is 8",
        ),
        (
            {"info": {"info": {"type": 2}, "ids": {}}},
            Stage.OBSERVE,
            "the target_obj_id of fexit must be target.main, but is None",
        ),
        (
            {"again": {"ok": True}, "run": {"retval": 3}},
            Stage.ATTACH_TRACER,
            "attach again must be refused with EINVAL or EBUSY, but was accepted; "
            "trigger run must return 2, but returned 3",
        ),
    ],
)
def test_a_step_that_shows_another_thing_misbehaves(changes: dict[str, Any], stage: Stage, reason: str) -> None:
    found = walked(**changes)
    assert (found.kind, found.stage, found.reason) == (K.MISBEHAVES, stage, reason)
    assert judge(found, WORKS)[0] == Verdict.FAIL


@pytest.mark.parametrize(
    ("records", "came"),
    [
        ([RECORDS[1], RECORDS[0], RECORDS[2]], "fexit, target, fexit"),
        (RECORDS[:2], "target, fexit"),
        ([*RECORDS, RECORDS[1]], "target, fexit x 3"),
    ],
)
def test_the_trace_misbehaves_in_order_and_number(records: list[Line], came: str) -> None:
    found = walked(records, trace={"events": len(records)})
    assert (found.kind, found.stage) == (K.MISBEHAVES, Stage.OBSERVE)
    assert found.reason == f"in the trace target, fexit x 2 must be seen, but {came} came"


@pytest.mark.parametrize("change", [{"events": 2}, {"events": 4}, {"lost": 1}, {"lost": None}])
def test_a_trace_that_is_not_whole_is_no_answer(change: dict[str, Any]) -> None:
    found = walked(trace=change)
    assert found.kind == K.LOST
    assert "events were lost" in found.reason


@pytest.mark.parametrize("count", range(12))
def test_fewer_steps_than_the_case_has_are_no_answer(count: int) -> None:
    record = reported()
    assert len(record.steps) == 12
    found = outcome_of(steps_case(), replace(record, steps=record.steps[:count]))
    assert (found.kind, found.reason) == (K.LOST, "the agent reported other steps than the case has")


@pytest.mark.parametrize("index", range(12))
def test_a_step_that_is_left_out_or_another_is_no_answer(index: int) -> None:
    record = reported()
    steps = list(record.steps)
    assert outcome_of(steps_case(), replace(record, steps=(*steps[:index], *steps[index + 1 :]))).kind == K.LOST
    for name in ("stage", "op", "what", "phase"):
        other = {**steps[index], name: "other" if name != "stage" else "trigger" if index != 8 else "detach"}
        changed_steps = (*steps[:index], other, *steps[index + 1 :])
        assert outcome_of(steps_case(), replace(record, steps=changed_steps)).kind == K.LOST, name


def test_more_steps_than_the_case_has_are_no_answer() -> None:
    record = reported()
    assert outcome_of(steps_case(), replace(record, steps=(*record.steps, record.steps[-1]))).kind == K.LOST


def test_a_refusal_of_a_step_that_must_work_ends_the_walk_and_keeps_what_was_wrong_before() -> None:
    record = reported(again={"ok": True})
    steps = [*record.steps[:6], {**record.steps[6], **NO, "errno": 524, "errno_name": "ENOTSUPP"}]
    found = outcome_of(steps_case(), replace(record, steps=tuple(steps), events=()))
    assert (found.kind, found.stage, found.errno_name) == (K.REFUSED, Stage.ATTACH_TRACER, "ENOTSUPP")
    trigger = {**record.steps[8], **NO}
    found = outcome_of(steps_case(), replace(record, steps=(*record.steps[:8], trigger), events=()))
    assert (found.kind, found.stage) == (K.MISBEHAVES, Stage.ATTACH_TRACER)
    assert found.reason.startswith("attach again must be refused with EINVAL or EBUSY, but was accepted; trigger run")


REFUSED_IN_THE_END: list[Line] = [
    {"do": "load", "object": "target"},
    {"do": "trigger", "trigger": {"kind": "run", "program": "target.main", "retval": 2}},
    {"do": "load", "object": "tracer", "refused": "EACCES", "message": "no such"},
    {"do": "load", "object": "tracer"},
]


@pytest.mark.parametrize(
    ("retval", "early", "kind", "stage"),
    [
        (2, {**NO, "errno_name": "EACCES", "log": "no such"}, K.REFUSED, Stage.LOAD_TRACER),
        (2, NO, K.REFUSED, Stage.LOAD_TRACER),  # with another errno: what refuses everything refuses this, too
        (2, {**NO, "errno_name": "EACCES"}, K.MISBEHAVES, Stage.LOAD_TRACER),
        (2, {"ok": True}, K.MISBEHAVES, Stage.LOAD_TRACER),
        (3, {**NO, "errno_name": "EACCES", "log": "no such"}, K.MISBEHAVES, Stage.TRIGGER),
        (3, NO, K.MISBEHAVES, Stage.TRIGGER),
    ],
)
def test_a_refusal_in_the_end_does_not_hide_that_the_positive_control_failed(
    retval: int, early: Line, kind: K, stage: Stage
) -> None:
    case = steps_case(*REFUSED_IN_THE_END)
    loads = iter([{}, early, NO])
    lines = []
    for index, step in enumerate(case.steps):
        found: Line = next(loads) if step.op == "load" else {"retval": retval} if step.op == "trigger" else {}
        lines.append({"index": index, "ok": True, **step.job(), **found})
    end = {"seconds": 1.0, "kernel_log": [], "complete": True, "signal": None, "timed_out": False}
    outcome = outcome_of(case, CaseRecord(steps=tuple(lines), events=(), end=end))
    assert (outcome.kind, outcome.stage) == (kind, stage), outcome.reason
    assert outcome.reason.endswith(f"load tracer: EINVAL ({FAILED})")


def test_of_several_triggers_the_last_connection_is_looked_at_as_the_agent_does() -> None:
    """The agent tells its own events by the ports of the last trigger before the look."""
    written = written_case()
    lines = golden_lines()
    trigger = next(line for line in lines if line.get("op") == "trigger")
    before = {**trigger, "ends": {"client": ["127.0.0.1", 1], "server": ["127.0.0.1", 2]}}
    steps = [{"do": "trigger", "trigger": {"kind": "tcp-connect"}}] * 2
    look = {"do": "observe", "expect": written.observe.model_dump(mode="json") if written.observe else {}}
    record = record_of(lines)
    reports = [
        {**before, "phase": "look-1"},
        {**trigger, "phase": "look-1"},
        {**next(line for line in lines if line.get("op") == "observe"), "phase": "look-1"},
    ]
    seen = tuple({**event, "phase": "look-1"} for event in record.events if event["phase"] == "observe")
    found = outcome_of(steps_case(*steps, look, events="events"), replace(record, steps=tuple(reports), events=seen))
    assert found.kind == K.WORKS, found.reason
    assert [event["side"] for event in found.events] == ["client"] * 3 + ["listener"]


INFO_OF = {
    "info": {"name": "fexit", "attach_btf_obj_id": 31, "attach_btf_id": 0},
    "ids": IDS,
    "programs": {"target.main": {"btf_id": 31, "function_btf_id": 0}},
}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "=fexit", "attach_btf_obj_id": "target.main:btf_id"}, None),
        ({"name": "fexit"}, "the name of tracer.fexit must be fexit, but is fexit"),
        ({"name": "=other"}, "the name of tracer.fexit must be =other, but is fexit"),
        ({"attach_btf_obj_id": "target.main:id"}, "must be target.main:id, but is 31"),
        ({"attach_btf_id": "target.main:function_btf_id"}, "must be target.main:function_btf_id, but is 0"),
        ({"attach_btf_obj_id": "target.x:btf_id"}, "must be target.x:btf_id, but is 31"),
    ],
)
def test_fields_are_compared_with_texts_and_other_programs_fields(fields: dict[str, Any], reason: str | None) -> None:
    case = steps_case({"do": "load", "object": "target"}, {"do": "info", "program": "tracer.fexit", "expect": fields})
    lines: list[Line] = []
    for index, step in enumerate(case.steps):
        job = step.job()
        base: Line = {name: job[name] for name in ("stage", "op", "what", "phase") if name in job}
        lines.append({"index": index, **base, "ok": True, **(INFO_OF if job["op"] == "info" else {})})
    end: Line = {"complete": True, "signal": None, "timed_out": False, "seconds": 1.0, "kernel_log": []}
    found = outcome_of(case, CaseRecord(steps=tuple(lines), end=end))
    if reason is None:
        assert found.kind == K.WORKS, found.reason
    else:
        assert (found.kind, found.stage) == (K.MISBEHAVES, Stage.OBSERVE)
        assert reason in found.reason
