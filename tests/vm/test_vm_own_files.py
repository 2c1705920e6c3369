"""Files that a case brings lie in its folder of real guests: its programs start there, and probes fire in them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from projects import INPUTS, TemporaryProject, run

from harness.supply.pushed import PARCEL_BYTES

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ["5.10-x86_64", "6.12-x86_64"]
CC = shutil.which("gcc") or shutil.which("clang") or "cc"
OWN = "int own(int number) { return number + 1; }"
"""What it returns is not what it was given, so a probe at its entry sees another value than one at its return."""
MAIN = """
#include <stdio.h>
#include <stdlib.h>
int own(int number);
__attribute__((noinline)) int traced(int number) { return own(number); }
int main(int count, char **words)
{
    int sum = 0;
    for (int at = 1; at < count; at++)
        sum += traced(atoi(words[at]));
    printf("sum %d\\n", sum);
    return sum;
}
"""
EXEC = {"kind": "exec", "command": ["./my-test", "1", "2"], "exit": 5}
SMALL = {"kind": "exec", "command": ["./small", "1", "2", "3"], "exit": 9}


def case(*attach: str, trigger: dict[str, Any], observe: dict[str, Any], **keys: Any) -> dict[str, Any]:
    target = {"object": "prog.bpf.c", "attach": attach, "attach-to": keys.pop("attach_to", {})}
    return {"title": "own files", "target": target, "trigger": trigger, "observe": observe, **keys}


def started(comm: str) -> dict[str, Any]:
    return {"records": {"programs": [{"pid": "$child-pid", "comm": comm}]}}


ENTRY, RETURN = {"on_entry": "./small:traced"}, {"on_return": "./small:traced"}
CASES = {
    "with-a-library": case(
        *("on_exec", "on_library"),
        attach_to={"on_library": "./lib/libown.so:own"},
        files=["lib"],
        trigger=EXEC,
        observe={**started("my-test"), "globals": {"in_library": 2}},
    ),
    "with-this-machines-c-library": case(
        "on_entry",
        attach_to={"on_entry": "./resolver:traced"},
        trigger={**EXEC, "command": "./resolver 1 2"},
        observe={"globals": {"entered": 2}},
    ),
    "large": case(
        *("on_entry", "on_return"),
        files={"large": "more/"},  # so much that all lies in the initramfs, and links lead there
        attach_to={**ENTRY, **RETURN},
        trigger=SMALL,
        observe={"globals": {"entered": 3, "returned": 3}},
    ),
    "with-its-library": case("on_exec", trigger=EXEC, observe=started("my-test")),
    "entry": case("on_entry", attach_to=ENTRY, trigger=SMALL, observe={"globals": {"entered": 3}}),
    "return": case("on_return", attach_to=RETURN, trigger=SMALL, observe={"globals": {"returned": 3, "sum": 9}}),
    "both": case(
        *("on_entry", "on_return"),
        attach_to={**ENTRY, **RETURN},
        trigger=SMALL,
        observe={"globals": {"entered": 3, "returned": 3}},
    ),
    "elsewhere": case(
        "on_entry",
        files=["small:/opt/tools/it"],
        attach_to={"on_entry": "/opt/tools/it:traced"},
        trigger={**SMALL, "command": "/opt/tools/it 6", "exit": 7},
        observe={"globals": {"entered": 1}},
    ),
    "as-steps": {
        "title": "own files",
        "objects": {"target": "prog.bpf.c"},
        "files": {"small": "bin/"},
        "steps": [
            {"do": "load", "object": "target", "attach-to": RETURN},
            {"do": "attach", "program": "target.on_entry", "to": "./bin/small:traced", "link": "it"},
            {"do": "attach", "program": "target.on_return", "to": "./bin/small:traced"},
            {"do": "trigger", "trigger": {**SMALL, "command": "./bin/small 2", "exit": 3}},
            {"do": "observe", "expect": {"globals": {"entered": 1, "returned": 1}}},
            {"do": "detach", "link": "it"},
            {"do": "trigger", "trigger": {**SMALL, "command": "./bin/small 3", "exit": 4}},
            {"do": "observe", "expect": {"globals": {"entered": 1, "returned": 2}}},
        ],
    },
    "a-script": case("on_exec", files=["data"], trigger={"kind": "exec", "command": "./run"}, observe=started("run")),
    "not-run": case(
        "on_entry",
        attach_to=ENTRY,
        trigger={"kind": "exec", "command": "/bin/true"},
        observe={"globals": {"entered": 1}},
    ),
    "another-copy": case(
        "on_entry",
        files=["small:other"],
        attach_to=ENTRY,
        trigger={**SMALL, "command": "./other 1", "exit": 2},
        observe={"globals": {"entered": 1}},
    ),
}
WRONG = {
    "not-run": "the variable entered must be 1, but is 0",
    "another-copy": "the variable entered must be 1, but is 0",
}
SCENARIO = """
    import os
    small = os.path.join(guest.folder, "bin/small")
    guest.expect_equal(open(os.path.join(guest.folder, "data")).read(), "what it says\\n", "its file is there")
    target = guest.open("prog.bpf.c")
    target.load()
    link = target.attach("on_entry", to=f"{small}:traced")
    ended = guest.trigger.exec([small, "1", "2"])
    guest.expect_equal((ended.exit, ended.signal, ended.timed_out), (5, "", False), "it ends with its sum")
    guest.expect_equal(target.globals["entered"], 2, "its function runs twice")
    guest.expect_equal(guest.trigger.exec(["./bin/small"]).exit, 0, "a relative path begins at the folder")
    guest.expect_equal(guest.trigger.exec(["./my-test", "4"]).exit, 5, "a program finds its library")
    link.detach()
    guest.trigger.exec([small, "1"])
    guest.expect_equal(target.globals["entered"], 2, "nothing is seen once it is detached")
