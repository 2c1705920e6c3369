"""Another libbpf for the guests: which file it is, what it needs, and what the guests find under its names."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from unit_samples import X86, package_file

from harness.config.axes import LibbpfChoice
from harness.errors import ConfigError, ImageError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.supply.axis_packages import AxisPackages
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.pin import ImagePin
from harness.supply.elf import Needs
from harness.supply.image import cpio
from harness.supply.image.guest_files import GuestFiles
from harness.supply.image.guest_libbpf import GuestLibbpf, check_needs, check_own, library_in, nodes
from harness.supply.libraries import DEFAULT_FOLDERS, configured_folders, find_libraries

FOLDERS = [*configured_folders(), *DEFAULT_FOLDERS]
PIN = ImagePin(suites=("bookworm",), names=("libbpf1",), packages=(package_file("libbpf1"),))


def host_library(name: str = "libbpf.so.1") -> Path:
    """The host's own libbpf, which compiling objects needs anyway."""
    return next(path for folder in FOLDERS if (path := Path(folder) / name).is_file()).resolve()


def base(folder: Path, *, without: Sequence[str] = ()) -> Path:
    """A userland with the libraries of this host that its libbpf needs."""
    found = find_libraries(host_library(), folders=FOLDERS).libraries
    files = [
        cpio.file(f"usr/lib/{X86.multiarch}/{name}", path.read_bytes())
        for name, path in found.items()
        if name not in without
    ]
    path = folder / f"base-{'-'.join(without)}.cpio"
    path.write_bytes(cpio.archive([*files, cpio.file(f"usr/lib/{X86.multiarch}/libbpf.so.1.5.0", b"the image's")]))
    return path


class World:
    def __init__(self, folder: Path) -> None:
        self.folder, self.unpacked = folder, 0
        self.base = base(folder)

    def unpack(self, packages: Sequence[PackageFile], scratch: Path) -> Path:
        self.unpacked += 1
        root = scratch / "packages"
        library = root / f"usr/lib/{X86.multiarch}/libbpf.so.1.1.0"
        library.parent.mkdir(parents=True)
        library.write_bytes(host_library().read_bytes())
        (library.parent / "libbpf.so.1").symlink_to(library.name)
        assert [package.name for package in packages] == ["libbpf1"]
        return root

    def libbpf(self) -> GuestLibbpf:
        packages = AxisPackages(
            cache=Cache(self.folder / "cache"),
            mirrors=lambda: Mirrors({}, {}),
            pins={"amd64: libbpf of bookworm": PIN},
            locked_only=True,
        )
        return GuestLibbpf(
            cache=Cache(self.folder / "cache"), packages=packages, base=lambda _: self.base, unpack=self.unpack
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_library_of_a_suite_takes_the_place_of_the_images(world: World) -> None:
    archive = world.libbpf().archive(LibbpfChoice(suite="bookworm"), X86)
    assert archive is not None
    guest = GuestFiles([world.base, archive])
    found = guest.find_library("libbpf.so.1")
    assert found is not None
    assert found.data == host_library().read_bytes()
    assert world.libbpf().archive(LibbpfChoice(suite="bookworm"), X86) == archive
    assert world.unpacked == 1
    assert world.libbpf().archive(LibbpfChoice(), X86) is None


def test_a_library_of_ones_own_is_another_archive_whenever_its_content_is_another(world: World) -> None:
    own = world.folder / "libbpf.so"
    own.write_bytes(host_library().read_bytes())
    first = world.libbpf().archive(LibbpfChoice(path=own), X86)
    own.write_bytes(host_library().read_bytes() + b"\0")
    second = world.libbpf().archive(LibbpfChoice(path=own), X86)
    assert first is not None
    assert second is not None
    assert first != second
    assert (first.is_file(), second.is_file()) == (True, True)


def test_a_libbpf_0_is_found_under_the_name_that_the_agent_opens() -> None:
    found = {node.path: node for node in nodes(b"old", "libbpf.so.0", X86, name="libbpf.so.0.3.0")}
    folder = f"usr/lib/{X86.multiarch}"
    assert set(found) == {f"{folder}/{name}" for name in ("libbpf.so.0.3.0", "libbpf.so.0", "libbpf.so.1")}
    assert all(node.data == b"libbpf.so.0.3.0" for node in found.values() if stat.S_ISLNK(node.mode)), (
        "both names lead to it"
    )


def test_what_is_no_libbpf_for_the_guests_is_named(tmp_path: Path) -> None:
    text = tmp_path / "libbpf.so"
    text.write_text("text")
    check_own(host_library(), X86)
    with pytest.raises(ConfigError, match="there is no library"):
        check_own(tmp_path / "none.so", X86)
    with pytest.raises(ConfigError, match=r"is no libbpf: it is no ELF file, and not libbpf\.so\.N"):
        check_own(text, X86)
    with pytest.raises(ConfigError, match=r"is no libbpf: its soname is libelf\.so\.1"):
        check_own(host_library("libelf.so.1"), X86)
    with pytest.raises(ConfigError, match="is a libbpf for x86_64, and the guests are arm64"):
        check_own(host_library(), ARCHITECTURES["arm64"])
    with pytest.raises(ImageError, match=r"the libbpf of sid has no libbpf\.so\.\*"):
        library_in(tmp_path / "nothing", what="sid")


def test_what_a_younger_libbpf_needs_of_the_guests_is_named(tmp_path: Path) -> None:
    guest = GuestFiles([base(tmp_path)])
    younger = Needs(
        arch="x86_64", soname="libbpf.so.1", needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.34", "GLIBC_9.9")}
    )
    with pytest.raises(ConfigError, match=r"sid needs GLIBC_9\.9 of libc\.so\.6, which that of the guest image"):
        check_needs(younger, guest, what="sid")
    without = GuestFiles([base(tmp_path, without=["libelf.so.1"])])
    needs = Needs(arch="x86_64", soname="libbpf.so.1", needed=("libc.so.6", "libelf.so.1"))
    check_needs(needs, guest, what="sid")
    with pytest.raises(ConfigError, match=r"sid needs libelf\.so\.1, which the guest image does not have"):
        check_needs(needs, without, what="sid")


def test_a_userland_that_does_not_serve_it_makes_no_archive(world: World) -> None:
    world.base = base(world.folder, without=["libz.so.1"])
    with pytest.raises(ConfigError, match=r"libbpf \(bookworm\) needs libz\.so\.1"):
        world.libbpf().archive(LibbpfChoice(suite="bookworm"), X86)
