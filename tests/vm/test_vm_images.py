"""Packed images boot: gzip, and EFI zboot with either of its usual packers, around Debian's kernels."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from kernel_images import PACKERS, zboot_image
from projects import ROOT, TemporaryProject, run

from harness.config.matrix import load_matrix
from harness.host.cache import Cache
from harness.supply.kernels.files import KernelFiles
from harness.supply.project import Project
from harness.supply.supplies import Supplies

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200)]

CASE = "kprobe-fentry-fexit"
KERNEL = {"arm64": "6.12-arm64", "riscv64": "6.12-riscv64"}
IMAGES: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda image: gzip.compress(image, compresslevel=1),
    "zboot-gzip": lambda image: zboot_image(PACKERS["gzip"](image)),
    "zboot-zstd": lambda image: zboot_image(PACKERS["zstd"](image), kind="zstd"),
}


def obtained(name: str) -> KernelFiles:
    matrix = load_matrix(ROOT / "matrix.yaml")
    supplies = Supplies(Project(matrix_file=ROOT / "matrix.yaml"), matrix, cache=Cache())
    return supplies.kernel(next(each for each in matrix.kernels if each.name == name), cases=())


def own(files: KernelFiles, folder: Path, *, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """Write the images and their modules to a folder; return the entries of the matrix."""
    modules = folder / "lib/modules" / files.release
    (modules / "kernel").mkdir(parents=True)
    for path in files.modules:
        shutil.copy(path, modules / "kernel" / path.name.split("-", 1)[1])
    entries = []
    for kind in kinds:
        (folder / kind).mkdir()
        (folder / kind / "vmlinuz").write_bytes(IMAGES[kind](files.image.read_bytes()))
        image = {"image": str(folder / kind / "vmlinuz"), "modules": str(modules)}
        entries.append({"name": kind, "arch": files.arch.name, "source": "path", **image})
    return entries


def answers(entries: list[dict[str, Any]], folder: Path) -> Mapping[str, Any]:
    project = TemporaryProject(folder)
    project.committed(CASE)
    project.matrix["kernels"] = entries
    project.write_matrix()
    done = run("matrix", "--matrix-file", project.matrix_file, "--arch", "all", seconds=900)
    report: Mapping[str, Any] = json.loads((project.folder / "results/latest/report.json").read_text())
    assert report["cells"], done.output
    return report


@pytest.mark.parametrize(
    ("arch", "kinds"),
    [("arm64", tuple(IMAGES)), pytest.param("riscv64", ("gzip", "zboot-zstd"), marks=pytest.mark.nightly)],
)
def test_a_packed_image_boots_as_the_kernel_in_it(arch: str, kinds: tuple[str, ...], tmp_path: Path) -> None:
    files = obtained(KERNEL[arch])
    report = answers(own(files, tmp_path / "images", kinds=kinds), tmp_path / "project")
    assert {each["name"]: each["release"] for each in report["kernels"]} == dict.fromkeys(kinds, files.release)
    expected = {"arm64": "works", "riscv64": "refused"}[arch]  # Debian's riscv64 does not compile programs
    assert {cell["kernel"]: cell["outcome"] for cell in report["cells"]} == dict.fromkeys(kinds, expected)
    assert {each["transport"] for each in report["kernels"]} == {"network"}
