"""All sources in one grid: kernels of Debian's, of repositories and a registry on loopback, a file, a build.

The packages and images are made here, around a kernel of Debian's, so that all rows but the build are the same kernel.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from apt_repository import served as apt_served
from projects import KERNEL, ROOT, TemporaryProject, run
from rpm_repositories import MISSING as NO_RPM
from rpm_repositories import build_rpm, make_index, served, signer
from test_vm_apt import ABSENT as NO_APT
from test_vm_apt import VERSION, keys, make_debs, publish
from test_vm_build import BUILD_SECONDS, KEYS
from test_vm_build import MISSING as NO_BUILD
from test_vm_oci import MISSING as NO_OCI
from test_vm_oci import push, registry, roots, tool
from test_vm_rpm import packages

from harness.config.matrix import load_matrix
from harness.host.cache import Cache
from harness.supply.project import Project
from harness.supply.supplies import Supplies

ABSENT = [*NO_APT, *NO_RPM, *NO_OCI]
pytestmark = [
    pytest.mark.vm,
    pytest.mark.nightly,
    pytest.mark.timeout(900 if NO_BUILD else 900 + BUILD_SECONDS),
    pytest.mark.skipif(bool(ABSENT), reason=f"not installed, which `./run test` installs: {', '.join(ABSENT)}"),
]

CASE = "kprobe-fentry-fexit"


def test_kernels_of_all_sources_answer_in_one_grid(tmp_path: Path) -> None:
    matrix = load_matrix(ROOT / "matrix.yaml")
    supplies = Supplies(Project(matrix_file=ROOT / "matrix.yaml"), matrix, cache=Cache())
    files = supplies.kernel(next(each for each in matrix.kernels if each.name == KERNEL), cases=())
    project = TemporaryProject(tmp_path / "project")
    project.committed(CASE)
    (project.folder / "matrix.lock").unlink()
    shutil.copy(ROOT / "matrix.lock", project.folder)
    with ExitStack() as stack:
        apt_key, _ = stack.enter_context(keys(tmp_path))
        (tmp_path / "apt/pool/first").mkdir(parents=True)
        make_debs(files, tmp_path / "apt/pool/first")
        publish(tmp_path / "apt", apt_key, pool="pool/first")
        apt = stack.enter_context(apt_served(tmp_path / "apt"))

        rpm_key, repository = stack.enter_context(signer()), tmp_path / "rpm/el9"
        repository.mkdir(parents=True)
        for package, content in packages(files)["rhel-like"].items():
            rpm_key.sign_rpm(build_rpm(repository, package, content))
        make_index(repository, key=rpm_key)
        (project.folder / "keyring").write_bytes(rpm_key.public)
        rpm = stack.enter_context(served(tmp_path / "rpm"))
        (tmp_path / "rpm/list").write_text(f"{rpm.address}/el9\n")

        host = stack.enter_context(registry(tmp_path / "registry"))
        tool("umoci", "init", "--layout", tmp_path / "layout")
        push(roots(files, tmp_path)["plain"], tmp_path / "layout", "plain", host)

        of_apt = {"source": "apt", "uris": apt.address, "suite": "jammy", "keyring": str(apt_key.keyring)}
        of_rpm = {"source": "rpm", "distribution": "rhel-like", "keyring": "keyring"}
        of_rpm["mirrorlist"] = f"{rpm.address}/list"
        entries: Mapping[str, Mapping[str, Any]] = {
            "apt": {**of_apt, "package": "linux-image-generic"},
            "swept": {**of_apt, "package": f"linux-image-{files.release}", "sweep": {"builds": "all"}},
            "rpm": of_rpm,
            "swept-rpm": {**of_rpm, "sweep": {"builds": 1}},
            "oci": {"source": "oci", "image": f"{host}/kernels:plain"},
            "path": {"source": "path", "image": str(files.image)},
            # The same build as that of test_vm_build.py: whoever comes second takes it from the cache.
            **({} if NO_BUILD else {"built": {**KEYS, "memory": 512}}),
        }
        project.matrix["kernels"] += [{"arch": "x86_64", **keys, "name": name} for name, keys in entries.items()]
        project.write_matrix()
        chosen = [word for name in entries if name != "path" for word in ("--kernel", name)]
        done = run("lock", "--matrix-file", project.matrix_file, *chosen)
        assert done.code == 0, done.output
        done = run(
            "matrix", "--matrix-file", project.matrix_file, "--locked", seconds=600 if NO_BUILD else 600 + BUILD_SECONDS
        )
    assert done.code == 0, done.output
    report = json.loads((project.folder / "results/latest/report.json").read_text())
    rows = {
        **{KERNEL: ("debian", "pass"), "apt": ("apt", "answered"), f"swept-{VERSION}": ("apt", "answered")},
        **{"rpm": ("rpm", "answered"), "swept-rpm-5.14.0-503.el9": ("rpm", "answered")},
        **{"oci": ("oci", "pass"), "path": ("path", "pass")},
        **({} if NO_BUILD else {"built": ("build", "pass")}),
    }
    assert {cell["kernel"]: (cell["outcome"], cell["verdict"]) for cell in report["cells"]} == {
        name: ("works", verdict) for name, (_, verdict) in rows.items()
    }
    assert {each["name"]: each["package"]["source"] for each in report["kernels"]} == {
        name: source for name, (source, _) in rows.items()
    }
    assert {each["release"] for each in report["kernels"] if each["name"] != "built"} == {files.release}

    # A sweep is run by its name, from the cache, when nobody answers any more.
    done = run("matrix", "--matrix-file", project.matrix_file, "--kernel", "swept", "--kernel", "rpm")
    assert done.code == 0, done.output
    again = json.loads((project.folder / "results/latest/report.json").read_text())
    assert [cell["kernel"] for cell in again["cells"]] == [f"swept-{VERSION}", "rpm"]
