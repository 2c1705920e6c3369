"""Finding a cell in a grid; how a report is written and read is for harness/reports."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model.results import CellResult, Expectation, Outcome, OutcomeKind, Report, RunInfo, Verdict


def cell(kernel: str, case: str) -> CellResult:
    return CellResult(
        kernel=kernel,
        case=case,
        title="t",
        outcome=Outcome(kind=OutcomeKind.WORKS, reason="r"),
        expectation=Expectation(outcome=OutcomeKind.WORKS, reason="r"),
        verdict=Verdict.PASS,
        verdict_reason=f"{kernel} x {case}",
    )


def test_a_cell_is_found_by_its_kernel_and_its_case() -> None:
    info: dict[str, Any] = {"id": "i", "started": "s", "seconds": 1, "version": "0", "command": "c", "host": {}}
    run = RunInfo(**info, accel="tcg", accel_reason="", jobs=1, complete=True, exit_code=0)
    cells = tuple(cell(kernel, case) for kernel in ("6.1", "6.12") for case in ("a", "b"))
    report = Report(run=run, kernels=(), cases=(("a", "t"), ("b", "t")), cells=cells)
    assert [report.cell(each.kernel, each.case) for each in cells] == list(cells)
    with pytest.raises(KeyError):
        report.cell("6.12", "c")
