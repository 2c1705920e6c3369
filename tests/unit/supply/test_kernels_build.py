"""Kernels that are built here; what all sources promise is in test_kernels_source.py."""

from __future__ import annotations

import gzip
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kernel_sources import MAKE, WHY, build_entry, commit_all, make_tree
from source_worlds import BOOT, MODULES, TREE, MemoryArchive, build_at_once, files_in, find_by_name, no_mirrors
from test_build_places import Suite
from unit_samples import RELEASE, x86_image

from harness.errors import KernelBuildError, KernelFileError, MissingToolError, PackageGoneError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.model.distributions import number_of
from harness.supply.build.building import BuiltKernel, Job, build_kernel
from harness.supply.kernels import cached
from harness.supply.kernels.build import BuildSource, identity
from harness.supply.kernels.choosing import obtain_chosen
from harness.supply.kernels.source import SourceContext

Build = Callable[[Job, Path], BuiltKernel]


class Builds:
    """A source whose builds are counted; `kept` is its cache."""

    def __init__(
        self, folder: Path, *, archive: Any = None, build: Build = build_at_once, locked: bool = False
    ) -> None:
        self.cache, self.jobs, self.compilers = Cache(folder / "cache"), list[Job](), ["gcc 12", "v1.24"]
        self.said, self.stopping = list[tuple[str, str]](), threading.Event()
        self._build = build
        context = SourceContext(
            cache=self.cache,
            mirrors=no_mirrors,
            locked_only=locked,
            progress=lambda kernel, text: self.said.append((kernel, text)),
            stopping=self.stopping,
        )
        self.source = BuildSource(
            context, archive=archive, build=self._built, require=self._require, compilers=self._compilers
        )

    def _built(self, job: Job, root: Path) -> BuiltKernel:
        self.jobs.append(job)
        return self._build(job, root)

    def _require(self, *_: object) -> None:
        if not self.compilers:
            raise MissingToolError("gcc is not installed")

    def _compilers(self, *_: object) -> Sequence[str]:
        self._require()
        return self.compilers


@pytest.fixture(autouse=True)
def _modules_without_depmod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "find_modules", find_by_name)


def test_a_kernel_is_built_once_whatever_is_taken_of_it(tmp_path: Path) -> None:
    builds, kernel = Builds(tmp_path), build_entry(tree=make_tree(tmp_path / "tree"))
    pin = builds.source.pin(kernel).pin
    for modules in (MODULES, MODULES[:1], []):
        assert builds.source.obtain(kernel, pin, modules=modules).release == RELEASE
    assert builds.source.obtain(kernel, pin, modules=MODULES, case_modules=["veth"]).case_modules["veth"].files == ()
    (tmp_path / "unpacked").mkdir()
    builds.source.unpack(kernel, pin, tmp_path / "unpacked")
    assert len(builds.jobs) == 1
    assert builds.said[:2] == [("mine", "waiting for another build"), ("mine", "taking the sources")]


def test_another_kernel_of_the_same_sources_is_the_same_build(tmp_path: Path) -> None:
    builds = Builds(tmp_path)
    for name in ("one", "two"):
        kernel = build_entry(name=name, tree=make_tree(tmp_path / name))
        builds.source.obtain(kernel, builds.source.pin(kernel).pin, modules=[])
    assert len(builds.jobs) == 1, "wherever the sources are, they are the same"


@pytest.mark.parametrize("different", ["sources", "configuration", "compiler", "pahole", "architecture"])
def test_what_a_kernel_is_made_of_makes_another_one(different: str, tmp_path: Path) -> None:
    builds, tree = Builds(tmp_path), make_tree(tmp_path / "tree")
    kernel = build_entry(tree=tree)
    builds.source.obtain(kernel, builds.source.pin(kernel).pin, modules=[])
    if different == "sources":
        (tree / "Kconfig").write_text("config OTHER\n")
    elif different == "configuration":
        kernel = build_entry(tree=tree, config="CONFIG_OWN=y")
    elif different == "architecture":
        kernel = build_entry(tree=tree, arch="riscv64")
        (tree / "image").write_bytes(bytes(48) + b"RISCV" + bytes(100))
    else:
        builds.compilers = {"compiler": ["gcc 13", "v1.24"], "pahole": ["gcc 12", "v1.25"]}[different]
    builds.source.obtain(kernel, builds.source.pin(kernel).pin, modules=[])
    assert len(builds.jobs) == 2


