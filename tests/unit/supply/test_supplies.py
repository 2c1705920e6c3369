"""What supplies that serve several runs keep, and for how long; which build of a kernel they hand over."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from played_source import KERNEL, OWN, PlayedSource, supplies_of, with_modules
from unit_samples import X86

from harness.config.axes import LibbpfChoice
from harness.config.matrix import Matrix, SuitesSweep
from harness.errors import ConfigError
from harness.host.cache import Cache
from harness.qemu.accel import Accel
from harness.supply import supplies as supplies_module
from harness.supply.axes import Axes
from harness.supply.image.guest_image import GuestImage
from harness.supply.image.keys import make_keys
from harness.supply.image.programs import GuestPrograms
from harness.supply.kernels.source import KernelSource, SourceContext
from harness.supply.project import Project
from harness.supply.supplies import Supplies


@pytest.fixture
def source(tmp_path: Path) -> PlayedSource:
    return PlayedSource(tmp_path)


@pytest.fixture
def supplies(source: PlayedSource, tmp_path: Path) -> Supplies:
    return supplies_of(source, tmp_path, pinned=1)


def test_a_kernel_is_obtained_once(supplies: Supplies, source: PlayedSource) -> None:
    source.notice = "a notice"
    files = supplies.kernel(KERNEL, cases=[with_modules()])
    assert supplies.kernel(KERNEL, cases=[with_modules()]) is files
    assert source.asked == [[]]
    assert supplies.notices == ["a notice"]


def test_a_kernel_holds_the_modules_of_all_cases_so_far(supplies: Supplies, source: PlayedSource) -> None:
    supplies.kernel(KERNEL, cases=[with_modules("tls", "veth")])
    supplies.kernel(KERNEL, cases=[with_modules("veth")])
    supplies.kernel(KERNEL, cases=[with_modules("sit")])
    assert source.asked == [["tls", "veth"], ["sit", "tls", "veth"]]


def test_a_kernel_that_another_run_has_trimmed_is_obtained_again(supplies: Supplies, source: PlayedSource) -> None:
    files = supplies.kernel(KERNEL, cases=[with_modules()])
    shutil.rmtree(files.image.parent)
    supplies.kernel(KERNEL, cases=[with_modules()])
    assert source.asked == [[], []]


def test_what_lies_outside_the_cache_is_looked_at_each_time(supplies: Supplies, source: PlayedSource) -> None:
    source.in_cache = False
    for _ in range(2):
        supplies.kernel(OWN, cases=[with_modules()])
    assert source.asked == [[], []]


def test_a_userland_that_another_run_has_trimmed_is_built_again(
    supplies: Supplies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def build(_: GuestImage, arch: object) -> Path:
        built.append(arch)
        (tmp_path / "image").mkdir()
        return tmp_path / "image/base.cpio"

    monkeypatch.setattr(GuestImage, "base", build)
    for _ in range(2):
        supplies.base(X86)
    assert len(built) == 1
    (tmp_path / "image").rmdir()
    supplies.base(X86)
    assert len(built) == 2


def test_a_check_is_the_sources_with_the_modules_of_the_cases(supplies: Supplies, source: PlayedSource) -> None:
    supplies.check(KERNEL, cases=[with_modules("veth")])
    assert (source.checked, source.asked) == (["6.1", "veth"], [])


@pytest.mark.parametrize(("wanted", "asked"), [(None, "auto"), ("kvm", "kvm")])
def test_a_guest_has_all_that_it_is_started_from(
    wanted: str | None, asked: str, supplies: Supplies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(accel: str, *_: object, **__: object) -> Accel:
        assert accel == asked
        return Accel("tcg", "played")

    programs = GuestPrograms()
    monkeypatch.setattr(GuestImage, "base", lambda *_: tmp_path / "image/base.cpio")
    monkeypatch.setattr(supplies_module, "guest_programs", lambda *_, **__: programs)
    monkeypatch.setattr(supplies_module, "choose", choose)
    kernel = KERNEL.model_copy(update={"cmdline": "quiet", "memory": 300})
    keys, objects = make_keys(), {"case": {"target.bpf.c": tmp_path / "target.o"}}
    plan = supplies.guest(kernel, (), keys=keys, folder=tmp_path, accel=wanted, objects=objects)
    assert (plan.kernel, plan.base) == (supplies.kernel(kernel, cases=()), tmp_path / "image/base.cpio")
    assert (plan.accel, plan.cmdline, plan.settings.memory) == ("tcg", "quiet", 300)
    assert plan.programs is programs
    assert plan.keys is keys
    assert (plan.objects, plan.folder, plan.stopping.is_set()) == (objects, tmp_path, False)
    assert plan.snapshots
    assert plan.archives == ()


def test_a_guest_has_the_libbpf_of_its_row(supplies: Supplies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GuestImage, "base", lambda *_: tmp_path / "image/base.cpio")
    monkeypatch.setattr(supplies_module, "guest_programs", lambda *_, **__: GuestPrograms())
    monkeypatch.setattr(supplies_module, "choose", lambda *_, **__: Accel("tcg", "played"))
    monkeypatch.setattr(Axes, "libbpf", lambda _, choice, arch: tmp_path / f"{choice.suite}-{arch.name}.cpio")
    plan = supplies.guest(KERNEL, (), keys=make_keys(), folder=tmp_path, libbpf=LibbpfChoice(suite="bookworm"))
    assert plan.archives == (tmp_path / "bookworm-x86_64.cpio",)


@pytest.mark.parametrize("snapshots", [False, True])
def test_no_snapshots_are_made_of_a_sweep_but_where_it_says_so(
    snapshots: bool, supplies: Supplies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuestImage, "base", lambda *_: tmp_path / "image/base.cpio")
    monkeypatch.setattr(supplies_module, "guest_programs", lambda *_, **__: GuestPrograms())
    monkeypatch.setattr(supplies_module, "choose", lambda *_, **__: Accel("tcg", "played"))
    row = KERNEL.model_copy(update={"sweep": SuitesSweep(builds="all", snapshots=snapshots)})
    assert supplies.guest(row, (), keys=make_keys(), folder=tmp_path).snapshots is snapshots


def test_a_sweep_whose_builds_no_lock_lists_is_the_users_mistake(source: PlayedSource, tmp_path: Path) -> None:
    row = KERNEL.model_copy(update={"sweep": SuitesSweep(builds="all")})
    with pytest.raises(ConfigError, match=r"kernel 6\.1: matrix\.lock does not list .* run `./run lock`"):
        supplies_of(source, tmp_path).check(row, cases=())
    assert source.checked == []
    supplies_of(source, tmp_path, pinned=1).check(row, cases=())
    assert source.checked == ["6.1"]


def test_what_takes_minutes_says_how_far_it_is_and_is_told_to_end(
    source: PlayedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts: list[SourceContext] = []

    def no_sources(context: SourceContext) -> Mapping[str, KernelSource[Any, Any]]:
        contexts.append(context)
        return {"path": source}

    monkeypatch.setattr(supplies_module, "make_sources", no_sources)
    matrix = Matrix.model_validate({"kernels": [OWN.model_dump(mode="json", exclude_none=True)]})
    supplies = Supplies(Project(matrix_file=tmp_path / "matrix.yaml"), matrix, cache=Cache(tmp_path / "cache"))
    (context,) = contexts
    context.progress("own", "nobody looks")
    said: list[tuple[str, str]] = []
    supplies.progress = lambda kernel, text: said.append((kernel, text))
    context.progress("own", "compiling: 3 files")
    assert said == [("own", "compiling: 3 files")]
    supplies.stopping.set()
    assert context.stopping.is_set()
