from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT

from harness.config.case_folders import load_cases
from harness.config.matrix import load_matrix
from harness.errors import UsageError
from harness.host import package_data
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


SPLAT = {"reason": "nobody's fault", "link": "https://example.org/1", "expires": "2027-01-31"}


def written(folder: Path, *patterns: str) -> Path:
    """A matrix file with one kernel, and known splats of these patterns."""
    kernel = {"name": "6.1", "arch": "x86_64", "source": "path", "image": "vmlinuz"}
    data: dict[str, Any] = {"kernels": [kernel], "known-splats": [{"pattern": each, **SPLAT} for each in patterns]}
    folder.mkdir(exist_ok=True)
    (folder / "matrix.yaml").write_text(json.dumps(data))
    return folder / "matrix.yaml"


def test_a_suite_brings_the_known_splats_of_the_matrix_that_it_comes_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, packaged = written(tmp_path / "own", "mine", "both"), written(tmp_path / "packaged", "both", "theirs")
    monkeypatch.setattr(package_data, "matrix_file", lambda: packaged)
    found = {
        (path.parent.name, suite): [
            splat.pattern for splat in Project(matrix_file=path, suite=suite).load_matrix().allowed_splats()
        ]
        for path in (own, packaged)
        for suite in (None, "tracing")
    }
    assert found == {
        ("own", None): ["mine", "both"],
        ("own", "tracing"): ["mine", "both", "theirs"],
        ("packaged", None): ["both", "theirs"],
        ("packaged", "tracing"): ["both", "theirs"],
    }
    with_suite = Project(matrix_file=own, suite="tracing").load_matrix()
    assert with_suite.kernels == load_matrix(own).kernels, "the kernels stay the project's own"


def test_an_unknown_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='no suite is called "trcing"; did you mean "tracing"') as caught:
        Project(matrix_file=tmp_path / "matrix.yaml", suite="trcing")
    assert "there are: tracing" in str(caught.value)
