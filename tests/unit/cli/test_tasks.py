"""The command line: each option reaches what the command does, and how a command ends is the exit code.

What the commands do is played (test_commands.py has that).
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from invoke.collection import Collection
from unit_samples import ROOT

from harness.bench import command as bench_command
from harness.cli import answers, commands, planning, releasing, tasks
from harness.cli import github as github_command
from harness.cli import precheck as precheck_command
from harness.cli.command_line import CommandLine
from harness.cli.exec import Asked
from harness.errors import EXIT_HARNESS, EXIT_USAGE, BpfmatrixError, ConfigError, QemuError
from harness.mutants import command as mutants_command
from harness.run.options import Options
from harness.supply.project import Project

LISTS = ["-k", "5.*", "--kernel", "6.*", "--arch", "arm64", "--arch", "s390x", "--case", "a", "--case", "b"]
LISTED = {"kernels": ["5.*", "6.*"], "arches": ["arm64", "s390x"], "cases": ["a", "b"]}
RUN = ["--results", "r", "--accel", "tcg", "--jobs", "3", "--matrix-file", "m.yaml"]
RAN = {"results": Path("r"), "accel": "tcg", "jobs": 3}
PLAIN = Project(matrix_file=Path("matrix.yaml"))
OWN = Project(matrix_file=Path("m.yaml"))
SUITE = Project(matrix_file=Path("matrix.yaml"), suite="tracing")
EXEC = ["-k", "6.*", "--push", "a:b", "--push", "c", "--package", "bash", "--env", "A=1", "--junit", "*.xml"]
EXEC += ["--cwd", "/w", "--deadline", "1.5", "--memory", "512", "--cpus", "2", "--interactive", "--verbose"]
CHECK: dict[str, Any] = {
    "objects": [],
    "programs": [],
    "rodata": [],
    "btf": None,
    "run": True,
    "require_run": False,
    "config": None,
    "accept": None,
    "precheck": False,
}
ONCE = {"repeat": 1}
GITHUB = {"project": PLAIN, "base": None, "common": False, "comment": None, "fail_on": "unexpected"}
RELEASE: dict[str, Any] = {
    "output": Path("results/bpfmatrix-report"),
    "last_wins": False,
    "cases": [],
    "lock": PLAIN.lock_file,
    "verified": None,
}
BENCH = {"kernel": None, "rounds": 5, "matrix_kernels": "*", "quick": False, "output": None, "page_file": None}


def options(project: Project = PLAIN, **fields: Any) -> Options:
    """What a command is called with: `fields` are those that the command line names."""
    return Options(project=project, **fields)


REACHED: list[tuple[list[str], tuple[Any, ...], dict[str, Any]]] = [
    ([], (options(),), ONCE),  # without a name it is matrix
    (["matrix"], (options(),), ONCE),
    (["matrix", *LISTS, *RUN], (options(OWN, **LISTED, **RAN),), ONCE),
    (["matrix", "--locked", "--cold"], (options(locked=True, cold=True),), ONCE),
    (["matrix", "--resume", "r/1"], (options(resume=Path("r/1")),), ONCE),
    (["matrix", "--suite", "tracing"], (options(SUITE),), ONCE),
    (["matrix", "--repeat", "3"], (options(),), {"repeat": 3}),
    (
        ["matrix", "--shard", "2/5", "--by", "arch", "--timings", "a", "--timings", "b"],
        (options(shard=(2, 5), by="arch", timings=[Path("a"), Path("b")]),),
        ONCE,
    ),
    *(
        ([*line, "--quiet", "--json"], (options(quiet=True, json=True),), given)
        for line, given in ((["matrix"], ONCE), (["check", "a.o"], {**CHECK, "objects": [Path("a.o")]}))
    ),
    (["plan"], (options(),), {"shards": 1, "format": "json"}),
    (
        ["plan", "--shards", "3", "--format", "github", "--by", "arch", "--timings", "a", "--arch", "all"],
        (options(by="arch", timings=[Path("a")], arches=["all"]),),
        {"shards": 3, "format": "github"},
    ),
    (["check", "a.o"], (options(),), {**CHECK, "objects": [Path("a.o")]}),
    (
        [
            "check",
            "a.o",
            "--program",
            "p*",
            "b",
            "--program",
            "q",
            "--rodata",
            "x=1",
            "--btf",
            "old.btf",
            "--no-run",
            *LISTS,
            *RUN,
        ],
        (options(OWN, **LISTED, **RAN),),
        {
            **CHECK,
            "objects": [Path("a.o"), Path("b")],
            "programs": ["p*", "q"],
            "rodata": ["x=1"],
            "btf": Path("old.btf"),
            "run": False,
        },
    ),
    (
        ["check", "a.o", "--require-run", "--config", "c.yaml", "--locked", "--cold", "--resume", "r/1"],
        (options(locked=True, cold=True, resume=Path("r/1")),),
        {**CHECK, "objects": [Path("a.o")], "require_run": True, "config": Path("c.yaml")},
    ),
    (["check", "--accept", "r/1"], (options(),), {**CHECK, "accept": Path("r/1")}),
    (["check", "a.o", "--precheck"], (options(),), {**CHECK, "objects": [Path("a.o")], "precheck": True}),
    (
        ["bisect", "--kernel", "6.1-x86_64", "--case", "a"],
        (options(kernels=["6.1-x86_64"], cases=["a"]),),
        {"good": "", "bad": "", "words": []},
    ),
    (
        ["bisect", "--good", "6.1.1", "--bad", "6.1.9", "--word", "jit", "--cold", "--suite", "tracing"],
        (options(SUITE, cold=True),),
        {"good": "6.1.1", "bad": "6.1.9", "words": ["jit"]},
    ),
    (["compare", "a", "b"], (Path("a"), Path("b")), {"common": False, "markdown": None, "json": None}),
    (
        ["compare", "a", "b", "--common", "--markdown", "m.md", "--json", "j.json"],
        (Path("a"), Path("b")),
        {"common": True, "markdown": Path("m.md"), "json": Path("j.json")},
    ),
    (["github", "a"], (Path("a"),), GITHUB),
    (
        ["github", "a", "--compare-with", "b", "--common", "--comment", "c.md", "--fail-on", "never", *RUN[-2:]],
        (Path("a"),),
        {"project": OWN, "base": Path("b"), "common": True, "comment": Path("c.md"), "fail_on": "never"},
    ),
    (["explain", "a"], (Path("a"),), {"markdown": None, "json": None}),
    (
        ["explain", "a", "--markdown", "m.md", "--json", "j.json"],
        (Path("a"),),
        {"markdown": Path("m.md"), "json": Path("j.json")},
    ),
    (["support", "a"], ([Path("a")],), {"cases": [], "markdown": None, "json": None, "badge": None}),
    (
        ["support", "a", "b", "--case", "c", "--markdown", "m.md", "--json", "j.json", "--badge", "b.json"],
        ([Path("a"), Path("b")],),
        {"cases": ["c"], "markdown": Path("m.md"), "json": Path("j.json"), "badge": Path("b.json")},
    ),
    (
        ["history", "a"],
        ([Path("a")],),
        {"database": None, "cases": [], "markdown": None, "json": None},
    ),
    (
        ["history", "--db", "h.db", "--case", "c", "--markdown", "m.md", "--json", "j.json"],
        ([],),
        {"database": Path("h.db"), "cases": ["c"], "markdown": Path("m.md"), "json": Path("j.json")},
    ),
    (
        ["merge", "a", "b"],
        ([Path("a"), Path("b")],),
        {"output": Path("results/merged"), "last_wins": False, "partial": False},
    ),
    (
        ["merge", "a", "b", "--output", "o", "--last-wins", "--partial"],
        ([Path("a"), Path("b")],),
        {"output": Path("o"), "last_wins": True, "partial": True},
    ),
    (["precheck", "a.o"], (options(), precheck_command.Asked(objects=[Path("a.o")])), {}),
    (
        [
            *(
                "precheck",
                "a.o",
                "b",
                "--sweep",
                "--kernel",
                "6.*",
                "--arch",
                "all",
                "--program",
                "p",
                "--rodata",
                "a=1",
            ),
            *("--btf", "t", "--config", "c", "--json", "j", "--compare", "r/1", "--locked", "--results", "r"),
            *("--jobs", "3", "--matrix-file", "m.yaml"),
        ],
        (
            options(OWN, kernels=["6.*"], arches=["all"], locked=True, results=Path("r"), jobs=3),
            precheck_command.Asked(
                objects=[Path("a.o"), Path("b")],
                sweep=True,
                programs=["p"],
                rodata=["a=1"],
                btf=Path("t"),
                config=Path("c"),
                json=Path("j"),
                compare=Path("r/1"),
            ),
        ),
        {},
    ),
    (["watch"], (options(),), {}),
    (["watch", *LISTS, *RUN], (options(OWN, **LISTED, **RAN),), {}),
    (["watch", "--suite", "tracing"], (options(SUITE),), {}),
    (["judge", "r/latest"], (options(),), {"run": Path("r/latest"), "rules": "recorded"}),
    (
        ["judge", "r/1", "--rules", "current", "--matrix-file", "m.yaml"],
        (options(OWN),),
        {"run": Path("r/1"), "rules": "current"},
    ),
    (["kernels", "--arch", "all", "--matrix-file", "m.yaml"], (options(OWN, arches=["all"]),), {}),
    (["cases", "--matrix-file", "m.yaml"], (options(OWN),), {}),
    (["cases", "--suite", "tracing"], (options(SUITE),), {}),
    (["exec", "--", "go", "test", "-v", "a b"], (options(), Asked(argv=["go", "test", "-v", "a b"])), {}),
    (
        ["exec", *EXEC, *RUN, "--", "./t", "--kernel"],
        (
            options(OWN, kernels=["6.*"], **RAN),
            Asked(
                argv=["./t", "--kernel"],
                push=["a:b", "c"],
                package=["bash"],
                env=["A=1"],
                junit="*.xml",
                cwd="/w",
                deadline="1.5",
                memory=512,
                cpus=2,
                interactive=True,
                verbose=True,
            ),
        ),
        {},
    ),
    (["exec", "--resume", "r/1", "--", "a"], (options(resume=Path("r/1")), Asked(argv=["a"])), {}),
    (["init"], (Path(),), {}),
    (["init", "--folder", "f"], (Path("f"),), {}),
    (["lock"], (options(),), {}),
    (["lock", "--kernel", "a", "--kernel", "b"], (options(kernels=["a", "b"]),), {}),
    (["shell", "--kernel", "6.1"], (options(),), {"kernel": "6.1"}),
    (["shell", "6.1", "--accel", "kvm"], (options(accel="kvm"),), {"kernel": "6.1"}),
    (["doctor", "--matrix-file", "m.yaml"], (options(OWN),), {}),
    (["clean"], (), {"results": None}),
    (["clean", "--results"], (), {"results": Path("results")}),
    (["bench"], (options(),), BENCH),
    (
        ["bench", "--kernel", "6.1", "--rounds", "2", "--matrix-kernels", "6.*", "--quick", "--accel", "tcg"],
        (options(accel="tcg"),),
        {**BENCH, "kernel": "6.1", "rounds": 2, "matrix_kernels": "6.*", "quick": True},
    ),
    (
        ["bench", "--output", "o", "--page", "p.md", "--suite", "tracing"],
        (options(SUITE),),
        {**BENCH, "output": Path("o"), "page_file": Path("p.md")},
    ),
    (["release-report", "r/1"], ([Path("r/1")],), RELEASE),
    (
        ["release-report", "a", "b", "--output", "o", "--case", "s*", "--last-wins", "--verify", "v"],
        ([Path("a"), Path("b")],),
        {
            "output": Path("o"),
            "last_wins": True,
            "cases": ["s*"],
            "lock": PLAIN.lock_file,
            "verified": Path("v"),
        },
    ),
    (["mutants"], (mutants_command.Wanted(options=options()),), {}),
    (
        ["mutants", "--kernel", "6.*", "--case", "a", "--transcripts", "t", "--no-guests", "--cold", *RUN],
        (
            mutants_command.Wanted(
                options=options(OWN, kernels=["6.*"], cases=["a"], cold=True, **RAN),
                transcripts=Path("t"),
                guests=False,
            ),
        ),
        {},
    ),
    (["mutants", "--suite", "tracing"], (mutants_command.Wanted(options=options(SUITE)),), {}),
]
COMMANDS = sorted({line[0] for line, _, _ in REACHED if line})
OF_THEIR_OWN = {
    "bench": bench_command,
    "mutants": mutants_command,
    "precheck": precheck_command,
    "github": github_command,
    "plan": planning,
    "release-report": releasing,
    **dict.fromkeys(("compare", "explain", "support", "history", "merge"), answers),
}


class Played:
    """Everything that commands do: notes what it was asked for, and ends as `ends` says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.ends: int | BaseException | None = 0

    def do(self, name: str) -> Any:
        def command(*values: Any, **given: Any) -> int | None:
            self.asked.append((name, values, given))
            if isinstance(self.ends, BaseException):
                raise self.ends
            return self.ends

        return command


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    played = Played()
    for name in COMMANDS:
        monkeypatch.setattr(OF_THEIR_OWN.get(name, commands), name.replace("-", "_"), played.do(name))
    yield played
    gc.unfreeze()  # a command that ends freezes what is there


