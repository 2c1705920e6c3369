"""A program that refuses, drops or kills what a guest answers by has an answer all the same, and so have the others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200)]

KERNELS = ("5.10-x86_64", "6.1-x86_64", "6.12-x86_64", "7.1-x86_64")
"""The last is reached over a serial port. The first has no BPF among its active security modules."""
HARMLESS = ("harmless", "harmless_as_well")
HINDERED = {
    "denies_sending": "EPERM",
    "denies_receiving": "EPERM",
    "denies_files": "EACCES",
    "denies_bpf": "EPERM",
    "denies_signals": "EPERM",
    "denies_memory": "EACCES",
    "modifies_sending": "EPERM",
    "modifies_files": "EPERM",
    "drops_what_comes": "ETIMEDOUT",
    "drops_what_goes": "EPERM",
    "drops_packets": "ETIMEDOUT",
}
"""What the workload fails with while the program is attached."""
KILLING = ("kills_callers", "kills_whoever_runs")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("silence")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    source = ROOT / "tests/inputs/programs/silencing.bpf.c"
    done = run("check", source, "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=1100)
    found: dict[str, Any] = json.loads((Path(folder) / "r/latest/report.json").read_text())
    assert found["cells"], done.output
    return found


def part(report: dict[str, Any], name: str, kernel: str) -> dict[str, Any]:
    cell = next(each for each in report["cells"] if each["kernel"] == kernel)
    return next(dict(each) for each in cell["parts"] if each["name"] == name)


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_guest_answers_for_all_programs(kernel: str, report: dict[str, Any]) -> None:
    (row,) = (each for each in report["kernels"] if each["name"] == kernel)
    together = part(report, "all-together", kernel)
    assert together["outcome"] in ("refused", "misbehaves"), together["reason"]
    assert (row["boots"], row["problems"]) == (1, []), report["run"]["notices"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("program", HARMLESS)
def test_a_program_beside_them_has_its_answer(program: str, kernel: str, report: dict[str, Any]) -> None:
    found = part(report, program, kernel)
    assert (found["outcome"], found["mark"]) == ("works", None), found["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("program", HINDERED)
def test_what_a_program_hinders_is_said_of_it(program: str, kernel: str, report: dict[str, Any]) -> None:
    found = part(report, program, kernel)
    assert found["outcome"] == "works", found["reason"]
    if kernel == KERNELS[0] and found["about"].startswith("lsm/"):
        assert found["mark"] == "did-not-run" and "not among the security modules" in found["mark_reason"]
        return
    if program == "denies_bpf":  # who may not ask learns nothing of how often it ran, either
        assert found["mark"] == "not-counted"
    assert re.search(rf"of the workload .* failed \({HINDERED[program]}\)", found["reason"]), found["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("program", KILLING)
def test_a_program_that_kills_is_the_cause(program: str, kernel: str, report: dict[str, Any]) -> None:
    found = part(report, program, kernel)
    assert found["outcome"] == "misbehaves", found["reason"]
    assert found["reason"].endswith("was killed by SIGKILL while the program was attached")


HANGING = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("raw_tp/sys_enter") int before(void *ctx) { return 0; }
static long inner(__u64 at, void *more) { return 0; }
static long outer(__u64 at, void *more) { bpf_loop(1 << 23, inner, 0, 0); return 0; }
SEC("raw_tp/sys_enter") int hangs(void *ctx) { bpf_loop(1 << 23, outer, 0, 0); return 0; }
SEC("raw_tp/sys_exit") int after(void *ctx) { return 0; }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.mark.nightly
def test_a_guest_that_a_program_silences_names_it_and_the_others_are_asked_in_another(tmp_path: Path) -> None:
    """A processor that never comes back is a lockup once the kernel's watchdog has noticed it, and silence before."""
    project = TemporaryProject(tmp_path / "project", kernels=KERNELS[2:3])
    (tmp_path / "hanging.bpf.c").write_text(HANGING)
    (tmp_path / "check.yaml").write_text("deadline: 3\n")
    matrix = ("--matrix-file", project.matrix_file, "--results", tmp_path / "r")
    done = run("check", tmp_path / "hanging.bpf.c", *matrix, seconds=900)
    report = json.loads((tmp_path / "r/latest/report.json").read_text())
    for name in ("before", "after"):
        assert part(report, name, KERNELS[2])["outcome"] == "works", done.output
    found = part(report, "hangs", KERNELS[2])
    assert found["outcome"] in ("misbehaves", "crashed"), found["reason"]
    silent = "no answer came, in either of two guests, while the program was attached"
    assert silent in found["reason"] or "BUG: soft lockup" in found["reason"]
