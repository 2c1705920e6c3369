from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from kernel_images import BANNER, PACKERS, arm64_image, bz_image, ikconfig, zboot_image
from source_worlds import no_mirrors
from unit_samples import RELEASE, X86, x86_image

from harness.config.matrix import PathKernel
from harness.errors import EXIT_USAGE, KernelFileError
from harness.host.cache import Cache, sha256_file
from harness.supply.kernels import path as path_source
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.modules import ModuleOrder
from harness.supply.kernels.path import PathSource
from harness.supply.kernels.source import SourceContext


@pytest.fixture(autouse=True)
def no_depmod(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(root: Path, *, release: str, names: list[str]) -> ModuleOrder:
        folder = root / "lib/modules" / release / "kernel"
        there = [name for name in names if (folder / f"{name}.ko").exists()]
        return ModuleOrder(
            tuple(folder / f"{name}.ko" for name in there), tuple(name for name in names if name not in there)
        )

    monkeypatch.setattr(path_source, "find_modules", find)


def obtain(folder: Path, *, arch: str = "x86_64", case_modules: Sequence[str] = (), **keys: Any) -> KernelFiles:
    """The files of a kernel `bzImage` in `folder`; `keys` are more keys of its entry in the matrix."""
    entry = {"name": "mine", "arch": arch, "source": "path", "image": folder / "bzImage", **keys}
    kernel = PathKernel.model_validate(entry)
    cache = Cache(folder / "cache")
    source = PathSource(SourceContext(cache=cache, mirrors=no_mirrors))
    return source.obtain(kernel, None, modules=["virtio_net"], case_modules=case_modules)


def module_tree(folder: Path, release: str = RELEASE, *names: str) -> Path:
    tree = folder / "lib/modules" / release
    (tree / "kernel").mkdir(parents=True)
    for name in names:
        (tree / "kernel" / f"{name}.ko").write_bytes(name.encode())
    (tree / "build").symlink_to("/nowhere")
    return tree


def test_an_image_alone_boots_with_a_serial_port(tmp_path: Path) -> None:
    image = tmp_path / "bzImage"
    image.write_bytes(x86_image())
    files = obtain(tmp_path)
    assert (files.name, files.arch, files.release, files.image) == ("mine", X86, RELEASE, image)
    assert (files.modules, files.absent, files.has_network) == ((), ("virtio_net",), False)
    assert (files.package.source, files.package.name, files.package.version) == ("path", "bzImage", RELEASE)
    assert files.package.sha256 == sha256_file(image)


def test_a_built_in_network_card_is_known_from_the_configuration_beside_the_image(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(x86_image())
    (tmp_path / ".config").write_text("# x\nCONFIG_VIRTIO_NET=y\n")
    assert obtain(tmp_path).has_network
    (tmp_path / ".config").write_text("# x\nCONFIG_VIRTIO_NET=m\n")
    assert not obtain(tmp_path).has_network


@pytest.mark.parametrize("place", [f"config-{RELEASE}", "config", ".config", "../../../.config"])
def test_the_configuration_of_the_kernel_is_found(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "linux/arch/x86/boot"
    folder.mkdir(parents=True)
    (tmp_path / "linux/Kconfig").touch()
    (folder / "bzImage").write_bytes(x86_image())
    assert obtain(folder).config is None
    (folder / place).write_text("CONFIG_HZ=250\n")
    config = obtain(folder).config
    assert config is not None
    assert config.read_text() == "CONFIG_HZ=250\n"


def test_a_configuration_is_found_in_the_folder_of_the_modules(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(x86_image())
    tree = module_tree(tmp_path, RELEASE, "virtio_net")
    (tree / "config").write_text("CONFIG_HZ=250\n")
    assert obtain(tmp_path, modules=tree).config == tree / "config"


def test_modules_are_kept_in_the_cache_and_followed_when_they_change(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(x86_image())
    tree = module_tree(tmp_path, RELEASE, "virtio_net", "other")
    files = obtain(tmp_path, modules=tree)
    assert [path.name for path in files.modules] == ["00-virtio_net.ko"]
    assert files.has_network
    assert str(files.modules[0]).startswith(str(tmp_path / "cache"))
    (tree / "kernel/virtio_net.ko").write_bytes(b"rebuilt")
    assert obtain(tmp_path, modules=tree).modules[0].read_bytes() == b"rebuilt"


def test_a_module_that_is_not_there_is_absent(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(x86_image())
    files = obtain(tmp_path, modules=module_tree(tmp_path, RELEASE, "other"))
    assert (files.modules, files.absent, files.has_network) == ((), ("virtio_net",), False)


def test_another_kernels_modules_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(x86_image())
    tree = module_tree(tmp_path, "6.2.0", "virtio_net")
    with pytest.raises(KernelFileError, match=f"the image is {RELEASE}, but the modules in .* are for 6.2.0"):
        obtain(tmp_path, modules=tree)
    assert obtain(tmp_path, modules=tree, release="6.2.0").modules


@pytest.mark.parametrize("kind", ["missing", "empty", "a file"])
def test_a_folder_without_modules_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(x86_image())
    tree = tmp_path / "modules"
    if kind == "empty":
        tree.mkdir()
    elif kind == "a file":
        tree.write_text("")
    with pytest.raises(KernelFileError, match="make modules_install"):
        obtain(tmp_path, modules=tree)


def test_the_users_release_counts_more_than_the_images(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(x86_image())
    assert obtain(tmp_path, release="6.1.0-mine").release == "6.1.0-mine"


def test_an_image_that_does_not_say_its_release_has_none(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(bytes(56) + b"ARM\x64" + bytes(100))
    files = obtain(tmp_path, arch="arm64")
    assert (files.release, files.package.version) == ("", "")


@pytest.mark.parametrize("data", [b"", b"\x7fELF\x01\x01\x01", b"#!/bin/sh\nexit\n", bytes(8192)])
def test_a_file_that_is_no_kernel_is_refused_with_what_it_begins_with(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(data)
    with pytest.raises(KernelFileError) as caught:
        obtain(tmp_path)
    complaint = str(caught.value)
    begins = f"it begins with {data[:8].hex(' ')}" if data else "it is empty"
    assert f"{tmp_path / 'bzImage'} is not a kernel for x86_64 ({begins})" in complaint
    assert "kernel image (bzImage" in complaint
    assert caught.value.exit_code == EXIT_USAGE


def test_a_kernel_of_another_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(x86_image())
    with pytest.raises(KernelFileError, match="is not a kernel for s390x"):
        obtain(tmp_path, arch="s390x")


def test_a_missing_image_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KernelFileError, match="cannot be read: No such file"):
        obtain(tmp_path)
    (tmp_path / "bzImage").mkdir()
    with pytest.raises(KernelFileError, match="cannot be read: Is a directory"):
        obtain(tmp_path)


def test_a_check_finds_what_obtaining_would(tmp_path: Path) -> None:
    source = PathSource(SourceContext(cache=Cache(tmp_path / "cache"), mirrors=no_mirrors))
    kernel = PathKernel(name="mine", arch="x86_64", source="path", image=tmp_path / "bzImage", modules=tmp_path / "no")
    with pytest.raises(KernelFileError, match="cannot be read"):
        source.check(kernel, modules=(), case_modules=())
    kernel.image.write_bytes(x86_image())
    with pytest.raises(KernelFileError, match="make modules_install"):
        source.check(kernel, modules=(), case_modules=())


# --- what does not lie open -------------------------------------------------------------------------------------------

ELF = b"\x7fELF\x02\x01" + bytes(200)


def test_what_is_built_in_is_known_from_the_configuration_inside_the_kernel(tmp_path: Path) -> None:
    inside = ELF + BANNER + ikconfig("CONFIG_VIRTIO_NET=y\nCONFIG_VETH=y\n")
    (tmp_path / "bzImage").write_bytes(bz_image(PACKERS["xz"](inside)))
    files = obtain(tmp_path, case_modules=["veth", "sch_ingress"])
    assert files.has_network
    assert files.config is not None
    assert files.config.read_text() == "CONFIG_VIRTIO_NET=y\nCONFIG_VETH=y\n"
    assert (files.case_modules["veth"].built_in, files.case_modules["sch_ingress"].built_in) == (True, False)
    (tmp_path / "config").write_text("CONFIG_VIRTIO_NET=m\n")
    assert not obtain(tmp_path).has_network, "what lies beside the image counts more"


@pytest.mark.parametrize("place", ["beside", "with the modules", "at the root of the sources"])
def test_what_is_built_in_is_known_from_its_list(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "arch/x86/boot"
    folder.mkdir(parents=True)
    (folder / "bzImage").write_bytes(x86_image())
    (tmp_path / "Kconfig").touch()
    modules = tmp_path / "modules" / RELEASE
    modules.mkdir(parents=True)
    where = {"beside": folder, "with the modules": modules, "at the root of the sources": tmp_path}[place]
    assert not obtain(folder).has_network
    (where / "modules.builtin").write_text("kernel/drivers/net/virtio_net.ko\nkernel/net/sched/sch_ingress.ko\n")
    more = {"modules": modules} if place == "with the modules" else {"case_modules": ["sch-ingress"]}
    files = obtain(folder, **more)
    assert (files.modules, files.absent, files.has_network) == ((), ("virtio_net",), True)
    assert [module.built_in for module in files.case_modules.values()] == [True] * len(files.case_modules)


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_a_packed_image_of_arm64_says_its_release_and_configuration(packer: str, tmp_path: Path) -> None:
    kernel = arm64_image(inside=ikconfig("CONFIG_VIRTIO_NET=y\n"))
    for image in (zboot_image(PACKERS[packer](kernel), kind=packer), PACKERS["gzip"](kernel)):
        (tmp_path / "bzImage").write_bytes(image)
        files = obtain(tmp_path, arch="arm64")
        assert (files.release, files.has_network) == ("6.6.30-own", True)
        assert files.image == tmp_path / "bzImage"


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (PACKERS["gzip"](b"a letter"), "what is packed in it is no kernel for arm64"),
        (PACKERS["gzip"](x86_image()), "what is packed in it is no kernel for arm64"),
        (PACKERS["gzip"](arm64_image())[:-20], "cannot be unpacked to its end"),
        (zboot_image(PACKERS["gzip"](arm64_image()))[:560], "cannot be unpacked to its end"),
        (zboot_image(b"\x89LZO" + bytes(100), kind="lzo"), "packed in an unknown way"),
    ],
)
def test_a_packed_image_that_holds_no_kernel_is_refused_before_it_is_booted(
    image: bytes, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "bzImage").write_bytes(image)
    with pytest.raises(KernelFileError, match=f"kernel mine: .*bzImage cannot be booted: .*{complaint}"):
        obtain(tmp_path, arch="arm64")
    assert not list((tmp_path / "cache/path-inside").glob("[!.]*"))


def test_what_a_guest_cannot_be_made_of_is_refused_before_it_is_booted(tmp_path: Path) -> None:
    source = PathSource(SourceContext(cache=Cache(tmp_path / "cache"), mirrors=no_mirrors))
    kernel = PathKernel(name="mine", arch="x86_64", source="path", image=tmp_path / "bzImage")
    kernel.image.write_bytes(x86_image())
    source.check(kernel, modules=["virtio_net"], case_modules=())
    (tmp_path / "config").write_text("# CONFIG_BLK_DEV_INITRD is not set\n")
    with pytest.raises(KernelFileError, match=f"kernel mine: no guest can be made of {RELEASE}: it takes no initramfs"):
        source.check(kernel, modules=["virtio_net"], case_modules=())


def test_what_a_guest_can_be_made_without_is_a_notice(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(x86_image())
    (tmp_path / "config").write_text("# CONFIG_DEBUG_INFO_BTF is not set\n")
    assert obtain(tmp_path).notice == "mine: it has no BTF: what needs BTF is refused"
    assert obtain(tmp_path).package.notice == ""
