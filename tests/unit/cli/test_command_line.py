"""The words of a command line: lists of plain words, words after `--`, and who reads them. The tasks are made up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke.collection import Collection
from invoke.main import program as invokes_own
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.parser.parser import Parser
from invoke.program import Program
from invoke.tasks import Task
from unit_samples import ROOT

from harness.cli import command_line
from harness.cli.command_line import CommandLine, spelled_out
from harness.errors import EXIT_USAGE

TASKS = '''
import json
from harness.cli import command_line
from harness.cli.options import takes

def show(options, **given):
    print(json.dumps({"kernels": list(options.kernels), "cold": options.cold, **given}))

@takes("kernel", "cold", "matrix_file", plain="objects", help={"objects": "The objects."})
def check(options, objects: list[str], title: str = ""):
    """Try objects."""
    show(options, objects=objects, title=title)

@takes("kernel", "cold", "matrix_file", after="command", default=True)
def exec(options, command: list[str]):
    """Run a command."""
    show(options, command=command)

@takes("cold", "matrix_file", plain="more")
def compare(options, run: str, more: list[str]):
    """Compare a run with others."""
    show(options, run=run, more=more)

@takes("cold", "matrix_file")
def judge(options, run: str):
    """Judge a run."""
    show(options, run=run)

command_line.adopt()
'''
NOTHING = {"kernels": [], "cold": False}
CHECK = {**NOTHING, "title": ""}

READ = [
    ("check a.o", [{**CHECK, "objects": ["a.o"]}]),
    ("check a.o b.o", [{**CHECK, "objects": ["a.o", "b.o"]}]),
    ("check", [{**CHECK, "objects": []}]),
    ("check a.o --kernel 6.* b.o", [{**CHECK, "objects": ["a.o", "b.o"], "kernels": ["6.*"]}]),
    ("check -k 5.* -k6.* a.o b.o", [{**CHECK, "objects": ["a.o", "b.o"], "kernels": ["5.*", "6.*"]}]),
    ("check a.o b.o --kernel=6.* --title t", [{**CHECK, "objects": ["a.o", "b.o"], "kernels": ["6.*"], "title": "t"}]),
    ("check --cold a.o", [{**CHECK, "objects": ["a.o"], "cold": True}]),
    ("check -ck 6.* a.o", [{**CHECK, "objects": ["a.o"], "cold": True, "kernels": ["6.*"]}]),
    ("check --kernel check a.o", [{**CHECK, "objects": ["a.o"], "kernels": ["check"]}]),
    # Names of tasks are plain words, too, once the list has begun.
    ("check exec judge check", [{**CHECK, "objects": ["exec", "judge", "check"]}]),
    ("check a.o --objects b.o c.o", [{**CHECK, "objects": ["a.o", "b.o", "c.o"]}]),
    ("compare r1 r2 --cold r3", [{"kernels": [], "cold": True, "run": "r1", "more": ["r2", "r3"]}]),
    ("compare --run r1 r2", [{**NOTHING, "run": "r1", "more": ["r2"]}]),
    ("judge r check a.o b.o", [{**NOTHING, "run": "r"}, {**CHECK, "objects": ["a.o", "b.o"]}]),
    ("exec --kernel 6.1 -- go test -v", [{**NOTHING, "kernels": ["6.1"], "command": ["go", "test", "-v"]}]),
    ("exec -- go test -k 6.1 -- x", [{**NOTHING, "command": ["go", "test", "-k", "6.1", "--", "x"]}]),
    ("exec", [{**NOTHING, "command": []}]),
    ("-- go", [{**NOTHING, "command": ["go"]}]),
]
"""What is typed, as a shell splits it, and what the tasks are called with."""

WRONG = {
    "check a.o --no-such b.o": "bpfmatrix: No idea what '--no-such' is!",
    "check a.o -- b.o": "bpfmatrix: check takes no words after --; got b.o",
    "exec a.o": "bpfmatrix: No idea what 'a.o' is!",
    "judge r1 r2": "bpfmatrix: No idea what 'r2' is!",
    "compare": "bpfmatrix: 'compare' did not receive required positional arguments: 'run'",
    "check a.o --kernel": "bpfmatrix: --kernel needs a value",
    "check a.o --kernel --cold": "bpfmatrix: --kernel needs a value; got --cold",
    "judge -cm": "bpfmatrix: -cm needs a value",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tasks.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def started(project: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv],
        cwd=project,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def by_bpfmatrix(project: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Start what the console script starts, with the tasks of the project."""
    code = (
        "import sys; from invoke.collection import Collection; from harness.cli.command_line import CommandLine;"
        "sys.path.insert(0, '.'); import tasks; CommandLine(namespace=Collection.from_module(tasks)).run()"
    )
    return started(project, "-c", code, *argv)


