from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.judge.signature import describe, signature_differences
from harness.judge.verdict import judge
from harness.model.results import (
    Difference,
    DifferenceKind,
    Expectation,
    ExpectedDifference,
    Origin,
    Outcome,
    OutcomeKind,
    Stage,
    Verdict,
)

D, K = DifferenceKind, OutcomeKind


def found(kind: DifferenceKind, step: str = "observe", **more: Any) -> Difference:
    return Difference(step=step, stage=Stage.OBSERVE, kind=kind, text=f"{kind} at {step}", **more)


def wanted(kind: DifferenceKind, step: str = "observe", **more: Any) -> ExpectedDifference:
    return ExpectedDifference(step=step, kind=kind, **more)


WARNING = "WARNING: kernel/bpf/syscall.c:3506 at bpf_tracing_link_release+0x3c/0x40, CPU#0: python3/182\nCall Trace:"


EVENTS = ({"kind": "fentry", "retval": None, "value": None}, {"kind": "fexit", "retval": 0, "value": None})


MISBEHAVES = Outcome(
    kind=K.MISBEHAVES,
    reason="it does",
    stage=Stage.ATTACH_TRACER,
    splats=(WARNING,),
    counted_splats=(WARNING,),
    differences=(
        found(D.REFUSED, "attach fexit_2", seen="EBUSY"),
        found(D.EVENTS, "look-2", of="trace", seen=EVENTS),
        found(D.FIELD, "info fentry", of="run_cnt", seen=2),
        found(D.RETVAL, "trigger run", seen=7),
        found(D.ACCEPTED, "tail-call target"),
    ),
)


KNOWN = Expectation(
    outcome=K.MISBEHAVES,
    reason="a known bug",
    known_bug=True,
    stage=Stage.ATTACH_TRACER,
    splats=(r"WARNING: .*bpf_tracing_link_release\+",),
    differences=(
        wanted(D.REFUSED, "attach fexit_2", seen="EBUSY"),
        wanted(D.EVENTS, "look-2", of="trace", seen=({"kind": "fentry"}, {"kind": "fexit", "retval": 0})),
        wanted(D.FIELD, "info fentry", of="run_cnt", seen=2),
        wanted(D.RETVAL, "trigger run", seen=7),
        wanted(D.ACCEPTED, "tail-call target"),
    ),
)


CRASHED = Outcome(
    kind=K.CRASHED,
    reason="it died",
    stage=Stage.TRIGGER,
    step="trigger run #4",
    crash="BUG: TASK stack guard page was hit at 0 (stack is 0..1)\nRIP: 0010:bpf_prog_1_replacement+0x13/0xe4",
)


DIES = Expectation(
    outcome=K.CRASHED,
    reason="a known bug",
    known_bug=True,
    stage=Stage.TRIGGER,
    step="trigger run #4",
    panic=("NULL pointer", "stack guard page was hit"),
)


@pytest.mark.parametrize(("outcome", "expected"), [(MISBEHAVES, KNOWN), (CRASHED, DIES)], ids=["misbehaves", "crashed"])
def test_what_matches_its_signature_is_the_known_bug(outcome: Outcome, expected: Expectation) -> None:
    assert signature_differences(outcome, expected) == []
    assert judge(outcome, expected) == (Verdict.KNOWN_BUG, "a known bug")


def without(item: Any, items: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each for each in items if each != item)


def also(*more: Difference) -> Outcome:
    return replace(MISBEHAVES, differences=(*MISBEHAVES.differences, *more))


SILENT = found(D.EVENTS, of="trace", seen=())


OTHER_BUG = "BUG: KASAN: slab-use-after-free in f\nCall Trace:"


