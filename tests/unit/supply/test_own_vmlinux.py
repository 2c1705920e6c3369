"""A vmlinux.h is made of a kernel's BTF, whatever its image is packed in."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit_samples import X86, kernel_files

from harness.errors import CompileError, ObjectFileError
from harness.host.cache import Cache
from harness.supply.dependencies import Sight
from harness.supply.objects import KernelHeader, ObjectBuilder
from harness.supply.own.vmlinux import find_btf, header_folder, spread

SOURCE = """\
#include "vmlinux.h"
__attribute__((section("xdp"), used)) int pass_all(struct made_up *ctx) { return ctx->number; }
"""


def btf(order: str = "little", *, fill: int = 300_000) -> bytes:
    """BTF of `struct made_up { int number; }`, with as many bytes of types as a kernel has: the same int again."""
    sign = "<" if order == "little" else ">"
    number = struct.pack(f"{sign}IIII", 1, 1 << 24, 4, 1 << 24 | 32)
    made = struct.pack(f"{sign}IIIIII", 5, 4 << 24 | 1, 4, 13, 1, 0)
    types = number + made + number * (fill // 16)
    texts = b"\0int\0made_up\0number\0"
    magic = struct.pack(f"{sign}HBBI", 0xEB9F, 1, 0, 24)
    return magic + struct.pack(f"{sign}IIII", 0, len(types), len(types), len(texts)) + types + texts


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_btf_in_an_image(order: str) -> None:
    whole = btf(order)
    begins_alike = whole[:8] + bytes(40)
    image = b"kernel" + begins_alike + whole + b"rest"
    assert find_btf(image, order=order) == whole
    assert find_btf(gzip.compress(image), order=order) == whole
    packed = gzip.compress(image)
    zboot = b"MZ\0\0zimg" + struct.pack("<II", 64, len(packed)) + bytes(48) + packed
    assert find_btf(zboot, order=order) == whole


def test_an_image_without() -> None:
    assert find_btf(b"kernel" + btf(fill=1000), order="little") is None
    assert find_btf(btf()[:-1], order="little") is None
    assert find_btf(btf("big"), order="little") is None
    assert find_btf(b"", order="little") is None


def test_a_source_that_misses_it_gets_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    files = kernel_files(tmp_path)
    files.image.write_bytes(b"kernel" + btf())
    (tmp_path / "one.bpf.c").write_text(SOURCE)
    asked: list[str] = []

    def made(arch: object) -> Iterator[KernelHeader]:
        asked.append(str(arch))
        yield KernelHeader(kernel="6.1", folder=header_folder(files, cache=cache))
        pytest.fail("it compiles with the first")

    builder = ObjectBuilder(cache=cache, include=[], headers=made)
    built = builder.own_source(tmp_path / "one.bpf.c", X86, sight=Sight(), flags=())
    assert list(built.listing.programs) == ["pass_all"]
    (tmp_path / "vmlinux.h").write_text("struct made_up { long number; };\n")
    asked.clear()
    builder.own_source(tmp_path / "one.bpf.c", X86, sight=Sight(), flags=())
    assert not asked, "one's own comes first"
    (tmp_path / "one.bpf.c").write_text(SOURCE + "wrong")
    with pytest.raises(CompileError):
        builder.own_source(tmp_path / "one.bpf.c", X86, sight=Sight(), flags=())
    assert not asked


def written(folder: Path, kernel: str, text: str) -> KernelHeader:
    (folder / kernel).mkdir()
    (folder / kernel / "vmlinux.h").write_text(text)
    return KernelHeader(kernel=kernel, folder=folder / kernel)


def test_a_source_for_other_types_than_the_newest_kernels(tmp_path: Path) -> None:
    source = '#include "vmlinux.h"\nint f(struct filename *file) { return file->name; }\n'
    (tmp_path / "one.bpf.c").write_text(source)
    headers = [
        written(tmp_path, "7.3", "struct filename { int iname; };"),
        written(tmp_path, "6.19", "struct other { int number; };"),
        written(tmp_path, "6.12", "struct filename { int name; };"),
        written(tmp_path, "5.10", "not asked for"),
    ]
    said: list[str] = []
    asked: list[str] = []

    def made(_arch: object) -> Iterator[KernelHeader]:
        for header in headers:
            asked.append(header.kernel)
            yield header

    builder = ObjectBuilder(cache=Cache(tmp_path / "cache"), include=[], headers=made, note=said.append)
    builder.own_source(tmp_path / "one.bpf.c", X86, sight=Sight(), flags=())
    assert asked == ["7.3", "6.19", "6.12"]
    (text,) = said
    assert "one.bpf.c is compiled with the types of 6.12: with those of 7.3 it does not compile (no member" in text

    asked.clear()
    (tmp_path / "one.bpf.c").write_text(source.replace("->name", "->nowhere"))
    with pytest.raises(CompileError, match=r"no member named 'nowhere' in 'struct filename'"):
        builder.own_source(tmp_path / "one.bpf.c", X86, sight=Sight(), flags=())
    assert asked == ["7.3", "6.19", "6.12", "5.10"], "and the first error is the one that is shown"

    asked.clear()
    (tmp_path / "one.bpf.c").write_text('#include "vmlinux.h"\nint value = ETH_P_IP;\n')
    with pytest.raises(CompileError, match="undeclared identifier 'ETH_P_IP'"):
        builder.own_source(tmp_path / "one.bpf.c", X86, sight=Sight(), flags=())
    assert asked == ["7.3"], "no kernel's types have macros"


def test_the_kernels_that_are_tried_are_few_and_far_apart() -> None:
    assert spread(list(range(15))) == [14, 10, 5, 0]
    assert [spread(list(range(count))) for count in range(4)] == [[], [0], [1, 0], [2, 1, 0]]


def test_a_kernel_without_btf_is_said(tmp_path: Path) -> None:
    files = kernel_files(tmp_path)
    files.image.write_bytes(b"kernel")
    with pytest.raises(ObjectFileError, match=r"has no BTF that a vmlinux\.h could be made of"):
        header_folder(files, cache=Cache(tmp_path / "cache"))
