"""Finding the folders of cases, and reading them: which are cases, which globs find them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_samples import CASE, write_case

from harness.config.case import WrittenCase
from harness.config.case_folders import find_folders, load_case, load_cases
from harness.errors import ConfigError

GLOBS = ("bpf/*",)


@pytest.mark.parametrize("name", ["Kprobe", "a_b", "-a", "a b", "é"])
def test_folder_names_that_cannot_be_ids(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f'"{name}" cannot be one; use lower-case letters, digits and -'):
        load_case(write_case(tmp_path / name))


def test_the_folder_may_be_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_case(tmp_path / "here"))
    assert load_case(Path()).id == "here"


def test_cases_are_sorted_and_taken_once(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        write_case(tmp_path / "bpf" / name)
    cases = load_cases(tmp_path / "matrix.yaml", ("bpf/c", "bpf/*", "bpf/[ab]"))
    assert [case.id for case in cases] == ["a", "b", "c"]
    assert all(isinstance(case, WrittenCase) for case in cases)


def test_folders_that_are_no_cases_are_passed_over(tmp_path: Path) -> None:
    write_case(tmp_path / "bpf/a")
    (tmp_path / "bpf/include").mkdir()
    (tmp_path / "bpf/include/common.h").touch()
    (tmp_path / "bpf/README.md").touch()
    assert [case.id for case in load_cases(tmp_path / "matrix.yaml", GLOBS)] == ["a"]


def test_sources_without_a_case_file_are_an_error(tmp_path: Path) -> None:
    write_case(tmp_path / "bpf/a")
    (write_case(tmp_path / "bpf/b") / "case.yaml").unlink()
    with pytest.raises(ConfigError, match=r"bpf/b/case\.yaml: there is no such file"):
        load_cases(tmp_path / "matrix.yaml", GLOBS)


def test_a_glob_without_a_case_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_case(tmp_path / "bpf/a")
    (tmp_path / "bpf/include").mkdir()
    with pytest.raises(ConfigError) as caught:
        load_cases(Path("matrix.yaml"), ("bpf/*", "bfp/*", "bpf/include", "**x"))
    assert str(caught.value).splitlines()[:2] == [
        'matrix.yaml: cases: no folder with a case.yaml matches "bfp/*" in .',
        'matrix.yaml: cases: no folder with a case.yaml matches "bpf/include" in .',
    ]
    assert str(caught.value).splitlines()[2:] == [
        'matrix.yaml: cases: "**x" cannot be looked up: '
        "** means any number of folders, and must stand by itself between two slashes"
    ]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("bpf/*", ["a", "linked"]),
        ("bpf/**", ["a", "linked", "deep"]),
        ("bpf/**/*", ["a", "linked", "deep"]),
        ("bpf/a/**", ["a"]),
        ("bpf/linked", ["linked"]),
        ("bpf/" + "x" * 300, []),
        ("~", ["home"]),
    ],
)
def test_a_glob_finds_the_same_with_every_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, found: list[str]
) -> None:
    """Since 3.13 a `**` at the end finds links to folders, too, and a name too long is no error."""
    monkeypatch.setenv("HOME", str(write_case(tmp_path / "home")))
    write_case(tmp_path / "bpf/a")
    write_case(tmp_path / "bpf/folder/deep")
    write_case(tmp_path / "elsewhere/linked")
    (tmp_path / "bpf/linked").symlink_to("../elsewhere/linked")
    folders, problems = find_folders(tmp_path / "matrix.yaml", [pattern])
    assert sorted(folder.name for folder in folders) == sorted(found)
    assert len(problems) == (not found)
    assert all("no folder with a case.yaml matches" in text for text in problems)


def test_globs_outside_the_matrix_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_case(tmp_path / "mine/a")
    write_case(tmp_path / "mine/b")
    matrix = tmp_path / "elsewhere/matrix.yaml"
    matrix.parent.mkdir()
    cases = load_cases(matrix, (f"{tmp_path}/mine/a", "~/mine/*", "../mine/b"))
    assert {case.id for case in cases} == {"a", "b"}


def test_two_folders_of_one_name_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_case(tmp_path / "bpf/a")
    write_case(tmp_path / "own/a")
    with pytest.raises(ConfigError) as caught:
        load_cases(Path("matrix.yaml"), ("bpf/*", "own/*"))
    assert str(caught.value) == 'own/a/case.yaml: the id "a" is already taken by bpf/a; rename one of the folders'


def test_the_errors_of_all_cases_are_told(tmp_path: Path) -> None:
    write_case(tmp_path / "bpf/a", CASE.replace("title", "titel"))
    write_case(tmp_path / "bpf/b", CASE.replace("events: events", "evnts: events"))
    with pytest.raises(ConfigError) as caught:
        load_cases(tmp_path / "matrix.yaml", GLOBS)
    assert "bpf/a/case.yaml:1: titel: unknown key" in str(caught.value)
    assert "evnts: unknown key" in str(caught.value)


def test_only_the_cases_that_are_asked_for_are_read(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / "bpf" / name).mkdir(parents=True)
    (tmp_path / "bpf/bad/case.yaml").write_text("nonsense: 1\n")
    (tmp_path / "bpf/good/target.bpf.c").touch()
    (tmp_path / "bpf/good/case.yaml").write_text(
        "title: t\ntarget: {object: target.bpf.c}\n"
        "trigger: {kind: run, program: target.target, data: 64}\nobserve: {trace: [{kind: target}]}\n"
    )
    assert [case.id for case in load_cases(tmp_path / "matrix.yaml", GLOBS, only=["goo*"])] == ["good"]
    for only in ([], ["bad"], ["good", "gone"]):  # what matches nothing is told beside what there is
        with pytest.raises(ConfigError, match="nonsense"):
            load_cases(tmp_path / "matrix.yaml", GLOBS, only=only)