RED: list[tuple[str, Outcome, Expectation, str]] = [
    ("another stage", replace(MISBEHAVES, stage=Stage.LOAD_TRACER), KNOWN, "at stage load-tracer"),
    ("another splat", replace(MISBEHAVES, counted_splats=(OTHER_BUG,)), KNOWN, "KASAN"),
    ("a splat more", replace(MISBEHAVES, counted_splats=(WARNING, OTHER_BUG)), KNOWN, "does not name: BUG: KASAN"),
    ("no splat", replace(MISBEHAVES, counted_splats=()), KNOWN, "no complaint of the kernel matches"),
    ("a splat where none is named", MISBEHAVES, replace(KNOWN, splats=()), "does not name: WARNING"),
    *(
        (
            f"without {each.kind}",
            replace(MISBEHAVES, differences=without(each, MISBEHAVES.differences)),
            KNOWN,
            "missing",
        )
        for each in MISBEHAVES.differences
    ),
    *(
        (f"{each.kind} not named", MISBEHAVES, replace(KNOWN, differences=without(each, KNOWN.differences)), "beside")
        for each in KNOWN.differences
    ),
    ("the same twice", also(MISBEHAVES.differences[0]), KNOWN, "beside"),
    ("a stray event more", also(found(D.STRAY)), KNOWN, "beside"),
    ("left behind", also(found(D.LEFT, "end")), KNOWN, "beside"),
    ("another step of the death", replace(CRASHED, step="trigger run"), DIES, 'in the step "trigger run"'),
    ("after the step", replace(CRASHED, step="after trigger run #4"), DIES, "after trigger run #4"),
    ("another stage of the death", replace(CRASHED, stage=Stage.LOAD_TRACER), DIES, "at stage load-tracer"),
    ("another text of the death", replace(CRASHED, crash="Oops: 0000 [#1]"), DIES, "(Oops: 0000 [#1]) does not match"),
    ("no text at all", replace(CRASHED, crash=""), DIES, "(nothing) does not match"),
    ("a reset", replace(CRASHED, crash="", reset="guest-reset"), DIES, "reset without any text (guest-reset)"),
    ("a text where a reset is expected", CRASHED, replace(DIES, panic=(), reset=True), "does not match a reset"),
    ("something wrong before the death", replace(CRASHED, differences=(SILENT,)), DIES, "beside"),
    ("steps that were not reported", replace(CRASHED, differences=(found(D.MISSING_STEPS),)), DIES, "beside"),
    ("a splat before the death", replace(CRASHED, counted_splats=(WARNING,)), DIES, "does not name: WARNING"),
]


@pytest.mark.parametrize(("outcome", "expected", "text"), [row[1:] for row in RED], ids=[row[0] for row in RED])
def test_anything_beside_the_signature_or_missing_of_it_fails(
    outcome: Outcome, expected: Expectation, text: str
) -> None:
    verdict, why = judge(outcome, expected)
    assert verdict == Verdict.FAIL
    assert text in why


def test_a_reset_without_text_is_known_by_its_step() -> None:
    outcome = replace(CRASHED, crash="", reset="guest-reset")
    assert judge(outcome, replace(DIES, reset=True))[0] == Verdict.KNOWN_BUG
    assert judge(replace(outcome, step="attach x"), replace(DIES, reset=True))[0] == Verdict.FAIL


@pytest.mark.parametrize(
    "seen",
    [
        (),
        EVENTS[:1],
        (*EVENTS, EVENTS[0]),
        EVENTS[::-1],
        (EVENTS[0], {**EVENTS[1], "retval": 1}),
    ],
)
def test_the_events_of_a_signature_are_all_of_them_in_order(seen: tuple[dict[str, Any], ...]) -> None:
    differences = tuple(replace(each, seen=seen) if each.kind == D.EVENTS else each for each in MISBEHAVES.differences)
    assert judge(replace(MISBEHAVES, differences=differences), KNOWN)[0] == Verdict.FAIL


def test_a_refusal_after_something_else_went_wrong_is_no_expected_refusal() -> None:
    expected = Expectation(outcome=K.REFUSED, reason="r", stage=Stage.LOAD_TRACER, errno=("EINVAL",))
    own = found(D.REFUSED, "load tracer", seen="EINVAL")
    other = found(D.REFUSED, "attach x", seen="EPERM")
    refused = Outcome(
        kind=K.REFUSED, reason="r", stage=Stage.LOAD_TRACER, errno=22, errno_name="EINVAL", differences=(own,)
    )
    refused = replace(refused, origin=Origin.SYSTEM_CALL)
    assert judge(refused, expected)[0] == Verdict.XFAIL
    assert judge(replace(refused, differences=(other, own)), expected)[0] == Verdict.FAIL
    named = replace(expected, differences=(wanted(D.REFUSED, "attach x", seen="EPERM"),))
    assert judge(replace(refused, differences=(other, own)), named)[0] == Verdict.XFAIL
    assert judge(refused, named)[0] == Verdict.FAIL


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (
            wanted(D.EVENTS, of="trace", seen=({"kind": "fexit", "retval": 0},)),
            "observe trace: kind fexit retval 0 seen",
        ),
        (wanted(D.EVENTS, of="client", seen=()), "observe client: nothing seen"),
        (wanted(D.ACCEPTED, "attach x"), "attach x: accepted"),
        (wanted(D.FIELD, "info x", of="run_cnt", seen=2), "info x run_cnt: field 2"),
    ],
)
def test_a_signature_in_a_report(expected: ExpectedDifference, text: str) -> None:
    assert describe(expected) == text