"""


def compiled(folder: Path) -> None:
    """Make programs of this machine: one with a library of its own, and one that needs nothing."""
    (folder / "lib").mkdir()
    (folder / "own.c").write_text(OWN)
    (folder / "main.c").write_text(MAIN)
    subprocess.run([CC, "-shared", "-fPIC", "own.c", "-o", "lib/libown.so"], cwd=folder, check=True)
    own = ("-Llib", "-lown", "-Wl,-rpath,$ORIGIN/lib")
    subprocess.run([CC, "-O1", "main.c", "-o", "my-test", *own], cwd=folder, check=True)
    needs_more = (*own, "-Wl,--no-as-needed", "-lresolv")  # a part of the C library that guests do not have
    subprocess.run([CC, "-O1", "main.c", "-o", "resolver", *needs_more], cwd=folder, check=True)
    (folder / "small.c").write_text(MAIN.replace("int own(int number);", f"static {OWN}"))
    subprocess.run([CC, "-O1", "small.c", "-o", "small"], cwd=folder, check=True)
    for source in folder.glob("*.c"):
        source.unlink()
    (folder / "data").write_text("what it says\n")
    (folder / "large").write_bytes(bytes(PARCEL_BYTES + 1))
    (folder / "run").write_text('#!/bin/sh\nread -r line < data; test "$line" = "what it says"\n')
    (folder / "run").chmod(0o755)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    folder = tmp_path_factory.mktemp("own-files")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    (folder / "programs").mkdir()
    compiled(folder / "programs")
    files = {"title": "own files", "files": ["data", "small:bin/", "my-test"]}
    for name, keys in {**CASES, "scenario": files}.items():
        copy = project.folder / "bpf" / name
        shutil.copytree(folder / "programs", copy)
        shutil.copytree(INPUTS / "own-files", copy, dirs_exist_ok=True)
        (copy / "case.yaml").write_text(json.dumps(keys))
    (project.folder / "bpf/scenario/scenario.py").write_text(f"def scenario(guest):{SCENARIO}")
    return project


@pytest.fixture(scope="module")
def cells(project: TemporaryProject) -> dict[tuple[str, str], dict[str, Any]]:
    results = project.folder / "r"
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", results, seconds=800)
    report = json.loads((results / "latest/report.json").read_text())
    assert report["cells"], done.output
    return {(cell["kernel"], cell["case"]): cell for cell in report["cells"]}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", [*(name for name in CASES if name not in WRONG), "scenario"])
def test_programs_start_and_probes_fire_in_them(
    name: str, kernel: str, cells: dict[tuple[str, str], dict[str, Any]]
) -> None:
    assert cells[kernel, name]["verdict"] == "pass", cells[kernel, name]["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", WRONG)
def test_a_program_that_does_not_run_is_not_seen(
    name: str, kernel: str, cells: dict[tuple[str, str], dict[str, Any]]
) -> None:
    cell = cells[kernel, name]
    assert (cell["outcome"], WRONG[name] in cell["reason"]) == ("misbehaves", True), cell["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_small_files_share_a_guest_and_what_programs_write_is_kept(
    kernel: str, cells: dict[tuple[str, str], dict[str, Any]]
) -> None:
    assert not cells[kernel, "entry"]["isolated"], "it brings nothing but a small program into its own folder"
    assert cells[kernel, "elsewhere"]["isolated"], "what lies elsewhere could be another case's"
    assert cells[kernel, "with-its-library"]["output"] == "sum 5\n"


def test_mutants_bring_them_too(project: TemporaryProject) -> None:
    words = ("--case", "entry", "--case", "with-its-library", "--kernel", KERNELS[-1], "--jobs", "1")
    done = run("mutants", "--matrix-file", project.matrix_file, "--results", project.folder / "m", *words, seconds=400)
    (report,) = (project.folder / "m").glob("mutants/*/mutants.json")
    document = json.loads(report.read_text())
    fates = {each["case"]: each["fate"] for each in document["mutants"] if each["kind"] == "steps"}
    assert (document["red"], fates) == ([], {"entry": "killed", "with-its-library": "killed"}), done.output


def test_cases_with_files_in_the_same_place_and_their_mutants_each_see_their_own(tmp_path: Path) -> None:
    """Mutants of several cases share guests; what lies where another case's could lie keeps them apart."""
    project = TemporaryProject(tmp_path / "project", kernels=KERNELS[-1:])
    for name in ("one", "two"):
        folder = project.folder / "bpf" / name
        folder.mkdir()
        shutil.copy(INPUTS / "own-files/prog.bpf.c", folder)
        (folder / "mine").write_text(name)
        grep = {"kind": "exec", "command": f"grep -q {name} /etc/probe"}
        keys = case("on_exec", files=["mine:/etc/probe"], trigger=grep, observe=started("grep"))
        (folder / "case.yaml").write_text(json.dumps(keys))
    done = run("mutants", "--matrix-file", project.matrix_file, "--kernel", KERNELS[-1], seconds=600)
    (report,) = project.folder.glob("results/mutants/*/mutants.json")
    found = json.loads(report.read_text())
    assert found["red"] == [], done.output
    in_guests = [each for each in found["mutants"] if each["kind"] == "programs"]
    assert {each["case"] for each in in_guests} == {"one", "two"}
    assert {each["fate"] for each in in_guests} <= {"killed", "survived"}, done.output


SERIAL = "7.1-x86_64"
"""A kernel without a network card: its guests are reached over a serial port."""
OVER_SERIAL = {"entry": "warm", "a-script": "warm", "large": "cold"}
"""Cases by how their guest is started: what is too much for the serial port is in the initramfs of one that boots."""


def test_over_a_serial_port_a_cases_files_are_there(project: TemporaryProject, tmp_path: Path) -> None:
    words = [word for name in OVER_SERIAL for word in ("--case", name)]
    serial = TemporaryProject(tmp_path / "project", kernels=[SERIAL])
    for name in OVER_SERIAL:
        shutil.copytree(project.folder / "bpf" / name, serial.folder / "bpf" / name)
    matrix = ("--matrix-file", serial.matrix_file, "--results", tmp_path / "r")
    done = run("matrix", *matrix, *words, seconds=400)
    report = json.loads((tmp_path / "r/latest/report.json").read_text())
    assert [row["transport"] for row in report["kernels"]] == ["serial"], done.output
    found = {cell["case"]: (cell["verdict"], cell["start"]) for cell in report["cells"]}
    assert found == {name: ("pass", start) for name, start in OVER_SERIAL.items()}, done.output