def run(*line: str) -> int:
    """Run the command line; return its exit code."""
    program = CommandLine(name="bpfmatrix", binary="bpfmatrix", namespace=Collection.from_module(tasks), version="1")
    try:
        program.run(["bpfmatrix", *line])
    except SystemExit as leaving:
        assert isinstance(leaving.code, int | None)
        return leaving.code or 0
    return 0


@pytest.mark.parametrize(
    ("line", "values", "given"), REACHED, ids=[" ".join(line) or "nothing" for line, _, _ in REACHED]
)
def test_every_option_reaches_the_command(
    played: Played, line: list[str], values: tuple[Any, ...], given: dict[str, Any]
) -> None:
    assert run(*line) == 0
    assert played.asked == [(line[0] if line else "matrix", values, given)]


def test_what_failed_in_a_run_is_a_command_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Options, Path, int]] = []

    def failed_again(options: Options, *, run: Path, repeat: int) -> int:
        asked.append((options, run, repeat))
        return 1

    monkeypatch.setattr(commands, "failed_again", failed_again)
    assert run("matrix", "--failed-of", "r/1", "--repeat", "2", "--cold") == 1
    assert asked == [(options(cold=True), Path("r/1"), 2)]
    gc.unfreeze()


def test_commits_are_looked_among_by_a_command_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Options, dict[str, Any]]] = []

    def bisect_commits(options: Options, **given: Any) -> int:
        asked.append((options, given))
        return 3

    monkeypatch.setattr(commands, "bisect_commits", bisect_commits)
    line = ["--case", "a", "--commits", "linux", "--good", "v6.1", "--bad", "v6.2", "--first-parent", "--cold"]
    assert run("bisect", *line) == 3
    given = {"clone": Path("linux"), "good": "v6.1", "bad": "v6.2", "first_parent": True}
    assert asked == [(options(cases=["a"], cold=True), given)]
    gc.unfreeze()


