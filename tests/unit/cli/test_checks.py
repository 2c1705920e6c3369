"""`invoke lint` and `invoke test`: which linters run, which tests, and what decides the exit code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from harness.cli import checks

LINTER = """\
#!{python}
import sys
name = {name!r}
sys.exit(f"{{name}} complains" if (open("bad").read().split() + [""])[0] == name else 0)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose linters complain where a file says so, and which has two tests."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python").symlink_to(sys.executable)
    for name in ("ruff", "mypy"):
        (tools / name).write_text(LINTER.format(python=sys.executable, name=name))
        (tools / name).chmod(0o755)
    project = tmp_path / "project"
    project.mkdir()
    (project / "bad").write_text("")
    (project / "pytest.ini").write_text("[pytest]\nmarkers =\n    vm: guests\n    nightly: long\n")
    (project / "test_both.py").write_text("def test_good(): pass\ndef test_other(): assert not open('bad').read()\n")
    monkeypatch.setattr(checks, "linter_argv", lambda linter: [str(tools / linter.split()[0]), *linter.split()[1:]])
    return project


def test_linters_come_from_beside_this_python() -> None:
    assert checks.linter_argv("ruff check .") == [str(Path(sys.executable).parent / "ruff"), "check", "."]
    for linter in checks.LINTERS:
        assert Path(checks.linter_argv(linter)[0]).exists()


@pytest.mark.parametrize(("bad", "code"), [("", 0), ("ruff", 1), ("mypy", 1)])
def test_lint(root: Path, bad: str, code: int) -> None:
    (root / "bad").write_text(bad)
    assert checks.lint(root=root) == code


def test_all_linters_are_asked(root: Path) -> None:
    (root / "bad").write_text("ruff")
    assert checks.complaints(root) == ["ruff check .:\nruff complains", "ruff format --check .:\nruff complains"]


@pytest.mark.parametrize(("bad", "only", "code"), [("", "", 0), ("mypy", "good", 1), ("nobody", "", 1)])
def test_both_decide_the_exit_code_of_test(
    root: Path, bad: str, only: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    (root / "bad").write_text(bad)
    assert checks.test(root=root, vm=True, nightly=False, only=only) == code
    assert ("mypy complains" in capfd.readouterr().out) == (bad == "mypy")


@pytest.mark.parametrize(
    ("vm", "nightly", "marks"),
    [
        (True, True, None),
        (True, False, "not nightly"),
        (False, True, "not vm"),
        (False, False, "not vm and not nightly"),
    ],
)
def test_which_tests_run(vm: bool, nightly: bool, marks: str | None) -> None:
    arguments = checks.pytest_arguments(vm=vm, nightly=nightly, only="", cores=2)
    assert (arguments[arguments.index("-m") + 1] if "-m" in arguments else None) == marks
    assert ("--hypothesis-profile" in arguments) == nightly
    assert ("tests/unit" in arguments) == (not vm)


@pytest.mark.parametrize("vm", [True, False])
@pytest.mark.parametrize(("only", "cores", "parallel"), [("", 2, True), ("", 1, False), ("cache", 2, False)])
def test_many_tests_run_in_parallel(vm: bool, only: str, cores: int, parallel: bool) -> None:
    arguments = checks.pytest_arguments(vm=vm, nightly=False, only=only, cores=cores)
    assert ("-n" in arguments) == ("--dist" in arguments) == parallel


ORDERED = """\
import pytest
several = pytest.mark.parametrize("number", range(9))
@several
def test_unit(number): pass
@pytest.mark.vm
@several
def test_guest(number): pass
"""


def run_tests(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of tests with the real conftest.py."""
    here = Path(__file__).parents[2]
    for name in ("conftest.py", "projects.py"):
        (folder / name).symlink_to(here / name)
    for name in ("test_other.py", "test_this.py"):
        (folder / name).write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    vm: guests\n    nightly: long\n")
    path = os.pathsep.join([str(here.parent), str(here), str(here / "unit")])
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_tests_of_a_module_with_guests_run_in_one_process(tmp_path: Path) -> None:
    done = run_tests(tmp_path, ORDERED, *checks.pytest_arguments(vm=True, nightly=False, only="", cores=2), "-vv")
    assert done.returncode == 0, done.stdout + done.stderr
    found = set(re.findall(r"\[(gw\d)\].* PASSED (\w+)\.py", done.stdout))
    assert sorted(module for _, module in found) == ["test_other", "test_this"], found


@pytest.mark.parametrize("arguments", [["-n", "0"], ["-p", "no:xdist"]], ids=" ".join)
def test_guests_come_first(arguments: list[str], tmp_path: Path) -> None:
    done = run_tests(tmp_path, ORDERED, *arguments, "--verbose", "--strict-markers")
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"(\w+)\.py::(\w+)\S* PASSED", done.stdout)
    modules = ("test_other", "test_this")
    assert list(dict.fromkeys(found)) == [(module, name) for name in ("test_guest", "test_unit") for module in modules]


def test_who_forbids_bytecode_beside_the_sources_has_it_elsewhere(tmp_path: Path) -> None:
    usual = {"PATH": "/bin"}
    assert checks.pytest_environment(usual, root=tmp_path) == usual
    forbidding = {**usual, "PYTHONDONTWRITEBYTECODE": "1"}
    kept = {"PYTHONPYCACHEPREFIX": str(tmp_path / ".pytest_cache/bytecode")}
    assert checks.pytest_environment(forbidding, root=tmp_path) == {**usual, **kept}
    own = {"PYTHONPYCACHEPREFIX": "/own"}
    assert checks.pytest_environment({**forbidding, **own}, root=tmp_path) == {**usual, **own}


EXAMPLES = """\
from hypothesis import given, settings, strategies
def test_this():
    assert settings().max_examples == 300
"""


def test_at_night_properties_have_more_examples(tmp_path: Path) -> None:
    """With the real conftest.py: what the command line says comes after what that file says."""
    assert settings.get_profile("ordinary").max_examples == 20
    arguments = checks.pytest_arguments(vm=True, nightly=True, only="", cores=1)
    done = run_tests(tmp_path, EXAMPLES, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
