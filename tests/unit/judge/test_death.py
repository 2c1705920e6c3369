"""The outcome of a case whose guest died or fell silent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from outcome_samples import WORKS, K
from unit_samples import CASE_ID, golden_lines, record_of, sample_case

from harness.facts.records import CaseRecord, Ending
from harness.judge.death import may_be_silenced
from harness.judge.outcome import outcome_of
from harness.judge.verdict import judge
from harness.model.results import DifferenceKind, Expectation, OutcomeKind, Stage, Verdict
from harness.scenario.case import AgentStep, Case

STEPS = (
    AgentStep(stage=Stage.ATTACH_TARGET, op="attach", what="p"),
    AgentStep(stage=Stage.TRIGGER, op="workload"),
)


@pytest.mark.parametrize("kind", [K.CRASHED, K.LOST])
def test_an_ending_is_the_outcome_whatever_the_lines_say(kind: OutcomeKind) -> None:
    whole = record_of(golden_lines())
    last = len(whole.steps) - 1
    ending = Ending(kind=kind, reason="the kernel died: Oops", console_tail=("Oops",), step=(CASE_ID, last))
    record = CaseRecord(steps=whole.steps, events=whole.events, end=whole.end, ending=ending)
    found = outcome_of(sample_case(), record)
    assert (found.kind, found.console_tail) == (kind, ("Oops",))
    assert found.reason == "the kernel died: Oops, after the step detach k_icsk_complete_hashdance"
    assert found.stage == Stage.DETACH
    assert judge(found, WORKS)[0] == {K.CRASHED: Verdict.FAIL, K.LOST: Verdict.ERROR}[kind]


@pytest.mark.parametrize(
    ("reported", "step", "stage", "reason"),
    [
        (3, (CASE_ID, 5), Stage.LOAD_TRACER, ", in the step set-attach-target fentry_tcp_connect"),
        (5, (CASE_ID, 5), Stage.LOAD_TRACER, ", in the step set-attach-target fentry_tcp_connect"),
        (6, (CASE_ID, 5), Stage.LOAD_TRACER, ", after the step set-attach-target fentry_tcp_connect"),
        (0, (CASE_ID, 0), Stage.OPEN, ", in the step open target"),
    ],
)
def test_an_ending_is_in_the_step_that_had_begun_but_was_not_reported(
    reported: int, step: tuple[str, int] | None, stage: Stage, reason: str
) -> None:
    ending = Ending(kind=K.CRASHED, reason="the kernel died: Oops", step=step)
    found = outcome_of(sample_case(), CaseRecord(steps=record_of(golden_lines()).steps[:reported], ending=ending))
    assert (found.kind, found.stage) == (K.CRASHED, stage)
    assert found.reason == f"the kernel died: Oops{reason}"
    assert found.differences == (), "a step that only had to succeed did, or the next would not have begun"


def test_what_a_look_showed_and_was_lost_with_the_guest_is_missing() -> None:
    steps = record_of(golden_lines()).steps
    last = len(steps) - 1
    record = CaseRecord(steps=steps[:10], ending=Ending(kind=K.CRASHED, reason="Oops", step=(CASE_ID, last)))
    found = outcome_of(sample_case(), record)
    assert [(each.kind, each.step) for each in found.differences] == [
        (DifferenceKind.MISSING_STEPS, "observe"),
        (DifferenceKind.MISSING_STEPS, "control"),
    ]


@pytest.mark.parametrize("step", [("another", 5), (CASE_ID, 999), None])
def test_a_death_before_the_first_step_of_the_case_says_nothing_of_it(step: tuple[str, int] | None) -> None:
    """Such as a truncated kernel image, too little memory, a panic at init: `error`, whatever the case expects."""
    ending = Ending(kind=K.CRASHED, reason="the kernel died: Oops", crash="Oops", console_tail=("Oops",), step=step)
    found = outcome_of(sample_case(), CaseRecord(ending=ending))
    assert (found.kind, found.reason) == (K.LOST, "the kernel died: Oops, before the case's first step")
    assert (found.crash, found.console_tail) == ("Oops", ("Oops",))
    dies = Expectation(
        outcome=K.CRASHED, reason="r", known_bug=True, stage=Stage.OPEN, step="open target", panic=("Oops",)
    )
    assert judge(found, dies)[0] == Verdict.ERROR


@pytest.mark.parametrize("index", [0, 1])
def test_a_guest_that_falls_silent_with_a_program_attached_names_that_as_a_possible_cause(
    index: int,
) -> None:
    case = Case(id="o/p", title="t", steps=STEPS)
    ending = Ending(kind=OutcomeKind.LOST, reason="the case deadline passed", step=("o/p", index))
    found = outcome_of(case, CaseRecord(ending=ending))
    assert found.kind == OutcomeKind.LOST
    assert "a program that was attached then may have stopped" in found.reason


def test_a_guest_that_falls_silent_before_anything_is_attached_names_no_program() -> None:
    case = Case(id="o/p", title="t", steps=(AgentStep(stage=Stage.OPEN, op="open", what="o"), *STEPS))
    ending = Ending(kind=OutcomeKind.LOST, reason="the case deadline passed", step=("o/p", 0))
    assert "a program" not in outcome_of(case, CaseRecord(ending=ending)).reason


@pytest.mark.parametrize(("index", "stage"), [(1, Stage.ATTACH_TARGET), (2, Stage.TRIGGER)])
def test_what_answers_in_the_guest_was_killed_by_the_program_that_was_attached(index: int, stage: Stage) -> None:
    """A signal from a program reaches whoever does what the program looks at, and not only the case's own process."""
    case = Case(id="o/p", title="t", steps=(AgentStep(stage=Stage.OPEN, op="open", what="o"), *STEPS))
    ending = Ending(kind=OutcomeKind.LOST, reason="the agent ended", step=("o/p", index), agent_killed=True)
    found = outcome_of(case, CaseRecord(ending=ending))
    assert (found.kind, found.stage) == (OutcomeKind.MISBEHAVES, stage)
    assert [(each.kind, each.seen) for each in found.differences] == [(DifferenceKind.KILLED, "SIGKILL")]
    assert found.reason.startswith("what answers in the guest was killed, in the step")
    assert judge(found, WORKS)[0] == Verdict.FAIL