def test_the_jobs_are_those_of_the_entry_and_do_not_make_another_kernel(tmp_path: Path) -> None:
    builds, tree = Builds(tmp_path), make_tree(tmp_path / "tree")
    kernel = build_entry(tree=tree, jobs=7)
    builds.source.obtain(kernel, builds.source.pin(kernel).pin, modules=[])
    builds.source.obtain(build_entry(tree=tree), builds.source.pin(kernel).pin, modules=[])
    (job,) = builds.jobs
    assert (job.jobs, job.name, job.tree, job.arch) == (7, "mine", tree, ARCHITECTURES["x86_64"])
    assert not job.work.exists(), "what compilers have left is removed"


def test_a_kernel_in_the_cache_needs_neither_sources_nor_all_programs(tmp_path: Path) -> None:
    builds, tree = Builds(tmp_path), make_tree(tmp_path / "tree")
    kernel = build_entry(tree=tree)
    pin = builds.source.pin(kernel).pin
    first = builds.source.obtain(kernel, pin, modules=MODULES)
    shutil.rmtree(tree)
    assert builds.source.obtain(kernel, pin, modules=MODULES) == first


def test_a_missing_program_is_found_before_anything_is_fetched(tmp_path: Path) -> None:
    archive = Suite(tmp_path)
    builds, kernel = Builds(tmp_path, archive=archive), build_entry(package="linux-source-6.1", suite="bookworm")
    pin = builds.source.pin(kernel).pin
    builds.compilers = []
    with pytest.raises(MissingToolError):
        builds.source.obtain(kernel, pin, modules=[])
    assert (archive.fetched, builds.jobs) == ([], [])


# --- what is pinned ---------------------------------------------------------------------------------------------------


def test_a_tree_that_has_changed_is_built_again_and_that_is_said(tmp_path: Path) -> None:
    builds, tree = Builds(tmp_path), make_tree(tmp_path / "tree")
    kernel = build_entry(tree=tree)
    pin = builds.source.pin(kernel).pin

    def obtain(build: Any) -> Any:
        return builds.source.obtain(kernel, build, modules=MODULES)

    obtain_chosen(builds.source, kernel, pin, obtain=obtain, locked_only=True)
    (tree / "image").write_bytes(x86_image(RELEASE) + b"another")
    files = obtain_chosen(builds.source, kernel, pin, obtain=obtain, locked_only=False)
    assert files.image.read_bytes().endswith(b"another")
    assert f"{tree} no longer has the pinned {pin.version}; its current 6.1.0 (" in files.notice
    with pytest.raises(PackageGoneError, match=r"its files have changed\n\(--locked forbids another\)"):
        obtain_chosen(builds.source, kernel, pin, obtain=obtain, locked_only=True)


def test_a_pin_names_no_path(tmp_path: Path) -> None:
    builds, tree = Builds(tmp_path), make_tree(tmp_path / "tree")
    pin = builds.source.pin(build_entry(tree=tree, config=[tree / "refused"])).pin
    assert str(tmp_path) not in repr(pin)


@pytest.mark.parametrize(
    "keys",
    [
        {"config": "CONFIG_OWN=y"},
        {"base_config": "tinyconfig"},
        {"compiler": "clang"},
        {"arch": "arm64"},
        {"suite": "trixie"},
        {"package": "linux-source-6.12"},
        {"version": "6.1.170-1"},
    ],
)
def test_a_pin_answers_what_it_was_made_for_and_nothing_else(keys: dict[str, Any], tmp_path: Path) -> None:
    source = Builds(tmp_path, archive=Suite(tmp_path)).source
    entry = {"package": "linux-source-6.1", "suite": "bookworm"}
    pin = source.pin(build_entry(**entry)).pin
    assert source.answers(build_entry(**entry), pin)
    assert source.answers(build_entry(**entry, jobs=3, name="other"), pin)
    assert not source.answers(build_entry(**{**entry, **keys}), pin)


