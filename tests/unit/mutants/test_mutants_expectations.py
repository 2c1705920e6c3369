"""Mutants of expectations, judged on what the agent once recorded on a real kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit_samples import ROOT, flagship_of_golden

from harness.facts.records import CaseRecord
from harness.judge.cells import cell_of
from harness.judge.inspected import inspected_differences
from harness.judge.verdict import judge
from harness.model.results import (
    CAUSES,
    Difference,
    DifferenceKind,
    Expectation,
    ExpectedDifference,
    Outcome,
    OutcomeKind,
    Stage,
    Verdict,
)
from harness.mutants.expectations import (
    NO_SUCH_TEXT,
    case_mutants,
    case_mutants_beside,
    inspected_mutants,
    look_mutants,
    pattern_mutants,
    rule_mutants,
    step_mutants_of,
)
from harness.mutants.model import Fate
from harness.mutants.search import judge_on_transcript, steps_reached, transcript_mutants
from harness.mutants.transcripts import records_of
from harness.scenario.case import AgentStep, Case, ExpectedEvent, Inspected, Look
from harness.scenario.inspected import MATCHES

GOLDEN = ROOT / "tests/unit/golden/agent-6.1.jsonl"
"""What the guest agent wrote on Debian's 6.1, x86_64, of the seed's case."""


@pytest.fixture(scope="module")
def record() -> CaseRecord:
    (found,) = records_of(GOLDEN.read_bytes().splitlines(), "").values()
    return found


@pytest.fixture(scope="module")
def flagship() -> Case:
    return flagship_of_golden()


def test_every_mutant_of_what_must_be_seen_is_killed_by_the_record(record: CaseRecord, flagship: Case) -> None:
    cell = cell_of("6.1-x86_64", flagship, record, arch="x86_64", version="6.1.176-1")
    assert cell.verdict == Verdict.PASS
    judged = [
        judge_on_transcript(mutant, record, cell, arch="x86_64", version="6.1.176-1")
        for mutant in transcript_mutants(flagship, record, cell)
    ]
    assert len(judged) > 15
    assert {each.fate for each in judged} == {Fate.KILLED}, [str(each) for each in judged if each.fate != Fate.KILLED]
    assert {each.verdict for each in judged} == {Verdict.FAIL}, "by what was seen, not by other steps than the case has"


def test_a_number_that_no_case_compares_is_not_changed() -> None:
    names = [name for name, _ in pattern_mutants((ExpectedEvent(kind="fexit"),))]
    assert names == ["event 1 (fexit) dropped", "event 1 (fexit) doubled", "event 1 (fexit) of another kind"]


def test_events_are_dropped_doubled_reordered_and_changed() -> None:
    look = Look(trace=(ExpectedEvent(kind="target"), ExpectedEvent(kind="fexit", retval=3, value=4, times=2)))
    found = {
        name: [(one.kind, one.retval, one.value) for one in changed.trace or () for _ in range(one.times)]
        for name, changed in look_mutants(look)
    }
    target, fexit = ("target", None, None), ("fexit", 3, 4)
    assert found["trace: event 1 (target) dropped"] == [fexit, fexit]
    assert found["trace: event 2 (fexit) dropped"] == [target, fexit]
    assert found["trace: event 2 (fexit) doubled"] == [target, fexit, fexit, fexit]
    assert found["trace: event 1 (target) behind the next"] == [fexit, fexit, target]
    assert found["trace: event 2 (fexit) with retval 4"] == [target, ("fexit", 4, 4), ("fexit", 4, 4)]
    assert found["trace: event 2 (fexit) with value 5"] == [target, ("fexit", 3, 5), ("fexit", 3, 5)]


def test_nothing_must_be_seen_and_something_is_wanted() -> None:
    ((name, changed),) = look_mutants(Look(client=()))
    assert (name, len(changed.client or ())) == ("client: an event more", 1)


def test_two_events_of_a_kind_in_another_order_are_the_same() -> None:
    same = ExpectedEvent(kind="fexit")
    assert not [name for name, _ in look_mutants(Look(trace=(same, same))) if "behind" in name]


def test_only_what_the_record_gets_to_is_changed(flagship: Case) -> None:
    steps = flagship.steps
    look = next(index for index, step in enumerate(steps) if step.look is not None)
    assert not list(case_mutants(flagship, reached=look))
    assert {name.split(":")[0] for name, _ in case_mutants(flagship, reached=look + 1)} == {"observe"}


def test_a_rule_is_changed_in_each_of_its_fields() -> None:
    expected = Expectation(
        outcome=OutcomeKind.REFUSED,
        reason="",
        stage=Stage.LOAD_TRACER,
        errno=("EINVAL",),
        refusal="recursion-rule",
        message="Cannot",
    )
    refused = Outcome(kind=OutcomeKind.REFUSED, reason="")
    found = [changed for _, changed in rule_mutants(expected, refused)]
    assert len(found) == len({str(each) for each in found} - {str(expected)}) == 4
    assert not list(rule_mutants(Expectation(outcome=OutcomeKind.WORKS, reason=""), refused))


EVENTS = ExpectedDifference(
    step="look-2", kind=DifferenceKind.EVENTS, of="trace", seen=({"kind": "fexit", "retval": 3},)
)
FIELD = ExpectedDifference(step="info fexit", kind=DifferenceKind.FIELD, of="run_cnt", seen=2)
ACCEPTED = ExpectedDifference(step="attach fexit", kind=DifferenceKind.ACCEPTED)
REFUSED = ExpectedDifference(step="attach fexit", kind=DifferenceKind.REFUSED, seen="EBUSY")


def found(one: ExpectedDifference) -> Difference:
    return Difference(step=one.step, kind=one.kind, of=one.of, seen=one.seen, text="")


def test_every_part_of_a_signature_counts() -> None:
    expected = Expectation(
        outcome=OutcomeKind.MISBEHAVES,
        reason="",
        known_bug=True,
        stage=Stage.OBSERVE,
        splats=("WARNING: .*link_release", "BUG: something"),
        differences=(EVENTS, FIELD, ACCEPTED, REFUSED),
    )
    came = Outcome(
        kind=OutcomeKind.MISBEHAVES,
        reason="",
        stage=Stage.OBSERVE,
        counted_splats=("WARNING: in bpf_link_release", "BUG: something else"),
        differences=tuple(map(found, expected.differences)),
    )
    assert judge(came, expected)[0] == Verdict.KNOWN_BUG
    verdicts = {what: judge(came, changed)[0] for what, changed in rule_mutants(expected, came)}
    assert set(verdicts.values()) == {Verdict.FAIL}, verdicts
    assert {
        "rule: splat 2 dropped",
        "rule: splat 1 of another text",
        "rule: difference 1 (look-2): event 1 (fexit) with retval 4",
        "rule: difference 2 (info fexit): field 3",
        "rule: difference 3 (attach fexit) dropped",
        "rule: difference 4 (attach fexit): EXDEV",
    } <= verdicts.keys()


def test_every_part_of_a_death_counts_but_the_ways_to_die_that_did_not_come() -> None:
    expected = Expectation(
        outcome=OutcomeKind.CRASHED,
        reason="",
        known_bug=True,
        stage=Stage.TRIGGER,
        step="trigger run",
        panic=("stack guard page",),
        reset=True,
    )
    died = Outcome(
        kind=OutcomeKind.CRASHED, reason="", stage=Stage.TRIGGER, step="trigger run", crash="stack guard page"
    )
    assert judge(died, expected)[0] == Verdict.KNOWN_BUG
    verdicts = {what: judge(died, changed)[0] for what, changed in rule_mutants(expected, died)}
    assert verdicts == dict.fromkeys(["rule: stage observe", "rule: another step", "rule: another panic"], Verdict.FAIL)
    silent = replace(died, crash="", reset="guest-reset")
    assert "rule: no reset without text" in dict(rule_mutants(expected, silent))


@pytest.mark.parametrize("cause", CAUSES)
def test_a_precondition_counts_with_its_cause_and_errno(cause: str) -> None:
    expected = Expectation(
        outcome=OutcomeKind.NOT_APPLICABLE, reason="", cause=cause, cause_name="a", errno=("ENOENT",)
    )
    came = Outcome(kind=OutcomeKind.NOT_APPLICABLE, reason="", cause=cause, cause_name="a", errno_name="ENOENT")
    assert judge(came, expected)[0] == Verdict.NOT_APPLICABLE
    verdicts = {what: judge(came, changed)[0] for what, changed in rule_mutants(expected, came)}
    assert verdicts == dict.fromkeys(["rule: errno EXDEV", f"rule: another {CAUSES[cause]}"], Verdict.FAIL)


def test_what_a_signature_hides_is_not_changed(flagship: Case) -> None:
    hidden = (replace(EVENTS, step="observe", of="client", seen=()),)
    names = [name for name, _ in case_mutants_beside(flagship, hidden, reached=99)]
    assert not [name for name in names if name.startswith("observe: client")]
    assert {name.split(": event")[0] for name in names} == {"observe: listener", "control: client", "control: listener"}


def test_the_step_that_ends_a_case_is_not_one_that_it_gets_to(record: CaseRecord, flagship: Case) -> None:
    cell = cell_of("k", flagship, record, arch="x86_64", version="6.1.176-1")
    assert steps_reached(record, cell, 20) == 20
    refused = CaseRecord(steps=(*record.steps[:4], {**record.steps[4], "ok": False}))
    assert steps_reached(refused, cell_of("k", flagship, CaseRecord(), arch="x86_64", version="6.1"), 20) == 4


SEEN: list[tuple[Inspected, dict[str, Any]]] = [
    (
        Inspected(kind="records", name="events", wanted=({"pid": "$trigger-pid", "comm": "a"}, {"at": [1, 2]})),
        {"records": [{"pid": 7, "comm": "a"}, {"pid": 8, "at": [1, 2]}]},
    ),
    (
        Inspected(kind="records", name="others", how="any-order", wanted=({"a": {"b": True}}, {})),
        {"records": [{"a": {"b": True}}, {"a": {"b": True, "c": 1}}]},
    ),
    (
        Inspected(kind="records", name="some", how="at-least", wanted=({"a": {"at-most": 3}},)),
        {"records": [{"a": 1}] * 9},
    ),
    (Inspected(kind="printk", name="", wanted=({"text": {MATCHES: "^hello"}},)), {"records": [{"text": "hello"}]}),
    (Inspected(kind="global", name="hits", wanted=(3,)), {"value": 3}),
    (Inspected(kind="global", name="name", wanted=("x",)), {"value": "x"}),
    (Inspected(kind="runs", name="p", wanted=({"at-least": 1},)), {"value": 2}),
    (Inspected(kind="map", name="flows", how="count", wanted=(2,)), {"entries": [[1, 2], [2, 3]]}),
    (
        Inspected(kind="map", name="seen", how="values", wanted=(("1", 2), ("2", {"a": 1}))),
        {"entries": [[1, 2], [2, {"a": 1}]]},
    ),
]


@pytest.mark.parametrize(("one", "answer"), SEEN, ids=lambda each: getattr(each, "name", None))
def test_each_mutant_of_what_is_inspected_is_noticed(one: Inspected, answer: dict[str, Any]) -> None:
    report = {"found": [answer], "trigger_pid": 7}
    assert inspected_differences([one], report, step="observe", stage=Stage.OBSERVE) == []
    mutants = dict(look_mutants(Look(inspected=(one,))))
    assert mutants
    for what, look in mutants.items():
        assert what.startswith(f"{one.kind} {one.name}".strip() + ": ")
        assert inspected_differences(look.inspected, report, step="observe", stage=Stage.OBSERVE), what


def test_how_many_mutants_of_what_is_inspected_there_are() -> None:
    names = [[what for what, _ in inspected_mutants(one)] for one, _ in SEEN]
    assert names[0] == [
        *("1 dropped", "1 doubled", "1 with another pid", "1 with another comm"),
        *("2 dropped", "2 doubled", "2 with another at"),
    ]
    assert names[2] == ["1 with another a"], "of what must come at least, others may come"
    assert names[4] == ["another value"]
    assert [what for what, _ in inspected_mutants(replace(SEEN[0][0], how="none"))] == []


def test_what_a_command_must_end_with_and_say_is_changed() -> None:
    step = AgentStep(stage=Stage.TRIGGER, op="command", exit=3, output="ok")
    changed = {what: (other.exit, other.output) for what, other in step_mutants_of(step)}
    assert changed == {"exit 4": (4, "ok"), "another output": (3, NO_SUCH_TEXT)}
    assert list(step_mutants_of(AgentStep(stage=Stage.OPEN, op="open"))) == []


def test_what_a_signature_says_of_a_thing_hides_its_mutants() -> None:
    looked = AgentStep(
        stage=Stage.OBSERVE, op="inspect", phase="observe", look=Look(inspected=(SEEN[4][0], SEEN[6][0]))
    )
    case = Case(id="c", title="t", steps=(looked,))
    hidden = ExpectedDifference(step="observe", kind=DifferenceKind.INSPECTED, of="global hits", seen=2)
    names = [what for what, _ in case_mutants_beside(case, (hidden,), reached=1)]
    assert names == ["observe: runs p: another value"]
