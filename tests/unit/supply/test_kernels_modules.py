from __future__ import annotations

import gzip
import lzma
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import FetchError
from harness.supply.kernels.modules import (
    CaseModule,
    decompress,
    find_for_cases,
    find_modules,
    keep_for_cases,
    keep_in_order,
    kept_for_cases,
    merge_orders,
    parse_show_depends,
    plain_name,
)

SHOWN = """\
builtin crc32c
insmod /root/lib/modules/6.1/kernel/drivers/virtio/virtio.ko
insmod /root/lib/modules/6.1/kernel/drivers/virtio/virtio_ring.ko.xz
insmod /root/lib/modules/6.1/kernel/drivers/net/virtio_net.ko.zst csum=0 gso=0
install /bin/false
"""


def test_what_modprobe_shows_is_read_in_its_order() -> None:
    folder = "/root/lib/modules/6.1/kernel/drivers"
    assert parse_show_depends(SHOWN) == [
        Path(f"{folder}/virtio/virtio.ko"),
        Path(f"{folder}/virtio/virtio_ring.ko.xz"),
        Path(f"{folder}/net/virtio_net.ko.zst"),
    ]


@pytest.mark.parametrize("text", ["", "builtin virtio\n", "modprobe: FATAL: Module x not found\n", "insmod\n"])
def test_what_is_no_module_file_gives_none(text: str) -> None:
    assert parse_show_depends(text) == []


@given(
    st.lists(
        st.tuples(
            st.text("ab /.k", min_size=1, max_size=12).map(lambda text: f"/{text.strip('/')}/x y"),
            st.sampled_from(["", ".xz", ".gz", ".zst"]),
            st.sampled_from(["", " ", " a=1 b=2"]),
        ),
        max_size=5,
    )
)
def test_paths_with_spaces_and_options_are_told_apart(entries: list[tuple[str, str, str]]) -> None:
    entries = [entry for entry in entries if ".k" not in entry[0]]
    text = "".join(f"insmod {path}.ko{suffix}{options}\n" for path, suffix, options in entries)
    assert parse_show_depends(text) == [Path(f"{path}.ko{suffix}") for path, suffix, _ in entries]


PATHS = [Path(f"m{number}.ko") for number in range(8)]


@given(st.randoms(use_true_random=False), st.lists(st.sets(st.sampled_from(PATHS)), max_size=5))
def test_consistent_orders_are_all_kept(rng: random.Random, chosen: list[set[Path]]) -> None:
    whole = PATHS[:]
    rng.shuffle(whole)
    orders = [[path for path in whole if path in some] for some in chosen]
    merged = merge_orders(orders)
    assert sorted(merged) == sorted({path for order in orders for path in order})
    for order in orders:
        assert [path for path in merged if path in order] == order


def test_an_order_counts_though_another_begins_with_its_end() -> None:
    a, b, c = PATHS[:3]
    assert merge_orders([[c], [a, b, c]]) == [a, b, c]


def test_orders_that_contradict_one_another_still_give_every_file_once() -> None:
    a, b, c = PATHS[:3]
    assert merge_orders([[a, b], [b, a, c]]) == [a, b, c]
    assert merge_orders([]) == []


DATA = b"\x7fELF" + bytes(range(256)) * 20


def test_modules_are_decompressed_whatever_they_are_compressed_with(tmp_path: Path) -> None:
    for name, data in {"a.ko": DATA, "a.ko.xz": lzma.compress(DATA), "a.ko.gz": gzip.compress(DATA)}.items():
        (tmp_path / name).write_bytes(data)
        assert decompress(tmp_path / name) == DATA
        assert plain_name(tmp_path / name) == "a.ko"


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_zstd_modules(tmp_path: Path) -> None:
    (tmp_path / "a.ko").write_bytes(DATA)
    subprocess.run(["zstd", "-q", str(tmp_path / "a.ko")], check=True)
    assert decompress(tmp_path / "a.ko.zst") == DATA
    (tmp_path / "b.ko.zst").write_bytes((tmp_path / "a.ko.zst").read_bytes()[:50])
    with pytest.raises(FetchError, match=r"b\.ko\.zst cannot be decompressed"):
        decompress(tmp_path / "b.ko.zst")


