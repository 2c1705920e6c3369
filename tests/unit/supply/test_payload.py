from __future__ import annotations

import contextlib
import gzip
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_images import LZ4_BLOCK, PACKERS, arm64_image, bz_image, riscv_image, zboot_image
from unit_samples import x86_image

from harness.supply.kernels.payload import NoPayloadError, contents, direct_image, has_pvh_entry, payload, unpacked

PVH = (b"Xen\0", 18, bytes(8))


def note(owner: bytes, kind: int, desc: bytes) -> bytes:
    """One ELF note: owner and description are padded to four bytes each."""
    return (
        struct.pack("<III", len(owner), len(desc), kind) + owner + bytes(-len(owner) % 4) + desc + bytes(-len(desc) % 4)
    )


def elf(*notes: tuple[bytes, int, bytes], code: bytes = b"", magic: bytes = b"\x7fELF\x02\x01") -> bytes:
    """A 64-bit ELF file with a segment of code and one of notes."""
    text = b"".join(note(*each) for each in notes)
    headers, begin = 64, 64 + 2 * 56
    file_header = magic.ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, headers, 0, 0, 64, 56, 2, 0, 0, 0)
    segments = b"".join(
        struct.pack("<IIQQQQQQ", kind, 4, offset, 0, 0, size, size, 4)
        for kind, offset, size in ((1, begin + len(text), len(code)), (4, begin, len(text)))
    )
    return file_header + segments + text + code


CODE = random.Random(1).randbytes(3000) + bytes(5000)
KERNEL = elf((b"GNU\0", 3, b"id"), PVH, code=CODE)


each = pytest.mark.parametrize("packer", PACKERS)


@each
def test_the_kernel_comes_out_as_it_was_packed(packer: str) -> None:
    assert payload(bz_image(PACKERS[packer](KERNEL))) == KERNEL


def test_a_kernel_of_several_lz4_blocks() -> None:
    kernel = elf(PVH, code=random.Random(2).randbytes(1000) + bytes(2 * LZ4_BLOCK) + b"the end")
    packed = PACKERS["lz4"](kernel)
    assert payload(bz_image(packed)) == kernel
    half = packed[: len(packed) - 4 - 20000] + packed[-4:]
    with pytest.raises(NoPayloadError):
        payload(bz_image(half))


def test_setup_sectors_of_zero_mean_four() -> None:
    assert payload(bz_image(gzip.compress(KERNEL), sectors=0)) == KERNEL


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (b"", "no bzImage"),
        (KERNEL, "no bzImage"),
        (x86_image(), "no bzImage"),
        (bz_image(PACKERS["gzip"](KERNEL), protocol=0x207), "no bzImage of boot protocol 2.08"),
        (bz_image(b"\x89LZO\0\r\n\x1a\n" + bytes(100)), "packed in an unknown way (894c5a4f000d)"),
        (bz_image(b""), "packed in an unknown way ()"),
        (bz_image(PACKERS["gzip"](b"no ELF file at all")), "cannot be unpacked to a whole ELF file"),
        (bz_image(PACKERS["gzip"](KERNEL)[:-4] + b"\1\0\0\0"), "cannot be unpacked"),
        (bz_image(PACKERS["lz4"](KERNEL)[:-4] + b"\1\0\0\0"), "cannot be unpacked"),
        (bz_image(b"\x5d\0\0\xff\xff" + b"\xff" * 8 + bytes(100)), "cannot be unpacked"),
    ],
)
def test_what_is_no_such_image_is_told(image: bytes, complaint: str) -> None:
    with pytest.raises(NoPayloadError) as caught:
        payload(image)
    assert complaint in str(caught.value)


@each
@given(data=st.data())
def test_an_image_that_is_cut_off_is_never_a_kernel(packer: str, data: st.DataObject) -> None:
    packed = PACKERS[packer](KERNEL)
    whole = bz_image(packed)
    end = len(whole) - len(b"what follows the payload")
    cut = data.draw(st.integers(0, end - 1))
    with pytest.raises(NoPayloadError):
        payload(whole[:cut])


@each
@given(data=st.data())
def test_a_damaged_image_is_told_in_one_way(packer: str, data: st.DataObject) -> None:
    image = bytearray(bz_image(PACKERS[packer](KERNEL)))
    head = [*range(0x1F0, 0x210), *range(0x248, 0x250)]
    places = st.integers(0x840, len(image) - 1) | st.sampled_from(head)
    for place, byte in data.draw(st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=6)).items():
        image[place] = byte
    with contextlib.suppress(NoPayloadError):
        assert payload(bytes(image)).startswith(b"\x7fELF")


@given(st.sampled_from(["gzip", "xz", "lzma", "bzip2", "zstd", "lz4"]), st.integers(0, 16), st.binary(max_size=200))
def test_any_data_behind_a_packers_magic_is_told_in_one_way(packer: str, kept: int, data: bytes) -> None:
    with contextlib.suppress(NoPayloadError):
        payload(bz_image(PACKERS[packer](KERNEL)[:kept] + data))


