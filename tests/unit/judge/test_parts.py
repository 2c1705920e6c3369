"""What the parts of a case come to."""

from __future__ import annotations

import pytest

from harness.judge.parts import WORST_FIRST, cell_of_parts
from harness.model.results import Mark, Outcome, OutcomeKind, PartResult, Stage, Verdict

K, V = OutcomeKind, Verdict


def part(name: str, kind: OutcomeKind, verdict: Verdict, **more: object) -> PartResult:
    outcome = Outcome(kind=kind, reason=f"{name} {kind}", seconds=0.5, **more)  # type: ignore[arg-type]
    return PartResult(name=name, outcome=outcome, verdict=verdict, verdict_reason=f"why {name}")


def test_where_all_parts_work_the_cell_does() -> None:
    outcome, verdict, reason = cell_of_parts([part("a", K.WORKS, V.PASS), part("b", K.WORKS, V.PASS)])
    assert (outcome.kind, verdict, reason) == (K.WORKS, V.PASS, "2 of 2 work")
    assert outcome.seconds == 1.0


def test_one_part_that_does_not_work_is_the_cells_outcome_and_named() -> None:
    refused = part("b", K.REFUSED, V.FAIL, stage=Stage.LOAD_TARGET, errno=22, errno_name="EINVAL", refusal="x", log="l")
    outcome, verdict, reason = cell_of_parts([part("a", K.WORKS, V.PASS), refused])
    assert (outcome.kind, verdict) == (K.REFUSED, V.FAIL)
    assert (outcome.stage, outcome.errno_name, outcome.refusal, outcome.log) == (Stage.LOAD_TARGET, "EINVAL", "x", "l")
    assert outcome.reason == "1 of 2 work; refused at load-target: b"
    assert reason == "1 of 2 work; refused at load-target: b: why b"


def test_parts_that_are_refused_as_expected_leave_the_cell_so() -> None:
    refused = part("b", K.REFUSED, V.XFAIL, stage=Stage.LOAD_TARGET)
    outcome, verdict, reason = cell_of_parts([part("a", K.WORKS, V.PASS), refused])
    assert (outcome.kind, verdict, reason) == (K.REFUSED, V.XFAIL, "1 of 2 work; refused at load-target: b")


def test_a_lost_part_is_worse_than_any_other() -> None:
    parts = [part("a", K.REFUSED, V.FAIL), part("b", K.LOST, V.ERROR), part("c", K.WORKS, V.XPASS)]
    assert cell_of_parts(parts)[1] == V.ERROR
    assert set(WORST_FIRST) == set(V)


def test_a_cell_means_nothing_only_where_no_part_means_anything() -> None:
    nothing = part("a", K.NOT_APPLICABLE, V.NOT_APPLICABLE)
    assert cell_of_parts([nothing])[1] == V.NOT_APPLICABLE
    assert cell_of_parts([nothing, part("b", K.WORKS, V.PASS)])[1] == V.PASS


def test_of_parts_that_no_rule_covers_one_that_does_not_work_is_the_cells_outcome() -> None:
    parts = [part("a", K.WORKS, V.ANSWERED), part("b", K.REFUSED, V.ANSWERED, stage=Stage.LOAD_TARGET)]
    outcome, verdict, reason = cell_of_parts(parts)
    assert (outcome.kind, verdict, reason) == (K.REFUSED, V.ANSWERED, "1 of 2 work; refused at load-target: b")
    assert cell_of_parts([part("a", K.WORKS, V.ANSWERED), part("b", K.REFUSED, V.XFAIL)])[1] == V.ANSWERED


def test_marks_are_named_and_many_names_are_cut() -> None:
    parts = [part(f"p{n}", K.WORKS, V.PASS, mark=Mark.DID_NOT_RUN) for n in range(7)]
    outcome, verdict, reason = cell_of_parts(parts)
    assert (outcome.kind, verdict, outcome.mark) == (K.WORKS, V.PASS, None)
    assert reason == "7 of 7 work; did-not-run: p0, p1, p2, p3, p4 and 2 more"


@pytest.mark.parametrize("verdict", list(V))
def test_every_verdict_has_its_place(verdict: Verdict) -> None:
    assert cell_of_parts([part("a", K.WORKS, verdict)])[1] == verdict
