# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from unit_samples import RELEASE, X86, x86_image

from harness.errors import CacheError, FetchError, MirrorError, PackageGoneError
from harness.host.cache import TAG, Cache
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.lock import LockedKernel
from harness.supply.debian.mirrors import Mirrors
from harness.supply.kernels import debian
from harness.supply.kernels.debian import DebianRequest, DebianSource
from harness.supply.kernels.modules import CaseModule, ModuleOrder

REQUEST = DebianRequest(name="6.1-x86_64", arch=X86, suite="bookworm", package="linux-image-cloud-amd64")
MODULES = ["virtio_net", "virtio_pci"]
BOOT = {
    f"boot/vmlinuz-{RELEASE}": x86_image(),
    f"boot/config-{RELEASE}": b"CONFIG_A=y\n",
    f"boot/System.map-{RELEASE}": b"x",
}
TREE = {f"lib/modules/{RELEASE}/kernel/{name}.ko": name.encode() for name in MODULES}


def deb(files: dict[str, bytes]) -> bytes:
    """A package, put together without dpkg-deb."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w") as archive:
        member = tarfile.TarInfo("./control")
        text = b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: n\nDescription: x\n"
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    made = b"!<arch>\n"
    for name, part in (("debian-binary", b"2.0\n"), ("control.tar", control.getvalue()), ("data.tar", data.getvalue())):
        made += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(part):<10}`\n".encode() + part + b"\n" * (len(part) % 2)
        )
    return made


class World:
    """A mirror with some packages, what the suite resolves to now, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder / "cache")
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.current: LockedKernel | None = None
        self.failure: Exception | None = None

    def add(self, name: str, version: str, files: dict[str, bytes]) -> PackageFile:
        data = deb(files)
        path = f"pool/{name}_{version}.deb"
        self.files[path] = data
        sha256 = hashlib.sha256(data).hexdigest()
        return PackageFile(name=name, version=version, archive="debian", file=path, sha256=sha256, size=len(data))

    def source(self, *, locked_only: bool = False) -> DebianSource:
        return DebianSource(cache=self.cache, mirrors=lambda: Mirrors({}, {}), locked_only=locked_only)

    def download(self, package: PackageFile, *, mirrors: Mirrors, folder: Path) -> Path:
        if self.failure is not None:
            raise self.failure
        if package.file not in self.files:
            raise PackageGoneError(f"the mirror no longer has {package.name} {package.version}")
        self.fetched.append(package.name)
        path = folder / Path(package.file).name
        path.write_bytes(self.files[package.file])
        return path

    def resolve(self, request: DebianRequest) -> LockedKernel:
        assert self.current is not None, "the suite's index must not be asked here"
        return self.current

    def left(self) -> list[str]:
        """What lies in the cache, but for locks, and what says whose it is."""
        found = [str(path.relative_to(self.cache.root)) for path in self.cache.root.rglob("*") if path.is_file()]
        return sorted(name for name in found if not name.startswith(("locks", "users", TAG)))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    monkeypatch.setattr(debian, "download", world.download)
    monkeypatch.setattr(DebianSource, "resolve", lambda self, request: world.resolve(request))
    monkeypatch.setattr(debian, "find_modules", find_by_name)
    return world


def find_by_name(root: Path, *, release: str, names: list[str]) -> ModuleOrder:
    """Stands for depmod and modprobe, which want real modules: every module stands alone."""
    folder = root / "lib/modules" / release / "kernel"
    files = [folder / f"{name}.ko" for name in names if (folder / f"{name}.ko").exists()]
    return ModuleOrder(tuple(files), tuple(name for name in names if not (folder / f"{name}.ko").exists()))


def locked(*packages: PackageFile, version: str = "6.1.176-1") -> LockedKernel:
    return LockedKernel(
        suite="bookworm", package="linux-image-cloud-amd64", architecture="amd64", version=version, packages=packages
    )


def test_a_pinned_kernel_is_fetched_once_and_then_taken_from_the_cache(world: World) -> None:
    package = world.add(f"linux-image-{RELEASE}", "6.1.176-1", {**BOOT, **TREE})
    for _ in range(2):
        files = world.source().obtain(REQUEST, pinned=locked(package), modules=MODULES)
        assert world.fetched == [package.name]
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