def test_an_agent_that_is_killed_before_anything_is_attached_or_without_a_workload_is_lost() -> None:
    opened = AgentStep(stage=Stage.OPEN, op="open", what="o")
    for steps, index in (((opened, *STEPS), 0), ((opened, STEPS[0]), 1)):
        ending = Ending(kind=OutcomeKind.LOST, reason="the agent ended", step=("o/p", index), agent_killed=True)
        found = outcome_of(Case(id="o/p", title="t", steps=steps), CaseRecord(ending=ending))
        assert (found.kind, found.differences) == (OutcomeKind.LOST, ())


SILENT = Ending(kind=OutcomeKind.LOST, reason="the case deadline passed", step=("o/p", 1), silent=True)
TIMED_OUT = {"timed_out": True, "complete": False, "signal": "SIGKILL", "step": 1, "kernel_log": []}


@pytest.mark.parametrize(
    ("record", "where"),
    [
        (CaseRecord(ending=SILENT), "the case deadline passed, in the step workload"),
        (CaseRecord(end=TIMED_OUT), "the case deadline passed inside the guest, in the step attach p"),
    ],
    ids=["no answer", "at the deadline in the guest"],
)
def test_a_program_is_the_cause_where_two_guests_have_no_answer_while_it_is_attached(
    record: CaseRecord, where: str
) -> None:
    case = Case(id="o/p", title="t", steps=STEPS)
    assert may_be_silenced(case, record)
    assert outcome_of(case, record).kind == OutcomeKind.LOST, "once that may be chance"
    found = outcome_of(case, replace(record, again=True))
    assert (found.kind, found.stage) == (OutcomeKind.MISBEHAVES, Stage.TRIGGER)
    assert [each.kind for each in found.differences] == [DifferenceKind.SILENCED]
    clause = "no answer came, in either of two guests, while the program was attached"
    assert found.reason == f"{clause}: {where}"
    assert judge(found, WORKS)[0] == Verdict.FAIL


@pytest.mark.parametrize(
    ("steps", "record"),
    [
        (
            (AgentStep(stage=Stage.OPEN, op="open", what="o"), *STEPS),
            CaseRecord(ending=replace(SILENT, step=("o/p", 0))),
        ),
        (STEPS, CaseRecord(ending=replace(SILENT, silent=False))),
        (STEPS, CaseRecord(ending=replace(SILENT, agent_killed=True))),
        (STEPS[:1], CaseRecord(ending=replace(SILENT, step=("o/p", 0)))),
        (STEPS[:1], CaseRecord(end={**TIMED_OUT, "step": 0})),
        (STEPS, CaseRecord(end={**TIMED_OUT, "timed_out": False})),
        (STEPS, CaseRecord(ending=replace(SILENT, step=None))),
    ],
    ids=["not attached", "our own", "killed", "no workload", "no workload, deadline", "no deadline", "no step"],
)
def test_nothing_else_is_asked_of_another_guest(steps: tuple[AgentStep, ...], record: CaseRecord) -> None:
    assert not may_be_silenced(Case(id="o/p", title="t", steps=steps), record)


@pytest.mark.parametrize(
    ("ops", "kind"),
    [
        (("attach",), OutcomeKind.MISBEHAVES),
        (("attach", "workload"), OutcomeKind.MISBEHAVES),
        (("attach", "workload", "detach"), OutcomeKind.LOST),
        ((), OutcomeKind.LOST),
    ],
)
def test_a_process_that_is_killed_between_two_steps_was_so_while_the_program_was_attached(
    ops: tuple[str, ...], kind: OutcomeKind
) -> None:
    steps = (*STEPS, AgentStep(stage=Stage.DETACH, op="detach", what="p"))
    reports = tuple({"stage": "trigger", "op": op, "what": "p", "ok": True} for op in ops)
    end = {"signal": "SIGKILL", "timed_out": False, "complete": False, "step": None, "kernel_log": []}
    found = outcome_of(Case(id="o/p", title="t", steps=steps), CaseRecord(steps=reports, end=end))
    assert found.kind == kind, found.reason
