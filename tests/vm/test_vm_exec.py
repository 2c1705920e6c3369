"""Commands in guests, by `exec` in an empty folder: how they end, what they bring, and what they write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import KERNEL, ROOT, TemporaryProject, run

pytestmark = pytest.mark.vm
CC = shutil.which("gcc") or shutil.which("clang") or "cc"
SERIAL = "7.0-x86_64"
"""A kernel without a network card: its guests are reached over a serial port."""


@dataclass(frozen=True)
class Ran:
    """A run of `exec`: its exit code, what it wrote, and its cells by kernel."""

    code: int
    output: str
    cells: dict[str, dict[str, Any]]

    @property
    def cell(self) -> dict[str, Any]:
        (only,) = self.cells.values()
        return only


def execute(folder: Path, *words: str, stdin: str = "", seconds: float = 400, kernel: str = KERNEL) -> Ran:
    """Run `exec` in a folder, on one kernel; what a run of before has left there is removed."""
    shutil.rmtree(folder / "results", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "exec", "--kernel", kernel, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    report = folder / "results/latest/report.json"
    found = json.loads(report.read_text())["cells"] if report.exists() else []
    return Ran(done.returncode, done.stdout, {cell["kernel"]: cell for cell in found})


def compiled(folder: Path, name: str, code: str, *flags: str) -> Path:
    """A program of this machine."""
    (folder / f"{name}.c").write_text(code)
    subprocess.run([CC, f"{name}.c", "-o", name, *flags], cwd=folder, check=True)
    return folder / name


def script(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def test_the_exit_code_is_the_verdict(tmp_path: Path) -> None:
    ran = execute(tmp_path, "--", "true")
    assert (ran.code, ran.cell["verdict"], ran.cell["isolated"]) == (0, "pass", True), ran.output
    ran = execute(tmp_path, "--", "sh", "-c", "echo said; exit 3")
    assert (ran.code, ran.cell["outcome"]) == (1, "misbehaves"), ran.output
    assert "sh ended with exit code 3: said" in ran.cell["reason"]
    assert (ran.cell["output"], ran.cell["stage"]) == ("said\n", "trigger")
    assert "said\n" in ran.output, "one kernel alone: it is shown as it comes"


def test_a_signal_and_the_deadline_end_a_command(tmp_path: Path) -> None:
    ran = execute(tmp_path, "--", "sh", "-c", "kill -SEGV $$")
    assert (ran.code, ran.cell["differences"][0]["seen"]) == (1, "SIGSEGV"), ran.output
    ran = execute(tmp_path, "--deadline", "2", "--", "sh", "-c", "echo begun; sleep 1000 & sleep 1000")
    assert (ran.code, ran.cell["differences"][0]["seen"]) == (1, "deadline"), ran.output
    assert ran.cell["output"] == "begun\n"


def test_what_is_not_there_is_a_wrong_input(tmp_path: Path) -> None:
    ran = execute(tmp_path, "--", "no-such-command")
    assert (ran.code, ran.cell["verdict"], ran.cell["wrong_input"]) == (2, "error", True), ran.output
    assert "no-such-command is not in the guest: push it" in ran.cell["reason"]
    ran = execute(tmp_path, "--", "./no-such-file")
    assert (ran.code, ran.cells) == (2, {}), "no guest is needed for that"
    assert "./no-such-file: there is no such file, neither here" in ran.output


OWN = "int own(void) { return 7; }"
MAIN = """
#include <math.h>
#include <stdio.h>
int own(void);
int main(int count, char **words)
{
    printf("%d words, own %d, sqrt %.1f\\n", count - 1, own(), sqrt((count + 1) * 8.0));
    return 0;
}
"""


def test_a_program_brings_its_libraries(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    compiled(tmp_path, "libown.so", OWN, "-shared", "-fPIC").rename(tmp_path / "lib/libown.so")
    found = ("-Llib", "-lown", "-Wl,-rpath,$ORIGIN/lib")
    compiled(tmp_path, "my-test", MAIN, *found, "-lm")
    ran = execute(tmp_path, "--", "./my-test")
    assert (ran.code, ran.cell["output"]) == (0, "0 words, own 7, sqrt 4.0\n"), ran.output

    # One that needs a part of the C library that the guest does not have runs with this machine's, loader and all.
    compiled(tmp_path, "resolver", MAIN, *found, "-lm", "-Wl,--no-as-needed", "-lresolv")
    ran = execute(tmp_path, "--", "./resolver", "a b", "", "c")
    assert (ran.code, ran.cell["output"]) == (0, "3 words, own 7, sqrt 6.3\n"), ran.output


def test_a_static_program_runs_as_it_is(tmp_path: Path) -> None:
    code = '#include <unistd.h>\nint main(void) { return write(1, "static\\n", 7) != 7; }'
    compiled(tmp_path, "tool", code, "-static")
    (tmp_path / "build").mkdir()
    (tmp_path / "tool").rename(tmp_path / "build/tool")
    ran = execute(tmp_path, "--", "./build/tool")
    assert (ran.code, ran.cell["output"]) == (0, "static\n"), ran.output


PYTHON = """#!/usr/bin/env python3
import os, subprocess, sys
print(sys.argv[1:], os.getcwd(), os.environ["NAME"], open("data/deep/file").read(), oct(os.stat("data/run").st_mode))
print(subprocess.run(["uname", "-s"], capture_output=True, text=True, check=True).stdout, end="")
print(open("/tmp/place").read(), os.readlink("data/link"))
"""


def test_scripts_and_files_go_where_they_are_asked_to(tmp_path: Path) -> None:
    script(tmp_path, "it.py", PYTHON)
    (tmp_path / "data/deep").mkdir(parents=True)
    (tmp_path / "data/deep/file").write_text("deep")
    (tmp_path / "data/link").symlink_to("deep/file")
    script(tmp_path / "data", "run", "")
    (tmp_path / "here").write_text("there")
    words = ["--push", "data", "--push", "here:/tmp/place", "--env", "NAME=a b", "--cwd", "/srv/work"]
    ran = execute(tmp_path, *words, "--", "./it.py", "x y", "--kernel")
    assert ran.code == 0, ran.output
    assert ran.cell["output"].splitlines() == [
        "['x y', '--kernel'] /srv/work a b deep 0o100755",
        "Linux",
        "there deep/file",
    ]


JUNIT = """#!/bin/sh
mkdir -p out
cat >out/a.xml <<END
<testsuite><testcase classname="probe" name="TestOne" time="0.5"/>
<testcase classname="probe" name="TestTwo"><failure message="no ring buffer"/></testcase>
<testcase classname="probe" name="TestThree"><skipped/></testcase></testsuite>
END
exit $1
"""


def test_junit_files_become_sub_results(tmp_path: Path) -> None:
    script(tmp_path, "suite", JUNIT)
    for code in ("1", "0"):  # a runner that does not say so is not believed
        ran = execute(tmp_path, "--junit", "out/*.xml", "--", "./suite", code)
        assert (ran.code, ran.cell["verdict"]) == (1, "fail"), ran.output
        assert [(part["name"], part["verdict"]) for part in ran.cell["parts"]] == [
            ("probe.TestOne", "pass"),
            ("probe.TestTwo", "fail"),
            ("probe.TestThree", "not-applicable"),
        ]
        assert "probe.TestTwo" in ran.output
    ran = execute(tmp_path, "--junit", "nowhere/*.xml", "--", "true")
    assert (ran.code, ran.cell["parts"]) == (1, []), ran.output
    assert "no file is there that matches /root/nowhere/*.xml" in ran.cell["reason"]


def test_a_shell_is_left_in_the_guest_of_a_command_that_failed(tmp_path: Path) -> None:
    script(tmp_path, "it", "#!/bin/sh\necho kept >/root/left\nexit 1\n")
    ran = execute(tmp_path, "--interactive", "--", "./it", stdin="cat /root/left; uname -s; exit 5\n")
    assert ran.code == 1, "the run's exit code is the command's"
    assert "kept\nLinux\n" in ran.output
    ran = execute(tmp_path, "--interactive", "--", "true", stdin="echo never\n")
    assert (ran.code, "never" in ran.output) == (0, False), ran.output


def test_memory_and_processors_are_those_that_were_asked_for(tmp_path: Path) -> None:
    ran = execute(tmp_path, "--memory", "512", "--cpus", "2", "--", "sh", "-c", "nproc; free -m | grep Mem")
    assert ran.code == 0, ran.output
    cpus, memory = ran.cell["output"].splitlines()
    assert cpus == "2"
    assert int(memory.split()[1]) > 400


def test_modules_are_loaded_before_and_localhost_is_known(tmp_path: Path) -> None:
    ran = execute(tmp_path, "--module", "loop", "--", "sh", "-c", "test -c /dev/loop-control && ping -c 1 localhost")
    assert (ran.code, "127.0.0.1" in ran.cell["output"]) == (0, True), ran.output
    ran = execute(tmp_path, "--module", "no_such_module", "--", "true")
    assert (ran.code, "the module no_such_module could not be loaded" in ran.cell["reason"]) == (1, True), ran.output


CASES: dict[str, dict[str, Any]] = {
    "succeeds": {"command": "./suite 0", "files": ["data:/srv/data"], "expect-output": "^in the guest$"},
    "must-fail": {"command": ["sh", "-c", "exit 3"], "expect-exit": 3, "memory": 300, "deadline": 20},
    "known": {
        "command": ["sh", "-c", "kill -ABRT $$"],
        "expect": [
            {
                "outcome": "misbehaves",
                "reason": "it always aborts",
                "source": "https://example.org/1",
                "stage": "trigger",
                "differences": [{"step": "command sh", "exit": "SIGABRT"}],
            }
        ],
    },
    "silent": {"command": "true", "expect-output": "something"},
}


def test_a_case_says_the_same_in_yaml(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project", kernels=[KERNEL])
    for name, keys in CASES.items():
        folder = project.folder / "bpf" / name
        folder.mkdir(parents=True)
        (folder / "case.yaml").write_text(yaml.safe_dump({"title": name, **keys}))
    script(project.folder / "bpf/succeeds", "suite", "#!/bin/sh\ncat /srv/data\nexit $1\n")
    (project.folder / "bpf/succeeds/data").write_text("in the guest\n")
    done = run("matrix", "--matrix-file", project.matrix_file)
    report = json.loads((project.folder / "results/latest/report.json").read_text())
    found = {cell["case"]: (cell["verdict"], cell["outcome"]) for cell in report["cells"]}
    assert found == {
        "known": ("known-bug", "misbehaves"),
        "must-fail": ("pass", "works"),
        "silent": ("fail", "misbehaves"),
        "succeeds": ("pass", "works"),
    }, done.output
    assert done.code == 1


@pytest.mark.nightly
def test_a_file_of_100_mb_is_there_whole(tmp_path: Path) -> None:
    data = os.urandom(1_000_000)
    with (tmp_path / "large").open("wb") as file:
        for _ in range(100):
            file.write(data)
    (tmp_path / "sums").write_text(
        subprocess.run(["sha256sum", "large"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    )
    words = ["--push", "large", "--push", "sums", "--push", "large:/tmp/large"]
    ran = execute(tmp_path, *words, "--", "sh", "-c", "sha256sum -c sums && cmp large /tmp/large")
    assert (ran.code, ran.cell["start"]) == (0, "cold"), ran.output
    assert "large: OK" in ran.cell["output"]


def test_over_a_serial_port_a_small_file_is_pushed(tmp_path: Path) -> None:
    (tmp_path / "small").write_text("small")
    ran = execute(tmp_path, "--push", "small:more/", "--", "cat", "more/small", kernel=SERIAL)
    assert (ran.code, ran.cell["output"], ran.cell["start"]) == (0, "small", "warm"), ran.output


@pytest.mark.nightly
def test_over_a_serial_port_large_files_travel_in_the_initramfs(tmp_path: Path) -> None:
    compiled(tmp_path, "tool", '#include <stdio.h>\nint main(void) { puts("static"); return 0; }', "-static")
    ran = execute(tmp_path, "--", "./tool", kernel=SERIAL)
    assert (ran.code, ran.cell["output"], ran.cell["start"]) == (0, "static\n", "cold"), ran.output


@pytest.mark.nightly
def test_another_architecture_has_the_guests_commands_and_refuses_programs_of_this_one(tmp_path: Path) -> None:
    ran = execute(tmp_path, "--", "python3", "-c", "import os; print(os.uname().machine)", kernel="6.1-arm64")
    assert (ran.code, ran.cell["output"]) == (0, "aarch64\n"), ran.output
    compiled(tmp_path, "tool", "int main(void) { return 0; }")
    ran = execute(tmp_path, "--", "./tool", kernel="6.1-arm64")
    assert (ran.code, ran.cells) == (2, {}), ran.output
    assert "cannot run on a kernel for arm64" in ran.output


@pytest.mark.nightly
def test_debian_packages_are_there_with_their_dependencies(tmp_path: Path) -> None:
    script(
        tmp_path, "it", "#!/usr/bin/bash\nset -e\n[[ $BASH_VERSION == 5* ]]\nls --version | head -1\nbpftool version\n"
    )
    packages = [word for name in ("bash", "coreutils", "bpftool") for word in ("--package", name)]
    ran = execute(tmp_path, "--", "./it")
    assert (ran.code, "--package bash" in ran.output) == (2, True), ran.output
    ran = execute(tmp_path, *packages, "--", "./it")
    assert ran.code == 0, ran.output
    assert "bpftool v" in ran.cell["output"]
    notices = json.loads((tmp_path / "results/latest/report.json").read_text())["run"]["notices"]
    assert any(notice.startswith("packages (x86_64): bash 5.") for notice in notices), "a run says which versions"
    ran = execute(tmp_path, "--package", "no-such-package", "--", "true")
    assert (ran.code, "Unable to locate package no-such-package" in ran.output) == (2, True), ran.output


@pytest.mark.nightly
def test_bpftrace_and_the_libbpf_tools_see_what_happens(tmp_path: Path) -> None:
    # The shell runs its own commands in copies of itself; python3 is a program, which it executes.
    program = 'tracepoint:sched:sched_process_exec /comm == "python3"/ { printf("seen %s\\n", comm); exit() }'
    (tmp_path / "it.bt").write_text(program)
    text = "bpftrace it.bt & for i in $(seq 100); do sleep 1; python3 -c 0; kill -0 $! || break; done; wait $!"
    words = ["--package", "bpftrace", "--push", "it.bt", "--deadline", "200"]
    ran = execute(tmp_path, *words, "--", "sh", "-c", text, seconds=900)
    assert (ran.code, "seen python3" in ran.cell["output"]) == (0, True), ran.output
    text = "execsnoop-libbpf >l & for i in $(seq 99); do sleep 1; python3 -c 0; grep python l && break; done; kill $!"
    words = ["--package", "libbpf-tools", "--deadline", "200"]
    ran = execute(tmp_path, *words, "--", "sh", "-c", text, seconds=900)
    assert (ran.code, "python3" in ran.cell["output"]) == (0, True), ran.output
