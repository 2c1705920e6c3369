"""A kernel is found where images have it, the newest of several, with its configuration and modules."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_images import BANNER, arm64_image, ikconfig
from oci_samples import Layout, layer, link, member
from unit_samples import RELEASE, X86, x86_image

from harness.errors import FetchError
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.supply.oci.finding import Kernel, find_kernel, is_release
from harness.supply.oci.layers import extract, read_tree
from harness.supply.oci.tree import Found

ELF = b"\x7fELF\x02\x01" + bytes(200) + BANNER


def find(folder: Path, *members: object, arch: Architecture = X86, path: str = "") -> Kernel:
    layout = Layout(folder / "layout")
    layout.image(layer(*members))
    image = layout.read()

    def read(found: Found) -> bytes:
        extract(image, {folder / "kernel": found.file})
        return (folder / "kernel").read_bytes()

    return find_kernel(read_tree(image), arch=arch, image="the image", path=path, read=read)


@pytest.mark.parametrize(
    ("kernel", "modules", "config"),
    [
        ("boot/vmlinuz", f"lib/modules/{RELEASE}", ""),
        ("boot/vmlinuz", f"usr/lib/modules/{RELEASE}", f"usr/lib/modules/{RELEASE}/config"),
        (f"boot/vmlinuz-{RELEASE}", f"lib/modules/{RELEASE}", f"boot/config-{RELEASE}"),
        (f"usr/lib/modules/{RELEASE}/vmlinuz", f"usr/lib/modules/{RELEASE}", f"usr/lib/modules/{RELEASE}/config"),
        (f"lib/modules/{RELEASE}/vmlinuz", f"lib/modules/{RELEASE}", ""),
        ("data/kernels/6.1/boot/vmlinuz-6.1", "", "data/kernels/6.1/boot/.config"),
        (f"data/kernels/6.1/boot/vmlinuz-{RELEASE}", f"data/kernels/6.1/lib/modules/{RELEASE}", ""),
        ("boot/bzImage", "", "boot/config"),
    ],
)
def test_each_layout_is_known(kernel: str, modules: str, config: str, tmp_path: Path) -> None:
    files = {kernel: x86_image(), "etc/os-release": b""}
    if modules:
        files[f"{modules}/kernel/x.ko"] = b"x"
    if config:
        files[config] = b"CONFIG_A=y\n"
    found = find(tmp_path, files)
    assert (found.found.path, found.release, found.modules, found.others) == (kernel, RELEASE, modules, ())
    assert (found.config_file is not None) == bool(config)


def test_links_lead_to_it_and_a_configuration_may_be_inside(tmp_path: Path) -> None:
    kernel = ELF + ikconfig("CONFIG_A=y\n")
    modules = {"usr/lib/modules/6.6.30-own/modules.builtin": b"", "boot/k/real": kernel}
    found = find(tmp_path, modules, link("boot/vmlinuz", "/boot/k/real"), link("lib", "usr/lib"))
    assert (found.release, found.config, found.modules) == ("6.6.30-own", "CONFIG_A=y\n", "lib/modules/6.6.30-own")


def test_the_newest_of_several_is_taken_and_the_others_are_named(tmp_path: Path) -> None:
    names = ["6.9.7-a", "6.10.2-a", "6.10.11-a", "6.10.0-rc7-a"]
    silent = bytearray(x86_image())
    silent[0x20E:0x210] = bytes(2)  # does not say its release
    files = {f"boot/vmlinuz-{name}": bytes(silent) + name.encode() for name in names}
    found = find(tmp_path, files, link("boot/vmlinuz", "vmlinuz-6.9.7-a"), {"boot/vmlinuz.old": b"junk"})
    assert found.release == "6.10.11-a"
    assert found.others == ("6.9.7-a", "6.10.0-rc7-a", "6.10.2-a") or set(found.others) >= {"6.10.2-a", "6.10.0-rc7-a"}
    assert find(tmp_path / "2", files, path="/boot/vmlinuz-6.9.7-a").release == "6.9.7-a"


def test_an_unpacked_kernel_is_taken_where_there_is_no_other(tmp_path: Path) -> None:
    assert find(tmp_path, {"boot/vmlinux-6.6.30-own": ELF}).found.path == "boot/vmlinux-6.6.30-own"
    both = {"boot/vmlinux-6.6.30-own": ELF, "boot/vmlinuz": x86_image()}
    assert find(tmp_path / "2", both).found.path == "boot/vmlinuz"


@pytest.mark.parametrize(
    ("members", "path", "complaint"),
    [
        ([{"etc/x": b""}], "", r"the image has no kernel \(in /boot is nothing, .*\)\. Name it with path-in-image"),
        ([{"boot/grub/x": b"", "boot/efi": b""}], "", r"in /boot is grub, efi"),
        ([{"boot/vmlinuz": arm64_image()}], "", "no kernel for x86_64: boot/vmlinuz: it begins with 4d 5a 00"),
        ([{"boot/vmlinuz": b""}], "", "no kernel for x86_64: boot/vmlinuz: it is empty"),
        ([{"etc/x": b""}], "opt/k", "opt/k is not in the image; path-in-image must name a kernel"),
        ([link("boot/k", "/etc/shadow")], "boot/k", "boot/k is a link to /etc/shadow, which is not in the image"),
        ([member("boot/k", kind=b"4")], "boot/k", "boot/k is a device; path-in-image must name a kernel"),
        ([member("boot/vmlinuz", kind=b"3")], "", "the image has no kernel"),
    ],
)
def test_an_image_without_one_says_what_is_there(
    members: list[object], path: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(FetchError, match=complaint):
        find(tmp_path, *members, path=path)


def test_another_architectures_kernel_is_passed_over(tmp_path: Path) -> None:
    both = {"boot/vmlinuz-9": arm64_image(), "boot/vmlinuz-6": x86_image()}
    assert find(tmp_path, both).found.path == "boot/vmlinuz-6"
    assert find(tmp_path / "2", both, arch=ARCHITECTURES["arm64"]).found.path == "boot/vmlinuz-9"


def test_what_can_be_the_name_of_a_folder_is_a_release() -> None:
    assert is_release("6.12.107+deb13-cloud-amd64")
    for text in ("", "6", "../6.1", "6.1/../../x", "6.1 x", "x6.1"):
        assert not is_release(text)
