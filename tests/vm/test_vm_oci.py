"""Kernels out of images of containers really boot, in both of the layouts that such images have.

The images are made here, around a kernel of Debian's, and pushed to a registry on loopback.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import KERNEL, ROOT, TemporaryProject, run

from harness.config.matrix import load_matrix
from harness.host.cache import Cache
from harness.supply.kernels.files import KernelFiles
from harness.supply.project import Project
from harness.supply.supplies import Supplies

TOOLS = ("skopeo", "umoci", "docker-registry")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed, which `./run test` installs: {', '.join(MISSING)}"),
]

CASE = "kprobe-fentry-fexit"
CONFIG = "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"


def tool(*argv: str | Path) -> None:
    done = subprocess.run([str(each) for each in argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Serve an empty registry for the duration of the block; yield its host."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(CONFIG.format(folder=folder / "data", port=port))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log) as server,
    ):
        try:
            while True:
                assert server.poll() is None, (folder / "log").read_text()
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/") as answer:
                    assert answer.status == 200
                    break
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


def roots(files: KernelFiles, folder: Path) -> Mapping[str, Path]:
    """Make what images hold: one as a distribution has it, without a configuration; one with a folder for each."""
    assert files.config is not None
    plain, listed = folder / "plain", folder / "listed"
    modules = plain / "usr/lib/modules" / files.release / "kernel"
    modules.mkdir(parents=True)
    (plain / "boot").mkdir()
    (plain / "lib").symlink_to("usr/lib")
    shutil.copy(files.image, plain / "boot/vmlinuz")
    for path in files.modules:
        shutil.copy(path, modules / path.name.split("-", 1)[1])
    boot = listed / "data/kernels/6.1/boot"
    boot.mkdir(parents=True)
    shutil.copy(files.image, boot / f"vmlinuz-{files.release}")
    shutil.copy(files.config, boot / f"config-{files.release}")
    return {"plain": plain, "listed": listed}


def push(root: Path, layout: Path, name: str, host: str) -> None:
    """Make an image of the folders of a root, a layer each, and push it."""
    image = f"{layout}:{name}"
    tool("umoci", "new", "--image", image)
    for path in sorted(root.iterdir()):
        tool("umoci", "insert", "--image", image, path, f"/{path.name}")
    tool("umoci", "config", "--image", image, "--architecture", "amd64", "--os", "linux")
    tool(
        "skopeo",
        "--insecure-policy",
        "copy",
        "--dest-tls-verify=false",
        f"oci:{image}",
        f"docker://{host}/kernels:{name}",
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TemporaryProject, str]]:
    """A project with two kernels of images; the registry is gone when it comes to the second run of a test."""
    folder = tmp_path_factory.mktemp("oci")
    matrix = load_matrix(ROOT / "matrix.yaml")
    supplies = Supplies(Project(matrix_file=ROOT / "matrix.yaml"), matrix, cache=Cache())
    files = supplies.kernel(next(each for each in matrix.kernels if each.name == KERNEL), cases=())
    project = TemporaryProject(folder / "project")
    project.committed(CASE)
    (project.folder / "matrix.lock").unlink()
    shutil.copy(ROOT / "matrix.lock", project.folder)
    tool("umoci", "init", "--layout", folder / "layout")
    with registry(folder / "registry") as host:
        for name, root in roots(files, folder).items():
            push(root, folder / "layout", name, host)
        project.matrix["kernels"] = [
            {"name": name, "arch": "x86_64", "source": "oci", "image": f"{host}/kernels:{name}"}
            for name in ("plain", "listed")
        ]
        project.write_matrix()
        done = run("lock", "--matrix-file", project.matrix_file, "--kernel", "*")
        assert done.code == 0, done.output
        assert "127.0.0.1" not in (project.folder / "matrix.lock").read_text()
        answers(project)
    yield project, files.release


def answers(project: TemporaryProject) -> Mapping[str, Any]:
    done = run("matrix", "--matrix-file", project.matrix_file, "--locked", "--jobs", "1")
    assert done.code == 0, done.output
    report: Mapping[str, Any] = json.loads((project.folder / "results/latest/report.json").read_text())
    return report


def test_kernels_of_images_answer_and_do_so_again_without_their_registry(
    project: tuple[TemporaryProject, str],
) -> None:
    made, release = project
    report = answers(made)
    assert {cell["kernel"]: cell["outcome"] for cell in report["cells"]} == {"plain": "works", "listed": "works"}
    # The one has the modules of its network card, the other has none and is reached otherwise.
    assert {each["name"]: each["transport"] for each in report["kernels"]} == {"plain": "network", "listed": "serial"}
    pins = yaml.safe_load((made.folder / "matrix.lock").read_text())["kernels"]
    for kernel in report["kernels"]:
        about = kernel["package"]
        assert (about["source"], about["name"]) == ("oci", f"kernels:{kernel['name']}")
        assert (about["version"], kernel["release"]) == (release, release)
        assert pins[kernel["name"]]["digest"] == f"sha256:{about['sha256']}"