def by_invoke(project: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Start what `./run` and the user start."""
    return started(project, "-m", "invoke", *argv)


def in_process(project: Path, *argv: str) -> None:
    found: dict[str, Any] = {"__name__": "tasks"}
    exec(compile((project / "tasks.py").read_text(), "tasks.py", "exec"), found)
    namespace = Collection()
    for each in found.values():
        if isinstance(each, Task):
            namespace.add_task(each)
    CommandLine(namespace=namespace).run(["bpfmatrix", *argv])


@pytest.mark.parametrize(("line", "called"), READ, ids=[line for line, _ in READ])
def test_words_reach_the_task(
    project: Path, capfd: pytest.CaptureFixture[str], line: str, called: list[dict[str, object]]
) -> None:
    in_process(project, *line.split())
    assert [json.loads(each) for each in capfd.readouterr().out.splitlines()] == called


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_usage_is_named(project: Path, capfd: pytest.CaptureFixture[str], line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        in_process(project, *line.split())
    out, err = capfd.readouterr()
    assert (ended.value.code, out, err) == (EXIT_USAGE, "", f"{WRONG[line]}\n")


@pytest.mark.parametrize("start", [by_bpfmatrix, by_invoke])
def test_all_who_start_it_read_the_same(project: Path, start: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = start(project, "check", "a b.o", "--kernel", "6.*", "judge")
    assert json.loads(done.stdout) == {**CHECK, "kernels": ["6.*"], "objects": ["a b.o", "judge"]}, done.stderr
    done = start(project, "exec", "--kernel", "6.1", "--", "sh", "-c", "a 'b'  c", "")
    assert json.loads(done.stdout)["command"] == ["sh", "-c", "a 'b'  c", ""], done.stderr
    done = start(project, "check", "a.o", "--", "b.o")
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    for argv in (["--help", "check"], ["check", "--help"], ["check", "a.o", "--help"]):
        assert "--objects" in start(project, *argv).stdout
    assert "Try objects." in start(project, "--list").stdout


@pytest.mark.parametrize(
    ("typed", "offered"), [("che", "check"), ("check a.o --ke", "--kernel"), ("check a.o b.o --co", "--cold")]
)
def test_what_is_typed_can_still_be_completed(
    project: Path, capfd: pytest.CaptureFixture[str], typed: str, offered: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        in_process(project, "--complete", "--", "bpfmatrix", *typed.split())
    assert ended.value.code == 0
    assert offered in capfd.readouterr().out.split()


@pytest.mark.parametrize(("running", "given"), [(True, CommandLine), (False, Program)])
def test_only_an_invoke_that_runs_is_given_our_command_line(
    monkeypatch: pytest.MonkeyPatch, running: bool, given: type[Program]
) -> None:
    monkeypatch.setattr(invokes_own, "__class__", Program)  # set back afterwards
    if not running:
        monkeypatch.delitem(sys.modules, "invoke.main")
    command_line.adopt()
    assert type(invokes_own) is given


# --- in general -------------------------------------------------------------------------------------------------------

COMMON = ParserContext(args=[Argument(names=("help", "h"), optional=True), Argument(names=("hide",))])
CHECKS = ParserContext(
    name="check",
    args=[
        Argument(names=("objects", "o"), kind=list, default=[], positional=True),
        Argument(names=("kernel", "k"), kind=list, default=[]),
        Argument(names=("cold", "c"), kind=bool, default=False),
    ],
)
VALUES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1).filter(
    lambda text: text[0] != "-"
)
OBJECTS = VALUES.map(lambda text: ([text], ("objects", text)))
NO_EQUALS = VALUES.filter(lambda text: "=" not in text)  # Invoke takes -kA=B for an option -kA
KERNELS = st.one_of(
    st.tuples(VALUES, st.sampled_from(["--kernel {}", "--kernel={}", "-k {}", "-ck {}"])),
    st.tuples(NO_EQUALS, st.just("-k{}")),
).map(lambda both: ([word.format(both[0]) for word in both[1].split(" ")], ("kernel", both[0])))
COLD = st.sampled_from(["--cold", "-c"]).map(lambda word: ([word], ("cold", "")))


@given(st.lists(st.one_of(OBJECTS, KERNELS, COLD)))
def test_every_word_is_read_as_what_it_is(parts: list[tuple[list[str], tuple[str, str]]]) -> None:
    argv = ["check", *(word for each, _ in parts for word in each)]
    tasks = {"check": CHECKS}
    (_, read) = Parser(contexts=[CHECKS], initial=COMMON).parse_argv(spelled_out(argv, tasks, common=COMMON))
    for name in ("objects", "kernel"):
        assert read.args[name].value == [value for _, (kind, value) in parts if kind == name]
    assert read.args["cold"].value == any(kind == "cold" or each[0] == "-ck" for each, (kind, _) in parts)
