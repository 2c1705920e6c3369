"""What a scenario did, from what the agent announced and reported of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scenario_objects import FILE, case_of, record_of

from harness.facts.records import CaseRecord, Ending
from harness.judge.cells import cell_of
from harness.judge.outcome import outcome_of
from harness.judge.scenario import as_reported, broken, did_nothing, missed, reason_of_scenario, unfinished
from harness.model.results import (
    DifferenceKind,
    Expectation,
    ExpectedDifference,
    OutcomeKind,
    Stage,
    Verdict,
)
from harness.scenario.case import AgentStep, Case, step_names

K = OutcomeKind
CASE = case_of("def scenario(guest): ...")
Line = dict[str, Any]


def lines_of(*steps: tuple[str, str, str, Line], end: Line | None = None) -> list[Line]:
    """The lines of steps, each as stage, op, what, and what its report has besides."""
    lines: list[Line] = []
    last: Line = {"ok": True} if end is None else {"ok": False, "refused": False, "line": 9, **end}
    for index, (stage, op, what, found) in enumerate([*steps, ("observe", "scenario", "", last)]):
        place = {"case": "tried", "index": index, "stage": stage, "op": op, "what": what}
        must: Line = {key: found[key] for key in ("must_refuse", "message", "origin") if key in found}
        lines += [
            {"type": "announced", "line": 10 + index, **place, **must},
            {"type": "step", "ok": True, **place, **found},
        ]
    return lines


LOAD: tuple[str, str, str, Line] = ("load-target", "load", "target", {})
REFUSED = {"ok": False, "refused": True, "errno": 22, "errno_name": "EINVAL", "detail": "no", "log": "R1 !"}
NO_LOAD = ("load-target", "load", "target", {**REFUSED, "asked": {"api": "bpf_object__load"}})
MISSED = ("observe", "expect", "it ran", {"ok": False, "refused": False, "detail": "must be 1, but is 0"})
HELD: tuple[str, str, str, Line] = ("observe", "expect", "it is there", {})


def judged(*steps: tuple[str, str, str, Line], end: Line | None = None) -> Any:
    return outcome_of(CASE, record_of(lines_of(*steps, end=end)))


def test_its_steps_are_those_that_were_announced() -> None:
    case, record = as_reported(CASE, record_of(lines_of(LOAD, HELD, HELD)))
    assert step_names(case.steps) == ["load target", "expect it is there", "expect it is there #2", "scenario"]
    assert [step.stage for step in case.steps] == [Stage.LOAD_TARGET, *[Stage.OBSERVE] * 3]
    assert len(record.steps) == len(case.steps)


def test_any_other_case_is_left_as_it_is() -> None:
    case, record = Case(id="a", title="t"), CaseRecord(steps=({"op": "load", "ok": False},))
    assert as_reported(case, record) == (case, record)


def test_it_works_where_it_came_to_its_end_and_all_holds() -> None:
    assert judged(LOAD, HELD).kind == K.WORKS
    assert judged(LOAD).reason == "the scenario came to its end, and it expects nothing beyond that"


def test_a_scenario_that_did_nothing_has_shown_nothing() -> None:
    found = judged()
    assert (found.kind, found.wrong_input) == (K.LOST, True)
    assert "did nothing" in found.reason
    assert did_nothing(Case(id="a", title="t")) == ""


def test_an_expectation_that_does_not_hold_does_not_end_it() -> None:
    found = judged(LOAD, MISSED, HELD)
    assert (found.kind, found.stage) == (K.MISBEHAVES, Stage.OBSERVE)
    assert found.reason == f"{FILE}:11: expected it ran: must be 1, but is 0"
    assert [(each.step, each.kind) for each in found.differences] == [("expect it ran", DifferenceKind.EXPECTATION)]


def test_without_what_was_seen_the_reason_alone_is_said() -> None:
    step = AgentStep(stage=Stage.OBSERVE, op="expect", what="it ran")
    assert missed(CASE, step, "expect it ran", {}).text == f"{FILE}: expected it ran"


def test_a_rule_knows_an_expectation_by_its_step() -> None:
    known = ExpectedDifference(step="expect it ran", kind=DifferenceKind.EXPECTATION)
    rule = Expectation(outcome=K.MISBEHAVES, reason="r", stage=Stage.OBSERVE, differences=(known,), known_bug=True)
    for steps, verdict in (((LOAD, MISSED), Verdict.KNOWN_BUG), ((LOAD, MISSED, MISSED), Verdict.FAIL)):
        record = record_of(lines_of(*steps))
        assert cell_of("r", replace(CASE, expect=(rule,)), record, arch="x86_64", version="6.1").verdict == verdict


def test_a_refusal_that_ended_it_is_the_cells() -> None:
    found = judged(NO_LOAD, end={"uncaught": 0, "detail": "load target: EINVAL (no)"})
    assert (found.kind, found.stage, found.errno_name, found.log) == (K.REFUSED, Stage.LOAD_TARGET, "EINVAL", "R1 !")


def test_a_refusal_that_it_caught_is_its_own_affair() -> None:
    assert judged(NO_LOAD, LOAD, HELD).kind == K.WORKS
    assert judged(NO_LOAD, MISSED).reason == f"{FILE}:11: expected it ran: must be 1, but is 0"


@pytest.mark.parametrize(
    ("must", "kind"),
    [
        ({"must_refuse": ["EINVAL"], "origin": ["system-call", "unknown"]}, K.WORKS),
        ({"must_refuse": ["EINVAL"], "origin": ["system-call", "unknown"], "message": "R1"}, K.WORKS),
        ({"must_refuse": ["EINVAL"], "origin": ["system-call", "unknown"], "message": "R2"}, K.MISBEHAVES),
        ({"must_refuse": ["EPERM"]}, K.MISBEHAVES),
    ],
)
def test_a_step_that_must_be_refused_is_compared_with_that(must: Line, kind: OutcomeKind) -> None:
    stage, op, what, report = NO_LOAD
    assert judged((stage, op, what, {**report, **must}), HELD).kind == kind


def test_one_that_is_accepted_misbehaves() -> None:
    stage, op, what, _ = LOAD
    found = judged((stage, op, what, {"must_refuse": ["EINVAL"]}))
    assert found.reason == "load target must be refused with EINVAL, but was accepted"


def test_an_exception_is_the_users_unless_something_misbehaved_before() -> None:
    end = {"detail": "KeyError: 'x'"}
    found = judged(LOAD, end=end)
    assert (found.kind, found.wrong_input, found.reason) == (K.LOST, True, f"{FILE}:9: KeyError: 'x'")
    found = judged(LOAD, MISSED, end=end)
    assert (found.kind, found.wrong_input) == (K.MISBEHAVES, False)
    assert found.reason == f"{FILE}:11: expected it ran: must be 1, but is 0; {FILE}:9: KeyError: 'x'"
    assert [each.kind for each in found.differences] == [DifferenceKind.EXPECTATION, DifferenceKind.SCENARIO]


def test_a_name_that_is_not_there_is_compared_with_those_that_are() -> None:
    report = {"line": 3, "detail": "target has no program targte", "unknown": "targte", "there": ["target", "x"]}
    assert broken(CASE, report) == (
        f'{FILE}:3: target has no program targte; did you mean "target"? (there are: target, x)'
    )


def test_without_its_last_step_it_gave_no_answer() -> None:
    lines = lines_of(LOAD, HELD)[:-2]
    found = outcome_of(CASE, record_of(lines))
    assert (found.kind, found.wrong_input) == (K.LOST, False)
    assert "ended its process by itself" in found.reason
    assert unfinished(CASE, []) != ""
    assert unfinished(Case(id="a", title="t"), []) == ""


def test_where_records_were_lost_nobody_knows_what_came() -> None:
    found = judged(LOAD, ("observe", "read-records", "events", {"events": 5, "lost": 2}), MISSED)
    assert (found.kind, found.wrong_input) == (K.LOST, False)
    assert "2 records of events were lost" in found.reason


def test_a_step_that_was_announced_and_not_reported_is_where_the_deadline_passed() -> None:
    lines = lines_of(LOAD, HELD)[:-3]
    record = record_of(lines)
    assert record.end is not None
    end = {**record.end, "complete": False, "timed_out": True, "signal": "SIGKILL", "step": 1}
    found = outcome_of(CASE, replace(record, end=end))
    assert found.reason == "the case deadline passed inside the guest, in the step expect it is there"


@pytest.mark.parametrize(
    ("kept", "index", "announced", "step"),
    [
        (4, 2, "trigger trigger tcp-connect", "trigger tcp-connect"),
        (0, 3, "trigger trigger tcp-connect", "trigger tcp-connect"),
        (2, 1, "", "step"),
        (4, 1, "observe expect it is there", "after expect it is there"),
    ],
)
def test_of_a_guest_that_died_the_console_says_which_step_was_under_way(
    kept: int, index: int, announced: str, step: str
) -> None:
    record = record_of(lines_of(LOAD, HELD)[:kept])
    ending = Ending(kind=K.CRASHED, reason="the kernel died", step=("tried", index), announced=announced)
    found = outcome_of(CASE, replace(record, end=None, ending=ending))
    assert (found.kind, found.step) == (K.CRASHED, step)
    assert found.stage == (Stage.TRIGGER if announced.startswith("trigger") else found.stage)


@pytest.mark.parametrize(
    ("count", "said"), [(0, "it expects nothing"), (1, "its expectation holds"), (2, "its 2 expectations hold")]
)
def test_how_many_expectations_hold_is_said(count: int, said: str) -> None:
    steps = [AgentStep(stage=Stage.OBSERVE, op="expect", what=str(number)) for number in range(count)]
    assert said in reason_of_scenario(steps)
