"""The initramfs of one guest."""

from __future__ import annotations

import stat
from pathlib import Path

from cpio_samples import SAMPLE, parse

from harness.supply.image import cpio
from harness.supply.image.ramdisk import key_nodes, module_nodes, write_ramdisk


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
