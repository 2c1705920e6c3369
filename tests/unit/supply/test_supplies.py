"""What supplies that serve several runs keep, and for how long."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from unit_samples import X86, kernel_files, written_case

from harness.config.matrix import DebianKernel, Matrix
from harness.host.cache import Cache
from harness.supply.kernels.debian import DebianRequest, DebianSource
from harness.supply.kernels.files import KernelFiles
from harness.supply.project import Project
from harness.supply.supplies import Supplies

KERNEL = DebianKernel.model_validate(
    {"name": "6.1", "arch": "x86_64", "source": "debian", "suite": "bookworm", "package": "linux-image-amd64"}
)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The modules of each kernel that was asked of the cache or the mirror."""
    found: list[list[str]] = []

    def obtain(
        self: DebianSource,
        request: DebianRequest,
        *,
        pinned: object,
        modules: Sequence[str],
        case_modules: Sequence[str],
    ) -> KernelFiles:
        assert set(modules) == set(X86.modules), "those of cases are no part of what every guest loads"
        found.append(list(case_modules))
        folder = tmp_path / "entry"
        folder.mkdir(exist_ok=True)
        (folder / "vmlinuz").touch()
        return kernel_files(folder, notice="a notice")

    monkeypatch.setattr(DebianSource, "obtain", obtain)
    return found


@pytest.fixture
def supplies(tmp_path: Path) -> Supplies:
    matrix = Matrix.model_validate({"kernels": [KERNEL.model_dump(by_alias=True, exclude_defaults=True)]})
    return Supplies(Project(matrix_file=tmp_path / "matrix.yaml"), matrix, cache=Cache(tmp_path / "cache"))


def with_modules(*modules: str) -> Any:
    return written_case(modules=list(modules))


def test_a_kernel_is_obtained_once(supplies: Supplies, asked: list[list[str]]) -> None:
    files = supplies.kernel(KERNEL, cases=[with_modules()])
    assert supplies.kernel(KERNEL, cases=[with_modules()]) is files
    assert asked == [[]]
    assert supplies.notices == ["a notice"]


def test_a_kernel_holds_the_modules_of_all_cases_so_far(supplies: Supplies, asked: list[list[str]]) -> None:
    supplies.kernel(KERNEL, cases=[with_modules("tls", "veth")])
    supplies.kernel(KERNEL, cases=[with_modules("veth")])
    supplies.kernel(KERNEL, cases=[with_modules("sit")])
    assert asked == [["tls", "veth"], ["sit", "tls", "veth"]]


def test_a_kernel_that_another_run_has_trimmed_is_obtained_again(supplies: Supplies, asked: list[list[str]]) -> None:
    files = supplies.kernel(KERNEL, cases=[with_modules()])
    shutil.rmtree(files.image.parent)
    supplies.kernel(KERNEL, cases=[with_modules()])
    assert asked == [[], []]


def test_a_userland_that_another_run_has_trimmed_is_built_again(
    supplies: Supplies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def build(self: Supplies, arch: object) -> Path:
        built.append(arch)
        (tmp_path / "image").mkdir()
        return tmp_path / "image/base.cpio"

    monkeypatch.setattr(Supplies, "_build_base", build)
    for _ in range(2):
        supplies.base(X86)
    assert len(built) == 1
    (tmp_path / "image").rmdir()
    supplies.base(X86)
    assert len(built) == 2
