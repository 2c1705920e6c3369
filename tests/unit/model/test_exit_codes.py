"""Which exit code a cell and a run ask for, and which of several wins."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from harness.model.exit_codes import EXIT_MEANINGS, PRECEDENCE, exit_meaning, of_cell, of_report, worst
from harness.model.results import (
    CellResult,
    Expectation,
    KernelResult,
    Outcome,
    OutcomeKind,
    Report,
    RunInfo,
    Verdict,
)

CODES = {
    Verdict.PASS: 0,
    Verdict.XFAIL: 0,
    Verdict.KNOWN_BUG: 0,
    Verdict.NOT_APPLICABLE: 0,
    Verdict.FAIL: 1,
    Verdict.XPASS: 1,
    Verdict.ANSWERED: 0,
    Verdict.ERROR: 3,
    Verdict.NOT_RUN: 3,
}


def cell(verdict: Verdict, *, case: str = "a", wrong_input: bool = False) -> CellResult:
    return CellResult(
        kernel="6.1",
        case=case,
        title="t",
        outcome=Outcome(kind=OutcomeKind.LOST, reason="r", wrong_input=wrong_input),
        expectation=Expectation(outcome=OutcomeKind.WORKS, reason="r"),
        verdict=verdict,
        verdict_reason="why",
    )


def report(*cells: CellResult, complete: bool = True, problems: tuple[str, ...] = ()) -> Report:
    info: dict[str, Any] = {"id": "i", "started": "s", "seconds": 1, "version": "0", "command": "c", "host": {}}
    return Report(
        run=RunInfo(**info, accel="tcg", accel_reason="", jobs=1, complete=complete, exit_code=9),
        kernels=(KernelResult(name="6.1", arch="x86_64", problems=problems),),
        cases=tuple((each.case, "t") for each in cells),
        cells=cells,
    )


def test_every_verdict_asks_for_one() -> None:
    assert CODES.keys() == set(Verdict)
    assert {verdict: of_cell(cell(verdict)) for verdict in Verdict} == CODES


def test_a_cell_without_an_answer_is_the_users_where_the_input_is_why_and_no_verdict_gets_softer() -> None:
    assert of_cell(cell(Verdict.ERROR, wrong_input=True)) == 2
    assert {verdict: of_cell(cell(verdict, wrong_input=True)) for verdict in Verdict} == {**CODES, Verdict.ERROR: 2}


@pytest.mark.parametrize("codes", [each for size in range(1, 5) for each in permutations(range(4), size)])
def test_what_may_have_made_the_others_wrong_wins(codes: tuple[int, ...]) -> None:
    assert worst(codes) == next(code for code in (3, 2, 1, 0) if code in codes)
    assert set(PRECEDENCE) == {0, 1, 2, 3}


def test_a_run_asks_for_the_worst_of_its_cells_its_kernels_and_its_end() -> None:
    assert worst([]) == of_report(report()) == 0
    passed, failed = cell(Verdict.PASS), cell(Verdict.FAIL, case="b")
    assert of_report(report(passed)) == 0, "what its report has as exit code is not looked at"
    assert of_report(report(passed, failed)) == 1
    assert of_report(report(passed, problems=("it did not power off",))) == 1
    assert of_report(report(cell(Verdict.ERROR, wrong_input=True), failed)) == 2
    assert of_report(report(passed, complete=False)) == 3
    assert of_report(replace(report(failed, complete=False), kernels=())) == 3


def test_each_code_has_a_meaning_without_a_full_stop() -> None:
    assert EXIT_MEANINGS.keys() == set(PRECEDENCE)
    assert [exit_meaning(code) for code in PRECEDENCE] == [EXIT_MEANINGS[code] for code in PRECEDENCE]
    assert not [meaning for meaning in EXIT_MEANINGS.values() if meaning.endswith(".")]
    assert exit_meaning(77) == "no exit code of bpfmatrix"