@pytest.mark.parametrize("line", [["matrix"], ["watch", "--case", "a"], ["mutants"]])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--accel", "xen"], '--accel takes auto, kvm, tcg; got "xen"'),
        (["--jobs", "0"], '--jobs takes a number of at least 1; got "0"'),
        (["--jobs=-1"], '--jobs takes a number of at least 1; got "-1"'),
        (["--jobs", "two"], '--jobs takes a number of at least 1; got "two"'),
        (["--suite", "tracin"], 'no suite is called "tracin"; did you mean "tracing"? (there are: tracing)'),
    ],
)
def test_an_option_with_a_wrong_value_runs_nothing(
    played: Played, capfd: pytest.CaptureFixture[str], line: list[str], wrong: list[str], message: str
) -> None:
    assert run(*line, *wrong) == EXIT_USAGE
    assert (played.asked, capfd.readouterr().err) == ([], f"bpfmatrix: {message}\n")


@pytest.mark.parametrize("shard", ["0/5", "6/5", "2", "2/", "/5", "a/b", "-1/5", "²/5"])
@pytest.mark.parametrize("line", [["matrix"], ["check", "a.o"], ["exec"]])
def test_a_shard_is_one_of_several(
    played: Played, capfd: pytest.CaptureFixture[str], line: list[str], shard: str
) -> None:
    assert run(*line, f"--shard={shard}") == EXIT_USAGE
    message = f'--shard takes a number and how many there are, such as 2/5; got "{shard}"'
    assert (played.asked, capfd.readouterr().err) == ([], f"bpfmatrix: {message}\n")


