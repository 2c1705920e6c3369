from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import RELEASE, X86, x86_image

from harness.model.architectures import ARCHITECTURES, Architecture
from harness.supply.kernels.files import looks_like_kernel, release_of_image


def test_a_bzimage_names_its_release() -> None:
    image = x86_image("6.19.0-rc1+")
    assert looks_like_kernel(image, X86)
    assert release_of_image(image) == "6.19.0-rc1+"
    assert release_of_image(x86_image(RELEASE)) == RELEASE


@pytest.mark.parametrize("pointer", [0, 0xFFFF])
def test_a_bzimage_that_does_not_say_its_release(pointer: int) -> None:
    """Zero means that there is no version (Documentation/arch/x86/boot.rst); a pointer may lead outside."""
    image = bytearray(x86_image())
    image[0x20E:0x210] = pointer.to_bytes(2, "little")
    assert release_of_image(bytes(image)) is None


def test_an_uncompressed_image_holds_the_banner() -> None:
    data = bytes(1000) + b"\nLinux version 6.12.9-arm64 (builder) (gcc) #1 SMP\n"
    assert release_of_image(data) == "6.12.9-arm64"


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b compressed", b"Linux version %s (%s)", b"\x7fELF", bytes(0x210)])
def test_a_release_that_cannot_be_read_is_none(data: bytes) -> None:
    assert release_of_image(data) is None


@given(st.binary(max_size=2000), st.sampled_from(list(ARCHITECTURES.values())))
def test_any_bytes_are_looked_at(data: bytes, arch: Architecture) -> None:
    assert looks_like_kernel(data, arch) == any(data[at:].startswith(magic) for at, magic in arch.kernel_magic)
    release_of_image(data)
    changed = bytearray(x86_image())
    changed[0x600 : 0x600 + len(data)] = data
    release = release_of_image(bytes(changed))
    assert release is None or " " not in release
