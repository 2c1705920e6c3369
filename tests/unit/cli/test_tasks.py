"""The command line: each option reaches what the command does, and how a command ends is the exit code.

What the commands do is played (test_commands.py has that).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.program import Program

from harness.bench import command as bench_command
from harness.cli import commands, tasks
from harness.errors import EXIT_HARNESS, EXIT_USAGE, BpfmatrixError, ConfigError, QemuError
from harness.mutants import command as mutants_command

FILE = Path("matrix.yaml")
FILTERS: dict[str, Any] = {"kernels": [], "arches": [], "cases": []}
LISTS = ["-k", "5.*", "--kernel", "6.*", "--arch", "arm64", "--arch", "s390x", "--case", "a", "--case", "b"]
LISTED = {"kernels": ["5.*", "6.*"], "arches": ["arm64", "s390x"], "cases": ["a", "b"]}
RUN = ["--results", "r", "--accel", "tcg", "--jobs", "3", "--matrix-file", "m.yaml"]
RAN = {"results": Path("r"), "accel": "tcg", "jobs": 3, "matrix_file": Path("m.yaml")}
UNSAID = {"results": None, "accel": None, "jobs": 0, "matrix_file": FILE}
MATRIX = {"suite": None, "locked": False, "cold": False, "resume": None}

REACHED: list[tuple[list[str], dict[str, Any]]] = [
    ([], {**FILTERS, **UNSAID, **MATRIX}),  # without a name it is matrix
    (["matrix"], {**FILTERS, **UNSAID, **MATRIX}),
    (["matrix", *LISTS, *RUN], {**LISTED, **RAN, **MATRIX}),
    (["matrix", "--locked", "--cold"], {**FILTERS, **UNSAID, **MATRIX, "locked": True, "cold": True}),
    (["matrix", "--resume", "r/1"], {**FILTERS, **UNSAID, **MATRIX, "resume": Path("r/1")}),
    (["watch"], {**FILTERS, **UNSAID}),
    (["watch", *LISTS, *RUN], {**LISTED, **RAN}),
    (["judge", "r/latest"], {"run": Path("r/latest"), "rules": "recorded", "matrix_file": FILE}),
    (
        ["judge", "r/1", "--rules", "current", "--matrix-file", "m.yaml"],
        {"run": Path("r/1"), "rules": "current", "matrix_file": Path("m.yaml")},
    ),
    (["kernels", "--arch", "all", "--matrix-file", "m.yaml"], {"arches": ["all"], "matrix_file": Path("m.yaml")}),
    (["matrix", "--suite", "tracing"], {**FILTERS, **UNSAID, **MATRIX, "suite": "tracing"}),
    (["cases", "--matrix-file", "m.yaml"], {"suite": None, "matrix_file": Path("m.yaml")}),
    (["cases", "--suite", "tracing"], {"suite": "tracing", "matrix_file": FILE}),
    (["init"], {"words": (Path(),)}),
    (["init", "--folder", "f"], {"words": (Path("f"),)}),
    (["lock"], {"kernels": [], "matrix_file": FILE}),
    (["lock", "--kernel", "a", "--kernel", "b"], {"kernels": ["a", "b"], "matrix_file": FILE}),
    (["shell", "--kernel", "6.1"], {"kernel": "6.1", "accel": None, "matrix_file": FILE}),
    (["shell", "--kernel", "6.1", "--accel", "kvm"], {"kernel": "6.1", "accel": "kvm", "matrix_file": FILE}),
    (["doctor", "--matrix-file", "m.yaml"], {"matrix_file": Path("m.yaml")}),
    (["clean"], {"results": None}),
    (["clean", "--results"], {"results": Path("results")}),
    (
        ["bench"],
        {"kernel": None, "rounds": 5, "matrix_kernels": "*", "quick": False, "accel": None, "output": None}
        | {"page_file": None, "matrix_file": FILE},
    ),
    (
        [
            "bench",
            "--kernel",
            "6.1",
            "--rounds",
            "2",
            "--matrix-kernels",
            "6.*",
            "--quick",
            "--accel",
            "tcg",
            "--output",
            "o",
            "--page",
            "p.md",
            "--matrix-file",
            "m.yaml",
        ],
        {"kernel": "6.1", "rounds": 2, "matrix_kernels": "6.*", "quick": True, "accel": "tcg", "output": Path("o")}
        | {"page_file": Path("p.md"), "matrix_file": Path("m.yaml")},
    ),
]
COMMANDS = sorted({words[0] for words, _ in REACHED if words})


class Played:
    """Everything that commands do: notes what it was asked for, and ends as `ends` says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.mutants: list[mutants_command.Wanted] = []
        self.ends: int | BaseException | None = 0

    def do(self, name: str) -> Any:
        def command(*words: Path, **given: Any) -> int | None:
            self.asked.append((name, {**given, **({"words": words} if words else {})}))
            if isinstance(self.ends, BaseException):
                raise self.ends
            return self.ends

        return command


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    played = Played()
    for name in COMMANDS:
        monkeypatch.setattr(bench_command if name == "bench" else commands, name, played.do(name))

    def mutants(wanted: mutants_command.Wanted) -> int:
        played.mutants.append(wanted)
        return 0

    monkeypatch.setattr(mutants_command, "mutants", mutants)
    yield played
    gc.unfreeze()  # a command that ends freezes what is there


