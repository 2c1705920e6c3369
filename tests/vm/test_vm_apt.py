"""Kernels out of a signed apt repository really boot, in the packages that Ubuntu splits one into.

The packages are made here, around a kernel of Debian's, and so are the key and the repository.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from apt_repository import MISSING, Key, make_deb, served
from projects import KERNEL, ROOT, TemporaryProject, run

from harness.config.matrix import load_matrix
from harness.host.cache import Cache
from harness.supply.kernels.files import KernelFiles
from harness.supply.project import Project
from harness.supply.supplies import Supplies

ABSENT = [*MISSING, *([] if shutil.which("apt-ftparchive") else ["apt-ftparchive"])]
pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(bool(ABSENT), reason=f"not installed, which `./run test` installs: {', '.join(ABSENT)}"),
]

CASE = "kprobe-fentry-fexit"
VERSION, NEXT = "5.15.0-105.115", "5.15.0-106.116"


def make_debs(files: KernelFiles, folder: Path) -> None:
    """Write a kernel to `folder` as Ubuntu splits one: the image, modules, more modules (here of the network)."""
    modules = {path.name.split("-", 1)[1]: path for path in files.modules}
    net = {name for name in modules if "net" in name or "failover" in name}
    assert net and net != modules.keys()
    image, common, extra = (f"linux-{part}-{files.release}" for part in ("image", "modules", "modules-extra"))
    place = f"lib/modules/{files.release}/kernel"
    assert files.config is not None
    boot = f"boot/config-{files.release}"
    make_deb(folder, image, VERSION, {f"boot/vmlinuz-{files.release}": files.image}, "kmod", common)
    make_deb(
        folder,
        common,
        VERSION,
        {boot: files.config, **{f"{place}/{name}": modules[name] for name in modules.keys() - net}},
    )
    make_deb(folder, extra, VERSION, {f"{place}/{name}": modules[name] for name in net}, common)
    for meta, depends in (("linux-image-generic", (image, extra)), ("linux-image-virtual", (image,))):
        make_deb(folder, meta, "5.15.0.105.102", {}, *depends)


def publish(root: Path, key: Key, *, suite: str = "jammy", pool: str = "pool") -> None:
    """Write the indexes of a suite as Ubuntu's archive has them, with the packages in root/POOL, and sign them."""
    dist = root / "dists" / suite
    packages = dist / "main/binary-amd64/Packages"
    packages.parent.mkdir(parents=True)
    packages.write_bytes(ftparchive(root, "packages", pool))
    about = {"Origin": "Ubuntu", "Suite": suite, "Codename": suite, "Architectures": "amd64", "Components": "main"}
    options = [word for name, value in about.items() for word in ("-o", f"APT::FTPArchive::Release::{name}={value}")]
    release = ftparchive(root, *options, "release", f"dists/{suite}")
    (dist / "InRelease").write_bytes(key.gpg("--clearsign", "--digest-algo", "SHA256", data=release))


def ftparchive(root: Path, *words: str) -> bytes:
    return subprocess.run(["apt-ftparchive", *words], cwd=root, capture_output=True, check=True).stdout


@dataclass(frozen=True)
class World:
    """A project with kernels of a repository; their release, its keyring and somebody else's, and the repository."""

    project: TemporaryProject
    release: str
    keyring: Path
    other: Path
    repository: Path


