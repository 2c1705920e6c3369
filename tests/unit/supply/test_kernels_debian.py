"""Kernels out of Debian packages: what is kept of them, which build is pinned, and what can be wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from source_worlds import BOOT, KERNEL, MODULES, TREE, DebianWorld, find_by_name
from unit_samples import RELEASE, X86, x86_image

from harness.errors import CacheError, FetchError, MirrorError, PackageGoneError
from harness.supply.kernels import cached
from harness.supply.kernels.modules import CaseModule


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DebianWorld:
    monkeypatch.setattr(cached, "find_modules", find_by_name)
    return DebianWorld(tmp_path)


def test_a_pinned_kernel_is_fetched_once_and_then_taken_from_the_cache(world: DebianWorld) -> None:
    package = world.archive.add(f"linux-image-{RELEASE}", "6.1.176-1", {**BOOT, **TREE})
    for _ in range(2):
        files = world.source().obtain(KERNEL, world.pinned(package), modules=MODULES)
        assert world.archive.fetched == [package.name]
        assert (files.name, files.arch, files.release) == ("6.1-x86_64", X86, RELEASE)
        assert files.image.read_bytes() == x86_image()
        assert files.config is not None
        assert files.config.read_bytes() == b"CONFIG_A=y\n"
        assert [path.name for path in files.modules] == ["00-virtio_net.ko", "01-virtio_pci.ko"]
        assert files.modules[0].read_bytes() == b"virtio_net"
        assert (files.absent, files.has_network, files.notice) == ((), True, "")
        info = files.package
        assert (info.source, info.name, info.version, info.suite) == (
            "debian",
            package.name,
            "6.1.176-1",
            "bookworm",
        )
        assert info.sha256 == package.sha256


def test_modules_of_cases_are_an_entry_of_their_own(world: DebianWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], str | None]] = []

    def find(root: Path, *, release: str, names: list[str], config: str | None) -> dict[str, CaseModule]:
        asked.append((names, config))
        return {"virtio_pci": CaseModule((root / "lib/modules" / release / "kernel/virtio_pci.ko",))}

    monkeypatch.setattr(cached, "find_for_cases", find)
    package = world.archive.add(f"linux-image-{RELEASE}", "6.1.176-1", {**BOOT, **TREE})
    plain = world.source().obtain(KERNEL, world.pinned(package), modules=["virtio_net"])
    assert plain.case_modules == {}
    for _ in range(2):
        names = ["virtio_pci", "veth"]
        files = world.source().obtain(KERNEL, world.pinned(package), modules=["virtio_net"], case_modules=names)
        assert (files.image, files.modules) == (plain.image, plain.modules), "what every guest has is the same"
        (path,) = files.case_modules["virtio_pci"].files
        assert path.read_bytes() == b"virtio_pci"
        assert asked == [(["veth", "virtio_pci"], "CONFIG_A=y\n")]
    assert len(world.archive.fetched) == 2


def test_neither_packages_nor_debians_stub_of_a_system_map_are_kept(world: DebianWorld) -> None:
    package = world.archive.add("linux-image-6.1", "1", {**BOOT, **TREE})
    world.source().obtain(KERNEL, world.pinned(package), modules=MODULES)
    names = [name.split("/", 2)[2] for name in world.left()]
    assert names == ["config", "manifest.json", "modules/00-virtio_net.ko", "modules/01-virtio_pci.ko", "vmlinuz"]


def test_a_real_system_map_is_kept(world: DebianWorld) -> None:
    package = world.archive.add("linux-image-6.1", "1", {**BOOT, f"boot/System.map-{RELEASE}": b"f" * 5000})
    files = world.source().obtain(KERNEL, world.pinned(package), modules=[])
    assert (files.image.parent / "System.map").stat().st_size == 5000


def test_a_split_kernel_is_put_together_and_named_after_the_package_with_the_image(world: DebianWorld) -> None:
    packages = [
        world.archive.add("linux-image-7.3", "7.3-1", {"usr/share/doc/x": b""}),
        world.archive.add("linux-binary-7.3", "7.3-1", {"usr/lib/modules/7.3/vmlinuz": x86_image("7.3")}),
        world.archive.add("linux-modules-7.3", "7.3-1", {"usr/lib/modules/7.3/kernel/virtio_net.ko": b"net"}),
        world.archive.add("linux-base-7.3", "7.3-1", {"usr/lib/modules/7.3/config": b"CONFIG_B=m\n"}),
    ]
    files = world.source().obtain(KERNEL, world.pinned(*packages), modules=MODULES)
    assert files.release == "7.3"
    assert files.package.name == "linux-binary-7.3"
    assert files.absent == ("virtio_pci",)
    assert files.has_network


@pytest.mark.parametrize(
    ("config", "network"), [("", False), ("X=1\nCONFIG_VIRTIO_NET=y\n", True), ("\nCONFIG_VIRTIO_NET=m\n", False)]
)
def test_without_modules_the_network_is_there_only_where_it_is_built_in(
    world: DebianWorld, config: str, network: bool
) -> None:
    package = world.archive.add("linux-image-7.0", "7.0-1", {**BOOT, f"boot/config-{RELEASE}": config.encode()})
    files = world.source().obtain(KERNEL, world.pinned(package), modules=MODULES)
    assert (files.modules, files.absent, files.has_network) == ((), tuple(MODULES), network)


def test_a_pinned_package_that_is_gone_is_so_for_good(world: DebianWorld) -> None:
    pinned = world.pinned(world.archive.add("linux-image-old", "6.1.170-1", {**BOOT}))
    world.lose()
    with pytest.raises(PackageGoneError, match=r"no longer has linux-image-old 6\.1\.170-1"):
        world.source().obtain(KERNEL, pinned, modules=MODULES)
    assert world.left() == []


def test_a_pinned_package_that_is_gone_from_the_mirror_is_still_taken_from_the_cache(world: DebianWorld) -> None:
    pinned = world.pinned(world.archive.add("linux-image-6.1", "1", {**BOOT, **TREE}))
    world.source().obtain(KERNEL, pinned, modules=MODULES)
    world.lose()
    assert world.source().obtain(KERNEL, pinned, modules=MODULES).notice == ""


def listed(world: DebianWorld, *numbers: int) -> dict[int, list[str]]:
    """List builds of one package name, each a meta package and two parts; return the parts' files by number."""
    files = {}
    for number in numbers:
        name, version = f"6.1.0-{number}-cloud-amd64", f"6.1.{number}-1"
        world.archive.add("linux-image-cloud-amd64", version, {}, f"linux-image-{name}")
        image = world.archive.add(f"linux-image-{name}", version, {**BOOT, **TREE}, f"linux-modules-{name}")
        modules = world.archive.add(f"linux-modules-{name}", version, {})
        files[number] = [image.file, modules.file]
    return files


