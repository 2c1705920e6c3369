"""A known bug is the one that its rule describes: four changes that once looked like it on real kernels are red.

Each case runs beside its change, so that the change is what turns the cell red.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, TemporaryProject

from harness.model.results import OutcomeKind, Report, Stage, Verdict
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply.project import Project

pytestmark = pytest.mark.vm

BPF = ROOT / "bpf"
CHANGED = "changed"
SILENT = ("trace_retval(EVENT_FEXIT, retval);", "(void)retval;")
SILENT_EVENT = (
    "emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(regs), EVENT_FEXIT, EVENT_HAS_RETVAL, retval);",
    "(void)retval;",
)


def both(
    folder: Path, kernel: str, name: str, change: Callable[[TemporaryProject, str], object]
) -> tuple[Report, str, str]:
    """Run a committed case and a change of it on a kernel; return the report and the ids of both."""
    project = TemporaryProject(folder / "project", kernels=[kernel])
    project.committed(name)
    change(project, CHANGED)
    options = Options(project=Project(matrix_file=project.matrix_file), jobs=1)
    report = run_matrix(options).report
    assert report.cell(kernel, name).verdict == Verdict.KNOWN_BUG, report.cell(kernel, name).verdict_reason
    return report, name, CHANGED


def test_a_first_tracer_that_emits_nothing_is_not_the_bug_of_the_second(tmp_path: Path) -> None:
    kernel, name = "6.19-x86_64", "second-tracer-on-live-fexit"
    report, _, changed = both(
        tmp_path,
        kernel,
        name,
        lambda project, to: project.case(to, base=BPF / name, replace={"first.bpf.c": SILENT}),
    )
    cell = report.cell(kernel, changed)
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.MISBEHAVES, Verdict.FAIL)
    assert "beside what the rule names" in cell.verdict_reason


def test_a_tracer_that_emits_nothing_is_not_a_link_without_its_targets_fields(tmp_path: Path) -> None:
    kernel, name = "5.10-x86_64", "tracer-link-info"
    report, _, changed = both(
        tmp_path,
        kernel,
        name,
        lambda project, to: project.case(to, base=BPF / name, replace={"tracer.bpf.c": SILENT}),
    )
    cell = report.cell(kernel, changed)
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.MISBEHAVES, Verdict.FAIL)
    assert "beside what the rule names" in cell.verdict_reason


def test_a_kernel_that_dies_of_something_else_has_not_the_bug_that_it_should_die_of(tmp_path: Path) -> None:
    """The objects of `lsm` kill 5.10 in its verifier; the loop of tail calls would when the target runs."""
    kernel, name = "5.10-x86_64", "subprog-tail-call-loop-fexit"

    def of_lsm(project: TemporaryProject, to: str) -> None:
        def named_as_there(case: dict[str, Any]) -> None:
            del case["target"]["tail-calls"]
            case["tracer"]["attach"] = [{"program": name, "target": "target"} for name in ("fentry", "fexit")]

        folder = project.case(to, named_as_there, base=BPF / name)
        for file in ("target.bpf.c", "tracer.bpf.c"):
            shutil.copyfile(BPF / "lsm" / file, folder / file)

    report, _, changed = both(tmp_path, kernel, name, of_lsm)
    cell = report.cell(kernel, changed)
    assert (cell.outcome.kind, cell.outcome.stage) == (OutcomeKind.CRASHED, Stage.LOAD_TRACER)
    assert cell.verdict == Verdict.FAIL
    assert report.cell(kernel, name).outcome.stage == Stage.TRIGGER


def test_kprobes_that_fire_are_not_kprobes_without_ftrace(tmp_path: Path) -> None:
    kernel, name = "6.12-x86_64", "ftrace-disabled"
    report, _, changed = both(
        tmp_path,
        kernel,
        name,
        lambda project, to: project.case(
            to, lambda case: case.pop("sysctls"), base=BPF / name, replace={"tracer.bpf.c": SILENT_EVENT}
        ),
    )
    cell = report.cell(kernel, changed)
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.MISBEHAVES, Verdict.FAIL)
