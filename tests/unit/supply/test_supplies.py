"""What supplies that serve several runs keep, and for how long; which build of a kernel they hand over."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from unit_samples import X86, kernel_files, written_case

from harness.config.matrix import DebianKernel, Kernel, Matrix, PathKernel
from harness.errors import MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.qemu.accel import Accel
from harness.supply import supplies as supplies_module
from harness.supply.image.guest_image import GuestImage
from harness.supply.image.keys import make_keys
from harness.supply.image.programs import GuestPrograms
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.source import Description, KernelSource, Resolution
from harness.supply.lock import KernelPin, Lock
from harness.supply.project import Project
from harness.supply.supplies import Supplies

KERNEL = DebianKernel.model_validate(
    {"name": "6.1", "arch": "x86_64", "source": "debian", "suite": "bookworm", "package": "linux-image-amd64"}
)
OWN = PathKernel.model_validate({"name": "own", "arch": "x86_64", "source": "path", "image": "/vmlinuz"})


@dataclass
class PlayedSource:
    """A source whose builds are numbers; `gone` are those without files, `asked` the modules of
    each that was had; `failure` is what obtaining build 1 raises."""

    pin_type: ClassVar[type[Any] | None] = int

    folder: Path
    newest: int = 2
    passed_over: tuple[str, ...] = ()
    gone: set[int] = field(default_factory=set)
    failure: Exception | None = None
    asked: list[list[str]] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    in_cache: bool = True
    notice: str = ""

    def check(self, kernel: Kernel, *, modules: Sequence[str], case_modules: Sequence[str]) -> None:
        self.checked += [kernel.name, *case_modules]

    def builds(self, kernel: Kernel) -> Sequence[int]:
        return range(self.newest, 0, -1)

    def pin(self, kernel: Kernel) -> Resolution[int]:
        return Resolution(pin=self.newest, passed_over=self.passed_over)

    def answers(self, kernel: Kernel, pin: int) -> bool:
        return pin > 0

    def obtain(
        self, kernel: Kernel, pin: int | None, *, modules: Sequence[str], case_modules: Sequence[str] = ()
    ) -> KernelFiles:
        assert set(modules) == set(X86.modules), "those of cases are no part of what every guest loads"
        if self.failure is not None and pin == 1:
            raise self.failure
        if pin in self.gone:
            raise PackageGoneError(f"the file of build {pin} is gone")
        self.asked.append(list(case_modules))
        entry = self.folder / f"build-{pin}"
        entry.mkdir(exist_ok=True)
        (entry / "vmlinuz").touch()
        return kernel_files(entry, notice=self.notice, entry=entry if self.in_cache else None, release=f"build {pin}")

    def unpack(self, kernel: Kernel, pin: int, folder: Path) -> None:
        raise NotImplementedError

    def describe(self, kernel: Kernel, pin: int | None) -> Description:
        version = "" if pin is None else f"build {pin}"
        return Description(what="a kernel", where="a place", version=version, pinnable=self.in_cache)


@pytest.fixture
def source(tmp_path: Path) -> PlayedSource:
    return PlayedSource(tmp_path)


def supplies_of(
    source: KernelSource[Any, Any], folder: Path, *, pinned: int | None = None, locked_only: bool = False
) -> Supplies:
    """Supplies of a project of one kernel, which the lock pins to a build that exists in these tests alone."""
    matrix = Matrix.model_validate({"kernels": [KERNEL.model_dump(by_alias=True, exclude_defaults=True)]})
    made = Supplies(
        Project(matrix_file=folder / "matrix.yaml"),
        matrix,
        cache=Cache(folder / "cache"),
        locked_only=locked_only,
        sources={"debian": source, "path": source},
    )
    if pinned is not None:
        made.lock = Lock(kernels={KERNEL.name: KernelPin("debian", pinned)})
    return made


@pytest.fixture
def supplies(source: PlayedSource, tmp_path: Path) -> Supplies:
    return supplies_of(source, tmp_path, pinned=1)


def with_modules(*modules: str) -> Any:
    return written_case(modules=list(modules))


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


# --- which build ------------------------------------------------------------------------------------------------------


def test_the_pinned_build_is_run_though_there_are_newer_ones(supplies: Supplies) -> None:
    files = supplies.kernel(KERNEL, cases=())
    assert (files.release, files.notice, supplies.notices) == ("build 1", "", [])
    assert supplies.describe(KERNEL).version == "build 1"


@pytest.mark.parametrize(
    ("kernel", "pin"),
    [(KERNEL.model_copy(update={"name": "other"}), 1), (KERNEL, -1)],
    ids=["not pinned", "another request"],
)
def test_without_a_pin_the_newest_build_is_run_with_a_notice(
    kernel: DebianKernel, pin: int, source: PlayedSource, tmp_path: Path
) -> None:
    supplies = supplies_of(source, tmp_path, pinned=pin)
    assert supplies.describe(kernel).version == ""
    files = supplies.kernel(kernel, cases=())
    assert files.release == "build 2"
    assert files.notice.startswith(f"{kernel.name}: not in matrix.lock, so the newest a kernel of a place was taken")
    assert files.package.notice == files.notice
    assert supplies.notices == [files.notice]
    locked = supplies_of(source, tmp_path, pinned=pin, locked_only=True)
    with pytest.raises(PackageGoneError, match=r"matrix\.lock has no entry for a kernel of a place"):
        locked.kernel(kernel, cases=())


def test_a_pin_of_another_source_is_none(source: PlayedSource, tmp_path: Path) -> None:
    supplies = supplies_of(source, tmp_path)
    supplies.lock = Lock(kernels={KERNEL.name: KernelPin("path", 1)})
    assert supplies.pin_of(KERNEL) is None


def test_a_pinned_build_that_is_gone_is_replaced_by_the_newest_with_a_notice(
    supplies: Supplies, source: PlayedSource
) -> None:
    source.gone = {1}
    source.passed_over = ("build 3",)
    source.notice = "damaged in the cache"
    files = supplies.kernel(KERNEL, cases=())
    assert files.release == "build 2"
    assert files.notice == (
        "6.1: a place no longer has the pinned build 1; its current build 2 was run instead. Run `./run lock` to pin "
        "it; passed over, since files of theirs are gone: build 3; damaged in the cache"
    )
    assert files.package.notice == files.notice


def test_a_pinned_build_that_is_gone_is_an_error_under_locked(source: PlayedSource, tmp_path: Path) -> None:
    source.gone = {1}
    supplies = supplies_of(source, tmp_path, pinned=1, locked_only=True)
    with pytest.raises(
        PackageGoneError, match=r"(?s)kernel 6.1: the file of build 1 is gone.*--locked forbids another"
    ):
        supplies.kernel(KERNEL, cases=())


def test_a_replacement_that_is_gone_too_is_an_error(supplies: Supplies, source: PlayedSource) -> None:
    source.gone = {1, 2}
    with pytest.raises(PackageGoneError, match="build 2"):
        supplies.kernel(KERNEL, cases=())


def test_no_other_failure_brings_another_build(supplies: Supplies, source: PlayedSource) -> None:
    source.failure = MirrorError("nobody answers")
    with pytest.raises(MirrorError):
        supplies.kernel(KERNEL, cases=())


def test_what_cannot_be_pinned_is_taken_as_it_is_under_locked_too(source: PlayedSource, tmp_path: Path) -> None:
    source.in_cache = False
    files = supplies_of(source, tmp_path, locked_only=True).kernel(OWN, cases=())
    assert (files.release, files.notice) == ("build None", "")


def test_a_check_is_the_sources_with_the_modules_of_the_cases(supplies: Supplies, source: PlayedSource) -> None:
    supplies.check(KERNEL, cases=[with_modules("veth")])
    assert (source.checked, source.asked) == (["6.1", "veth"], [])


# --- a guest ----------------------------------------------------------------------------------------------------------


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
