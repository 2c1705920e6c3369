"""scenario.py: its title, and what is wrong with it before any guest runs it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from projects import TemporaryProject

from harness.config.case_folders import load_case
from harness.config.scenario_file import read_scenario
from harness.errors import ConfigError
from harness.run.changes import Files
from harness.scenario.from_yaml import compile_case
from harness.scenario.jobs import job_of
from harness.supply.names import resolve
from harness.supply.project import Project

GOOD = '"""A title.\n\nMore\nof it.\n"""\n\ndef scenario(guest):\n    pass\n'


def folder_with(place: Path, source: str | bytes, *, case: str = "", files: tuple[str, ...] = ()) -> Path:
    folder = place / "bpf/my-case"
    folder.mkdir(parents=True)
    (folder / "scenario.py").write_bytes(source if isinstance(source, bytes) else source.encode())
    if case:
        (folder / "case.yaml").write_text(case)
    for name in files:
        (folder / name).write_text("")
    return folder


def test_its_docstring_is_title_and_description_where_there_is_no_case_yaml(tmp_path: Path) -> None:
    case = load_case(folder_with(tmp_path, GOOD, files=("a.bpf.c", "b.bpf.c", "b.o", "c.h")))
    assert (case.title, case.description) == ("A title.", "More\nof it.")
    assert case.files == {"a": "a.bpf.c", "b.bpf.c": "b.bpf.c", "b.o": "b.o"}, (
        "a name that two have is that of the file"
    )


def test_a_case_yaml_beside_it_has_all_but_what_is_done(tmp_path: Path) -> None:
    keys = "title: Another\nisolated: true\ndeadline: 5\nobjects: {first: a.bpf.c}\n"
    case = load_case(folder_with(tmp_path, GOOD, case=keys, files=("a.bpf.c", "b.bpf.c")))
    assert (case.title, case.alone, case.deadline, case.files) == ("Another", True, 5, {"first": "a.bpf.c"})
    value = resolve(case, {})
    assert value == compile_case(case)
    assert value.scenario is not None
    assert (value.scenario.file, value.scenario.source, value.steps) == ("bpf/my-case/scenario.py", GOOD, ())


def test_what_is_done_is_said_there_alone(tmp_path: Path) -> None:
    keys = "title: t\ntarget: {object: a.bpf.c}\nmissing: [target.x]\n"
    with pytest.raises(ConfigError) as found:
        load_case(folder_with(tmp_path, GOOD, case=keys, files=("a.bpf.c",)))
    assert "case.yaml:2: target: not allowed beside scenario.py" in str(found.value)
    assert "case.yaml:3: missing: not allowed beside scenario.py" in str(found.value)


def test_the_job_has_its_text_and_its_objects(tmp_path: Path) -> None:
    case = compile_case(load_case(folder_with(tmp_path, GOOD, files=("a.bpf.c",))))
    (job,) = job_of([(case, {"a.bpf.c": PurePosixPath("/run/a.o")})], deadline=30)["cases"]
    assert job["steps"] == []
    assert job["scenario"] == {
        "file": "bpf/my-case/scenario.py",
        "source": GOOD,
        "objects": {"a": {"file": "a.bpf.c", "path": "/run/a.o"}},
    }


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('"""t"""\ndef scenario(guest):\n    x = = 1\n', "scenario.py:3: invalid syntax"),
        ('"""t"""\ndef scenario(guest):\n    return\n  pass\n', "scenario.py:4: unindent does not match"),
        ('"""t"""\nreturn 1\n', "scenario.py:2: 'return' outside function"),
        ('"""t"""\ndef scenari(guest):\n    pass\n', 'has no function scenario; did you mean "scenari"?'),
        ('"""t"""\nx = 1\n', "scenario.py:1: has no function scenario; define `def scenario(guest):`"),
        ('"""t"""\ndef scenario():\n    pass\n', "scenario.py:2: scenario is given one argument, the guest"),
        ('"""t"""\ndef scenario(guest, more):\n    pass\n', "scenario.py:2: scenario is given one argument"),
        ('"""t"""\ndef scenario(guest, *, more):\n    pass\n', "scenario.py:2: scenario is given one argument"),
        ('"""t"""\nasync def scenario(guest):\n    pass\n', "scenario.py:2: scenario is called, not awaited"),
        ('"""t"""\ndef scenario(guest):\n    yield 1\n', "scenario.py:2: scenario is called once"),
        (
            "def scenario(guest):\n    pass\n",
            "scenario.py:1: where there is no case.yaml, the first line of its docstring",
        ),
        ("x = 1\0", "scenario.py"),
        (b'"""\xff"""\n', "scenario.py"),
    ],
)
def test_what_cannot_be_run_is_known_before_any_guest(source: str | bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as found:
        load_case(folder_with(tmp_path, source))
    assert said in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "source",
    [
        "def scenario(guest, more=1, *, other=2):\n    pass\n",
        "def scenario(*all):\n    pass\n",
        "def scenario(guest):\n    def inner():\n        yield 1\n    list(inner())\n",
        "scenario = lambda guest: None\n",
        "scenario: object = print\n",
    ],
)
def test_whatever_can_be_called_with_the_guest_is_one(source: str, tmp_path: Path) -> None:
    found = read_scenario(folder_with(tmp_path, source))
    assert found is not None
    assert found.source == source


def test_a_folder_without_one_has_none(tmp_path: Path) -> None:
    assert read_scenario(tmp_path) is None


def test_its_folder_is_a_case_and_is_watched(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project")
    folder = folder_with(project.folder, GOOD)
    (folder / "a.o").write_text("")
    loaded = Project(matrix_file=project.matrix_file)
    assert [case.id for case in loaded.load_cases(loaded.load_matrix())] == ["my-case"]
    assert folder / "scenario.py" in Files(loaded, patterns=["*"]).look().files
