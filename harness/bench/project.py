"""Projects in folders of their own: kernels of another project, with copies of a case or another package."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from harness.config.case import SHARED_FOLDER, WrittenCase
from harness.config.matrix import DebianKernel, Kernel, Matrix
from harness.supply.lock import Lock, write_lock
from harness.supply.project import Project


def make_project(
    folder: Path, *, like: Project, matrix: Matrix, kernels: Sequence[Kernel], lock: Lock, cases: Sequence[WrittenCase]
) -> Project:
    """Write a project of some kernels and cases to `folder`, which has the headers and lists of rules of `like`.

    Raises OSError where it cannot be written.
    """
    data = {
        "defaults": matrix.defaults.model_dump(mode="json", exclude_unset=True),
        "mirrors": matrix.mirrors.model_dump(mode="json", by_alias=True, exclude_none=True),
        "cases": ["bpf/*"],
        "kernels": [kernel.model_dump(mode="json", by_alias=True, exclude_none=True) for kernel in kernels],
    }
    (folder / "bpf").mkdir(parents=True)
    (folder / "matrix.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    project = Project(matrix_file=folder / "matrix.yaml")
    write_lock(project.lock_file, lock)
    (folder / "images").symlink_to(like.images)
    project.include.symlink_to(like.includes[0])
    for shared in {case.folder.parent / SHARED_FOLDER for case in cases}:
        if shared.is_dir() and not (folder / "bpf" / SHARED_FOLDER).exists():
            (folder / "bpf" / SHARED_FOLDER).symlink_to(shared)
    for case in cases:
        (folder / "bpf" / case.id).symlink_to(case.folder)
        shared = case.folder.parent / "expectations.yaml"
        if shared.exists() and not (folder / "bpf/expectations.yaml").exists():
            (folder / "bpf/expectations.yaml").symlink_to(shared)
    return project


def multiply(project: Project, case: WrittenCase, *, count: int) -> list[str]:
    """Give a project `count` copies of a case and return their ids: `xdp-00`, `xdp-01`, ..."""
    ids = [f"{case.id}-{number:02d}" for number in range(count)]
    for name in ids:
        shutil.copytree(case.folder, project.folder / "bpf" / name)
    return ids


def generic(kernel: Kernel) -> DebianKernel | None:
    """Return Debian's generic kernel of the suite that a cloud kernel is from, None where there is none.

    virtme-ng mounts the host's file system by 9p, which is missing in cloud kernels (CONFIG_NET_9P).
    """
    if kernel.source != "debian":
        return None
    package = kernel.package.replace("-cloud-", "-")
    return kernel.model_copy(update={"name": f"{kernel.name}-generic", "package": package, "version": None})
