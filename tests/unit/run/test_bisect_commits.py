"""Bisecting over the commits of a real git clone; the kernels are built by a builder that only copies, and played."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from answers_samples import report
from played_world import World, crashed, good, make_world
from unit_samples import RELEASE, x86_image

from harness.answers.bisection import Is
from harness.answers.commits import BisectedCommits
from harness.answers.seen import Seen, seen_in
from harness.config.matrix import BuildKernel, PathKernel
from harness.errors import BisectError, KernelBuildError, KernelFileError, UsageError
from harness.facts.kernel import KernelFacts
from harness.guest.starting import Starter
from harness.host.cache import Cache
from harness.run import rows
from harness.run.bisect_commits import Asked, Range, bisect_commits, range_of, search
from harness.run.options import Options
from harness.scenario.case import Case
from harness.screen.terminal import Progress
from harness.supply.build.building import BuiltKernel, Job
from harness.supply.build.places import entry_of, row_of
from harness.supply.guest_plan import GuestPlan
from harness.supply.kernels.build import BuildSource
from harness.supply.kernels.source import SourceContext
from harness.supply.supplies import Supplies

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

OWN = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
WHO = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "init.defaultBranch=main", "-c", "gc.auto=0")


class Clone:
    """A clone of Linux whose kernels answer what the file `answer` of their commit says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "scripts/kconfig").mkdir(parents=True)
        (folder / "scripts/kconfig/conf").write_text("")
        (folder / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\nEXTRAVERSION =\n")
        (folder / "Kconfig").write_text("")
        self.git("init", "--quiet")
        self.commits: dict[str, str] = {}

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *WHO, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **OWN},
        )
        return done.stdout.strip()

    def commit(self, name: str, answer: str) -> str:
        (self.folder / "answer").write_text(answer)
        (self.folder / "name").write_text(name)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"{name}: {answer}\n\nmore about it")
        self.commits[name] = self.git("rev-parse", "HEAD")
        return self.commits[name]

    def state(self) -> dict[str, bytes]:
        """All that is in its folder, and in its .git."""
        return {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "linux")


def build(job: Job, root: Path) -> BuiltKernel:
    """Stands for compilers: the kernel is what its commit answers."""
    answer = (job.tree / "answer").read_text()
    if answer == "no build":
        raise KernelBuildError(f"kernel {job.name} does not compile: error: it is broken")
    (root / "boot").mkdir(parents=True)
    (root / f"boot/vmlinuz-{RELEASE}").write_bytes(x86_image() + answer.encode())
    (root / f"boot/config-{RELEASE}").write_text("CONFIG_VIRTIO_NET=y\nCONFIG_VIRTIO_PCI=y\n")
    builtin = root / f"lib/modules/{RELEASE}/modules.builtin"
    builtin.parent.mkdir(parents=True)
    names = ("virtio_net", "virtio_pci")
    builtin.write_text("".join(f"kernel/{name}.ko\n" for name in names))
    return BuiltKernel(RELEASE, "")


