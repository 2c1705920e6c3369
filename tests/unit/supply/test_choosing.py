"""Which build of a kernel is run, and what the user learns of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from played_source import KERNEL, OWN, PlayedSource, supplies_of

from harness.config.matrix import DebianKernel, SuitesSweep
from harness.errors import KernelFileError, MirrorError, PackageGoneError
from harness.supply.lock import KernelPin, Lock
from harness.supply.supplies import Supplies


@pytest.fixture
def source(tmp_path: Path) -> PlayedSource:
    return PlayedSource(tmp_path)


@pytest.fixture
def supplies(source: PlayedSource, tmp_path: Path) -> Supplies:
    return supplies_of(source, tmp_path, pinned=1)


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
    source.lost = {1}
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
    source.lost = {1}
    supplies = supplies_of(source, tmp_path, pinned=1, locked_only=True)
    with pytest.raises(
        PackageGoneError, match=r"(?s)kernel 6.1: the file of build 1 is gone.*--locked forbids another"
    ):
        supplies.kernel(KERNEL, cases=())


ROW = KERNEL.model_copy(update={"sweep": SuitesSweep(builds="all")})


def test_a_row_of_a_sweep_is_no_other_build_than_its_own(source: PlayedSource, tmp_path: Path) -> None:
    source.lost = {1}
    with pytest.raises(PackageGoneError, match=r"(?s)the file of build 1 is gone.*a row of a sweep is one build"):
        supplies_of(source, tmp_path, pinned=1).kernel(ROW, cases=())
    with pytest.raises(PackageGoneError, match=r"matrix\.lock has no entry for a kernel of a place; run `./run lock`$"):
        supplies_of(source, tmp_path).kernel(ROW, cases=())


def test_a_replacement_that_is_gone_too_is_an_error(supplies: Supplies, source: PlayedSource) -> None:
    source.lost = {1, 2}
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


def test_a_kernel_of_which_no_guest_can_be_made_is_refused_whatever_its_source(
    supplies: Supplies, source: PlayedSource, tmp_path: Path
) -> None:
    source.config = tmp_path / "config"
    source.config.write_text("# CONFIG_BLK_DEV_INITRD is not set\n")
    with pytest.raises(
        KernelFileError, match=r"kernel 6\.1-x86_64: no guest can be made of build 1: it takes no initr"
    ):
        supplies.kernel(KERNEL, cases=())
