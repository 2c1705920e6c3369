"""Whole runs that are interrupted, and two at a time: no guest outlives its run, and the reports tell what is known."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from projects import KERNEL, Done, TemporaryProject, alive, guests, start, until

pytestmark = pytest.mark.vm

CASES = ("first", "second", "third")
GONE_SECONDS = 2.0
"""Within this time after its harness no guest may be left (the issue's own number)."""


@pytest.fixture
def project(tmp_path: Path) -> TemporaryProject:
    """Kernels that reach their init and then do nothing, for as long as it takes to interrupt them."""
    project = TemporaryProject(
        tmp_path / "project",
        kernels=(KERNEL, "6.12-x86_64"),
        changes={"cmdline": "loglevel=7 rdinit=/usr/bin/busybox -- sleep 36000", "deadlines": {"boot": 3600}},
    )
    for name in CASES:
        project.case(name)
    return project


@contextmanager
def running(project: TemporaryProject, temporary: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the matrix; TMPDIR is the test's, so that nothing is left elsewhere after SIGKILL."""
    process = start("matrix", "--matrix-file", project.matrix_file, *arguments, env={"TMPDIR": str(temporary)})
    try:
        yield process
    finally:
        for pid in [*guests(process.pid), process.pid]:
            with_kill(pid)
        process.wait()
        if process.stdout:
            process.stdout.close()


def with_kill(pid: int) -> None:
    if alive(pid):
        os.kill(pid, signal.SIGKILL)


def idle_guests(process: subprocess.Popen[str], temporary: Path) -> list[int]:
    """Wait until a guest idles in its init, and return the QEMU processes of the run."""

    def idling() -> bool:
        assert process.poll() is None, process.communicate()[0]
        consoles = temporary.glob("bpfmatrix.*/console")
        return any("as init process" in path.read_text(errors="replace") for path in consoles)

    until(idling, what="a guest reaches its init")
    found = guests(process.pid)
    assert found
    return found


def ended(process: subprocess.Popen[str], pids: list[int]) -> Done:
    """Return how an interrupted run ended; every guest must be gone soon after it, or before."""
    output, _ = process.communicate(timeout=60)
    until(lambda: not any(map(alive, pids)), seconds=GONE_SECONDS, what=f"QEMU processes {pids} are gone")
    return Done(process.returncode, output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_tells_what_it_knows(
    project: TemporaryProject, temporary: Path, number: signal.Signals
) -> None:
    with running(project, temporary, "--jobs", "1") as process:
        pids = idle_guests(process, temporary)
        process.send_signal(number)
        done = ended(process, pids)
    assert done.code == 3, done.output
    assert "Traceback" not in done.output
    folder = project.folder / "results/latest"
    report = json.loads((folder / "report.json").read_text())
    cells = {(cell["kernel"], cell["case"]): cell["outcome"] for cell in report["cells"]}
    assert cells == {
        **{(KERNEL, case): "lost" for case in CASES},  # its guest had started
        **{("6.12-x86_64", case): "not-run" for case in CASES},
    }
    assert (report["run"]["complete"], report["run"]["exit_code"]) == (False, 3)
    word = "Ctrl-C" if number == signal.SIGINT else number.name
    assert report["run"]["notices"] == [f"the run was interrupted ({word})"]
    errors = ET.parse(folder / "junit.xml").getroot().findall("testsuite/testcase/error")
    assert [error.get("type") for error in errors] == ["lost"] * 3 + ["not-run"] * 3
    assert (folder / "report.md").exists()
    assert not list(temporary.iterdir()), "temporary folders were left"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_may_be_interrupted_while_its_guest_is_being_started(
    project: TemporaryProject, temporary: Path, number: signal.Signals
) -> None:
    with running(project, temporary, "--jobs", "1") as process:
        until(lambda: bool(guests(process.pid)), what="a QEMU is there")
        pids = guests(process.pid)
        process.send_signal(number)
        done = ended(process, pids)
    assert done.code == 3, done.output
    assert not list(temporary.iterdir()), "temporary folders were left"


def test_a_killed_run_leaves_no_guest(project: TemporaryProject, temporary: Path) -> None:
    with running(project, temporary, "--jobs", "2") as process:
        idle_guests(process, temporary)
        until(lambda: len(guests(process.pid)) == 2, what="both guests are there")
        pids = guests(process.pid)
        process.kill()
        done = ended(process, pids)
    assert done.code == -signal.SIGKILL


def test_two_runs_at_a_time_do_not_disturb_each_other(tmp_path: Path, temporary: Path) -> None:
    project = TemporaryProject(tmp_path / "project")
    project.case("works")
    with running(project, temporary, "--jobs", "1") as one, running(project, temporary, "--jobs", "1") as other:
        runs = [(process.communicate(timeout=240)[0], process.returncode) for process in (one, other)]
    assert [code for _, code in runs] == [0, 0], runs
    results = project.folder / "results"
    folders = sorted(path for path in results.iterdir() if not path.is_symlink())
    assert len(folders) == 2
    for folder in folders:
        report = json.loads((folder / "report.json").read_text())
        assert [cell["verdict"] for cell in report["cells"]] == ["pass"]
        assert (folder / KERNEL / "agent.jsonl").read_text().count('"type": "hello"') == 1
    assert (results / "latest").resolve() in folders
    assert not list(temporary.iterdir()), "temporary folders were left"


@pytest.mark.parametrize("moment", ["after a row", "in the middle of one"])
def test_a_run_that_was_killed_is_gone_on_with(moment: str, tmp_path: Path, temporary: Path) -> None:
    """SIGKILL leaves no time to write anything: what is known is what each row wrote when it was over."""
    other = "6.12-x86_64"
    project = TemporaryProject(tmp_path / "project", kernels=(KERNEL, other))
    project.case("works")
    with running(project, temporary, "--jobs", "1") as process:
        awaited = f"results/*/{KERNEL}/facts.json" if moment == "after a row" else f"results/*/{other}/agent.jsonl"
        until(lambda: any(project.folder.glob(awaited)), seconds=240, what=f"{awaited} is there")
        pids = guests(process.pid)
        process.kill()
        ended(process, pids)
    (first,) = project.folder.glob("results/*/plan.json")
    earlier = first.parent
    assert not (earlier / "run.json").exists()
    assert not (earlier / other / "facts.json").exists()
    judged = done_by("judge", earlier)
    assert judged.code == 3, judged.output
    assert "the run was interrupted (the run was killed)" in (earlier / "report.md").read_text()
    with running(project, temporary, "--jobs", "1", "--resume", str(earlier)) as process:
        done = ended(process, [])
    assert done.code == 0, done.output
    report = json.loads((project.folder / "results/latest/report.json").read_text())
    assert {kernel["name"]: kernel["run"] for kernel in report["kernels"]} == {KERNEL: earlier.name, other: ""}
    assert [cell["verdict"] for cell in report["cells"]] == ["pass", "pass"]
    folder = project.folder / "results" / report["run"]["id"]
    assert not (folder / KERNEL / "agent.jsonl").exists(), "that kernel had no guest"


def done_by(*arguments: str | Path) -> Done:
    process = start(*map(str, arguments), env={})
    output, _ = process.communicate(timeout=60)
    return Done(process.returncode, output)
