"""`init`: what it writes is a project that holds together, for every architecture, and it overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit_samples import ROOT

from harness.cli import init as init_module
from harness.cli.init import init, new_files
from harness.config.case_folders import load_cases
from harness.config.matrix import load_matrix
from harness.errors import UsageError
from harness.model.architectures import ARCHITECTURES
from harness.supply.lock import read_lock
from harness.supply.project import Project
from harness.supply.supplies import Supplies
from harness.supply.unbuilt import yaml_cases


@pytest.fixture(params=list(ARCHITECTURES))
def arch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(init_module, "host_architecture", lambda: ARCHITECTURES[request.param])
    return str(request.param)


def test_the_project_has_kernels_of_the_host_and_a_case(arch: str, tmp_path: Path) -> None:
    written = init(tmp_path)
    assert all(path.is_file() for path in written)
    matrix = load_matrix(tmp_path / "matrix.yaml")
    assert {kernel.arch for kernel in matrix.kernels} == {arch}
    assert [case.id for case in load_cases(tmp_path / "matrix.yaml", matrix.cases)] == ["first"]


def test_the_lock_pins_each_kernel_and_the_image_as_ours_does(arch: str, tmp_path: Path) -> None:
    init(tmp_path)
    matrix = load_matrix(tmp_path / "matrix.yaml")
    lock, ours = read_lock(tmp_path / "matrix.lock"), read_lock(ROOT / "matrix.lock")
    assert {kernel.name: ours.kernels[kernel.name] for kernel in matrix.kernels} == lock.kernels
    assert lock.images == {ARCHITECTURES[arch].debian: ours.images[ARCHITECTURES[arch].debian]}


def test_each_schema_line_names_a_file_that_is_there(tmp_path: Path) -> None:
    init(tmp_path)
    for path in (tmp_path / "matrix.yaml", tmp_path / "bpf/first/case.yaml"):
        schema = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / schema).is_file()


def test_the_commented_kernels_are_kernels_once_they_count(arch: str, tmp_path: Path) -> None:
    init(tmp_path)
    path = tmp_path / "matrix.yaml"
    before = len(load_matrix(path).kernels)
    path.write_text(path.read_text().replace("  # - {", "  - {"))
    assert len(load_matrix(path).kernels) == before + 2


def test_the_first_case_compiles_with_the_headers_that_come_with_bpfmatrix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BPFMATRIX_CACHE", str(tmp_path / "cache"))
    from harness.host.cache import Cache

    init(tmp_path / "project")
    project = Project(matrix_file=tmp_path / "project/matrix.yaml")
    matrix = load_matrix(project.matrix_file)
    cases = load_cases(project.matrix_file, matrix.cases)
    supplies = Supplies(project, matrix, cache=Cache())
    for arch in ARCHITECTURES.values():
        assert list(supplies.build_all(yaml_cases(cases), arch).files) == ["first"]


@pytest.mark.parametrize("name", ["matrix.yaml", "matrix.lock", "bpf/first/case.yaml", "schemas/case.schema.json"])
def test_nothing_is_overwritten(name: str, tmp_path: Path) -> None:
    """Nor is anything else written."""
    mine = tmp_path / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(UsageError, match=f"in the way: .*{name}"):
        init(tmp_path)
    assert mine.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "bpf").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        init(tmp_path)


def test_the_files_come_of_matrix_and_lock_alone() -> None:
    matrix, lock = load_matrix(ROOT / "matrix.yaml"), read_lock(ROOT / "matrix.lock")
    texts = new_files(ARCHITECTURES["s390x"], matrix, lock)
    assert "name: 6.12-s390x" in texts["matrix.yaml"]
    assert "linux-image-6.18.*-s390x" in texts["matrix.yaml"]
    assert "amd64" not in texts["matrix.lock"]