def run(*words: str) -> int:
    """Run the command line; return its exit code."""
    program = Program(name="bpfmatrix", binary="bpfmatrix", namespace=Collection.from_module(tasks), version="1")
    try:
        program.run(["bpfmatrix", *words])
    except SystemExit as leaving:
        assert isinstance(leaving.code, int | None)
        return leaving.code or 0
    return 0


@pytest.mark.parametrize(("words", "given"), REACHED, ids=[" ".join(words) or "nothing" for words, _ in REACHED])
def test_every_option_reaches_the_command(played: Played, words: list[str], given: dict[str, Any]) -> None:
    assert run(*words) == 0
    assert played.asked == [(words[0] if words else "matrix", given)]


def test_every_option_reaches_mutants(played: Played) -> None:
    assert run("mutants") == 0
    words = ["--kernel", "6.*", "--case", "a", "--transcripts", "t", "--no-guests", "--results", "r", "--accel", "tcg"]
    assert run("mutants", *words, "--jobs", "3", "--cold", "--matrix-file", "m.yaml") == 0
    names = ("kernels", "cases", "transcripts", "guests", "results", "accel", "jobs", "cold")
    assert [tuple(getattr(wanted, name) for name in names) for wanted in played.mutants] == [
        ([], [], None, True, None, None, 2, False),
        (["6.*"], ["a"], Path("t"), False, Path("r"), "tcg", 3, True),
    ]
    assert [wanted.project.matrix_file.name for wanted in played.mutants] == ["matrix.yaml", "m.yaml"]


def test_the_tables_here_have_every_command() -> None:
    assert set(COMMANDS) | {"mutants"} == set(Collection.from_module(tasks).task_names)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 42])
@pytest.mark.parametrize(
    "words", [["matrix"], ["judge", "r"], ["watch"], ["shell", "--kernel", "k"], ["doctor"], ["bench"]]
)
def test_what_a_command_ends_with_is_the_exit_code(played: Played, words: list[str], code: int) -> None:
    played.ends = code
    assert run(*words) == code


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    "how",
    [
        (ConfigError("matrix.yaml:1: no"), EXIT_USAGE, "bpfmatrix: matrix.yaml:1: no\n"),
        (QemuError("QEMU did not start"), EXIT_HARNESS, "bpfmatrix: QEMU did not start\n"),
        (KeyboardInterrupt(), EXIT_HARNESS, "bpfmatrix: interrupted\n"),
    ],
)
def test_an_error_is_its_message_and_its_exit_code_without_a_traceback(
    played: Played, capfd: pytest.CaptureFixture[str], name: str, how: tuple[BaseException, int, str]
) -> None:
    played.ends, code, message = how
    needed = {"judge": ["r"], "shell": ["--kernel", "k"]}
    assert run(name, *needed.get(name, [])) == code
    assert capfd.readouterr().err == message


def test_what_nobody_expects_keeps_its_traceback(played: Played) -> None:
    played.ends = ZeroDivisionError("a mistake of ours")
    with pytest.raises(ZeroDivisionError):
        run("matrix")
    assert not issubclass(ZeroDivisionError, BpfmatrixError)


@pytest.mark.parametrize("words", [["judge"], ["shell"], ["matrix", "--no-such-option"], ["no-such-command"]])
def test_a_command_line_that_is_wrong_runs_nothing(played: Played, words: list[str]) -> None:
    assert run(*words) != 0
    assert played.asked == []