def test_modules_of_cases_are_an_entry_of_their_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], str | None]] = []

    def find(root: Path, *, release: str, names: list[str], config: str | None) -> dict[str, CaseModule]:
        asked.append((names, config))
        return {"virtio_pci": CaseModule((root / "lib/modules" / release / "kernel/virtio_pci.ko",))}

    monkeypatch.setattr(debian, "find_for_cases", find)
    package = world.add(f"linux-image-{RELEASE}", "6.1.176-1", {**BOOT, **TREE})
    plain = world.source().obtain(REQUEST, pinned=locked(package), modules=["virtio_net"])
    assert plain.case_modules == {}
    for _ in range(2):
        names = ["virtio_pci", "veth"]
        files = world.source().obtain(REQUEST, pinned=locked(package), modules=["virtio_net"], case_modules=names)
        assert (files.image, files.modules) == (plain.image, plain.modules), "what every guest has is the same"
        (path,) = files.case_modules["virtio_pci"].files
        assert path.read_bytes() == b"virtio_pci"
        assert asked == [(["veth", "virtio_pci"], "CONFIG_A=y\n")]
    assert len(world.fetched) == 2


def test_neither_packages_nor_debians_stub_of_a_system_map_are_kept(world: World) -> None:
    package = world.add("linux-image-6.1", "1", {**BOOT, **TREE})
    world.source().obtain(REQUEST, pinned=locked(package), modules=MODULES)
    names = [name.split("/", 2)[2] for name in world.left()]
    assert names == ["config", "manifest.json", "modules/00-virtio_net.ko", "modules/01-virtio_pci.ko", "vmlinuz"]


def test_a_real_system_map_is_kept(world: World) -> None:
    package = world.add("linux-image-6.1", "1", {**BOOT, f"boot/System.map-{RELEASE}": b"f" * 5000})
    files = world.source().obtain(REQUEST, pinned=locked(package), modules=[])
    assert (files.image.parent / "System.map").stat().st_size == 5000


def test_a_split_kernel_is_put_together_and_named_after_the_package_with_the_image(world: World) -> None:
    packages = [
        world.add("linux-image-7.3", "7.3-1", {"usr/share/doc/x": b""}),
        world.add("linux-binary-7.3", "7.3-1", {"usr/lib/modules/7.3/vmlinuz": x86_image("7.3")}),
        world.add("linux-modules-7.3", "7.3-1", {"usr/lib/modules/7.3/kernel/virtio_net.ko": b"net"}),
        world.add("linux-base-7.3", "7.3-1", {"usr/lib/modules/7.3/config": b"CONFIG_B=m\n"}),
    ]
    files = world.source().obtain(REQUEST, pinned=locked(*packages), modules=MODULES)
    assert files.release == "7.3"
    assert files.package.name == "linux-binary-7.3"
    assert files.absent == ("virtio_pci",)
    assert files.has_network


@pytest.mark.parametrize(
    ("config", "network"), [("", False), ("X=1\nCONFIG_VIRTIO_NET=y\n", True), ("\nCONFIG_VIRTIO_NET=m\n", False)]
)
def test_without_modules_the_network_is_there_only_where_it_is_built_in(
    world: World, config: str, network: bool
) -> None:
    package = world.add("linux-image-7.0", "7.0-1", {**BOOT, f"boot/config-{RELEASE}": config.encode()})
    files = world.source().obtain(REQUEST, pinned=locked(package), modules=MODULES)
    assert (files.modules, files.absent, files.has_network) == ((), tuple(MODULES), network)


def test_a_pinned_package_that_is_gone_is_replaced_with_a_notice(world: World) -> None:
    pinned = locked(world.add("linux-image-old", "6.1.170-1", {**BOOT}), version="6.1.170-1")
    world.files.clear()
    world.current = locked(world.add("linux-image-new", "6.1.176-1", {**BOOT, **TREE}))
    files = world.source().obtain(REQUEST, pinned=pinned, modules=MODULES)
    assert files.package.version == "6.1.176-1"
    assert files.notice == files.package.notice
    assert "no longer has the pinned 6.1.170-1" in files.notice
    assert "current 6.1.176-1" in files.notice
    assert "invoke lock" in files.notice


def test_a_pinned_package_that_is_gone_is_an_error_under_locked(world: World) -> None:
    pinned = locked(world.add("linux-image-old", "6.1.170-1", {**BOOT}))
    world.files.clear()
    with pytest.raises(PackageGoneError, match=r"(?s)kernel 6.1-x86_64: .*--locked forbids another"):
        world.source(locked_only=True).obtain(REQUEST, pinned=pinned, modules=MODULES)
    assert world.left() == []