@contextmanager
def keys(folder: Path) -> Iterator[tuple[Key, Key]]:
    made = Key.make(folder, "ours"), Key.make(folder, "theirs")
    try:
        yield made
    finally:
        for key in made:
            key.remove()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A project with two kernels of a repository that is served on loopback, and pinned."""
    folder = tmp_path_factory.mktemp("apt")
    matrix = load_matrix(ROOT / "matrix.yaml")
    supplies = Supplies(Project(matrix_file=ROOT / "matrix.yaml"), matrix, cache=Cache())
    files = supplies.kernel(next(each for each in matrix.kernels if each.name == KERNEL), cases=())
    project = TemporaryProject(folder / "project")
    project.committed(CASE)
    (project.folder / "matrix.lock").unlink()
    shutil.copy(ROOT / "matrix.lock", project.folder)
    with ExitStack() as stack:
        ours, theirs = stack.enter_context(keys(folder))
        (folder / "served/pool/first").mkdir(parents=True)
        (folder / "served/pool/next").mkdir()
        make_debs(files, folder / "served/pool/first")
        image, common = (f"linux-{part}-{files.release}" for part in ("image", "modules"))
        content: Mapping[str, bytes | Path] = {f"boot/vmlinuz-{files.release}": files.image}
        make_deb(folder / "served/pool/next", image, NEXT, content, common)
        publish(folder / "served", ours, pool="pool/first")
        publish(folder / "served", ours, suite="jammy-updates")
        shutil.copytree(folder / "served", folder / "kept")
        empty, full = (stack.enter_context(served(each)).address for each in (project.folder, folder / "served"))
        project.matrix["mirrors"] = {"others": {"ours": [empty, full]}}
        project.matrix["kernels"] = [entry(name, keyring=str(ours.keyring)) for name in ("generic", "virtual")]
        project.write_matrix()
        done = run("lock", "--matrix-file", project.matrix_file, "--kernel", "*")
        assert done.code == 0, done.output
        assert f"{empty} was passed over for {full}: it has no such suite" in done.output
        yield World(project, files.release, ours.keyring, theirs.keyring, folder / "kept")


def entry(name: str, **keys: Any) -> Mapping[str, Any]:
    return {
        **{"name": name, "arch": "x86_64", "source": "apt", "uris": "ours"},
        **{"suite": "jammy", "package": f"linux-image-{name}", **keys},
    }


def matrix_run(project: TemporaryProject, code: int, *options: str) -> tuple[Mapping[str, Any], str]:
    done = run("matrix", "--matrix-file", project.matrix_file, "--jobs", "1", *options)
    assert done.code == code, done.output
    report: Mapping[str, Any] = json.loads((project.folder / "results/latest/report.json").read_text())
    return report, done.output


def test_kernels_of_a_signed_repository_answer_and_do_so_again_when_it_is_gone(world: World) -> None:
    pinned = (world.project.folder / "matrix.lock").read_text()
    assert "127.0.0.1" not in pinned
    packages = {name: pin["packages"] for name, pin in yaml.safe_load(pinned)["kernels"].items() if name != KERNEL}
    assert {name: len(packages[name]) for name in ("generic", "virtual")} == {"generic": 3, "virtual": 2}
    for _ in ("fetched", "from the cache"):
        report, _ = matrix_run(world.project, 0, "--locked")
        assert {(cell["kernel"], cell["outcome"]) for cell in report["cells"]} == {
            ("generic", "works"),
            ("virtual", "works"),
        }
        # The modules of the network card are among those that only linux-image-generic leads to.
        assert {each["name"]: each["transport"] for each in report["kernels"]} == {
            "generic": "network",
            "virtual": "serial",
        }
        for kernel in report["kernels"]:
            about = kernel["package"]
            assert (about["source"], about["name"], about["version"], about["suite"]) == (
                *("apt", f"linux-image-{world.release}", VERSION, "jammy"),
            )
            assert (about["distribution"], kernel["release"]) == ("ubuntu", world.release)
        shutil.rmtree(world.project.folder.parent / "served", ignore_errors=True)


def test_a_repository_that_others_have_signed_boots_nothing_and_says_why(world: World, tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project")
    project.committed(CASE)
    with served(world.repository) as repository:
        project.matrix["mirrors"] = {"others": {"ours": repository.address}}
        project.matrix["kernels"] = [entry("generic", keyring=str(world.other))]
        project.write_matrix()
        report, output = matrix_run(project, 3)
    assert [cell["outcome"] for cell in report["cells"]] == ["lost"]
    assert f"{repository.address}: its signature is missing, or is not of a key in the keyring" in output
    assert report["kernels"][0]["release"] == ""
    assert not [path for path in repository.asked if path.endswith(".deb")]


def test_a_sweep_is_a_row_for_each_build_whatever_suites_have_it(world: World, tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project")
    project.committed(CASE)
    (project.folder / "matrix.lock").unlink()
    shutil.copy(ROOT / "matrix.lock", project.folder)
    pattern, sweep = f"linux-image-{world.release}", {"builds": "all", "suites": ["jammy-updates"]}
    with served(world.repository) as repository:
        project.matrix["mirrors"] = {"others": {"ours": repository.address}}
        project.matrix["kernels"] = [entry("all", package=pattern, keyring=str(world.keyring), sweep=sweep)]
        project.write_matrix()
        unlisted = run("matrix", "--matrix-file", project.matrix_file)
        assert (unlisted.code, "matrix.lock does not list the builds of this sweep" in unlisted.output) == (2, True)
        done = run("lock", "--matrix-file", project.matrix_file, "--kernel", "all")
        assert done.code == 0, done.output
        assert f"all: 2 builds: {VERSION}, {NEXT}" in done.output
        # What is fetched in the first run is there for the second, in which nobody answers.
        matrix_run(project, 0)
    report, _ = matrix_run(project, 0, "--locked")
    rows = {f"all-{VERSION}": ("jammy", VERSION), f"all-{NEXT}": ("jammy-updates", NEXT)}
    assert [(cell["kernel"], cell["outcome"]) for cell in report["cells"]] == [(name, "works") for name in rows]
    assert {
        kernel["name"]: (kernel["package"]["suite"], kernel["package"]["version"]) for kernel in report["kernels"]
    } == rows
    assert {cell["start"] for cell in report["cells"]} == {"cold"}, "a sweep keeps no snapshots"
