"""virtme-ng: its command line, and what is made of its answer, with a vng that is played."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from harness.bench import virtme
from harness.bench.virtme import find_virtme, run_vng, vng_argv, write_job
from harness.config.case_folders import load_case
from harness.config.steps import Observation
from harness.errors import BenchError
from harness.scenario.from_yaml import compile_case
from harness.supply.image.programs import AGENT, PROGRAMS

ROOT = Path(__file__).resolve().parents[3]
COMMITTED = load_case(ROOT / "bpf/kprobe-fentry-fexit")
ONE_LOOK = Observation.model_validate({side: [{"kind": "kprobe"}] for side in ("client", "listener")})
CASE = compile_case(COMMITTED.model_copy(update={"again": None, "control": ONE_LOOK}))
"""As it was when `LINES` were written."""
LINES = ROOT / "tests/unit/golden/agent-6.1.jsonl"


def argv(folder: Path, *, program: Path = Path("vng"), kvm: bool = False) -> list[str]:
    return vng_argv(
        program,
        kernel=Path("boot/vmlinuz-6.1"),
        busybox=folder / "busybox",
        job=folder / "job.json",
        folder=folder,
        kvm=kvm,
        cpus=1,
    )


def vng(folder: Path, *lines: str) -> Path:
    """Write a program that answers as vng: its lines are run by a shell, with the last argument as $script."""
    program = folder / "vng"
    program.write_text("\n".join(["#!/bin/sh", 'for script in "$@"; do :; done', *lines, ""]))
    program.chmod(0o755)
    return program


def test_the_command_line() -> None:
    agent = PROGRAMS / AGENT
    assert argv(Path("f")) == [
        *("vng", "--run", "boot/vmlinuz-6.1", "--disable-kvm", "--force-9p", "--user", "root", "--cpus", "1"),
        *("--busybox", "f/busybox", "--rwdir", "f"),
        *("--exec", f"/usr/bin/python3 {agent} f/job.json >f/agent.jsonl 2>f/agent.stderr"),
    ]
    assert "--disable-kvm" not in argv(Path("f"), kvm=True)


def test_names_with_spaces_stay_whole_in_the_script() -> None:
    assert argv(Path("a b"))[-1].endswith("'a b/job.json' >'a b/agent.jsonl' 2>'a b/agent.stderr'")


def test_the_job_names_the_objects_where_the_host_has_them(tmp_path: Path) -> None:
    objects = {name: tmp_path / f"cache/{name}" for name in CASE.objects.values()}
    write_job(CASE, objects=objects, deadline=30.0, path=tmp_path / "job.json")
    (job,) = json.loads((tmp_path / "job.json").read_text())["cases"]
    assert (job["id"], job["deadline"]) == (CASE.id, 30.0)
    assert {step["path"] for step in job["steps"] if step["op"] == "open"} == {str(path) for path in objects.values()}


def test_a_case_that_works(tmp_path: Path) -> None:
    program = vng(tmp_path, "sleep 0.05", f"cp {LINES} {tmp_path}/agent.jsonl", "exit 255")
    seconds, problem = run_vng(argv(tmp_path, program=program), case=CASE, folder=tmp_path)
    assert problem == "", "vng's exit code says nothing"
    assert 0.05 <= seconds < 60


def test_another_outcome_is_told(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in LINES.read_text().splitlines()]
    for line in lines:
        if line["type"] == "event" and line["event"]["kind"] == "fexit":
            line["event"]["retval"] = 7
    (tmp_path / "other").write_text("".join(json.dumps(line) + "\n" for line in lines))
    program = vng(tmp_path, f"cp {tmp_path}/other {tmp_path}/agent.jsonl")
    _, problem = run_vng(argv(tmp_path, program=program), case=CASE, folder=tmp_path)
    assert problem.startswith("virtme-ng: kprobe-fentry-fexit: misbehaves: ")


def test_no_answer_is_an_error_with_what_was_said(tmp_path: Path) -> None:
    program = vng(tmp_path, "echo no such kernel >&2", f"echo no libbpf >{tmp_path}/agent.stderr", "exit 1")
    (tmp_path / "agent.jsonl").write_bytes(LINES.read_bytes())  # an earlier round's
    with pytest.raises(BenchError, match=r"(?s)no complete answer under virtme-ng.*no libbpf\nno such kernel"):
        run_vng(argv(tmp_path, program=program), case=CASE, folder=tmp_path)


def test_half_an_answer_is_none(tmp_path: Path) -> None:
    program = vng(tmp_path, f"head -n 5 {LINES} >{tmp_path}/agent.jsonl")
    with pytest.raises(BenchError, match="no complete answer"):
        run_vng(argv(tmp_path, program=program), case=CASE, folder=tmp_path)


def test_a_vng_that_hangs_is_ended_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtme, "SECONDS", 0.5)
    program = vng(tmp_path, f"sleep 600 & echo $! >{tmp_path}/pid; wait")
    with pytest.raises(BenchError, match=r"did not end within 0\.5 s"):
        run_vng(argv(tmp_path, program=program), case=CASE, folder=tmp_path)
    child = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    end = time.monotonic() + 10
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.01)


def test_vng_finds_its_own_helpers_where_it_is_not_on_path(tmp_path: Path) -> None:
    program = vng(tmp_path, "virtme-run")
    (tmp_path / "virtme-run").write_text(f"#!/bin/sh\ncp {LINES} {tmp_path}/agent.jsonl\n")
    (tmp_path / "virtme-run").chmod(0o755)
    assert run_vng(argv(tmp_path, program=program), case=CASE, folder=tmp_path)[1] == ""


def test_a_vng_that_is_installed_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(virtme, "PYTHON", sys.executable)
    monkeypatch.setattr(virtme, "LIBBPF", ("/proc/version",))
    vng(tmp_path, "echo virtme-ng 1.42")
    found, why = find_virtme()
    assert found is not None
    assert (found.program, found.version, why) == (tmp_path / "vng", "1.42", "")


@pytest.mark.parametrize("lacking", ["vng", "python", "libbpf"])
def test_what_is_lacking_is_told(lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if lacking != "vng":
        vng(tmp_path, "echo virtme-ng 1.42")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    monkeypatch.setattr(virtme, "PYTHON", "/nothing" if lacking == "python" else "/proc/version")
    monkeypatch.setattr(virtme, "LIBBPF", ("/nothing*",) if lacking == "libbpf" else ("/proc/version",))
    found, why = find_virtme()
    assert found is None
    assert {"vng": "not installed", "python": "/nothing", "libbpf": "libbpf.so.1"}[lacking] in why
