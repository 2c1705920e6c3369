"""The types of kernels and of their modules are kept in the cache, and read again as they were."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from forecast_samples import as_large_as_a_kernels, elf_with, kernel_btf, module_btf
from unit_samples import X86, kernel_files

from harness.errors import FetchError
from harness.forecast.btf import FUNC, Btf, Order
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.supply.kernel_types import (
    MODULES,
    TYPES,
    ModuleTypes,
    config_in,
    keep_all,
    keep_modules,
    keep_types,
    kept,
    key_of,
    key_of_file,
    section_of,
    types_in,
)

SOURCE = "int tcp_connect(int a) { return a; }"
RELEASE = "6.1.0-1-amd64"


def image(arch: str = "x86_64") -> bytes:
    order: Order = "little" if ARCHITECTURES[arch].byte_order == "little" else "big"
    return gzip.compress(b"kernel" + as_large_as_a_kernels(kernel_btf(SOURCE, ARCHITECTURES[arch]), order))


def write_build(root: Path, *, damaged: bool = False) -> None:
    """Write a build as a source unpacks it: an image, a configuration, and modules."""
    folder = root / f"lib/modules/{RELEASE}/kernel/net"
    folder.mkdir(parents=True)
    (root / "boot").mkdir()
    (root / f"boot/vmlinuz-{RELEASE}").write_bytes(image())
    (root / f"boot/config-{RELEASE}").write_text("CONFIG_BPF=y\n")
    base = Btf(as_large_as_a_kernels(kernel_btf(SOURCE)), order="little")
    (folder / "nf-conntrack.ko.xz").write_bytes(lzma.compress(elf_with(module_btf(base, "far", "both"))))
    (folder / "veth.ko").write_bytes(elf_with(module_btf(base, "both")))
    (folder / "plain.ko").write_bytes(elf_with(b"", b".text"))
    if damaged:
        (folder / "worse.ko").write_bytes(elf_with(module_btf(base, "far")[:-9]))


@pytest.mark.parametrize("name", ["x86_64", "s390x"])
def test_the_types_of_an_image_are_kept_with_their_index_and_the_configuration(tmp_path: Path, name: str) -> None:
    cache, arch = Cache(tmp_path / "cache"), ARCHITECTURES[name]
    (tmp_path / "config").write_text("CONFIG_BPF=y\n# CONFIG_NO is not set\n")
    files = kernel_files(tmp_path, arch=arch, release=RELEASE, config=tmp_path / "config")
    files.image.write_bytes(image(name))
    entry = keep_types(files, key_of_file(files), cache=cache)
    types = types_in(entry.path, entry.meta)
    assert types is not None
    number = types.find("tcp_connect", FUNC)
    assert number is not None
    assert [each.name for each in types.parameters(types.type(number).size)] == ["a"]
    assert (entry.meta["release"], config_in(entry.path)) == (RELEASE, {"CONFIG_BPF": "y"})
    assert kept(cache, key_of_file(files)) is not None
    assert kept(cache, "other") is None


def test_a_kernel_without_types_has_none(tmp_path: Path) -> None:
    files = kernel_files(tmp_path)
    files.image.write_bytes(b"nothing")
    entry = keep_types(files, "key", cache=Cache(tmp_path / "cache"))
    assert types_in(entry.path, entry.meta) is None
    assert config_in(entry.path) is None


def test_of_a_build_that_is_unpacked_the_modules_types_are_kept_as_well(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    unpacked: list[Path] = []

    def unpack(folder: Path) -> None:
        unpacked.append(folder)
        write_build(folder, damaged=True)

    entry = keep_all(unpack, "key", arch=X86, cache=cache)
    base = types_in(entry.path, entry.meta)
    beside = kept(cache, "key", kind=MODULES)
    assert base is not None and beside is not None
    assert (entry.meta["release"], config_in(entry.path)) == (RELEASE, {"CONFIG_BPF": "y"})
    modules = ModuleTypes(beside.path, beside.meta, base)
    assert modules.holding("far") == ("nf_conntrack",)
    assert modules.holding("both") == ("nf_conntrack", "veth")
    assert modules.holding("tcp_connect") == ()
    types = modules.types_of("nf-conntrack")
    assert types is not None and types.find_own("far", FUNC) == base.end + 1
    assert modules.types_of("plain") is None
    assert not unpacked[0].exists()
    assert keep_all(unpack, "key", arch=X86, cache=cache).path == entry.path
    assert len(unpacked) == 1


def test_modules_can_be_had_later(tmp_path: Path) -> None:
    base = Btf(as_large_as_a_kernels(kernel_btf(SOURCE)), order="little")
    entry = keep_modules(write_build, "key", base, cache=Cache(tmp_path))
    assert ModuleTypes(entry.path, entry.meta, base).holding("far") == ("nf_conntrack",)


def test_packages_without_an_image_are_a_fetch_error(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no kernel image"):
        keep_all(Path.touch, "key", arch=X86, cache=Cache(tmp_path))
    assert kept(Cache(tmp_path), "key", kind=TYPES) is None


def test_a_key_is_of_the_files_and_the_architecture() -> None:
    assert key_of(["a", "b"], X86) == key_of(["b", "a"], X86)
    assert len({key_of(["a"], X86), key_of(["b"], X86), key_of(["a"], ARCHITECTURES["arm64"])}) == 3


@pytest.mark.parametrize("order", ["little", "big"])
def test_a_section_of_an_elf_file(order: Order) -> None:
    elf = elf_with(b"types", order=order)
    assert section_of(elf, b".BTF") == b"types"
    assert section_of(elf, b".BT") is None
    for length in range(len(elf)):
        assert section_of(elf[:length], b".BTF") in (None, b"types")
