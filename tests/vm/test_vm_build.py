"""A kernel is built of Debian's sources, boots, and answers every case; after that nothing is built or fetched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import TemporaryProject, run

from harness.config.matrix import BuildKernel
from harness.host.packages import install_command
from harness.supply.build.toolchain import build_tools

KEYS = {
    "name": "built",
    "arch": "x86_64",
    "source": "build",
    "package": "linux-source-6.1",
    "suite": "bookworm",
    "base-config": "tinyconfig",
}
MISSING = [tool.package for tool in build_tools(BuildKernel.model_validate(KEYS)) if tool.found() is None]
BUILD_SECONDS = 7200
"""On two processors with nothing else to do it takes a quarter of an hour."""
pytestmark = [
    pytest.mark.vm,
    pytest.mark.nightly,
    pytest.mark.timeout(2 * BUILD_SECONDS),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {install_command(MISSING)}"),
]
SEED = "kprobe-fentry-fexit"
SUITE = (
    *(SEED, "kernel-function", "fmod-ret", "freplace-main", "kprobe-multi", "ksyscall", "uprobe", "tracepoint"),
    *("tp-btf", "perf-event", "raw-tracepoint", "iterator", "struct-ops", "lsm", "lsm-cgroup", "interpreter-tail-call"),
    *("xdp", "tc", "tc-clsact", "tc-action", "lwt", "flow-dissector", "sk-lookup", "sk-msg", "sk-skb", "sock-ops"),
    *("cgroup-skb", "cgroup-sock", "cgroup-device", "cgroup-sysctl", "cgroup-sockopt", "cgroup-connect4"),
    *("netfilter", "netkit", "tcx", "lockdown-integrity", "kprobe-ipv6"),
)
"""Cases of every kind of program and attachment: what the configuration must be good for."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    project = TemporaryProject(tmp_path_factory.mktemp("build") / "project", defaults={"memory": 512})
    project.committed(*SUITE)
    lock = (project.folder / "matrix.lock").resolve()
    (project.folder / "matrix.lock").unlink()
    shutil.copy(lock, project.folder)
    project.matrix["kernels"] = [KEYS]
    project.write_matrix()
    done = run("lock", "--matrix-file", project.matrix_file, "--kernel", "*")
    assert done.code == 0, done.output
    return project


def report_of(project: TemporaryProject) -> Mapping[str, Any]:
    report: Mapping[str, Any] = json.loads((project.folder / "results/latest/report.json").read_text())
    return report


def test_a_kernel_of_debians_sources_answers_every_case_as_debians_own(
    project: TemporaryProject, tmp_path: Path
) -> None:
    done = run("matrix", "--matrix-file", project.matrix_file, "--locked", seconds=BUILD_SECONDS)
    assert done.code == 0, done.output
    report = report_of(project)
    verdicts = {cell["case"]: cell["verdict"] for cell in report["cells"]}
    assert verdicts[SEED] == "pass"
    assert set(verdicts.values()) <= {"pass", "xfail", "not-applicable"}
    (kernel,) = report["kernels"]
    pin = yaml.safe_load((project.folder / "matrix.lock").read_text())["kernels"]["built"]
    about = kernel["package"]
    assert (about["source"], about["name"], about["version"]) == ("build", "linux-source-6.1", pin["version"])
    assert about["sha256"] == pin["packages"][0]["sha256"]
    assert (kernel["distribution"], kernel["version"]) == ("debian", pin["version"])
    assert pin["version"].startswith(kernel["release"]), "the release is that of the Makefile"
    assert kernel["transport"] == "network", "its network card is built in"

    # From now on neither a mirror nor a compiler is asked.
    nowhere = {"BPFMATRIX_DEBIAN_MIRROR": "http://127.0.0.1:9/debian"}
    again = ("matrix", "--matrix-file", project.matrix_file, "--locked", "--case", SEED, "--results", tmp_path)
    done = run(*again, env=nowhere, seconds=300)
    assert done.code == 0, done.output
    assert "compiling" not in done.output


def test_a_configuration_that_no_guest_could_be_made_of_is_refused_before_anything_is_compiled(
    project: TemporaryProject, tmp_path: Path
) -> None:
    other = TemporaryProject(tmp_path / "project")
    other.committed(SEED)
    other.matrix["kernels"] = [{**KEYS, "config": ["CONFIG_VIRTIO_NET=n", "CONFIG_BLK_DEV_INITRD=n"]}]
    other.write_matrix()
    done = run("matrix", "--matrix-file", other.matrix_file, seconds=1200)
    assert done.code == 2, done.output
    assert "no guest could be made of it" in done.output
    assert "(CONFIG_VIRTIO_NET is not set)" in done.output
    assert "it takes no initramfs, which all of a guest is in (CONFIG_BLK_DEV_INITRD is not set)" in done.output
    assert "compiling" not in done.output
