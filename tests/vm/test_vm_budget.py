"""What a program needs of a real verifier, compared with a budget: in a check, in a case, and for a whole matrix."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import INPUTS, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600)]

OLD, NEW = "5.10-x86_64", "7.3-x86_64"
KERNELS = (OLD, NEW)
SOURCE = INPUTS / "programs/costly.bpf.c"
LIMIT = 1_000_000
"""BPF_COMPLEXITY_LIMIT_INSNS (include/linux/bpf.h), as the log of both kernels names it."""
STEPS = [
    {"do": "load", "object": "target"},
    {"do": "trigger", "trigger": {"kind": "run", "program": "target.ten", "retval": 2}},
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    """A matrix whose budget is one instruction too small for the larger program, and cases that say otherwise."""
    made = TemporaryProject(tmp_path_factory.mktemp("budget"), kernels=KERNELS)
    made.matrix["budget"] = {"max-insns": 999}
    made.write_matrix()
    budgets: dict[str, dict[str, Any]] = {
        "of-the-matrix": {},
        "number": {"max-insns": 1000},
        "share": {"max-insns": "0.09%"},
        "machine-code": {"max-insns": "85%", "max-jited-size": 100},
    }
    for name, budget in budgets.items():
        folder = made.folder / "bpf" / name
        folder.mkdir()
        shutil.copyfile(SOURCE, folder / "target.bpf.c")
        case = {"title": name, "objects": {"target": "target.bpf.c"}, "steps": STEPS}
        (folder / "case.yaml").write_text(yaml.safe_dump({**case, **({"budget": budget} if budget else {})}))
    return made


@pytest.fixture(scope="module")
def finished(project: TemporaryProject) -> Path:
    """The folder of a run of the matrix."""
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", project.folder / "r", seconds=500)
    assert done.code == 1, done.output
    return (project.folder / "r/latest").resolve()


def cells(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the cells of a run by kernel and case."""
    report = json.loads((folder / "report.json").read_text())
    return {(cell["kernel"], cell["case"]): cell for cell in report["cells"]}


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_program_of_a_case_is_measured_on_each_kernel(kernel: str, finished: Path) -> None:
    found = cells(finished)[kernel, "number"]["programs"]
    counts = {name: (own["verified-instructions"], own["instruction-limit"]) for name, own in found.items()}
    assert counts == {"target.thousand": (1000, LIMIT), "target.ten": (10, LIMIT)}
    assert all({"peak-states", "total-states"} <= own.keys() for own in found.values())
    assert found["target.thousand"]["jited-bytes"] > found["target.ten"]["jited-bytes"] > 0


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("case", "verdict", "said"),
    [
        ("of-the-matrix", "fail", "target.thousand has 1000 verified instructions, its budget is 999"),
        ("number", "pass", ""),
        ("share", "fail", "1000 verified instructions, its budget is 900 (0.09% of this kernel's limit of 1000000)"),
        ("machine-code", "fail", "bytes of machine code, its budget is 100"),
    ],
)
def test_what_needs_more_than_its_budget_fails_with_the_number(
    case: str, verdict: str, said: str, kernel: str, finished: Path
) -> None:
    cell = cells(finished)[kernel, case]
    assert (cell["outcome"], cell["verdict"], cell["mark"]) == ("works", verdict, None), cell
    assert said in cell["verdict_reason"]
    assert {each["program"] for each in cell["over_budget"]} == ({"target.thousand"} if said else set())


def test_judging_again_gives_the_same(finished: Path, project: TemporaryProject) -> None:
    before = cells(finished)
    done = run("judge", finished, "--matrix-file", project.matrix_file)
    assert done.code == 1, done.output
    assert cells(finished) == before


@pytest.mark.parametrize("kernel", KERNELS)
def test_veristat_has_the_numbers_of_each_row(kernel: str, finished: Path) -> None:
    rows = list(csv.DictReader((finished / f"veristat/{kernel}.csv").read_text().splitlines()))
    found = {(row["file_name"], row["prog_name"]): (row["verdict"], row["total_insns"]) for row in rows}
    assert found["number", "target.thousand"] == ("success", "1000")
    assert len(found) == len(rows) == 8


def test_the_programs_of_an_object_have_the_budget_of_their_check_yaml(project: TemporaryProject) -> None:
    config = project.folder / "own.check.yaml"
    config.write_text("budget: {max-insns: 0.09%, max-states: 100}\n")
    words = ("--config", config, "--matrix-file", project.matrix_file, "--results", project.folder / "c")
    done = run("check", SOURCE, *words, seconds=500)
    assert done.code == 1, done.output
    for kernel in KERNELS:
        cell = cells(project.folder / "c/latest")[kernel, "costly"]
        assert {part["name"]: part["verdict"] for part in cell["parts"]} == {
            "thousand": "fail",
            "ten": "pass",
            "all-together": "pass",
        }
        assert cell["verdict"] == "fail"
        assert "thousand has 1000 verified instructions, its budget is 900" in cell["verdict_reason"]
    assert "thousand has 1000 verified instructions, its budget is 900" in done.output


@pytest.mark.nightly
def test_where_no_log_comes_nothing_is_within_a_budget(project: TemporaryProject) -> None:
    """libbpf 0.3 has no log of a load that succeeds, and 5.10 says nothing of the instructions without one."""
    config = project.folder / "share.check.yaml"
    config.write_text("budget: {max-insns: 85%}\n")
    words = ("--config", config, "--matrix-file", project.matrix_file, "--results", project.folder / "h")
    done = run("check", SOURCE, *words, "--kernel", OLD, "--libbpf", "bullseye", seconds=500)
    assert done.code == 0, done.output
    (cell,) = cells(project.folder / "h/latest").values()
    marks = {part["name"]: part["mark"] for part in cell["parts"]}
    assert marks == {"thousand": "not-measured", "ten": "not-measured", "all-together": None}
    assert "the number of verified instructions of thousand is not known" in cell["parts"][0]["mark_reason"]
