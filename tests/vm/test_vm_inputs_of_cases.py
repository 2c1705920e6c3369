"""Cases made after reports of people whose tests ran one after the other: what each must be, in one guest and order.

They lie in tests/inputs/; what went wrong with each is said where it is asserted.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ["6.12-x86_64", pytest.param("6.1-x86_64", marks=pytest.mark.nightly)]
INPUTS = ROOT / "tests/inputs"
NAMES = [
    "01-verifier-log-full",
    "02-kconfig-extern",
    "02b-kconfig-virtual",
    "05a-pinned-map",
    "05b-pinned-map-same",
    "05c-pinned-map-larger",
    "06-kprobe-multi-pattern",
    "06b-kretprobe-multi-pattern",
    "15-module-function",
    "15b-module-absent",
    "15c-module-not-named",
    "31b-kprobe-multi-bare",
]

Cell = dict[str, Any]


def cells_of(folder: Path, kernel: str, *options: str) -> dict[str, Cell]:
    project = TemporaryProject(folder / "project", kernels=[kernel])
    for name in NAMES:
        shutil.copytree(INPUTS / name, project.folder / "bpf" / name)
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", folder / "r", *options, seconds=600)
    report = json.loads((folder / "r/latest/report.json").read_text())
    assert report["cells"], done.output
    return {cell["case"]: cell for cell in report["cells"]}


@pytest.fixture(scope="module", params=KERNELS)
def cells(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cell]:
    return cells_of(tmp_path_factory.mktemp("inputs"), request.param)


def kind(cells: dict[str, Cell], name: str) -> str:
    cell = cells[name]
    return f"{cell['outcome']} {cell['stage'] or ''} {cell['errno_name'] or ''}".strip()


def test_a_long_log_hides_neither_errno_nor_cause(cells: dict[str, Cell]) -> None:
    """It was ENOSPC, and a log that ended in the middle."""
    cell = cells["01-verifier-log-full"]
    assert kind(cells, "01-verifier-log-full") == "refused load-target EACCES"
    assert cell["verdict"] == "xfail", cell["verdict_reason"]
    assert "map_value_or_null" in cell["log"][-2000:]


@pytest.mark.parametrize("name", ["02-kconfig-extern", "02b-kconfig-virtual"])
def test_the_kernels_configuration_can_be_read(name: str, cells: dict[str, Cell]) -> None:
    """There was no /boot/config-RELEASE, and libbpf refused."""
    assert cells[name]["verdict"] == "pass", cells[name]["reason"]


@pytest.mark.parametrize("name", ["05a-pinned-map", "05b-pinned-map-same", "05c-pinned-map-larger"])
def test_a_pinned_map_is_the_cases_own(name: str, cells: dict[str, Cell]) -> None:
    """The second case saw the first one's value, and the third was refused."""
    assert cells[name]["verdict"] == "pass", cells[name]["reason"]


@pytest.mark.parametrize("name", ["06-kprobe-multi-pattern", "06b-kretprobe-multi-pattern"])
def test_a_pattern_of_functions(name: str, cells: dict[str, Cell]) -> None:
    """The pattern was taken for a function's name."""
    assert cells[name]["verdict"] == "pass", cells[name]["reason"]


def test_a_section_without_a_function_is_refused_as_libbpf_does(cells: dict[str, Cell]) -> None:
    """The empty name was given to the kernel, which said ESRCH."""
    assert kind(cells, "31b-kprobe-multi-bare") == "refused attach-target EOPNOTSUPP"


def test_a_case_has_its_own_modules_and_no_others(cells: dict[str, Cell]) -> None:
    """What one case named was there for all; and a name that no kernel has was passed over."""
    assert cells["15-module-function"]["verdict"] == "pass", cells["15-module-function"]["reason"]
    assert cells["15c-module-not-named"]["outcome"] == "refused"
    absent = cells["15b-module-absent"]
    assert (absent["outcome"], absent["verdict"]) == ("not-applicable", "fail")
    assert "module vehth" in absent["reason"]
