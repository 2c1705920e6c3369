"""Inputs after public bug reports (tests/inputs/) that need a guest: what a run of the matrix answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, TemporaryProject, run

pytestmark = pytest.mark.vm

INPUTS = ROOT / "tests/inputs"
WORKING = (
    *("26-own-headers", "26b-included-source", "33-foreign-target", "33b-foreign-as-steps", "09c-ringbuf-count"),
    *("02c-kconfig-version-only", "03-optional-section", "04-one-of-many", "10b-globals-default", "18-printk"),
    *("refused-32-vmlinux-h", "refused-32b-trace-first", "refused-32d-uapi", "32c-without-trace", "24-prebuilt"),
)


def cells(project: TemporaryProject) -> dict[str, dict[str, Any]]:
    report = json.loads((project.folder / "results/latest/report.json").read_text())
    return {cell["case"]: cell for cell in report["cells"]}


def test_what_works_does_and_a_bad_case_beside_it_ends_nothing(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project", kernels=["6.12-x86_64"])
    (project.folder / "bpf/include").unlink()  # as in a folder of one's own: the headers are those of bpfmatrix
    for name in (*WORKING, "refused-26-own-headers"):
        shutil.copytree(INPUTS / name, project.folder / "bpf" / name)
    done = run("matrix", "--matrix-file", project.matrix_file)
    found = cells(project)
    assert {name: found[name]["verdict"] for name in WORKING} == dict.fromkeys(WORKING, "pass"), done.output
    broken = found["refused-26-own-headers"]
    assert (broken["verdict"], broken["stage"], broken["wrong_input"]) == ("error", "build", True)
    assert done.code == 2

    # What an object is made of changes: the same run again answers for what is there now.
    header = project.folder / "bpf/26-own-headers/include/common.h"
    header.write_text(header.read_text().replace("EVENT_TARGET", "EVENT_CALLEE"))
    impl = project.folder / "bpf/26b-included-source/impl.c"
    impl.write_text(impl.read_text().replace("EVENT_TARGET", "EVENT_CALLEE"))
    done = run("matrix", "--matrix-file", project.matrix_file, "--case", "26*")
    assert {name: cell["verdict"] for name, cell in cells(project).items()} == {
        "26-own-headers": "fail",
        "26b-included-source": "fail",
    }
    assert done.code == 1


def test_what_a_busy_hook_shows_is_counted(tmp_path: Path) -> None:
    """That a hook fires for everybody cannot be said yet; what was seen beside the trigger's own is never green."""
    project = TemporaryProject(tmp_path / "project", kernels=["6.12-x86_64"])
    for name in ("28-busy-hook", "28b-busy-hook-many"):
        shutil.copytree(INPUTS / name, project.folder / "bpf" / name)
    done = run("matrix", "--matrix-file", project.matrix_file)
    found = cells(project)
    assert {cell["verdict"] for cell in found.values()} <= {"fail", "error"}
    assert found["28-busy-hook"]["verdict"] == "fail"
    assert "kind-99 x" in found["28-busy-hook"]["reason"]
    assert done.code in (1, 3)


def test_the_program_that_is_refused_is_named(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project", kernels=["5.10-x86_64"])
    shutil.copytree(INPUTS / "04-one-of-many", project.folder / "bpf/04-one-of-many")
    done = run("matrix", "--matrix-file", project.matrix_file)
    (cell,) = cells(project).values()
    assert (cell["verdict"], cell["outcome"], cell["stage"], done.code) == ("fail", "refused", "load-target", 1)
    assert "prog 'needs_newer'" in cell["reason"]


def test_records_of_another_layout_are_shown(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project", kernels=["6.12-x86_64"])
    shutil.copytree(INPUTS / "29b-own-event-tcp", project.folder / "bpf/29b-own-event-tcp")
    done = run("matrix", "--matrix-file", project.matrix_file)
    (cell,) = cells(project).values()
    assert (cell["verdict"], done.code) == ("fail", 1)
    assert "20 bytes" in cell["reason"]


def test_a_map_that_does_not_fit_into_the_guest_does_with_the_memory_that_the_advice_names(tmp_path: Path) -> None:
    found = {}
    for memory in (192, 384):
        project = TemporaryProject(tmp_path / str(memory), kernels=["6.12-x86_64"], changes={"memory": memory})
        shutil.copytree(INPUTS / "19b-larger-map", project.folder / "bpf/19b-larger-map")
        run("matrix", "--matrix-file", project.matrix_file)
        (found[memory],) = cells(project).values()
    refused = found[192]
    assert (refused["verdict"], refused["stage"], refused["errno_name"]) == ("fail", "load-target", "ENOMEM")
    assert (refused["origin"], refused["refusal"]) == ("system-call", "out-of-memory")
    assert "Give the guest more (`memory` of the kernel" in refused["advice"]
    assert found[384]["verdict"] == "pass", found[384]["reason"]
