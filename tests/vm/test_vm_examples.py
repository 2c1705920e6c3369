"""Each of the examples does on real kernels what its README says."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import ROOT, TemporaryProject

from harness.model.results import Report, Verdict
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply.project import Project

pytestmark = pytest.mark.vm
EXAMPLES = ROOT / "examples"
CASES = ("yaml-case", "python-scenario", "two-namespaces")
KERNELS = ("5.10-x86_64", "6.12-x86_64")


def commands(name: str) -> list[list[str]]:
    """The commands of bpfmatrix in an example's README, as words."""
    lines = [line.strip() for line in (EXAMPLES / name / "README.md").read_text().splitlines() if line[:4] == " " * 4]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("bpfmatrix ")]


def ran(name: str, folder: Path) -> tuple[dict[str, str], str]:
    """Run the one command of a README as it stands there, in a copy of its folder; return verdicts by kernel."""
    shutil.copytree(EXAMPLES / name, folder / name)
    (argv,) = commands(name)
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", *argv],
        cwd=folder / name,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    report = json.loads((folder / name / "results/latest/report.json").read_text())
    return {cell["kernel"]: cell["verdict"] for cell in report["cells"]}, done.stdout


def test_each_is_one_of_those_below() -> None:  # ci: tests/vm/test_vm_workflows.py
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == sorted(
        [*CASES, "object", "command", "debian-tools", "matrices", "ci"]
    )


def test_the_programs_of_the_object_attach_and_run(tmp_path: Path) -> None:
    verdicts, output = ran("object", tmp_path)
    assert verdicts == dict.fromkeys(KERNELS, "pass"), output
    assert output.count("3 of 3 attached") == len(KERNELS), output
    assert "did not run" not in output


def test_the_command_ends_well_and_its_output_is_kept(tmp_path: Path) -> None:
    verdicts, _ = ran("command", tmp_path)
    assert verdicts == dict.fromkeys(KERNELS, "pass")
    report = (tmp_path / "command/results/latest/report.json").read_text()
    assert "bytes of BTF" in report


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The examples that are cases, in one project."""
    folder = tmp_path_factory.mktemp("examples")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    for name in CASES:
        assert commands(name) == [["init"], ["matrix", "--case", "packets"]]
        shutil.copytree(EXAMPLES / name, project.folder / "bpf" / name)
    return run_matrix(Options(project=Project(matrix_file=project.matrix_file), results=folder / "results")).report


def test_the_cases_work_everywhere(cases: Report) -> None:
    assert len(cases.cells) == len(CASES) * len(KERNELS)
    reasons = [f"{cell.case} on {cell.kernel}: {cell.verdict_reason}" for cell in cases.cells]
    assert {cell.verdict for cell in cases.cells} == {Verdict.PASS}, reasons


def test_the_scenario_is_what_a_type_checker_takes(tmp_path: Path) -> None:
    path = EXAMPLES / "python-scenario/scenario.py"
    argv = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path), str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout == "Success: no issues found in 1 source file\n"
