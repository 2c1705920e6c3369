"""Where a forecast and a run say different things."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reports_of_runs import report_of
from test_document import NO_FIELD, sample

from harness.forecast.answers import Finding, Weight
from harness.forecast.comparing import Agreement, compared
from harness.forecast.document import LookedAt
from harness.model.results import OutcomeKind, Stage

OPEN = Finding(weight=Weight.NOT_SHOWN, subject="function f", text="BTF does not show the function f")


@pytest.mark.parametrize(
    ("findings", "kind", "stage", "agreement"),
    [
        ((), OutcomeKind.WORKS, None, Agreement.AGREES),
        ((), OutcomeKind.REFUSED, Stage.LOAD_TARGET, Agreement.RUN_REFUSES),
        ((), OutcomeKind.MISBEHAVES, Stage.TRIGGER, Agreement.AGREES),
        ((), OutcomeKind.LOST, None, Agreement.NO_ANSWER),
        ((), OutcomeKind.CRASHED, Stage.LOAD_TARGET, Agreement.NO_ANSWER),
        ((NO_FIELD,), OutcomeKind.REFUSED, Stage.LOAD_TARGET, Agreement.AGREES),
        ((NO_FIELD,), OutcomeKind.WORKS, None, Agreement.RUN_WORKS),
        ((OPEN,), OutcomeKind.REFUSED, Stage.ATTACH_TARGET, Agreement.LEFT_OPEN),
        ((OPEN,), OutcomeKind.WORKS, None, Agreement.LEFT_OPEN),
    ],
)
def test_how_they_go_together(
    findings: tuple[Finding, ...], kind: OutcomeKind, stage: Stage | None, agreement: Agreement
) -> None:
    found = compared(sample(*findings), report_of(kind, stage))
    (one,) = found.compared
    assert (one.agreement, one.program, one.kernel) == (agreement, "it", "row")
    assert found.count(agreement) == 1
    assert bool(found.disagreements) == (agreement in (Agreement.RUN_REFUSES, Agreement.RUN_WORKS))
    assert found.kernels == ("row",)


def test_another_build_is_left_out() -> None:
    other = replace(sample(), kernels=(LookedAt(name="6.1", arch="x86_64", version="6.1.2-1"),))
    found = compared(other, report_of(OutcomeKind.WORKS))
    assert found.compared == ()
    assert found.left_out == ("row: the run has 6.1.1-1, the forecast does not",)


def test_all_of_an_object_together_is_no_program() -> None:
    found = compared(sample(), report_of(OutcomeKind.WORKS))
    assert {each.program for each in found.compared} == {"it"}
