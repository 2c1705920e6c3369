# ruff: noqa: ARG002  (what stands in for something else takes what that takes)
"""Which builds can be looked at: those of the matrix's rows, and all that its sources list."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from played_source import KERNEL, OWN, PlayedSource, supplies_of
from test_kernel_types import write_build

from harness.config.matrix import DebianKernel
from harness.supply.builds import Build, all_builds, modules_of_build, pinned_builds, types_of_build
from harness.supply.kernel_types import MODULES, ModuleTypes, kept, types_in


class Unpacked(PlayedSource):
    """A source whose builds can be unpacked."""

    def unpack(self, kernel: object, pin: int, folder: Path) -> None:
        self.unpacked = [*getattr(self, "unpacked", []), pin]
        write_build(folder)


def names(builds: tuple[Build, ...]) -> list[tuple[str, str, bool]]:
    return [(each.name, each.version, each.pinned) for each in builds]


def test_the_rows_of_the_matrix_are_the_builds_that_the_lock_names(tmp_path: Path) -> None:
    supplies = supplies_of(PlayedSource(tmp_path), tmp_path, pinned=1)
    listed = pinned_builds(supplies, [KERNEL])
    assert names(listed.builds) == [("6.1", "build 1", True)]
    assert (listed.builds[0].distribution, listed.builds[0].package) == ("debian", "a kernel")


def test_a_sweep_has_each_build_once_the_oldest_first_and_names_those_that_are_gone(tmp_path: Path) -> None:
    source = PlayedSource(tmp_path, newest=4, lost={2})
    supplies = supplies_of(source, tmp_path, pinned=3)
    listed = all_builds(supplies, [KERNEL, KERNEL.model_copy(update={"name": "again"})])
    assert names(listed.builds) == [
        ("6.1-build-1", "build 1", False),
        ("6.1-build-4", "build 4", False),
        ("6.1", "build 3", True),
    ]
    assert listed.remarks == ("left out, since files of it are gone: build 2 (the file)",)


def test_an_entry_that_is_a_sweep_and_has_no_rows_yet_is_its_builds_alone(tmp_path: Path) -> None:
    entry = DebianKernel.model_validate(
        {**KERNEL.model_dump(by_alias=True, exclude_defaults=True), "sweep": {"builds": "all"}}
    )
    listed = all_builds(supplies_of(PlayedSource(tmp_path), tmp_path), [entry])
    assert [each.name for each in listed.builds] == ["6.1-build-1", "6.1-build-2"]


def test_a_file_of_the_users_own_is_the_one_build_that_it_has(tmp_path: Path) -> None:
    class Files(PlayedSource):
        pin_type: ClassVar[type[Any] | None] = None

    listed = all_builds(supplies_of(Files(tmp_path), tmp_path), [OWN])
    assert [(each.name, each.pin) for each in listed.builds] == [("own", None)]


def test_of_a_build_that_would_be_booted_its_files_are_obtained_and_its_modules_later(tmp_path: Path) -> None:
    source = Unpacked(tmp_path)
    supplies = supplies_of(source, tmp_path, pinned=1)
    (build,) = pinned_builds(supplies, [KERNEL]).builds
    write_build(tmp_path / "tree")
    source.obtain(KERNEL, 1, modules=["virtio_pci", "virtio_net"])
    (tmp_path / "build-1/vmlinuz").write_bytes(next((tmp_path / "tree/boot").glob("vmlinuz-*")).read_bytes())
    types = types_of_build(supplies, build)
    assert types.fresh and not types_of_build(supplies, build).fresh
    assert kept(supplies.cache, types.path.name, kind=MODULES) is None
    modules, base = modules_of_build(supplies, build, types), types_in(types.path, types.meta)
    assert modules is not None and base is not None
    assert ModuleTypes(modules.path, modules.meta, base).holding("far") == ("nf_conntrack",)
    assert source.unpacked == [1]


def test_of_other_builds_nothing_but_the_types_is_kept(tmp_path: Path) -> None:
    source = Unpacked(tmp_path)
    supplies = supplies_of(source, tmp_path, pinned=2)
    build = next(each for each in all_builds(supplies, [KERNEL]).builds if not each.pinned)
    types = types_of_build(supplies, build)
    assert source.asked == []
    assert kept(supplies.cache, types.path.name, kind=MODULES) is not None
    assert not (supplies.cache.root / "kernels").exists()
    types_of_build(supplies, build)
    assert source.unpacked == [1]
