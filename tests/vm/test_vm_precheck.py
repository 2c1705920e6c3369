"""What `precheck` says without a boot is what kernels do, of programs that need or test for what only some have."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from projects import ROOT, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ("5.10-x86_64", "6.1-x86_64", "6.12-x86_64")
NEVER: tuple[str, ...] = ()
SINCE_6_1, SINCE_6_12 = KERNELS[1:], KERNELS[2:]
WORKS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("always", "tests_by_field", "tests_in_a_function", "tests_by_version", "tests_by_constant"),
            *("tests_by_option", "tests_for_a_type", "tests_for_a_value", "tests_for_a_kfunc", "reads_the_record"),
            "reads_what_is_returned",
        ),
        KERNELS,
    ),
    "needs_state": KERNELS[:1],
    **dict.fromkeys(
        (
            *("needs___state", "needs_a_value", "needs_a_helper", "needs_an_argument", "needs_a_typed_argument"),
            "needs_a_function",
        ),
        SINCE_6_1,
    ),
    **dict.fromkeys(("needs_a_type", "needs_a_kfunc"), SINCE_6_12),
    **dict.fromkeys(("tests_the_wrong_way", "reads_behind_the_record", "reads_behind_what_is_returned"), NEVER),
}
"""On which kernels each program works: what is said before a boot, and what the boot shows."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The report of a run, the forecast that is compared with it, and what that showed."""
    folder = tmp_path_factory.mktemp("precheck")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    source = folder / "forecast.bpf.c"
    shutil.copy(ROOT / "tests/inputs/programs/forecast.bpf.c", source)
    words = (source, "--matrix-file", project.matrix_file, "--results", folder / "r")
    ran = run("check", *words, seconds=700)
    assert (folder / "r/latest").exists(), ran.output
    compared = run("precheck", *words, "--json", folder / "it.json", "--compare", folder / "r/latest", seconds=300)
    assert (folder / "it.json").exists(), compared.output
    report = json.loads((folder / "r/latest/report.json").read_text())
    return report, json.loads((folder / "it.json").read_text()), compared.output


@pytest.mark.parametrize("name", WORKS)
def test_what_is_said_and_what_happens(name: str, both: tuple[dict[str, Any], dict[str, Any], str]) -> None:
    report, forecast, _ = both
    parts = {cell["kernel"]: next(each for each in cell["parts"] if each["name"] == name) for cell in report["cells"]}
    ran = {kernel: part["outcome"] for kernel, part in parts.items()}
    assert tuple(kernel for kernel, outcome in ran.items() if outcome == "works") == WORKS[name], ran
    assert set(ran.values()) <= {"works", "refused"}
    (found,) = forecast["objects"]
    said = {
        kernel: next(each["answer"] for each in programs if each["program"] == name)
        for kernel, programs in found["kernels"].items()
    }
    assert {kernel for kernel, answer in said.items() if answer == "found"} == set(WORKS[name]), said
    assert set(said.values()) <= {"found", "missing"}


def test_nothing_differs(both: tuple[dict[str, Any], dict[str, Any], str]) -> None:
    report, forecast, shown = both
    assert f"3 kernels: {', '.join(KERNELS)}: {len(WORKS) * 3} agree\n" in shown
    assert {each["name"] for each in report["cells"][0]["parts"]} == {*WORKS, "all-together"}
    assert forecast["exit_code"] == 1
