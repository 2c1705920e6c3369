"""The initramfs of one guest."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cpio_samples import SAMPLE, parse

from harness.supply.image import cpio
from harness.supply.image.ramdisk import key_nodes, module_nodes, write_ramdisk
from harness.supply.pushed import PushedFile


def test_one_archive_follows_the_other(tmp_path: Path) -> None:
    base = tmp_path / "base.cpio"
    base.write_bytes(cpio.archive(SAMPLE))
    module = tmp_path / "00-virtio.ko"
    module.write_bytes(b"\x7fELF")
    nodes = [*module_nodes([module]), *key_nodes(host_key=b"host", authorized_key="ssh-ed25519 AAAA bpfmatrix")]
    write_ramdisk(tmp_path / "initrd", base=base, nodes=nodes)
    data = (tmp_path / "initrd").read_bytes()
    assert data.startswith(base.read_bytes())
    second, _ = parse(data[base.stat().st_size :])
    found = {node.path: node for node, _ in second}
    assert found["modules/00-virtio.ko"].data == b"\x7fELF"
    assert found["root/.ssh/authorized_keys"].data == b"ssh-ed25519 AAAA bpfmatrix\n"
    # dropbear takes neither a key nor a list of keys that others can read or write.
    assert found["etc/dropbear/dropbear_ed25519_host_key"].mode == stat.S_IFREG | 0o600
    assert found["root/.ssh/authorized_keys"].mode == stat.S_IFREG | 0o600
    assert found["root/.ssh"].mode == stat.S_IFDIR | 0o700


def test_the_modules_keep_their_order_by_name(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:02d}-{name}.ko" for number, name in enumerate(["z", "m", "a"])]
    for path in paths:
        path.write_bytes(b"")
    names = [node.path for node, _ in parse(cpio.archive(module_nodes(paths)))[0]]
    assert names == ["modules/00-z.ko", "modules/01-m.ko", "modules/02-a.ko"]


def test_files_of_the_host_are_an_archive_of_their_own_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(cpio.archive([]))
    (tmp_path / "more").write_bytes(cpio.archive([cpio.file("usr/bin/bash", b"bash")]))
    (tmp_path / "file").write_bytes(b"x" * 5)
    files = [
        PushedFile(path="/root/a/b", mode=stat.S_IFREG | 0o750, size=5, source=tmp_path / "file"),
        PushedFile(path="/lib/x/c", mode=stat.S_IFLNK | 0o777, target="../y"),
        PushedFile(path="/root/own", mode=stat.S_IFDIR | 0o700),
        PushedFile(path="/root/own/d", mode=stat.S_IFREG | 0o644, size=5, source=tmp_path / "file"),
    ]
    write_ramdisk(tmp_path / "initrd", base=tmp_path / "base", nodes=[], archives=[tmp_path / "more"], files=files)
    data = (tmp_path / "initrd").read_bytes()
    assert data.startswith((tmp_path / "base").read_bytes() + (tmp_path / "more").read_bytes())
    at = len((tmp_path / "base").read_bytes() + (tmp_path / "more").read_bytes() + cpio.archive([]))
    assert len(data) % 512 == 0
    found = {node.path: (node.mode, node.data) for node, _ in parse(data[at:])[0]}
    folder = stat.S_IFDIR | 0o755
    assert found == {
        "root/a": (folder, b""),
        "root/a/b": (stat.S_IFREG | 0o750, b"xxxxx"),
        "root/own": (stat.S_IFDIR | 0o700, b""),
        "root/own/d": (stat.S_IFREG | 0o644, b"xxxxx"),
        "usr/lib": (folder, b""),
        "usr/lib/x": (folder, b""),
        "usr/lib/x/c": (stat.S_IFLNK | 0o777, b"../y"),
    }, "the folder /lib is a link of the userland, which a folder would replace"


def test_a_file_that_no_initramfs_takes_says_so(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**32)
    with (tmp_path / "target").open("wb") as target, pytest.raises(ValueError, match="below 4 GiB"):
        cpio.append(target, [(cpio.file("huge", b""), tmp_path / "huge")])
