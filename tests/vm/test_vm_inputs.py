"""Inputs after public bug reports (tests/inputs/) that need a guest: what a run of the matrix answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
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


OWN_RECORD = {"pid": "u32", "comm": "char[16]"}
OURS = {"exactly": [{"pid": "$trigger-pid"}], "record": OWN_RECORD, "of-trigger": "pid"}
RENAME = {"kind": "call", "name": "rename-task"}
SAID: dict[str, tuple[str, dict[str, Any]]] = {
    # name: (input, keys in place of those that it was written with; None: without that key)
    "busy": ("28-busy-hook", {"observe": {"trace": {"at-least": [{"kind": "kind-99"}]}}}),
    "busier": ("28b-busy-hook-many", {"observe": {"trace": {"at-least": [{"kind": "kind-99", "times": 8}]}}}),
    "own-event": ("29-own-event", {"events": None, "observe": {"records": {"events": OURS}}}),
    "own-event-tcp": ("29b-own-event-tcp", {"events": None, "observe": {"records": {"events": OURS}}}),
    "ring-buffer": ("09-ringbuf", {"events": None, "observe": {"records": {"rb": OURS}}}),
    "ring-buffer-client": (
        "09b-ringbuf-client",
        {"events": None, "trigger": RENAME, "observe": {"records": {"rb": OURS}}},
    ),
    "globals": (
        "refused-10-globals",
        {
            "steps": [
                {"do": "load", "object": "target", "rodata": {"wanted_pid": "$trigger-pid"}},
                {"do": "attach", "program": "target.on_rename"},
                {"do": "trigger", "trigger": RENAME},
                {"do": "observe", "expect": {"globals": {"hits": 1}}},
            ]
        },
    ),
    "chosen": (
        "31-target-at-run-time",
        {"target": {"object": "prog.bpf.c", "attach": ["anywhere"], "attach-to": {"anywhere": "tcp_connect"}}},
    ),
    "chosen-fentry": (
        "31c-fentry-bare",
        {"target": {"object": "prog.bpf.c", "attach": ["anywhere"], "attach-to": {"anywhere": "tcp_connect"}}},
    ),
    "spelled": ("13c-typo-is-green", {"target": {"object": "prog.bpf.c", "attach": ["on_rename"]}, "expect": []}),
    "wishes": (
        "refused-wishes",
        {
            "target": {"object": "prog.bpf.c", "attach": ["on_rename"]},
            **dict.fromkeys(("setup", "files", "env", "memory", "cpus")),
            "observe": {"trace": {"at-least": [{"kind": "target"}]}},
            "expect": [{"outcome": "works", "config": "CONFIG_BPF_SYSCALL=y", "reason": "x"}],
        },
    ),
}
"""Inputs as what they mean can be said."""
AS_THEY_ARE = (
    *("11-tc-attach", "13-struct-ops-link", "13b-struct-ops-map", "33-foreign-target", "33b-foreign-as-steps"),
    *("refused-17-exec", "refused-17b-openat", "refused-24b-prebuilt-other-name", "09c-ringbuf-count"),
)
REFUSED = {
    "31-target-at-run-time": ("attach-target", "libbpf", "no-attach-target"),
    "31b-kprobe-multi-bare": ("attach-target", "libbpf", "no-attach-target"),
    "31c-fentry-bare": ("load-target", "libbpf", "no-attach-target"),
    "31d-syscall-name": ("attach-target", "system-call", "attach-point-absent"),
}
"""Where it happens, who refuses, and what for: what libbpf alone refuses is not blamed on the kernel."""


@pytest.fixture(scope="module", params=["5.10-x86_64", "6.12-x86_64"])
def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    project = TemporaryProject(tmp_path_factory.mktemp("said") / "project", kernels=[request.param])
    for name, (source, changes) in SAID.items():
        case = project.folder / "bpf" / name
        shutil.copytree(INPUTS / source, case)
        keys = {**yaml.safe_load((case / "case.yaml").read_text()), **changes}
        kept = {key: value for key, value in keys.items() if value is not None}
        (case / "case.yaml").write_text(yaml.safe_dump(kept, sort_keys=False))
    for name in (*AS_THEY_ARE, *REFUSED):
        shutil.copytree(INPUTS / name, project.folder / "bpf" / name)
    done = run("matrix", "--matrix-file", project.matrix_file, seconds=600)
    found = cells(project)
    assert found, done.output
    return found


@pytest.mark.parametrize("name", [*SAID, *AS_THEY_ARE])
def test_what_was_meant_can_be_said_and_works(name: str, said: dict[str, dict[str, Any]]) -> None:
    assert said[name]["verdict"] == "pass", said[name]["reason"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_nobody_said_is_not_blamed_on_the_kernel(name: str, said: dict[str, dict[str, Any]]) -> None:
    cell = said[name]
    assert (cell["outcome"], cell["stage"], cell["origin"], cell["refusal"]) == ("refused", *REFUSED[name])


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
