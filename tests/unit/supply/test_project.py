from __future__ import annotations

from pathlib import Path

import pytest
from unit_samples import ROOT

from harness.config.case import load_cases
from harness.errors import UsageError
from harness.supply.project import Project


def test_a_project_without_headers_and_image_has_those_of_bpfmatrix(tmp_path: Path) -> None:
    project = Project(matrix_file=tmp_path / "matrix.yaml")
    assert project.includes == (ROOT / "bpf/include",)
    assert project.images == ROOT / "images"


def test_a_projects_own_headers_come_first(tmp_path: Path) -> None:
    (tmp_path / "bpf/include").mkdir(parents=True)
    (tmp_path / "images").mkdir()
    project = Project(matrix_file=tmp_path / "matrix.yaml")
    assert project.includes == (tmp_path / "bpf/include", ROOT / "bpf/include")
    assert project.images == tmp_path / "images"


def test_a_suite_takes_the_place_of_the_projects_cases(tmp_path: Path) -> None:
    own, suite = (Project(matrix_file=tmp_path / "matrix.yaml", suite=suite) for suite in (None, "tracing"))
    assert own.case_globs(["mine/*"]) == ("mine/*",)
    cases = load_cases(suite.matrix_file, suite.case_globs(["mine/*"]))
    assert {case.folder.parent for case in cases} == {ROOT / "bpf"}
    assert "kprobe-fentry-fexit" in {case.id for case in cases}


def test_a_suite_is_compiled_without_the_projects_headers(tmp_path: Path) -> None:
    (tmp_path / "bpf/include").mkdir(parents=True)
    project = Project(matrix_file=tmp_path / "matrix.yaml", suite="tracing")
    assert project.includes == (ROOT / "bpf/include",)


def test_an_unknown_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='no suite is called "trcing"; did you mean "tracing"') as caught:
        Project(matrix_file=tmp_path / "matrix.yaml", suite="trcing")
    assert "there are: tracing" in str(caught.value)
