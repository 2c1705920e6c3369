"""bpfmatrix as a package: built, installed away from this checkout, and used in an empty folder with an empty home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from projects import ROOT

from harness import __version__
from harness.config.matrix import load_matrix
from harness.host.cache import Cache

NOT_SHIPPED = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__")
OF_THE_CHECKOUT = {"build", "results", "tests"}
"""Folders of the checkout, and of nothing below it, that are no part of the package."""
DATA = ("bpf", "images", "kconfig")
"""Folders of the repository that a wheel has whole."""
SEED = "kprobe-fentry-fexit"
BUILD = "from setuptools import build_meta; import sys; print(build_meta.build_sdist(sys.argv[1]))"
BACKEND = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir")


@dataclass(frozen=True)
class Done:
    """How a command ended, and all that it said."""

    code: int
    output: str


def call(argv: Sequence[str | Path], *, folder: Path, env: Mapping[str, str] | None = None, seconds: int = 240) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=seconds,
    )
    return Done(done.returncode, done.stdout)


def expect_ok(argv: Sequence[str | Path], *, folder: Path, env: Mapping[str, str] | None = None) -> str:
    done = call(argv, folder=folder, env=env)
    assert done.code == 0, done.output
    return done.output


@dataclass(frozen=True)
class Built:
    """What was built of this checkout."""

    sdist: Path
    wheel: Path


def not_shipped(folder: str, names: list[str]) -> set[str]:
    """Return what of a folder is left out: what git does not keep, and what only the checkout has."""
    return {*NOT_SHIPPED(folder, names), *(OF_THE_CHECKOUT if Path(folder) == ROOT else ())}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, folder / "source", ignore=not_shipped)  # a build writes beside its sources
    name = expect_ok([sys.executable, "-c", BUILD, folder], folder=folder / "source").splitlines()[-1]
    expect_ok([sys.executable, *BACKEND, folder, folder / "source"], folder=folder)
    return Built(folder / name, next(folder.glob("*.whl")))


@dataclass(frozen=True)
class Installed:
    """An installed bpfmatrix: its script, an empty folder to work in, and an environment whose home is empty."""

    script: Path
    folder: Path
    env: Mapping[str, str]

    def __call__(self, *argv: str) -> Done:
        return call([self.script, *argv], folder=self.folder, env=self.env)


def environment(home: Path, cache: Path) -> dict[str, str]:
    """Return the environment of a user who has nothing to do with this checkout."""
    ours = {"PYTHONPATH", "VIRTUAL_ENV", "BPFMATRIX_RUN"}
    kept = {key: value for key, value in os.environ.items() if key not in ours}
    return {**kept, "HOME": str(home), "XDG_CACHE_HOME": "", "BPFMATRIX_CACHE": str(cache)}


def install(what: Path, folder: Path, *, cache: Path, dependencies: bool) -> Installed:
    """Install a wheel or a source distribution into an environment of its own in `folder`.

    Without `dependencies` those of this very Python are used, and nothing is fetched.
    """
    venv, home, work = folder / "venv", folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    expect_ok([sys.executable, "-m", "venv", *([] if dependencies else ["--without-pip"]), venv], folder=folder)
    argv: list[str | Path] = [sys.executable, "-m", "pip", "--python", venv / "bin/python", "install", "--quiet"]
    if not dependencies:
        packages = next(venv.glob("lib/python3*/site-packages"))
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        argv += ["--no-deps", "--no-index", "--no-build-isolation"]
    expect_ok([*argv, what], folder=folder)
    env = environment(home, cache)
    where = expect_ok([venv / "bin/python", "-c", "import harness; print(harness.__file__)"], folder=work, env=env)
    assert where.startswith(str(venv)), "this would try the checkout"
    return Installed(venv / "bin/bpfmatrix", work, env)


def use(bpfmatrix: Installed) -> None:
    """Do what the README says, from an empty folder on."""
    assert bpfmatrix("--version").output.strip() == f"bpfmatrix {__version__}"
    listed = bpfmatrix("--list")
    assert listed.code == 0
    assert all(command in listed.output for command in ("doctor", "init", "matrix", "watch"))

    before = bpfmatrix("doctor")
    assert before.code == 0, "check and exec need no project"
    assert "no matrix.yaml here" in before.output and "for cases of your own: bpfmatrix init" in before.output
    assert bpfmatrix("matrix").code == 2

    assert bpfmatrix("init").code == 0
    again = bpfmatrix("init")
    assert (again.code, "in the way" in again.output) == (2, True)
    ready = bpfmatrix("doctor")
    assert ready.code == 0, ready.output

    kernel = load_matrix(bpfmatrix.folder / "matrix.yaml").kernels[0].name
    own = bpfmatrix("matrix", "--kernel", kernel)
    assert own.code == 0, own.output
    assert "1 cell (1 kernel × 1 case): 1 pass" in own.output
    suite = bpfmatrix("matrix", "--suite", "tracing", "--case", SEED, "--kernel", kernel)
    assert suite.code == 0, suite.output
    assert "1 cell (1 kernel × 1 case): 1 pass" in suite.output
    assert SEED in suite.output
    for argv in (["results/latest"], ["results/latest", "--rules", "current"]):
        judged = bpfmatrix("judge", *argv)
        assert judged.code == 0, judged.output
        assert "1 pass" in judged.output
    assert not list(Path(bpfmatrix.env["HOME"]).iterdir())


def test_a_wheel_has_one_package_with_all_data(built: Built) -> None:
    names = zipfile.ZipFile(built.wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"harness", f"bpfmatrix-{__version__}.dist-info"}
    there = {name.removeprefix("harness/data/") for name in names if name.startswith("harness/data/")}
    files = {str(path.relative_to(ROOT)) for each in DATA for path in (ROOT / each).rglob("*") if path.is_file()}
    schemas = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.schema.json")}
    assert there == files | schemas | {"matrix.yaml", "matrix.lock"}


def test_the_source_distribution_makes_the_same_wheel(built: Built, tmp_path: Path) -> None:
    expect_ok([sys.executable, *BACKEND, tmp_path, built.sdist], folder=tmp_path)
    ours, again = zipfile.ZipFile(built.wheel), zipfile.ZipFile(next(tmp_path.glob("*.whl")))
    assert {name: ours.read(name) for name in ours.namelist()} == {name: again.read(name) for name in again.namelist()}


@pytest.mark.vm
def test_the_wheel_works_in_an_empty_folder(built: Built, tmp_path: Path) -> None:
    use(install(built.wheel, tmp_path, cache=Cache().root, dependencies=False))


@pytest.mark.vm
@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_what_was_built_works_with_its_own_dependencies_and_an_empty_cache(
    built: Built, kind: str, tmp_path: Path
) -> None:
    """The packages that it needs come from the index that pip is configured for."""
    cache = tmp_path / "cache"
    bpfmatrix = install(getattr(built, kind), tmp_path, cache=cache, dependencies=True)
    use(bpfmatrix)
    (bpfmatrix.folder / "matrix.lock").unlink()
    kernel = load_matrix(bpfmatrix.folder / "matrix.yaml").kernels[0].name
    newest = bpfmatrix("matrix", "--kernel", kernel)
    assert newest.code == 0, newest.output
    assert "run `bpfmatrix lock` to pin it" in " ".join(newest.output.split())