@pytest.mark.parametrize("rounds", ["0", "many", "1.5", "²"])
def test_the_rounds_of_bench_are_a_number(played: Played, capfd: pytest.CaptureFixture[str], rounds: str) -> None:
    assert run("bench", f"--rounds={rounds}") == EXIT_USAGE
    assert capfd.readouterr().err == f'bpfmatrix: --rounds takes a number of at least 1; got "{rounds}"\n'
    assert played.asked == []


def test_every_option_has_a_help_text() -> None:
    """Invoke forgets the texts once it has shown them, so a process of its own looks."""
    code = (
        "from invoke.collection import Collection\nfrom harness.cli import tasks\n"
        "found = Collection.from_module(tasks).tasks\n"
        "print([(name, each.name) for name in found for each in found[name].get_arguments() if not each.help])\n"
        "print(len(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["[]", str(len(COMMANDS)), ""]


def test_the_tables_here_have_every_command() -> None:
    assert set(COMMANDS) == set(Collection.from_module(tasks).task_names)


def test_the_developers_tasks_have_every_command_too() -> None:
    code = "from invoke.collection import Collection\nimport tasks\nprint(*Collection.from_module(tasks).task_names)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(COMMANDS) <= set(done.stdout.split())


@pytest.mark.parametrize("code", [0, 1, 2, 3, 42])
@pytest.mark.parametrize(
    "line",
    [
        ["matrix"],
        ["judge", "r"],
        ["compare", "a", "b"],
        ["watch"],
        ["shell", "--kernel", "k"],
        ["doctor"],
        ["bench"],
        ["mutants"],
    ],
)
def test_what_a_command_ends_with_is_the_exit_code(played: Played, line: list[str], code: int) -> None:
    played.ends = code
    assert run(*line) == code


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
    needed = {"judge": ["r"], "shell": ["--kernel", "k"], "compare": ["a", "b"], "explain": ["a"], "github": ["a"]}
    assert run(name, *needed.get(name, [])) == code
    assert capfd.readouterr().err == message


def test_what_nobody_expects_keeps_its_traceback(played: Played) -> None:
    played.ends = ZeroDivisionError("a mistake of ours")
    with pytest.raises(ZeroDivisionError):
        run("matrix")
    assert not issubclass(ZeroDivisionError, BpfmatrixError)


@pytest.mark.parametrize(
    "line",
    [
        ["judge"],
        ["shell"],
        ["matrix", "--no-such-option"],
        ["matrix", "no-such-command"],
        ["no-such-command"],
        ["--help", "no-such-command"],
        ["matrix", "--", "word"],
        ["--", "word"],
        ["matrix", "--case"],
        ["--config"],
    ],
)
def test_a_command_line_that_is_wrong_runs_nothing_and_is_wrong_usage(
    played: Played, capfd: pytest.CaptureFixture[str], line: list[str]
) -> None:
    assert run(*line) == EXIT_USAGE
    assert played.asked == []
    assert capfd.readouterr().err.startswith("bpfmatrix: ")
