from __future__ import annotations

import contextlib
import random
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cpio_samples import SAMPLE, parse
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import RELEASE, ROOT, kernel_files

from harness.guest.boot import config_nodes
from harness.supply.image import cpio
from harness.supply.image.cpio import Node


def test_an_archive_is_read_as_it_was_written() -> None:
    entries, end = parse(cpio.archive(SAMPLE))
    assert [node for node, _ in entries] == sorted(SAMPLE, key=lambda node: node.path)
    assert end <= len(cpio.archive(SAMPLE))


def test_modes() -> None:
    modes = {node.path: node.mode for node in SAMPLE}
    assert stat.filemode(modes["usr/bin/tool"]) == "-rwxr-xr-x"
    assert stat.filemode(modes["usr/bin-data"]) == "-rw-r--r--"
    assert stat.filemode(modes["root/key"]) == "-rw-------"
    assert stat.filemode(modes["root"]) == "drwx------"
    assert stat.filemode(modes["usr"]) == "drwxr-xr-x"
    assert stat.filemode(modes["bin"]) == "lrwxrwxrwx"
    assert stat.filemode(modes["dev/console"]) == "crw-------"


NODES = st.builds(
    lambda path, data, executable: cpio.file("/".join(path), data, executable=executable),
    st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=6),
        min_size=1,
        max_size=3,
    ),
    st.binary(max_size=700),
    st.booleans(),
)


@given(st.lists(NODES, max_size=8, unique_by=lambda node: node.path), st.randoms(use_true_random=False))
def test_any_archive(nodes: list[Node], rng: random.Random) -> None:
    data = cpio.archive(nodes)
    shuffled = nodes[:]
    rng.shuffle(shuffled)
    assert cpio.archive(shuffled) == data, "the order of the nodes must not matter"
    assert len(data) % 512 == 0
    entries, end = parse(data)
    assert [node for node, _ in entries] == sorted(nodes, key=lambda node: node.path)
    assert set(data[end:]) <= {0}
    assert [rest["ino"] for _, rest in entries] == list(range(1, len(nodes) + 1))
    assert all((rest["uid"], rest["gid"], rest["mtime"], rest["check"]) == (0, 0, 0, 0) for _, rest in entries)


def test_a_folder_comes_before_what_is_in_it() -> None:
    paths = [node.path for node, _ in parse(cpio.archive(SAMPLE))[0]]
    for path in paths:
        for parent in Path(path).parents:
            if str(parent) in paths:
                assert paths.index(str(parent)) < paths.index(path)


INIT = ROOT / "images/init"


SHELLS = [argv for argv in (["sh"], ["bash"], ["busybox", "sh"]) if shutil.which(argv[0])]
"""busybox is what runs it; where this host has none, the others must do."""


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_committed_init_is_a_shell_script(shell: list[str]) -> None:
    done = subprocess.run([*shell, "-n", str(INIT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_committed_init_knows_what_the_harness_says_to_it() -> None:
    from harness.qemu.accel import MARKER
    from harness.qemu.argv import FLOOR, GUEST_ADDRESS

    text = INIT.read_text()
    assert text.startswith("#!/bin/busybox sh\n")
    for word in (
        "bpfmatrix.serial=",
        FLOOR,
        MARKER,
        GUEST_ADDRESS,
        "/modules/*.ko",
        "/etc/dropbear/dropbear_ed25519_host_key",
    ):
        assert word in text


PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


NODES = st.builds(
    Node,
    path=PATHS.filter(lambda path: path != "TRAILER!!!"),
    mode=st.integers(0, 2**32 - 1),
    data=st.binary(max_size=40),
    device=st.tuples(st.integers(0, 255), st.integers(0, 255)),
)


@given(st.lists(NODES, max_size=6), st.binary(max_size=20))
def test_what_was_written_is_read_back(nodes: list[Node], behind: bytes) -> None:
    assert list(cpio.read(cpio.archive(nodes) + behind)) == sorted(nodes, key=lambda node: node.path)


@given(st.integers(0, 2000))
def test_an_archive_that_is_cut_off_is_told(cut: int) -> None:
    whole = cpio.archive(SAMPLE)
    end = whole.index(b"TRAILER!!!") + len(b"TRAILER!!!")
    if cut >= end:
        return
    entries = sorted(SAMPLE, key=lambda node: node.path)
    read: list[Node] = []
    with pytest.raises(ValueError, match=r"cpio archive|utf-8"):
        read.extend(cpio.read(whole[:cut]))
    assert read == entries[: len(read)], "no entry is cut off itself"


@given(st.binary(max_size=300), st.booleans(), st.dictionaries(st.integers(0, 700), st.integers(0, 255), max_size=5))
def test_garbage_is_told(data: bytes, begin: bool, changes: dict[int, int]) -> None:
    image = bytearray(cpio.archive(SAMPLE) if begin else data)
    for place, byte in changes.items():
        if place < len(image):
            image[place] = byte
    with contextlib.suppress(ValueError):
        assert all(isinstance(node, Node) for node in cpio.read(bytes(image)))


@pytest.mark.parametrize("field", ["-000006E", "+000006E", " 000006E", "0000_06E", "0x00006E"])
def test_a_number_is_eight_hexadecimal_digits_and_nothing_else(field: str) -> None:
    """A negative one would send the reader back to where it is, for ever."""
    image = bytearray(cpio.archive([cpio.file("a", b"")]))
    image[6 + 11 * 8 : 6 + 12 * 8] = field.encode()
    with pytest.raises(ValueError, match=r"cut off|no hexadecimal number"):
        list(cpio.read(bytes(image)))


def test_the_kernels_configuration_is_where_distributions_have_it(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("CONFIG_HZ=250\n")
    nodes = config_nodes(kernel_files(tmp_path, config=tmp_path / "config"))
    assert [(node.path, node.data) for node in nodes] == [("boot", b""), (f"boot/config-{RELEASE}", b"CONFIG_HZ=250\n")]
    assert config_nodes(kernel_files(tmp_path)) == []
    assert config_nodes(kernel_files(tmp_path, config=tmp_path / "config", release="")) == []
