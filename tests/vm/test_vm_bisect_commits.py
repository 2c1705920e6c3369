"""Bisecting over the commits of a git clone in real guests; what stands for compilers takes kernels out of packages.

No kernel is compiled here: tests/vm/test_vm_build.py does that, and one takes a quarter of an hour.
"""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from projects import TemporaryProject

from harness.answers.bisection import Is
from harness.errors import KernelBuildError
from harness.host.cache import Cache
from harness.run.bisect_commits import Asked, bisect_commits
from harness.run.options import Options
from harness.screen.terminal import Progress
from harness.supply.build.building import BuiltKernel, Job
from harness.supply.kernels.build import BuildSource
from harness.supply.kernels.source import SourceContext
from harness.supply.project import Project
from harness.supply.supplies import Supplies

pytestmark = [pytest.mark.vm, pytest.mark.nightly]

KERNELS = ("5.10-x86_64", "6.1-x86_64")
CASE = "kprobe-multi"
"""Linux has such probes since 5.18."""
ANSWERS = (*["5.10-x86_64"] * 3, "no build", *["6.1-x86_64"] * 4)


def clone_of(folder: Path) -> list[str]:
    """Make a clone of which each commit names the kernel that is built of it; return its commits."""
    own = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "init.defaultBranch=main")

    def git(*arguments: str) -> str:
        argv = ["git", *who, *arguments]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True, env={**os.environ, **own})
        return done.stdout.strip()

    (folder / "scripts/kconfig").mkdir(parents=True)
    (folder / "scripts/kconfig/conf").write_text("")
    (folder / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\nEXTRAVERSION =\n")
    (folder / "Kconfig").write_text("")
    git("init", "--quiet")
    commits = []
    for number, kernel in enumerate(ANSWERS):
        (folder / "kernel").write_text(kernel)
        (folder / "number").write_text(str(number))
        git("add", "--all")
        git("commit", "--quiet", "--message", f"change {number}")
        commits.append(git("rev-parse", "HEAD"))
    return commits


def test_the_commit_that_brought_kprobe_multi_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = clone_of(tmp_path / "linux")
    made = TemporaryProject(tmp_path / "project", kernels=KERNELS)
    made.committed(CASE)
    project, cache = Project(matrix_file=made.matrix_file), Cache()
    packages = Supplies(project, project.load_matrix(), cache=cache)
    entries = {kernel.name: kernel for kernel in project.load_matrix().kernels}

    def build(job: Job, root: Path) -> BuiltKernel:
        entry = entries.get((job.tree / "kernel").read_text())
        if entry is None:
            raise KernelBuildError(f"kernel {job.name} does not compile")
        root.mkdir()
        packages.source(entry).unpack(entry, packages.pin_of(entry), root)
        (image,) = (root / "boot").glob("vmlinuz-*")
        return BuiltKernel(image.name.removeprefix("vmlinuz-"), "")

    source = BuildSource(
        SourceContext(cache=Cache(tmp_path / "builds"), mirrors=packages.mirrors),
        build=build,
        require=lambda kernel, configuration: None,
        compilers=lambda kernel, configuration: ["none"],
    )
    others = Supplies.source
    monkeypatch.setattr(
        Supplies, "source", lambda self, kernel: source if kernel.source == "build" else others(self, kernel)
    )
    found = bisect_commits(
        Options(project=project, cases=[CASE], results=tmp_path / "results"),
        Asked(clone=tmp_path / "linux", good="main", bad=commits[0]),
        say=print,
        showing=Progress,
        cache=cache,
    )
    states = {commits.index(each.commit): each.is_ for each in found.tried}
    assert found.new is Is.GOOD
    assert found.suspects in ((commits[4],), (commits[4], commits[3]))
    assert {number: is_ for number, is_ in states.items() if is_ is Is.GOOD}.keys() <= {4, 5, 6, 7}
    assert {number: is_ for number, is_ in states.items() if is_ is Is.BAD}.keys() <= {0, 1, 2}
    assert states[3] is Is.UNANSWERED