@pytest.mark.parametrize("compress", [lzma.compress, gzip.compress])
@pytest.mark.parametrize("cut", [20, -4, 200])
def test_a_damaged_module_is_told(compress: object, cut: int, tmp_path: Path) -> None:
    assert callable(compress)
    data = bytearray(compress(DATA))
    if cut == 200:
        data[len(data) // 2] ^= 0xFF
    else:
        data = data[:cut]
    path = tmp_path / "virtio.ko.xz"
    path.write_bytes(data)
    with pytest.raises(FetchError, match=r"virtio\.ko\.xz cannot be decompressed"):
        decompress(path)


# --- with the host's own depmod and modprobe, on modules made here ----------------------------------------------------


def build_module(folder: Path, name: str, *, exports: str = "", needs: str = "") -> Path:
    """Compile an ELF object that depmod takes for a module exporting and needing a symbol."""
    text = f'static const char info[] __attribute__((used, section(".modinfo"))) = "name={name}";\n'
    if exports:
        strings = '__attribute__((used, section("__ksymtab_strings")))'
        text += f'int {exports}(void) {{ return 1; }}\nstatic const char names[] {strings} = "{exports}";\n'
    if needs:
        text += f"extern int {needs}(void);\nint use_{name}(void) {{ return {needs}(); }}\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ko"
    command = ["clang", "-target", "x86_64-linux-gnu", "-xc", "-c", "-", "-o", str(path)]
    subprocess.run(command, input=text.encode(), check=True)
    return path


@pytest.fixture(scope="module", params=["plain", "with a space"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("modules") / str(request.param)
    kernel = root / "lib/modules/6.1/kernel"
    build_module(kernel / "drivers", "virtio", exports="virtio_check")
    ring = build_module(kernel / "drivers", "virtio_ring", exports="virtqueue_kick", needs="virtio_check")
    build_module(kernel / "net", "virtio_net", needs="virtqueue_kick")
    build_module(kernel / "net", "alone")
    ring.with_suffix(".ko.xz").write_bytes(lzma.compress(ring.read_bytes(), check=lzma.CHECK_CRC32))
    ring.unlink()
    (root / "lib/modules/6.1/modules.builtin").write_text("kernel/lib/built_in.ko\n")
    (root / "lib/modules/6.1/modules.order").write_text("")
    return root


def test_modules_are_found_with_all_they_need_in_the_order_of_loading(root: Path) -> None:
    order = find_modules(root, release="6.1", names=["virtio_net", "virtio-ring", "alone", "no_such", "built_in"])
    kernel = root / "lib/modules/6.1/kernel"
    assert order.absent == ("no_such", "built_in")
    assert sorted(order.files) == sorted(
        [
            kernel / "drivers/virtio.ko",
            kernel / "drivers/virtio_ring.ko.xz",
            kernel / "net/virtio_net.ko",
            kernel / "net/alone.ko",
        ]
    )
    places = {plain_name(path): place for place, path in enumerate(order.files)}
    assert places["virtio.ko"] < places["virtio_ring.ko"] < places["virtio_net.ko"]
    assert all(path.is_file() for path in order.files)


def test_modules_are_kept_under_names_that_have_their_order(root: Path, tmp_path: Path) -> None:
    order = find_modules(root, release="6.1", names=["virtio_net"])
    assert any(path.suffix != ".ko" for path in order.files), "some are compressed"
    names = keep_in_order(order.files, tmp_path / "kept")
    assert names == ["00-virtio.ko", "01-virtio_ring.ko", "02-virtio_net.ko"]
    assert all((tmp_path / "kept" / name).read_bytes().startswith(b"\x7fELF") for name in names)
    assert keep_in_order((), tmp_path / "none") == []
    assert list((tmp_path / "none").iterdir()) == [], "the folder is there all the same"


def test_modules_of_cases_are_files_or_built_in_or_neither(root: Path, tmp_path: Path) -> None:
    names = ["virtio_net", "alone", "built_in", "no_such"]
    found = find_for_cases(root, release="6.1", names=names, config=None)
    files = {name: [plain_name(path) for path in module.files] for name, module in found.items()}
    assert files["virtio_net"] == ["virtio.ko", "virtio_ring.ko", "virtio_net.ko"], "with what it needs, in order"
    assert files["alone"] == ["alone.ko"]
    assert found["built_in"] == CaseModule(built_in=True)
    assert found["no_such"] == CaseModule()
    kept = kept_for_cases(keep_for_cases(found, tmp_path), tmp_path)
    assert {name: module.built_in for name, module in kept.items()} == {name: name == "built_in" for name in names}
    assert [path.name for path in kept["virtio_net"].files] == files["virtio_net"]
    assert all(path.read_bytes().startswith(b"\x7fELF") for module in kept.values() for path in module.files)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ("CONFIG_NLMON=m\nCONFIG_VETH=y\n", True),
        ("CONFIG_VETH=y", True),
        ("CONFIG_VETH=m\n", False),
        ("CONFIG_VETH_X=y\n", False),
        (None, False),
    ],
)
def test_without_its_modules_a_kernel_says_by_its_configuration_what_is_built_in(
    config: str | None, found: bool, tmp_path: Path
) -> None:
    assert find_for_cases(tmp_path, release="6.1", names=["veth"], config=config) == {
        "veth": CaseModule(built_in=found)
    }


def test_nothing_asked_for_is_nothing_found(root: Path) -> None:
    order = find_modules(root, release="6.1", names=[])
    assert (order.files, order.absent) == ((), ())


def test_a_folder_that_depmod_cannot_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"depmod cannot read the modules of 6\.2"):
        find_modules(tmp_path, release="6.2", names=["virtio_net"])
