"""Which class a refusal has. golden/refusals.json holds refusals of real runs, each with the class that is right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_samples import GOLDEN

from harness.judge.verdict import judge
from harness.model import Expectation, Outcome, OutcomeKind, Stage, Verdict
from harness.refusals import NAMES, TABLE, UNCLASSIFIED, classified, find

ROWS: list[dict[str, Any]] = json.loads((GOLDEN / "refusals.json").read_text())
COUNTED = "processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0"


def refused(*, stage: str = "load-tracer", errno: str = "EINVAL", log: str = "", reason: str = "load x") -> Outcome:
    return Outcome(kind=OutcomeKind.REFUSED, reason=reason, stage=Stage(stage), errno_name=errno, log=log)


def real(row: dict[str, Any]) -> Outcome:
    return refused(stage=row["stage"], errno=row["errno"], log=row["log"], reason=row["reason"])


def check(outcome: Outcome, name: str) -> None:
    found = classified(outcome)
    assert found.refusal == name
    assert (found.advice == "") == (name == UNCLASSIFIED)
    assert replace(found, refusal="", advice="") == outcome, "nothing else changes"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['refusal']}-{row['kernel']}-{row['case']}")
def test_refusals_of_real_runs(row: dict[str, Any]) -> None:
    check(real(row), row["refusal"])


def test_the_golden_rows_are_of_many_kernels_and_classes() -> None:
    assert len(ROWS) >= 40
    assert len({row["refusal"] for row in ROWS}) >= 20
    assert len({row["kernel"] for row in ROWS}) >= 8
    assert UNCLASSIFIED in {row["refusal"] for row in ROWS}


# What no run has shown; the words are those of the kernel's source.
UNSEEN = [
    ("load-tracer", "EINVAL", f"Cannot replace static functions\n{COUNTED}", "static-function"),
    ("load-tracer", "EINVAL", f"Cannot extend fentry/fexit\n{COUNTED}", "recursion-rule"),
    ("attach-tracer", "EINVAL", "return type INT of new() doesn't match type PTR of old()", "prototype-mismatch"),
    ("load-target", "EINVAL", f"f is not modifiable\n{COUNTED}", "fmod-ret"),
]


@pytest.mark.parametrize(("stage", "errno", "log", "name"), UNSEEN)
def test_refusals_that_no_run_has_shown(stage: str, errno: str, log: str, name: str) -> None:
    check(refused(stage=stage, errno=errno, log=log), name)


def test_every_class_is_reached() -> None:
    assert {row["refusal"] for row in ROWS} | {row[3] for row in UNSEEN} == {*NAMES, UNCLASSIFIED}


@pytest.mark.parametrize(
    "outcome",
    [
        refused(log=f"a sentence that no row knows\n{COUNTED}"),
        refused(log=f"Can attach to only JITed progs\n{COUNTED}", errno="EPERM", stage="trigger"),
        refused(log=f"Can attach to only JITed progs\n{COUNTED}", stage="attach-tracer", reason="x"),
        refused(log=f"Cannot recursively attach\n{COUNTED}", errno="EACCES"),
        refused(log="R1 invalid mem access 'map_value_or_null'", errno="EACCES"),
        refused(stage="attach-tracer", errno="ENODEV", reason="attach fentry: ENODEV (no)"),
        refused(stage="attach-target", errno="ENOENT", reason="tail-call progs[0]: ENOENT (No such file)"),
        refused(stage="load-tracer", errno="ENOTSUPP"),
        replace(refused(), errno_name=None),
    ],
)
def test_what_no_row_explains_stays_unclassified(outcome: Outcome) -> None:
    check(outcome, UNCLASSIFIED)


def test_an_earlier_difference_is_not_taken_for_the_step_that_was_refused() -> None:
    reason = "tail-call main must be refused with EBUSY, but was accepted; attach fexit: EINVAL (no)"
    check(refused(stage="attach-target", reason=reason), "attach-api")


@pytest.mark.parametrize("kind", [kind for kind in OutcomeKind if kind != OutcomeKind.REFUSED])
def test_no_other_outcome_has_a_class(kind: OutcomeKind) -> None:
    outcome = replace(refused(log="Can attach to only JITed progs"), kind=kind)
    assert classified(outcome) is outcome
    without = replace(refused(), stage=None)
    assert classified(without) is without


def test_a_row_says_where_it_comes_from_and_what_to_do() -> None:
    for row in TABLE:
        assert row.name in NAMES
        assert row.stages
        assert row.errnos
        assert row.place
        assert row.advice.endswith("."), row.name
    assert UNCLASSIFIED not in NAMES


def test_an_expectation_holds_the_class_too() -> None:
    wanted = Expectation(
        outcome=OutcomeKind.REFUSED, reason="no JIT", stage=Stage.LOAD_TRACER, refusal="recursion-rule"
    )
    same = classified(refused(log="Cannot recursively attach"))
    assert judge(same, wanted) == (Verdict.XFAIL, "no JIT")
    verdict, reason = judge(classified(refused(log="Can attach to only JITed progs")), wanted)
    assert verdict == Verdict.FAIL
    assert reason.endswith("for another reason (target-not-jited), expected recursion-rule")


@settings(deadline=None)
@given(
    st.text(max_size=60), st.text(max_size=60), st.sampled_from(Stage), st.sampled_from(["EINVAL", "EPERM", "E?0", ""])
)
def test_any_words_have_one_class_at_most(log: str, reason: str, stage: Stage, errno: str) -> None:
    row = find(TABLE, stage=stage, errno=errno, words=log, detail=reason)
    assert classified(refused(stage=stage, errno=errno, log=log, reason=reason)).refusal == (
        row.name if row else UNCLASSIFIED
    )
