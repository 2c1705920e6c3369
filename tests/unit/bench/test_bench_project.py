"""Projects with copies of a case, or with another kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bench.project import generic, make_project, multiply
from harness.config.case_folders import load_cases
from harness.config.matrix import DebianKernel, Matrix, PathKernel, load_matrix
from harness.supply.lock import read_lock
from harness.supply.project import Project

ROOT = Path(__file__).resolve().parents[3]
COMMITTED = Project(matrix_file=ROOT / "matrix.yaml")


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return load_matrix(COMMITTED.matrix_file)


def debian(name: str, arch: str = "x86_64", package: str = "linux-image-cloud-amd64") -> DebianKernel:
    return DebianKernel.model_validate(
        {"name": name, "arch": arch, "source": "debian", "suite": "bookworm", "package": package}
    )


def test_a_project_of_copies_is_read_as_any_other(tmp_path: Path, matrix: Matrix) -> None:
    (seed,) = load_cases(COMMITTED.matrix_file, matrix.cases, only=["kprobe-fentry-fexit"])
    (xdp,) = load_cases(COMMITTED.matrix_file, matrix.cases, only=["xdp"])
    kernel = next(each for each in matrix.kernels if each.name == "6.1-x86_64")
    lock = read_lock(COMMITTED.lock_file)
    project = make_project(tmp_path / "new", like=COMMITTED, matrix=matrix, kernels=[kernel], lock=lock, cases=[seed])
    ids = multiply(project, xdp, count=12)
    made = load_matrix(project.matrix_file)
    assert made.kernels == (kernel,)
    assert made.defaults == matrix.defaults
    assert read_lock(project.lock_file) == lock
    cases = load_cases(project.matrix_file, made.cases)
    assert [case.id for case in cases] == ["kprobe-fentry-fexit", *ids]
    assert ids[0] == "xdp-00"
    assert {case.expect for case in cases if case.id in ids} == {xdp.expect}
    assert project.images == tmp_path / "new/images"
    assert (project.include / "kernel.h").exists()


def test_a_project_of_a_suite_has_the_headers_that_the_suite_is_compiled_with(tmp_path: Path, matrix: Matrix) -> None:
    (tmp_path / "own/bpf/include").mkdir(parents=True)
    like = Project(matrix_file=tmp_path / "own/matrix.yaml", suite="tracing")
    lock = read_lock(tmp_path / "none")
    project = make_project(tmp_path / "new", like=like, matrix=matrix, kernels=matrix.kernels, lock=lock, cases=[])
    assert (project.include / "kernel.h").samefile(ROOT / "bpf/include/kernel.h")


def test_a_path_kernel_keeps_its_files(tmp_path: Path, matrix: Matrix) -> None:
    kernel = PathKernel.model_validate(
        {"name": "mine", "arch": "x86_64", "source": "path", "image": str(tmp_path / "vmlinuz")}
    )
    project = make_project(
        tmp_path / "new", like=COMMITTED, matrix=matrix, kernels=[kernel], lock=read_lock(tmp_path / "none"), cases=[]
    )
    assert load_matrix(project.matrix_file).kernels == (kernel,)


def test_the_generic_kernel_of_a_cloud_kernel() -> None:
    found = generic(debian("6.1-x86_64"))
    assert found is not None
    assert (found.name, found.package, found.suite) == ("6.1-x86_64-generic", "linux-image-amd64", "bookworm")
    pattern = generic(debian("6.16-x86_64", package="linux-image-6.16.*-cloud-amd64"))
    assert pattern is not None
    assert pattern.package == "linux-image-6.16.*-amd64"


def test_a_kernel_of_ones_own_has_no_generic_one(tmp_path: Path) -> None:
    kernel = PathKernel.model_validate({"name": "mine", "arch": "x86_64", "source": "path", "image": str(tmp_path)})
    assert generic(kernel) is None