def test_the_newest_build_whose_files_are_all_there_is_pinned_and_those_passed_over_are_named(
    world: DebianWorld,
) -> None:
    files = listed(world, 50, 51, 52)
    assert [build.version for build in world.source().builds(KERNEL)] == ["6.1.52-1", "6.1.51-1", "6.1.50-1"]
    assert world.source().pin(KERNEL).pin.version == "6.1.52-1"
    del world.archive.files[files[52][1]], world.archive.files[files[51][0]]
    found = world.source().pin(KERNEL)
    assert found.pin.version == "6.1.50-1"
    assert found.passed_over == (
        "6.1.52-1 (linux-modules-6.1.0-52-cloud-amd64)",
        "6.1.51-1 (linux-image-6.1.0-51-cloud-amd64)",
    )
    assert found.notice.startswith("passed over, since files of theirs are gone: 6.1.52-1 (linux-modules")
    assert world.source().obtain(KERNEL, found.pin, modules=MODULES).package.version == "6.1.50-1"


def test_where_no_build_is_whole_there_is_nothing_to_pin(world: DebianWorld) -> None:
    listed(world, 50, 51)
    world.lose()
    with pytest.raises(PackageGoneError) as caught:
        world.source().pin(KERNEL)
    assert "bookworm (x86_64) lists linux-image-cloud-amd64, but the mirror no longer has" in str(caught.value)
    assert "6.1.51-1 (linux-image-6.1.0-51-cloud-amd64, linux-modules-6.1.0-51-cloud-amd64), 6.1.50-1" in str(
        caught.value
    )


def test_a_wanted_version_is_pinned_or_nothing_is(world: DebianWorld) -> None:
    files = listed(world, 50, 51)
    kernel = KERNEL.model_copy(update={"version": "6.1.50-1"})
    assert world.source().pin(kernel).pin.version == "6.1.50-1"
    del world.archive.files[files[50][0]]
    with pytest.raises(PackageGoneError):
        world.source().pin(kernel)


