"""What `exec` makes of its command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cli import exec as cli_exec
from harness.cli.exec import Asked, case_of, exec_command, shell_after_failure
from harness.errors import ConfigError, UsageError
from harness.facts.records import CaseRecord
from harness.host import package_data
from harness.run.options import Options, on_default_kernels
from harness.scenario.from_command import Command
from harness.scenario.from_command import case_of as command_case
from harness.supply.project import Project
from harness.supply.pushed import Push


def test_a_command_becomes_a_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "here")
    asked = Asked(
        argv=["./build/My_Test", "-v", "a b"],
        push=["data:/etc/data"],
        package=["bash"],
        module=["loop", "ext4"],
        env=["A=1=2", "INHERITED", "EMPTY="],
        deadline="1.5",
        memory=512,
        junit="*.xml",
        cwd="/srv/",
    )
    case = case_of(asked, folder=tmp_path)
    assert (case.id, case.title, case.memory, case.cpus) == ("my-test", "./build/My_Test -v 'a b'", 512, None)
    assert case.wanted.packages == ("bash",)
    assert case.modules == ("loop", "ext4")
    assert case.wanted.files == (Push(file="data", folder=tmp_path, to="/etc/data"),)
    assert case.wanted.command == Command(
        argv=("./build/My_Test", "-v", "a b"),
        env={"A": "1=2", "INHERITED": "here", "EMPTY": ""},
        cwd="/srv",
        deadline=1.5,
        junit="*.xml",
    )


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (Asked(argv=[]), UsageError, "exec needs a command behind --"),
        (Asked(argv=["a"], cwd="b"), UsageError, '--cwd takes an absolute folder of the guest; got "b"'),
        (Asked(argv=["a"], deadline="0"), UsageError, '--deadline takes a number of seconds above 0; got "0"'),
        (Asked(argv=["a"], deadline="nan"), UsageError, "--deadline takes a number of seconds"),
        (Asked(argv=["a"], env=["NOT_SET_HERE"]), ConfigError, "--env takes NAME=VALUE"),
        (Asked(argv=["a"], env=["=x"]), ConfigError, "--env takes NAME=VALUE"),
    ],
)
def test_what_cannot_be_meant_says_what_to_do(asked: Asked, error: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        case_of(asked, folder=tmp_path)
    assert str(caught.value).startswith(words)


def test_without_a_matrix_file_the_default_kernels_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = Options(project=Project(matrix_file=Path("matrix.yaml")), kernels=["6.*"])
    found = on_default_kernels(given)
    assert found.project.matrix_file == package_data.matrix_file()
    assert (found.results, found.kernels) == (Path("results"), ["6.*"])
    named = Options(project=Project(matrix_file=Path("other.yaml")))
    assert on_default_kernels(named) == named, "a file that was named must be there"
    (tmp_path / "matrix.yaml").touch()
    assert on_default_kernels(given) == given


def test_what_is_shown_depends_on_how_many_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs: list[tuple[Options, Any]] = []
    monkeypatch.setattr(cli_exec, "run_matrix", lambda options, *, showing: runs.append((options, showing)))
    given = Options(project=Project(matrix_file=Path("matrix.yaml")), jobs=4)
    for asked in (Asked(argv=["a"]), Asked(argv=["a"], verbose=True), Asked(argv=["a"], interactive=True)):
        exec_command(given, asked)
    streams = []
    for (_, showing), jobs in zip(runs, (2, 2, 1), strict=True):
        observer = showing(["6.1", "6.12"], jobs)
        written: list[str] = []
        monkeypatch.setattr(observer, "write", written.append)
        observer.output("6.1", "x\n")
        streams.append(written)
    assert streams == [[], ["6.1: x"], ["6.1: x"]]
    assert [(options.jobs, options.visit) for options, _ in runs] == [
        (4, None),
        (4, None),
        (1, shell_after_failure),
    ]


class Transcript:
    """What is known of a command that ended with this exit code."""

    def __init__(self, code: int, *, ok: bool = True) -> None:
        self.step = {"op": "command", "ok": ok, "exit": code, "signal": None, "timed_out": False}

    def record(self, _case: str) -> CaseRecord:
        return CaseRecord(steps=(self.step,))


@pytest.mark.parametrize(
    ("transcript", "shells"), [(Transcript(0), 0), (Transcript(1), 1), (Transcript(0, ok=False), 1)]
)
def test_a_shell_is_given_only_after_a_failure(
    transcript: Any, shells: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attended: list[Any] = []
    monkeypatch.setattr("harness.cli.shell.attend", attended.append)
    connection: Any = object()
    case = command_case(Command(argv=("it",)), id="it", title="it")
    shell_after_failure("6.1", [case], transcript, connection)
    assert attended == [connection] * shells
    assert ("6.1: the command failed" in capsys.readouterr().err) == bool(shells)
