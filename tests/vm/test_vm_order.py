"""Nothing of a case outlives it: the order of the cases changes no cell. Takes minutes, so it is for the night."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT

from harness.config.case_folders import load_cases
from harness.model.results import CellResult, Report
from harness.run import matrix as matrix_run
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply.project import Project

pytestmark = [pytest.mark.vm, pytest.mark.nightly, pytest.mark.timeout(1800)]

KERNEL = "6.12-x86_64"
SEED = 13


def run(results: Path) -> Report:
    project = Project(matrix_file=ROOT / "matrix.yaml")
    return run_matrix(Options(project=project, kernels=[KERNEL], results=results)).report


def answer(cell: CellResult) -> tuple[object, ...]:
    outcome = cell.outcome
    events = [(event["phase"], event.get("side"), event["kind"], event.get("retval")) for event in outcome.events]
    said = (outcome.kind, outcome.stage, outcome.errno_name, outcome.refusal, len(outcome.splats), cell.verdict)
    return *said, events


def answers(report: Report) -> dict[str, tuple[object, ...]]:
    return {cell.case: answer(cell) for cell in report.cells}


def test_the_order_of_the_cases_changes_no_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run(tmp_path / "plain")
    orders: list[list[str]] = []

    def shuffled(*anything: Any, **keys: Any) -> Any:
        cases = list(load_cases(*anything, **keys))
        random.Random(SEED).shuffle(cases)
        orders.append([case.id for case in cases])
        return tuple(cases)

    monkeypatch.setattr(matrix_run, "load_cases", shuffled)
    other = run(tmp_path / "shuffled")
    assert orders and orders[0] != sorted(orders[0])
    assert answers(other) == answers(plain)
    assert not [notice for notice in (*plain.run.notices, *other.run.notices) if "not as it was before" in notice]