@pytest.mark.parametrize(
    "change", [{"suite": "trixie"}, {"package": "linux-image-amd64"}, {"version": "6.1.176-1"}, {"arch": "arm64"}]
)
def test_a_pin_is_for_one_request(change: dict[str, str], world: DebianWorld) -> None:
    pinned = world.pinned()
    assert world.source().answers(KERNEL, pinned)
    assert not world.source().answers(KERNEL.model_copy(update=change), pinned)


def test_a_description_says_what_the_suite_does_not_have(world: DebianWorld) -> None:
    pinned = replace(world.pinned(world.archive.add("linux-binary-7.0", "7.0-1", BOOT)), missing=("linux-base-7.0",))
    about = world.source().describe(KERNEL, pinned)
    assert (about.origin, about.version) == ("bookworm: linux-image-cloud-amd64", "6.1.176-1")
    assert (about.missing, about.remark) == (("linux-base-7.0",), "")
    assert about.size == pinned.packages[0].size
    bare = world.source().describe(KERNEL, replace(pinned, missing=("linux-modules-7.0",)))
    assert bare.remark == "no modules"


@pytest.mark.parametrize(
    "error", [MirrorError("no mirror"), FetchError("wrong hash"), OSError(28, "No space left on device")]
)
def test_other_failures_replace_nothing_and_leave_nothing(world: DebianWorld, error: Exception) -> None:
    pinned = world.pinned(world.archive.add("linux-image-6.1", "1", BOOT))
    world.archive.failure = error
    with pytest.raises(CacheError if isinstance(error, OSError) else type(error), match=str(error.args[-1])):
        world.source().obtain(KERNEL, pinned, modules=MODULES)
    assert world.left() == []


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("hurt", [damage, Path.unlink])
def test_a_damaged_file_in_the_cache_is_fetched_again_and_told(
    world: DebianWorld, hurt: Callable[[Path], None]
) -> None:
    pinned = world.pinned(world.archive.add("linux-image-6.1", "1", {**BOOT, **TREE}))
    image = world.source().obtain(KERNEL, pinned, modules=MODULES).image
    hurt(image)
    files = world.source().obtain(KERNEL, pinned, modules=MODULES)
    assert files.image.read_bytes() == x86_image()
    assert files.notice == "6.1-x86_64: damaged in the cache, fetched again"
    assert len(world.archive.fetched) == 2


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"usr/share/doc/x": b""}, "the packages hold no kernel image"),
        ({f"boot/vmlinuz-{RELEASE}": b"#!/bin/sh"}, "is not a kernel for x86_64"),
        ({f"boot/vmlinuz-{RELEASE}": b""}, "is not a kernel for x86_64"),
    ],
)
def test_a_package_without_a_kernel_is_told(world: DebianWorld, files: dict[str, bytes], complaint: str) -> None:
    pinned = world.pinned(world.archive.add("linux-image-6.1", "1", files))
    with pytest.raises(FetchError, match=complaint):
        world.source().obtain(KERNEL, pinned, modules=[])
    assert world.left() == []


def test_other_modules_are_another_entry(world: DebianWorld) -> None:
    pinned = world.pinned(world.archive.add("linux-image-6.1", "1", {**BOOT, **TREE}))
    world.source().obtain(KERNEL, pinned, modules=["virtio_net"])
    assert len(world.archive.fetched) == 1
    world.source().obtain(KERNEL, pinned, modules=["virtio_pci", "virtio_net"])
    assert len(world.archive.fetched) == 2
    world.source().obtain(KERNEL, pinned, modules=["virtio_net", "virtio_pci", "virtio_net"])
    assert len(world.archive.fetched) == 2


def test_what_is_kept_does_not_depend_on_where_it_was_fetched(world: DebianWorld, tmp_path: Path) -> None:
    pinned = world.pinned(world.archive.add("linux-image-6.1", "1", {**BOOT, **TREE}))
    first = world.source().obtain(KERNEL, pinned, modules=MODULES)
    kept = {path.name: path.read_bytes() for path in first.image.parent.rglob("*") if path.is_file()}
    shutil.rmtree(world.cache.root)
    again = world.source().obtain(KERNEL, pinned, modules=MODULES)
    assert again.image == first.image
    for path in again.image.parent.rglob("*"):
        if path.is_file() and path.name != "manifest.json":
            assert path.read_bytes() == kept[path.name]