def test_a_part_of_the_configuration_that_is_gone_answers_nothing_and_its_check_says_why(tmp_path: Path) -> None:
    source, tree = Builds(tmp_path).source, make_tree(tmp_path / "tree")
    (tmp_path / "own.config").write_text("CONFIG_OWN=y\n")
    kernel = build_entry(tree=tree, config=tmp_path / "own.config")
    pin = source.pin(kernel).pin
    (tmp_path / "own.config").unlink()
    assert not source.answers(kernel, pin)
    with pytest.raises(KernelFileError, match=r"own\.config cannot be read"):
        source.check(kernel, modules=(), case_modules=())


def test_of_packages_the_newest_that_is_there_is_pinned(tmp_path: Path) -> None:
    archive = Suite(tmp_path)
    source, kernel = Builds(tmp_path, archive=archive).source, build_entry(package="linux-source-6.1", suite="bookworm")
    assert [pin.version for pin in source.builds(kernel)] == ["6.1.176-1", "6.1.170-1"]
    del archive.files["pool/linux-source-6.1_6.1.176-1.deb"]
    found = source.pin(kernel)
    assert (found.pin.version, found.passed_over) == ("6.1.170-1", ("6.1.176-1",))
    assert source.gone(kernel, source.builds(kernel)[0]) == ("linux-source-6.1",)
    archive.files.clear()
    with pytest.raises(PackageGoneError, match=r"the mirror no longer has its files: 6\.1\.176-1, 6\.1\.170-1"):
        source.pin(kernel)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_branch_that_has_moved_is_said_unless_only_the_lock_counts(tmp_path: Path) -> None:
    clone = make_tree(tmp_path / "clone")
    commit_all(clone)
    kernel = build_entry(git=clone, ref="main")
    pin = Builds(tmp_path).source.pin(kernel).pin
    (clone / "image").write_bytes(b"newer")
    commit_all(clone)
    assert "main is another commit by now" in Builds(tmp_path).source.obtain(kernel, pin, modules=[]).notice
    assert Builds(tmp_path, locked=True).source.obtain(kernel, pin, modules=[]).notice == ""


# --- what is reported -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "distribution", "number"),
    [
        ({}, "", "6.1.0-rc1-mine"),
        ({"distribution": "rhel-like"}, "rhel-like", ""),
        ({"distribution": "debian"}, "debian", "6.1.0-rc1-mine"),
    ],
)
def test_the_number_that_rules_compare_with_is_that_of_the_makefile_unless_it_is_a_distributions(
    keys: dict[str, str], distribution: str, number: str, tmp_path: Path
) -> None:
    source, kernel = Builds(tmp_path).source, build_entry(tree=make_tree(tmp_path / "tree"), **keys)
    package = source.obtain(kernel, source.pin(kernel).pin, modules=[]).package
    assert (package.source, package.name, package.distribution) == ("build", "tree", distribution)
    assert number_of(package.distribution, {"release": "6.1.0-rc1-mine"}, fallback=package.version) == number


@pytest.mark.skipif(shutil.which("xz") is None, reason="xz is not installed, which doctor names for this source")
def test_sources_of_debian_are_debians(tmp_path: Path) -> None:
    archive = Suite(tmp_path)
    source, kernel = Builds(tmp_path, archive=archive).source, build_entry(package="linux-source-6.1", suite="bookworm")
    pin = source.pin(kernel).pin
    package = source.obtain(kernel, pin, modules=[]).package
    assert (package.name, package.version, package.suite) == ("linux-source-6.1", "6.1.176-1", "bookworm")
    assert (package.distribution, package.sha256) == ("debian", pin.packages[0].sha256)
    assert archive.fetched == ["linux-source-6.1"]
    # As in the table of distributions, the kernel repeats the package's version.
    assert identity("debian", "6.1.176-1") == {"KBUILD_BUILD_VERSION_TIMESTAMP": "Debian 6.1.176-1"}
    said = {"release": "6.1.176", "version": "#1 SMP PREEMPT Debian 6.1.176-1"}
    assert number_of("debian", said, fallback=package.version) == "6.1.176-1"
    assert identity("", "6.1.176-1") == {}