def no_boot(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
    raise OSError("it does not boot")


PLAYS = {"good": good, "bad": crashed, "no boot": no_boot}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = make_world(tmp_path / "project", monkeypatch)
    source = BuildSource(
        SourceContext(cache=Cache(tmp_path / "cache"), mirrors=lambda: pytest.fail("no mirror is asked")),
        build=build,
        require=lambda kernel, configuration: None,
        compilers=lambda kernel, configuration: ["gcc 12"],
    )
    monkeypatch.setattr(Supplies, "source", lambda self, kernel: source)

    def run_kernel(plan: GuestPlan, cases: Sequence[Case], *, boot: Starter, known: KernelFacts) -> KernelFacts:
        world.run.append(known.row.name)
        answer = plan.kernel.image.read_bytes()[len(x86_image()) :].decode()
        return PLAYS[answer](plan, cases)

    monkeypatch.setattr(rows, "run_kernel", run_kernel)
    yield world


def bisected(world: World, clone: Clone, good: str, bad: str, **more: Any) -> BisectedCommits:
    said: list[str] = []
    found = bisect_commits(
        Options(project=world.project, cases=["case"], results=world.folder / "results"),
        Asked(clone=clone.folder, good=good, bad=bad, **more),
        say=said.append,
        showing=lambda rows: Progress(rows, quiet=True),
        cache=Cache(world.folder / "cache"),
    )
    assert len(said) == 1 + len(found.tried)
    return found


def line(clone: Clone, *answers: str) -> None:
    for number, answer in enumerate(answers):
        clone.commit(f"c{number}", answer)


def test_the_commit_that_broke_it_is_found_and_nothing_is_written_into_the_clone(world: World, clone: Clone) -> None:
    line(clone, *["good"] * 6, *["bad"] * 10)
    before = clone.state()
    found = bisected(world, clone, clone.commits["c0"], "main")
    assert found.suspects == (clone.commits["c6"],)
    assert found.subjects[clone.commits["c6"]] == "c6: bad"
    assert found.new is Is.BAD
    assert len(world.run) == len(found.tried) <= 2 + 4
    assert found.skipped == ()
    assert clone.state() == before


def test_the_commit_that_fixed_it_is_found_where_the_bad_end_is_the_older_one(world: World, clone: Clone) -> None:
    line(clone, "bad", "bad", "bad", "good", "good")
    found = bisected(world, clone, "main", clone.commits["c0"])
    assert (found.suspects, found.new) == ((clone.commits["c3"],), Is.GOOD)


def test_commits_that_do_not_build_or_boot_are_skipped(world: World, clone: Clone) -> None:
    line(clone, "good", "good", "no build", "good", "no boot", "bad", "bad")
    found = bisected(world, clone, clone.commits["c0"], "main")
    assert found.suspects == (clone.commits["c5"], clone.commits["c4"]), "c4 may be the first"
    skipped = {each.commit: each.seen.reason for each in found.skipped if each.seen is not None}
    assert "does not boot" in skipped[clone.commits["c4"]]
    assert {each.is_ for each in found.skipped} == {Is.UNANSWERED}


def merged(clone: Clone) -> None:
    """A branch in which the fault came, merged between c1 and c2."""
    line(clone, "good", "good")
    clone.git("checkout", "--quiet", "-b", "topic", clone.commits["c0"])
    clone.commit("t0", "good")
    clone.commit("t1", "bad")
    clone.git("checkout", "--quiet", "main")
    clone.git("merge", "--quiet", "--no-ff", "--strategy-option=theirs", "--message", "Merge topic", "topic")
    clone.commits["merge"] = clone.git("rev-parse", "HEAD")
    clone.commit("c2", "bad")


def test_in_a_merged_branch_the_commit_itself_is_found_or_its_merge(world: World, clone: Clone) -> None:
    merged(clone)
    assert bisected(world, clone, clone.commits["c0"], "main").suspects == (clone.commits["t1"],)
    found = bisected(world, clone, clone.commits["c0"], "main", first_parent=True)
    assert found.suspects == (clone.commits["merge"],)
    assert found.subjects[clone.commits["merge"]] == "Merge topic"


def test_ends_on_two_branches_are_refused_and_where_they_parted_is_named(clone: Clone) -> None:
    line(clone, "good")
    clone.git("checkout", "--quiet", "-b", "topic")
    clone.commit("t0", "good")
    clone.git("checkout", "--quiet", "main")
    clone.commit("c1", "bad")
    with pytest.raises(UsageError, match=f"neither topic nor main is in the past.*take {clone.commits['c0'][:12]}"):
        range_of(Asked(clone=clone.folder, good="topic", bad="main"), kernel="k")
    with pytest.raises(UsageError, match="the same commit"):
        range_of(Asked(clone=clone.folder, good="main", bad="HEAD"), kernel="k")


def test_ends_that_answer_alike_or_not_at_all_are_refused(world: World, clone: Clone) -> None:
    line(clone, "good", "bad", "good", "no build")
    with pytest.raises(UsageError, match="are alike"):
        bisected(world, clone, clone.commits["c0"], clone.commits["c2"])
    with pytest.raises(BisectError, match=r"has no answer.*it is broken"):
        bisected(world, clone, clone.commits["c0"], "main")


def test_what_is_missing_is_said_before_anything_is_built(world: World, clone: Clone, tmp_path: Path) -> None:
    line(clone, "good")
    with pytest.raises(UsageError, match="needs --good and --bad"):
        bisected(world, clone, "", "main")
    with pytest.raises(KernelFileError, match="is no git clone"):
        bisect_commits(
            Options(project=world.project, cases=["case"]),
            Asked(clone=tmp_path / "nothing", good="a", bad="b"),
            say=lambda text: None,
            showing=lambda rows: Progress(rows, quiet=True),
            cache=Cache(world.folder / "cache"),
        )
    assert world.run == []


def test_each_commit_is_built_as_the_entry_says(clone: Clone) -> None:
    entry = BuildKernel.model_validate(
        {
            "name": "mine",
            "arch": "arm64",
            "source": "build",
            "package": "linux-source-6.1",
            "suite": "bookworm",
            "config": ["CONFIG_OWN=y"],
        }
    )
    row = row_of(entry_of([entry], clone.folder), "0123456789abcdef")
    assert (row.name, row.arch, row.config) == ("mine-0123456789ab", "arm64", entry.config)
    assert (row.git, row.ref, row.package, row.suite) == (clone.folder, "0123456789abcdef", None, None)
    own = entry_of([], clone.folder)
    assert (own.name, own.base_config) == ("commits", "defconfig")
    other = PathKernel(name="x", arch="x86_64", source="path", image=Path("vmlinuz"))
    for wrong in ([other], [entry, entry]):
        with pytest.raises(UsageError, match="source: build"):
            entry_of(wrong, clone.folder)


def test_a_search_asks_for_both_ends_at_once_and_then_for_one_after_the_other() -> None:
    history = {str(number): (str(number - 1),) if number > 1 else () for number in range(8, 0, -1)}
    asked: list[list[str]] = []

    def answers(commits: Sequence[str]) -> list[Seen | None]:
        asked.append(list(commits))
        words = ["pass" if int(commit) < 5 else "fail" for commit in commits]
        return [next(iter(seen_in(report({"r": {"a": word}})).values())) for word in words]

    tried = search(Range(old="0", new="8", new_is=Is.BAD, history=history), answers, say=lambda text: None)
    assert asked[0] == ["0", "8"]
    assert [len(each) for each in asked[1:]] == [1] * (len(asked) - 1)
    assert {each.commit: each.is_ for each in tried}["5"] is Is.BAD
    assert {each.commit: each.is_ for each in tried}["4"] is Is.GOOD
