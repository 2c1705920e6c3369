"""Restored and booted guests must say the same, in every cell of the suite. Takes minutes, so it is for the night."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import ROOT

from harness.model.results import CellResult, Report, Start
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply.project import Project

pytestmark = [pytest.mark.vm, pytest.mark.nightly, pytest.mark.timeout(1800)]

KERNELS = ["5.10-x86_64", "6.12-x86_64", "7.1-x86_64", "7.3-x86_64"]


def run(results: Path, *, cold: bool) -> Report:
    project = Project(matrix_file=ROOT / "matrix.yaml")
    return run_matrix(Options(project=project, kernels=KERNELS, results=results, cold=cold)).report


def answer(cell: CellResult) -> tuple[object, ...]:
    outcome = cell.outcome
    events = [(event["phase"], event.get("side"), event["kind"], event.get("retval")) for event in outcome.events]
    said = (outcome.kind, outcome.stage, outcome.errno_name, outcome.refusal, cell.verdict)
    return cell.kernel, cell.case, *said, events


def test_warm_and_cold_agree_over_the_whole_suite(tmp_path: Path) -> None:
    warm, cold = run(tmp_path / "warm", cold=False), run(tmp_path / "cold", cold=True)
    assert {cell.start for cell in warm.cells} == {Start.WARM}
    assert {cell.start for cell in cold.cells} == {Start.COLD}
    assert list(map(answer, warm.cells)) == list(map(answer, cold.cells))