def test_options_that_were_lost_are_said_in_every_run(tmp_path: Path) -> None:
    def lossy(job: Job, root: Path) -> BuiltKernel:
        return replace(build_at_once(job, root), notice="options that its sources do not have: NETKIT")

    builds, kernel = Builds(tmp_path, build=lossy), build_entry(tree=make_tree(tmp_path / "tree"))
    pin = builds.source.pin(kernel).pin
    for _ in range(2):
        files = builds.source.obtain(kernel, pin, modules=MODULES)
        assert files.notice == files.package.notice == "mine: options that its sources do not have: NETKIT"


def test_a_kernel_without_btf_says_so(tmp_path: Path) -> None:
    def without(job: Job, root: Path) -> BuiltKernel:
        built = build_at_once(job, root)
        (root / f"boot/config-{RELEASE}").write_text("# CONFIG_DEBUG_INFO_BTF is not set\n")
        return built

    builds, kernel = Builds(tmp_path, build=without), build_entry(tree=make_tree(tmp_path / "tree"))
    files = builds.source.obtain(kernel, builds.source.pin(kernel).pin, modules=MODULES)
    assert files.notice == "mine: it has no BTF: what needs BTF is refused"


@pytest.mark.parametrize(
    ("keys", "what", "where"),
    [
        ({"tree": "/src/linux"}, "sources", "/src/linux"),
        ({"git": "/src/linux", "ref": "v6.12"}, "v6.12", "/src/linux"),
        ({"package": "linux-source-6.1", "suite": "bookworm"}, "linux-source-6.1", "bookworm"),
    ],
)
def test_an_entry_is_described_by_where_its_sources_are(
    keys: dict[str, str], what: str, where: str, tmp_path: Path
) -> None:
    about = Builds(tmp_path, archive=MemoryArchive()).source.describe(build_entry(**keys), None)
    assert (about.what, about.where, about.version) == (what, where, "")


def test_the_changelog_is_that_of_the_package_of_sources(tmp_path: Path) -> None:
    archive = MemoryArchive()
    text = gzip.compress(b"linux (6.1.176-1) bookworm; urgency=medium")
    archive.add("linux-source-6.1", "6.1.176-1", {"usr/share/doc/linux-source-6.1/changelog.Debian.gz": text})
    source, kernel = Builds(tmp_path, archive=archive).source, build_entry(package="linux-source-6.1", suite="bookworm")
    assert source.changelog(kernel, source.pin(kernel).pin).startswith("linux (6.1.176-1)")
    tree = build_entry(tree=make_tree(tmp_path / "tree"))
    assert source.changelog(tree, source.pin(tree).pin) == ""


# --- builds that fail -------------------------------------------------------------------------------------------------


def test_a_build_that_fails_or_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def failing(error: BaseException) -> Build:
        def build(job: Job, root: Path) -> BuiltKernel:
            (job.work / "half.o").touch()
            build_at_once(job, root)
            raise error

        return build

    kernel = build_entry(tree=make_tree(tmp_path / "tree"))
    for error in (KernelBuildError("kernel mine cannot be built"), KeyboardInterrupt()):
        builds = Builds(tmp_path, build=failing(error))
        with pytest.raises(type(error)):
            builds.source.obtain(kernel, builds.source.pin(kernel).pin, modules=[])
        assert [name for name in files_in(builds.cache) if not name.startswith("build-trees")] == []


