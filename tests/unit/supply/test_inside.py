"""What an image says of itself, whatever it is packed in."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_images import BANNER, PACKERS, arm64_image, bz_image, ikconfig, riscv_image, zboot_image
from unit_samples import RELEASE, X86, x86_image

from harness.model.architectures import ARCHITECTURES
from harness.supply.kernels.inside import find_config_in, look_inside
from harness.supply.kernels.payload import NoPayloadError

TEXT = "CONFIG_A=y\n# CONFIG_B is not set\n"
ELF = b"\x7fELF\x02\x01" + bytes(200)
ARM64, RISCV64, S390X = (ARCHITECTURES[name] for name in ("arm64", "riscv64", "s390x"))


@pytest.mark.parametrize("packer", PACKERS)
def test_a_bzimage_says_its_release_and_the_kernel_in_it_the_configuration(packer: str) -> None:
    found = look_inside(bz_image(PACKERS[packer](ELF + BANNER + ikconfig(TEXT))), X86)
    assert (found.release, found.config) == (RELEASE, TEXT)


def test_plain_images_and_packed_ones() -> None:
    kernel, other = arm64_image(inside=ikconfig(TEXT)), riscv_image(inside=ikconfig(TEXT))
    zboots = (zboot_image(PACKERS[name](kernel), kind=name) for name in PACKERS)
    for image in (kernel, gzip.compress(kernel), *zboots):
        found = look_inside(image, ARM64)
        assert (found.release, found.config) == ("6.6.30-own", TEXT)
    assert look_inside(zboot_image(gzip.compress(other)), RISCV64).config == TEXT
    vmlinux = look_inside(ELF + BANNER + ikconfig(TEXT), X86)
    assert (vmlinux.release, vmlinux.config) == ("6.6.30-own", TEXT)
    # Its decompressor and what it unpacks are one file without a header that says where.
    assert look_inside(bytes(0x10008) + b"S390EP" + gzip.compress(BANNER + ikconfig(TEXT)), S390X).config == TEXT


def test_what_is_not_there_is_not_found() -> None:
    found = look_inside(x86_image(), X86)
    assert (found.release, found.config) == (RELEASE, None)
    bare = look_inside(ELF, X86)
    assert (bare.release, bare.config) == ("", None)


@pytest.mark.parametrize(
    "image", [PACKERS["gzip"](x86_image()), zboot_image(PACKERS["gzip"](b"x")), b"\x1f\x8b\x08cut"]
)
def test_a_packed_image_of_something_else_is_refused(image: bytes) -> None:
    with pytest.raises(NoPayloadError):
        look_inside(image, ARM64)


def test_the_name_of_the_mark_alone_is_no_configuration() -> None:
    packed = ikconfig(TEXT)
    assert find_config_in(b"IKCFG_ST of which somebody writes" + packed) == TEXT
    assert find_config_in(packed[:-30]) is None
    assert find_config_in(b"IKCFG_ST") is None


@given(st.binary(max_size=300), st.integers(0, 60))
def test_any_bytes_behind_the_mark_are_a_configuration_or_none(data: bytes, kept: int) -> None:
    found = find_config_in(ikconfig(TEXT)[:kept] + data)
    assert found is None or isinstance(found, str)