def test_a_pinned_package_that_is_gone_from_the_mirror_is_still_taken_from_the_cache(world: World) -> None:
    pinned = locked(world.add("linux-image-6.1", "1", {**BOOT, **TREE}))
    world.source().obtain(REQUEST, pinned=pinned, modules=MODULES)
    world.files.clear()
    assert world.source(locked_only=True).obtain(REQUEST, pinned=pinned, modules=MODULES).notice == ""


def test_a_replacement_that_is_gone_too_is_told(world: World) -> None:
    pinned = locked(world.add("linux-image-6.1", "1", BOOT))
    world.current = pinned
    world.files.clear()
    with pytest.raises(PackageGoneError):
        world.source().obtain(REQUEST, pinned=pinned, modules=MODULES)


def test_a_kernel_that_is_not_in_the_lock_is_taken_as_it_is_now_with_a_notice(world: World) -> None:
    world.current = locked(world.add("linux-image-6.1", "6.1.176-1", {**BOOT, **TREE}))
    files = world.source().obtain(REQUEST, pinned=None, modules=MODULES)
    assert files.notice.startswith("6.1-x86_64: not in matrix.lock")
    with pytest.raises(PackageGoneError, match=r"matrix.lock has no entry for linux-image-cloud-amd64 of bookworm"):
        world.source(locked_only=True).obtain(REQUEST, pinned=None, modules=MODULES)


@pytest.mark.parametrize(
    "error", [MirrorError("no mirror"), FetchError("wrong hash"), OSError(28, "No space left on device")]
)
def test_other_failures_replace_nothing_and_leave_nothing(world: World, error: Exception) -> None:
    pinned = locked(world.add("linux-image-6.1", "1", BOOT))
    world.failure = error
    with pytest.raises(CacheError if isinstance(error, OSError) else type(error), match=str(error.args[-1])):
        world.source().obtain(REQUEST, pinned=pinned, modules=MODULES)
    assert world.left() == []


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("hurt", [damage, Path.unlink])
def test_a_damaged_file_in_the_cache_is_fetched_again_and_told(world: World, hurt: Callable[[Path], None]) -> None:
    pinned = locked(world.add("linux-image-6.1", "1", {**BOOT, **TREE}))
    image = world.source().obtain(REQUEST, pinned=pinned, modules=MODULES).image
    hurt(image)
    files = world.source().obtain(REQUEST, pinned=pinned, modules=MODULES)
    assert files.image.read_bytes() == x86_image()
    assert files.notice == "6.1-x86_64: damaged in the cache, fetched again"
    assert len(world.fetched) == 2


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"usr/share/doc/x": b""}, "the packages hold no kernel image"),
        ({f"boot/vmlinuz-{RELEASE}": b"#!/bin/sh"}, "is not a kernel for x86_64"),
        ({f"boot/vmlinuz-{RELEASE}": b""}, "is not a kernel for x86_64"),
    ],
)
def test_a_package_without_a_kernel_is_told(world: World, files: dict[str, bytes], words: str) -> None:
    pinned = locked(world.add("linux-image-6.1", "1", files))
    with pytest.raises(FetchError, match=words):
        world.source().obtain(REQUEST, pinned=pinned, modules=[])
    assert world.left() == []


def test_other_modules_are_another_entry(world: World) -> None:
    pinned = locked(world.add("linux-image-6.1", "1", {**BOOT, **TREE}))
    world.source().obtain(REQUEST, pinned=pinned, modules=["virtio_net"])
    assert len(world.fetched) == 1
    world.source().obtain(REQUEST, pinned=pinned, modules=["virtio_pci", "virtio_net"])
    assert len(world.fetched) == 2
    world.source().obtain(REQUEST, pinned=pinned, modules=["virtio_net", "virtio_pci", "virtio_net"])
    assert len(world.fetched) == 2


def test_what_is_kept_does_not_depend_on_where_it_was_fetched(world: World, tmp_path: Path) -> None:
    pinned = locked(world.add("linux-image-6.1", "1", {**BOOT, **TREE}))
    first = world.source().obtain(REQUEST, pinned=pinned, modules=MODULES)
    kept = {path.name: path.read_bytes() for path in first.image.parent.rglob("*") if path.is_file()}
    shutil.rmtree(world.cache.root)
    again = world.source().obtain(REQUEST, pinned=pinned, modules=MODULES)
    assert again.image == first.image
    for path in again.image.parent.rglob("*"):
        if path.is_file() and path.name != "manifest.json":
            assert path.read_bytes() == kept[path.name]