def test_a_build_that_failed_is_not_tried_twice_for_one_run_but_for_the_next_one(tmp_path: Path) -> None:
    """A run asks for it ahead, and when its row begins."""

    def failing(job: Job, root: Path) -> BuiltKernel:
        raise KernelBuildError("kernel mine cannot be built")

    builds, kernel = Builds(tmp_path, build=failing), build_entry(tree=make_tree(tmp_path / "tree"))
    pin = builds.source.pin(kernel).pin
    for tried in (1, 1, 2, 2):
        with pytest.raises(KernelBuildError, match="cannot be built"):
            builds.source.obtain(kernel, pin, modules=[])
        assert len(builds.jobs) == tried


@pytest.mark.skipif(MAKE is None, reason=WHY)
def test_the_log_of_a_build_that_failed_is_kept_and_the_next_build_works(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree / "broken").write_text("/src/a.c:1:1: error: no\n")
    builds, kernel = Builds(tmp_path, build=build_kernel), build_entry(tree=tree)
    with pytest.raises(
        KernelBuildError, match=rf"a\.c:1:1: error: no\n  The whole log: {builds.cache.root}/build-logs"
    ):
        builds.source.obtain(kernel, builds.source.pin(kernel).pin, modules=[])
    assert "error: no" in (builds.cache.root / "build-logs/mine.log").read_text()
    (tree / "broken").unlink()
    files = builds.source.obtain(kernel, builds.source.pin(kernel).pin, modules=MODULES)
    assert (files.release, len(files.modules), files.has_network) == (RELEASE, 2, True)


@pytest.mark.skipif(MAKE is None, reason=WHY)
def test_a_build_ends_once_the_run_does(tmp_path: Path) -> None:
    builds, kernel = Builds(tmp_path, build=build_kernel), build_entry(tree=make_tree(tmp_path / "tree"))
    pin = builds.source.pin(kernel).pin
    builds.stopping.set()
    with pytest.raises(KernelBuildError, match="the build of kernel mine was ended"):
        builds.source.obtain(kernel, pin, modules=[])
    assert (builds.jobs, builds.said) == ([], []), "not even the sources are taken"
    builds.stopping.clear()
    assert builds.source.obtain(kernel, pin, modules=[]).release == RELEASE


def test_a_build_waits_for_another_one(tmp_path: Path) -> None:
    """Two at once would take twice the memory, and no less time."""
    builds, kernel = Builds(tmp_path), build_entry(tree=make_tree(tmp_path / "tree"))
    pin = builds.source.pin(kernel).pin
    done = threading.Thread(target=lambda: builds.source.obtain(kernel, pin, modules=[]))
    with builds.cache.lock("build"):
        done.start()
        while ("mine", "waiting for another build") not in builds.said:
            assert done.is_alive()
        assert builds.jobs == []
    done.join(60)
    assert len(builds.jobs) == 1


def test_a_build_that_waits_does_not_begin_once_the_run_is_over(tmp_path: Path) -> None:
    builds, kernel = Builds(tmp_path), build_entry(tree=make_tree(tmp_path / "tree"))
    pin, errors = builds.source.pin(kernel).pin, list[str]()

    def obtain() -> None:
        try:
            builds.source.obtain(kernel, pin, modules=[])
        except KernelBuildError as error:
            errors.append(str(error))

    waiting = threading.Thread(target=obtain)
    with builds.cache.lock("build"):
        waiting.start()
        while not builds.said:
            assert waiting.is_alive()
        builds.stopping.set()
    waiting.join(60)
    assert errors == ["the build of kernel mine was ended before it began"]
    assert builds.said == [("mine", "waiting for another build")]


def test_the_files_of_the_kernel_are_those_that_were_built(tmp_path: Path) -> None:
    builds, kernel = Builds(tmp_path), build_entry(tree=make_tree(tmp_path / "tree"))
    files = builds.source.obtain(kernel, builds.source.pin(kernel).pin, modules=MODULES)
    assert files.config is not None
    assert files.config.read_bytes() == BOOT[f"boot/config-{RELEASE}"]
    assert [path.read_bytes() for path in files.modules] == list(TREE.values())
