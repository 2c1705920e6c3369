"""What a case looks at beside events is what its programs left, on old and new kernels."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from projects import INPUTS, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ["5.10-x86_64", "6.1-x86_64", "6.12-x86_64"]
NAMES = ["34-own-records", "34b-records-in-perf-buffer"]
CHANGED = {
    # name: (the input, what is replaced in its case.yaml)
    "own-layout": ("09-ringbuf", 'events: rb\nobserve: {}', 'observe: {records: {rb: {exactly: [{pid: $trigger-pid}], '
                   'record: {pid: u32, comm: "char[16]"}}}}'),
    "shown": ("29-own-event", "events: events\nobserve: {client: [{kind: undecodable}]}",
              "observe: {records: {events: [{pid: 1}]}}"),
    "busy": ("28b-busy-hook-many", "[{kind: kind-99}]", "{at-least: [{kind: kind-99}]}"),
    "rodata": ("refused-10-globals", "{map: {bss: {hits: 1}}}", "{globals: {hits: 0}}"),
    "wrong": ("34-own-records", "hits: 1,", "hits: 2,"),
    "another": ("34-own-records", "small: -300", "small: -301"),
    "not-printed": ("34-own-records", '"^renamed [0-9]+$"', '"^removed"'),
    "not-in-map": ("34-own-records", '"1": 7', '"2": 7'),
    "never-ran": ("34-own-records", "{at-least: 1}", "0"),
}  # fmt: skip
WRONG = {
    "shown": "size: 20",
    "wrong": "the variable hits must be 2, but is 1",
    "another": "small: -300",
    "not-printed": "/^removed/ must come",
    "not-in-map": '"2" must be 7, but is missing',
    "never-ran": "the program on_rename must have run 0, but ran",
}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("inspected")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    for name in NAMES:
        shutil.copytree(INPUTS / name, project.folder / "bpf" / name)
    for name, (source, old, new) in CHANGED.items():
        shutil.copytree(INPUTS / source, project.folder / "bpf" / name)
        path = project.folder / "bpf" / name / "case.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=600)
    report = json.loads((folder / "r/latest/report.json").read_text())
    assert report["cells"], done.output
    return {(cell["kernel"], cell["case"]): cell for cell in report["cells"]}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", [*NAMES, "own-layout", "busy", "rodata"])
def test_what_programs_leave_is_seen(kernel: str, name: str, cells: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert cells[kernel, name]["verdict"] == "pass", cells[kernel, name]["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", list(WRONG))
def test_what_is_otherwise_is_red(kernel: str, name: str, cells: dict[tuple[str, str], dict[str, Any]]) -> None:
    cell = cells[kernel, name]
    assert (cell["verdict"], cell["outcome"], cell["stage"]) == ("fail", "misbehaves", "observe")
    assert WRONG[name] in cell["reason"]
