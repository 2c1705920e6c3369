"""The steps of the GitHub action: which command the inputs mean, and that no text of a guest is a command."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from unit_samples import ROOT

from harness.cli.action import inputs_of, main, report, report_words, run, run_words, switch
from harness.errors import UsageError


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "matrix --results results"),
        (
            {"cases": "a* b", "kernels": "6.1-*\n7.*", "arch": "all", "cold": "true", "shard": "1/3", "timings": "t"},
            "matrix --shard 1/3 --kernel 6.1-* --kernel 7.* --arch all --case a* --case b --timings t --cold "
            "--results results",
        ),
        (
            {"object": "a.bpf.o src/", "jobs": "2", "matrix": "m.yaml", "options": "--require-run --rodata x=1"},
            "check --matrix-file m.yaml --jobs 2 --results results --require-run --rodata x=1 a.bpf.o src/",
        ),
        (
            {"command": "./t -v 'a b'", "options": "--push data", "results": "out", "cold": "false"},
            "exec --results out --push data -- ./t -v|a b",
        ),
    ],
)
def test_inputs_are_words_of_a_command(inputs: dict[str, str], words: str) -> None:
    expected = words.replace("|", " ").split()
    if "|" in words:
        expected[-2:] = ["a b"]
    assert run_words(inputs) == expected


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"object": "a", "command": "b"}, "two different runs"),
        ({"command": "b", "cases": "c"}, "the input cases is for cases of a matrix and for objects"),
        ({"minutes": "soon"}, 'the input minutes takes a number; got "soon"'),
        ({"cold": "maybe"}, 'the input cold takes true or false; got "maybe"'),
        ({"fail-on": "always"}, "the input fail-on takes unexpected, regression, never"),
    ],
)
def test_inputs_that_contradict_each_other_are_refused(inputs: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run_words(inputs)


def test_switches_are_true_or_false() -> None:
    assert [switch("x", value) for value in ("true", "True", "1", "", "false", "no")] == [True] * 3 + [False] * 3


def test_inputs_come_as_the_environment() -> None:
    assert inputs_of({"INPUT_COMPARE_WITH": " a \n", "INPUT_COLD": "", "HOME": "/"}) == {"compare-with": "a"}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "github run --fail-on unexpected"),
        (
            {"compare-with": "b.json", "fail-on": "regression", "matrix": "m.yaml"},
            "github run --fail-on regression --matrix-file m.yaml --compare-with b.json --comment run/comment.md",
        ),
        (
            {"compare-with": "b.json", "kernels": "6.1-*"},
            "github run --fail-on unexpected --compare-with b.json --comment run/comment.md --common",
        ),
    ],
)
def test_how_a_run_is_reported(inputs: dict[str, str], words: str) -> None:
    assert report_words(inputs, Path("run")) == words.split()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    return tmp_path


def program(work: Path, script: str) -> list[str]:
    path = work / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


LEAVES_A_RUN = "mkdir -p results/r; echo {} >results/r/report.json; ln -sfn r results/latest"


def outputs(work: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (work / "output").read_text().splitlines())


def environment(work: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(work / "output"), "GITHUB_WORKSPACE": str(work), **more}


def test_a_run_leaves_its_exit_code_and_its_folder(work: Path) -> None:
    assert run(environment(work), program=program(work, f"{LEAVES_A_RUN}; exit 1")) == 0
    assert outputs(work) == {"code": "1", "folder": "results/r"}


def test_the_folder_of_an_earlier_run_is_not_that_of_one_that_left_none(work: Path) -> None:
    (work / "results/old").mkdir(parents=True)
    (work / "results/latest").symlink_to("old")
    run(environment(work), program=program(work, "exit 3"))
    assert outputs(work) == {"code": "3", "folder": ""}


def test_what_a_guest_writes_is_between_two_lines_that_stop_commands(
    work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = program(work, 'echo "::set-output name=code::0"; printf "no end of a line"')
    run(environment(work), program=said)
    run(environment(work), program=said)
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "bpfmatrix matrix --results results"
    token = lines[1].removeprefix("::stop-commands::")
    assert len(token) == 32
    assert lines[1:5] == [
        f"::stop-commands::{token}",
        "::set-output name=code::0",
        "no end of a line",
        f"::{token}::",
    ]
    assert token not in "\n".join(lines[5:]), "another one each time"


@pytest.mark.parametrize(("minutes", "limit"), [({}, "60m"), ({"INPUT_MINUTES": "5"}, "5m")])
def test_a_run_that_takes_too_long_is_asked_to_end_and_may_clean_up(
    work: Path, minutes: dict[str, str], limit: str
) -> None:
    (work / "timeout").write_text('#!/bin/sh\necho "$1 $2" >limit\nshift 2\nexec "$@"\n')
    (work / "timeout").chmod(0o755)
    run(environment(work, **minutes, PATH=f"{work}:{os.environ['PATH']}"), program=program(work, "exit 0"))
    assert (work / "limit").read_text() == f"--kill-after=1m {limit}\n"
    assert outputs(work)["code"] == "0"


def test_a_mirror_is_passed_on(work: Path) -> None:
    said = program(work, 'echo "$BPFMATRIX_DEBIAN_MIRROR" >mirror')
    run(environment(work, INPUT_MIRROR="http://m.example/debian"), program=said)
    assert (work / "mirror").read_text() == "http://m.example/debian\n"


@pytest.mark.parametrize(("code", "expected"), [("3", 3), ("0", 3), ("", 3), ("124", 124)])
def test_a_run_without_a_report_is_never_green(
    work: Path, code: str, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(environment(work, RUN_CODE=code, RUN_FOLDER=""), program=["false"]) == expected
    assert "left no report" in capsys.readouterr().out


def test_a_report_is_that_of_the_run_and_its_exit_code_is_the_steps(work: Path) -> None:
    run(environment(work), program=program(work, LEAVES_A_RUN))
    said = program(work, 'echo "$*" >words; exit 1')
    assert report(environment(work, RUN_CODE="0", RUN_FOLDER="results/r"), program=said) == 1
    assert (work / "words").read_text() == "github results/r --fail-on unexpected\n"


def test_wrong_inputs_are_an_annotation(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INPUT_COLD", "100%\n::error::x")
    assert main(["run", "true"]) == 2
    out = capsys.readouterr().out
    assert out.startswith("::error title=bpfmatrix::the input cold takes true or false")
    assert len(out.splitlines()) == 1
    assert main(["other"]) == 2


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A checkout whose `./run` and program only note how they are called."""
    for name, script in {
        "run": 'echo "run $* ${BPFMATRIX_EMULATORS:-}" >>"$NOTES"; echo noise',
        ".venv/bin/bpfmatrix": 'echo "$PWD: $* ${BPFMATRIX_RUN:-}|${BPFMATRIX_EMULATORS:-}" >>"$NOTES"',
    }.items():
        (tmp_path / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "top" / name).chmod(0o755)
    (tmp_path / "top/.ci/bin").mkdir(parents=True)
    shutil.copy2(ROOT / ".ci/bin/bpfmatrix", tmp_path / "top/.ci/bin/bpfmatrix")
    (tmp_path / "work").mkdir()
    return tmp_path


def called(installed: Path, *words: str, **environment: str) -> list[str]:
    """Call the program of the action in a folder of somebody else's; return what was noted."""
    own = {"PATH": os.environ["PATH"], "NOTES": str(installed / "notes"), **environment}
    argv = [str(installed / "top/.ci/bin/bpfmatrix"), *words]
    done = subprocess.run(argv, cwd=installed / "work", env=own, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return (installed / "notes").read_text().splitlines()


def test_the_program_of_the_action_installs_first_and_works_in_the_folder_of_its_caller(installed: Path) -> None:
    program = installed / "top/.ci/bin/bpfmatrix"
    assert called(installed, "matrix", "--cold") == ["run --version ", f"{installed}/work: matrix --cold {program}|"]


def test_what_check_may_need_is_installed_for_check(installed: Path) -> None:
    assert called(installed, "check", "a.o")[0] == "run check --help "


def test_emulators_that_a_run_turns_out_to_need_are_installed_once(installed: Path) -> None:
    wanted = "qemu-system-s390x:qemu-system-s390x"
    assert called(installed, "matrix", BPFMATRIX_EMULATORS=wanted) == [
        f"run --version {wanted}",
        f"{installed}/work: matrix |",
    ]
