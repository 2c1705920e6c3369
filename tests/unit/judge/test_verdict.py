from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.verdict import judge, refusal_differences
from harness.model.results import Expectation, Origin, Outcome, OutcomeKind, Stage, Verdict

K = OutcomeKind
V = Verdict


def outcome(kind: OutcomeKind, **changes: Any) -> Outcome:
    if kind == K.REFUSED:
        given = {"stage": Stage.LOAD_TRACER, "errno": 22, "errno_name": "EINVAL", "log": "R1 invalid"}
        changes = {**given, "origin": Origin.SYSTEM_CALL, **changes}
    if kind == K.CRASHED:
        changes = {"reset": "guest-reset", **changes}
    if kind == K.NOT_APPLICABLE:
        changes = {"cause": "sysctl", "cause_name": "kernel.x", "errno_name": "ENOENT", **changes}
    return Outcome(kind=kind, reason=f"it {kind}", **changes)


def expected(kind: OutcomeKind, **changes: Any) -> Expectation:
    known: dict[str, Any] = {"known_bug": kind in (K.MISBEHAVES, K.CRASHED)}
    if kind == K.CRASHED:
        known["reset"] = True
    if kind == K.NOT_APPLICABLE:
        known |= {"cause": "sysctl", "cause_name": "kernel.x", "errno": ("ENOENT",)}
    return Expectation(**{"outcome": kind, "reason": "as the case says", "source": "a commit", **known, **changes})


# Rows: what happened; columns: what was expected. Every pair is here.
EXPECTED = (K.WORKS, K.REFUSED, K.MISBEHAVES, K.CRASHED, K.NOT_APPLICABLE)
TABLE: dict[OutcomeKind, tuple[Verdict, ...]] = {
    K.WORKS: (V.PASS, V.XPASS, V.XPASS, V.XPASS, V.XPASS),
    K.REFUSED: (V.FAIL, V.XFAIL, V.FAIL, V.FAIL, V.FAIL),
    K.MISBEHAVES: (V.FAIL, V.FAIL, V.KNOWN_BUG, V.FAIL, V.FAIL),
    K.CRASHED: (V.FAIL, V.FAIL, V.FAIL, V.KNOWN_BUG, V.FAIL),
    K.LOST: (V.ERROR,) * 5,
    K.NOT_RUN: (V.NOT_RUN,) * 5,
    K.NOT_APPLICABLE: (V.FAIL, V.FAIL, V.FAIL, V.FAIL, V.NOT_APPLICABLE),
}


@pytest.mark.parametrize("wanted", EXPECTED)
@pytest.mark.parametrize("kind", TABLE)
def test_every_outcome_against_every_expectation(kind: OutcomeKind, wanted: OutcomeKind) -> None:
    verdict, reason = judge(outcome(kind), expected(wanted))
    assert verdict == TABLE[kind][EXPECTED.index(wanted)]
    assert reason


def test_the_table_reaches_every_outcome_and_every_verdict() -> None:
    assert set(TABLE) == set(K)
    assert {verdict for row in TABLE.values() for verdict in row} | {V.ANSWERED} == set(V)


NO_ANSWER = {K.LOST: V.ERROR, K.NOT_RUN: V.NOT_RUN}


@pytest.mark.parametrize("kind", K)
def test_where_no_rule_covers_the_kernel_an_answer_is_neither_good_nor_bad(kind: OutcomeKind) -> None:
    """And no answer is still none."""
    verdict, reason = judge(outcome(kind), expected(K.WORKS, unruled=True, reason="no rule covers it"))
    assert verdict == NO_ANSWER.get(kind, V.ANSWERED)
    assert kind in NO_ANSWER or reason == f"no rule covers it: {kind}, it {kind}"


def test_what_bpfmatrix_needs_itself_is_not_applicable_there_too() -> None:
    unmet = outcome(K.NOT_APPLICABLE, ours=True)
    assert judge(unmet, expected(K.WORKS, unruled=True))[0] == V.NOT_APPLICABLE


