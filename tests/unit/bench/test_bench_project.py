"""Projects with copies of a case, or with another kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bench.measure import allocated, choose_kernel, snapshot_made_since
from harness.bench.project import generic, make_project, multiply
from harness.config.case import load_cases
from harness.config.matrix import DebianKernel, Kernel, Matrix, PathKernel, load_matrix
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
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


@pytest.mark.parametrize(
    ("names", "host", "chosen"),
    [
        (["5.10-x86_64", "6.1-arm64", "6.1-x86_64"], "x86_64", "6.1-x86_64"),
        (["5.10-x86_64", "6.1-arm64", "6.1-x86_64"], "arm64", "6.1-arm64"),
        (["5.10-x86_64", "6.12-x86_64"], "x86_64", "5.10-x86_64"),
        (["6.12-x86_64", "6.1-arm64"], "x86_64", "6.12-x86_64"),
        (["6.1-arm64"], "x86_64", "6.1-arm64"),
        (["6.12-arm64"], None, "6.12-arm64"),
    ],
)
def test_the_kernel_that_is_measured_by_default(names: list[str], host: str | None, chosen: str) -> None:
    kernels: list[Kernel] = [debian(name, arch=name.rpartition("-")[2]) for name in names]
    assert choose_kernel(kernels, host=None if host is None else ARCHITECTURES[host]).name == chosen


def test_holes_take_nothing_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x" * 8192)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 24)
    assert 8192 <= allocated(tmp_path) < 1 << 20
    assert allocated(tmp_path / "data") == allocated(tmp_path)


def test_a_snapshot_that_was_just_made_is_noticed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert not snapshot_made_since(cache, 0)
    (tmp_path / "snapshots/x").mkdir(parents=True)
    manifest = tmp_path / "snapshots/x/manifest.json"
    manifest.write_text("{}")
    made = manifest.stat().st_mtime
    assert snapshot_made_since(cache, made - 1)
    assert not snapshot_made_since(cache, made + 1)
