"""Kernels out of RPM packages really boot, however a distribution splits them and compresses its modules.

The packages are made here, around a kernel of Debian's, and so are the keys and the signed repositories.
"""

from __future__ import annotations

import gzip
import json
import lzma
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import zstandard
from projects import INPUTS, KERNEL, ROOT, TemporaryProject, run
from rpm_repositories import build_rpm, make_index, needs_rpm, served, signer

from harness.config.matrix import load_matrix
from harness.host.cache import Cache
from harness.supply.kernels.files import KernelFiles
from harness.supply.project import Project
from harness.supply.supplies import Supplies

pytestmark = [pytest.mark.vm, needs_rpm]

CASE, NO_RULE = "kprobe-fentry-fexit", "03-optional-section"
"""A case with rules by version, and one without any rule."""


def xz(data: bytes) -> bytes:
    """As scripts/Makefile.modinst does: the kernel's own unpacker knows no other check than this."""
    return lzma.compress(data, check=lzma.CHECK_CRC32)


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


DISTRIBUTIONS = {"rhel-like": "rhel-like", "amazon": "amazon", "suse": "suse", "old-suse": "suse"}
"""The repositories, and whose kernels they have."""


def packages(files: KernelFiles) -> dict[str, dict[str, dict[str, bytes]]]:
    """Return a kernel in packages as distributions split one: repository -> package -> files.

    SUSE's has all below /usr/lib/modules since Tumbleweed of 2021 and Leap 16; before, as in Leap 15, the image lies in
    /boot beside a packed vmlinux for kdump.
    """
    folder = f"lib/modules/{files.release}"
    assert files.config is not None
    image = {"vmlinuz": files.image.read_bytes(), "config": files.config.read_bytes()}
    modules = {path.name.split("-", 1)[1]: path.read_bytes() for path in files.modules}

    def packed(names: list[str], kind: str, pack: Callable[[bytes], bytes]) -> dict[str, bytes]:
        return {f"{folder}/kernel/{name}.{kind}": pack(modules[name]) for name in names}

    net = [name for name in modules if "net" in name or "failover" in name]
    others = [name for name in modules if name not in net]
    assert net and others
    return {
        "rhel-like": {
            "kernel-core": {**{f"{folder}/{name}": data for name, data in image.items()}, **packed(others, "xz", xz)},
            "kernel-modules-core": packed(net, "zst", zstd),
        },
        "amazon": {
            "kernel": {
                **{f"boot/{name}-{files.release}": data for name, data in image.items()},
                **packed([*modules], "gz", gzip.compress),
            }
        },
        "suse": {
            "kernel-default": {
                **{f"usr/{folder}/{name}": data for name, data in image.items()},
                f"usr/{folder}/.vmlinuz.hmac": b"0" * 64,
                f"usr/{folder}/symvers.gz": gzip.compress(b"symbols"),
                **{f"usr/{path}": data for path, data in packed(others, "zst", zstd).items()},
            },
            "kernel-default-optional": {f"usr/{path}": data for path, data in packed(net, "zst", zstd).items()},
        },
        "old-suse": {
            "kernel-default": {
                **{f"boot/{name}-{files.release}": data for name, data in image.items()},
                f"boot/vmlinux-{files.release}.gz": gzip.compress(b"for kdump"),
                **packed([*modules], "xz", xz),
            },
        },
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporaryProject]:
    """A project with kernels of RPM repositories on loopback, which are gone once the lock is written and followed."""
    folder = tmp_path_factory.mktemp("rpm")
    matrix = load_matrix(ROOT / "matrix.yaml")
    supplies = Supplies(Project(matrix_file=ROOT / "matrix.yaml"), matrix, cache=Cache())
    files = supplies.kernel(next(each for each in matrix.kernels if each.name == KERNEL), cases=())
    project = TemporaryProject(folder / "project")
    project.committed(CASE)
    shutil.copytree(INPUTS / NO_RULE, project.folder / "bpf" / NO_RULE)
    (project.folder / "matrix.lock").unlink()
    shutil.copy(ROOT / "matrix.lock", project.folder)
    with signer() as key:
        (project.folder / "keyring").write_bytes(key.public)
        for name, split in packages(files).items():
            (folder / "served" / name).mkdir(parents=True)
            for package, content in split.items():
                key.sign_rpm(build_rpm(folder / "served" / name, package, content))
            make_index(folder / "served" / name, key=key)
    with served(folder / "served") as server:
        project.matrix["kernels"] = [
            {
                "name": f"el9-{name}",
                "arch": "x86_64",
                "source": "rpm",
                "distribution": distribution,
                "baseurl": f"{server.address}/{name}",
                "keyring": "keyring",
            }
            for name, distribution in DISTRIBUTIONS.items()
        ]
        project.write_matrix()
        done = run("lock", "--matrix-file", project.matrix_file, "--kernel", "*")
        assert done.code == 0, done.output
        assert "127.0.0.1" not in (project.folder / "matrix.lock").read_text()
        yield project


def matrix_run(project: TemporaryProject) -> Mapping[str, Any]:
    done = run("matrix", "--matrix-file", project.matrix_file, "--locked", "--jobs", "1")
    assert done.code == 0, done.output
    report: Mapping[str, Any] = json.loads((project.folder / "results/latest/report.json").read_text())
    return report


def test_kernels_of_signed_repositories_answer_and_do_so_again_when_these_are_gone(project: TemporaryProject) -> None:
    for _ in range(2):
        report = matrix_run(project)
        assert {cell["outcome"] for cell in report["cells"]} == {"works"}
        assert {(cell["kernel"], cell["case"]): cell["verdict"] for cell in report["cells"]} == {
            **{(f"el9-{name}", case): "answered" for name in DISTRIBUTIONS for case in (CASE, NO_RULE)},
            # A rule of this case by version covers it: of all these, Amazon's number alone is the kernel's own.
            ("el9-amazon", CASE): "pass",
        }
        packages_of = ("kernel-core", "kernel", "kernel-default", "kernel-default")
        for kernel, package in zip(report["kernels"], packages_of, strict=True):
            about = kernel["package"]
            assert (about["source"], about["name"], about["version"]) == ("rpm", package, "5.14.0-503.el9")
            assert (kernel["transport"], about["notice"]) == ("network", "")
        served_folder = project.folder.parent / "served"
        shutil.rmtree(served_folder, ignore_errors=True)