def test_a_case_that_cannot_be_tried_fails_unless_it_says_so() -> None:
    reason = "the sysctl net.core.typo could not be set to 1, which the case needs: this kernel has no such sysctl"
    unset = outcome(K.NOT_APPLICABLE)
    unset = replace(unset, reason=reason)
    verdict, why = judge(unset, expected(K.WORKS))
    assert verdict == V.FAIL
    assert f"expected works (as the case says), but {reason}. If this is right, let a rule of the case" in why
    assert judge(unset, expected(K.NOT_APPLICABLE)) == (V.NOT_APPLICABLE, "as the case says")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"cause_name": "CONFIG_B"}, "the rule names the kernel option CONFIG_A"),
        ({"cause": "sysctl"}, "the rule names the kernel option CONFIG_A"),
        ({"errno_name": "ENODATA"}, "with ENODATA, expected ENOENT"),
    ],
)
def test_an_option_of_the_kernel_counts_with_its_name_and_errno(changes: dict[str, Any], wrong: str) -> None:
    wanted = expected(K.NOT_APPLICABLE, cause="kconfig", cause_name="CONFIG_A")
    came = {"cause": "kconfig", "cause_name": "CONFIG_A"}
    assert judge(outcome(K.NOT_APPLICABLE, **came), wanted)[0] == V.NOT_APPLICABLE
    verdict, reason = judge(outcome(K.NOT_APPLICABLE, **{**came, **changes}), wanted)
    assert verdict == V.FAIL
    assert reason.endswith(wrong)


def test_an_expected_refusal_is_expected_at_its_stage_with_its_errno_and_words() -> None:
    wanted = expected(K.REFUSED, stage=Stage.LOAD_TRACER, errno=("EINVAL", "EACCES"), message=r"R\d invalid")
    assert judge(outcome(K.REFUSED), wanted) == (V.XFAIL, "as the case says")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"stage": Stage.ATTACH_TRACER}, "at stage attach-tracer, expected load-tracer"),
        ({"stage": None}, "at stage None"),
        ({"errno": 1, "errno_name": "EPERM"}, "with EPERM, expected EINVAL or EACCES"),
        ({"errno": None, "errno_name": None}, "with None, expected"),
        ({"log": "something else"}, "nothing in its log matches"),
    ],
)
def test_a_refusal_of_another_kind_is_a_failure(changes: dict[str, Any], word: str) -> None:
    wanted = expected(K.REFUSED, stage=Stage.LOAD_TRACER, errno=("EINVAL", "EACCES"), message=r"R\d invalid")
    verdict, reason = judge(outcome(K.REFUSED, **changes), wanted)
    assert verdict == V.FAIL
    assert word in reason


def test_all_differences_are_named_at_once() -> None:
    wanted = expected(K.REFUSED, stage=Stage.OPEN, errno=("ENOENT",), message="no such words")
    assert len(refusal_differences(outcome(K.REFUSED), wanted)) == 3


def test_the_words_may_stand_in_the_reason_where_no_log_was_written() -> None:
    refused = replace(outcome(K.REFUSED, log=""), reason="attach t: ENOTSUPP (Can attach to only JITed progs)")
    assert refusal_differences(refused, expected(K.REFUSED, message="only JITed")) == []


def test_what_an_expectation_leaves_out_may_be_anything() -> None:
    assert judge(outcome(K.REFUSED), expected(K.REFUSED))[0] == V.XFAIL


def test_an_expected_failure_that_starts_to_work_is_told() -> None:
    verdict, reason = judge(outcome(K.WORKS), expected(K.REFUSED))
    assert verdict == V.XPASS
    assert "works, though expected not to (refused: as the case says)" in reason


@given(
    kind=st.sampled_from(sorted(K)),
    wanted=st.sampled_from(EXPECTED),
    stage=st.one_of(st.none(), st.sampled_from(Stage)),
    errno=st.one_of(st.none(), st.sampled_from(["EINVAL", "EACCES"])),
    log=st.text(max_size=20),
)
def test_only_what_works_as_expected_passes(
    kind: OutcomeKind, wanted: OutcomeKind, stage: Stage | None, errno: str | None, log: str
) -> None:
    found = Outcome(kind=kind, reason="r", stage=stage, errno_name=errno, log=log)
    verdict, _ = judge(found, expected(wanted, stage=Stage.LOAD_TRACER if wanted == K.REFUSED else None))
    assert (verdict == V.PASS) == (kind == K.WORKS and wanted == K.WORKS)
    assert (verdict == V.ERROR) == (kind == K.LOST)
    if verdict == V.XFAIL:
        assert stage == Stage.LOAD_TRACER