# --- images of other kinds --------------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("kernel", [arm64_image(inside=CODE), riscv_image(inside=CODE)], ids=["arm64", "riscv64"])
def test_a_zboot_image_is_unpacked(packer: str, kernel: bytes) -> None:
    image = zboot_image(PACKERS[packer](kernel), kind=packer)
    assert unpacked(image) == kernel
    assert list(contents(image)) == [image, kernel]


@each
@given(data=st.data())
def test_a_zboot_image_that_is_cut_off_is_never_a_kernel(packer: str, data: st.DataObject) -> None:
    whole = zboot_image(PACKERS[packer](arm64_image()), kind=packer)
    cut = data.draw(st.integers(8, len(whole) - len(b"what follows the payload") - 1))
    with pytest.raises(NoPayloadError):
        unpacked(whole[:cut])


def test_an_image_that_is_cut_off_in_the_header_of_gzip_is_no_empty_kernel() -> None:
    whole = zboot_image(gzip.compress(arm64_image(), mtime=0))
    with pytest.raises(NoPayloadError, match="cannot be unpacked to its end"):
        unpacked(whole[: 512 + 7])


def test_what_gzip_packed_is_unpacked_whatever_comes_behind_it() -> None:
    packed = gzip.compress(arm64_image(inside=CODE))
    assert unpacked(packed) == unpacked(packed + b"signature") == arm64_image(inside=CODE)
    for cut in (2, 10, len(packed) // 2, len(packed) - 1):
        with pytest.raises(NoPayloadError, match="cannot be unpacked to its end"):
            unpacked(packed[:cut])


def test_a_zboot_image_that_is_packed_in_an_unknown_way_is_named() -> None:
    with pytest.raises(NoPayloadError, match="unknown way \\(894c5a4f000d\\)"):
        unpacked(zboot_image(b"\x89LZO\0\r\n\x1a\n" + bytes(100), kind="lzo"))


def test_what_is_in_an_image_of_an_unknown_kind_is_whatever_can_be_unpacked() -> None:
    image = b"no kernel \x1f\x8b\x08 of any kind" + gzip.compress(b"one") + PACKERS["zstd"](b"two")
    assert list(contents(image)) == [image, b"one", b"two"]
    assert list(contents(KERNEL + image)) == [KERNEL + image], "an ELF file lies open"


# --- the entry of PVH -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (elf(PVH), True),
        (elf((b"GNU\0", 3, b"odd"), (b"Xen\0", 6, b"linux\0"), PVH), True),
        (elf(), False),
        (elf((b"GNU\0", 18, bytes(8))), False),
        (elf((b"Xen\0", 6, b"linux\0")), False),
        (elf(PVH, magic=b"\x7fELF\x01\x01"), False),
        (elf(PVH, magic=b"\x7fELF\x02\x02"), False),
        (elf(PVH)[:150], False),
        (b"", False),
    ],
)
def test_the_note_that_says_where_pvh_starts_it(image: bytes, found: bool) -> None:
    assert has_pvh_entry(image) is found


def test_a_note_that_is_no_segments_of_notes_does_not_count() -> None:
    image = bytearray(elf(PVH))
    assert image[64 + 56] == 4
    image[64 + 56] = 1
    assert not has_pvh_entry(bytes(image))


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_have_it_or_not(data: bytes, begin: bool) -> None:
    assert has_pvh_entry(elf(PVH)[: 64 if begin else 0] + data) in (True, False)


# --- what QEMU is given to start --------------------------------------------------------------------------------------


def started(folder: Path, data: bytes) -> Path:
    image = folder / "vmlinuz"
    image.write_bytes(data)
    (folder / "guest").mkdir()
    return direct_image(image, folder / "guest")


def test_a_kernel_with_the_entry_is_started_unpacked(tmp_path: Path) -> None:
    found = started(tmp_path, bz_image(PACKERS["xz"](KERNEL)))
    assert found == tmp_path / "guest/vmlinux"
    assert found.read_bytes() == KERNEL


@pytest.mark.parametrize("kernel", [arm64_image(inside=CODE), riscv_image(inside=CODE)], ids=["arm64", "riscv64"])
@pytest.mark.parametrize("pack", [gzip.compress, lambda kernel: zboot_image(PACKERS["zstd"](kernel), kind="zstd")])
def test_what_hides_its_kernel_is_started_unpacked(kernel: bytes, pack: Any, tmp_path: Path) -> None:
    found = started(tmp_path, pack(kernel))
    assert found == tmp_path / "guest/vmlinux"
    assert found.read_bytes() == kernel


@pytest.mark.parametrize("data", [b"an Image of arm64", bz_image(PACKERS["gzip"](elf(code=CODE))), bz_image(b"?")])
def test_any_other_is_started_as_it_is(data: bytes, tmp_path: Path) -> None:
    assert started(tmp_path, data) == tmp_path / "vmlinuz"
    assert not list((tmp_path / "guest").iterdir())


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(bz_image(gzip.compress(KERNEL)))
    with pytest.raises(FileNotFoundError):
        direct_image(tmp_path / "vmlinuz", tmp_path / "missing")
