from __future__ import annotations

import dataclasses
import platform

import pytest

from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.supply.kernels.files import looks_like_kernel

MAY_BE_EMPTY = {"cmdline", "tcg_cmdline", "counter_cmdline", "spare_serial", "serial_args"}
EACH = pytest.mark.parametrize("arch", ARCHITECTURES.values(), ids=lambda arch: arch.name)


@EACH
def test_every_row_is_complete(arch: Architecture) -> None:
    row = {field.name: getattr(arch, field.name) for field in dataclasses.fields(arch)}
    empty = [name for name, value in row.items() if value in (None, "", ()) and name not in MAY_BE_EMPTY]
    assert empty == []


@pytest.mark.parametrize("column", ["name", "debian", "qemu"])
def test_names_are_unique(column: str) -> None:
    names = [getattr(arch, column) for arch in ARCHITECTURES.values()]
    assert len(set(names)) == len(names)


def test_the_key_of_a_row_is_its_name_and_no_machine_has_two_rows() -> None:
    assert [arch.name for arch in ARCHITECTURES.values()] == list(ARCHITECTURES)
    machines = [machine for arch in ARCHITECTURES.values() for machine in arch.machines]
    assert len(set(machines)) == len(machines)


@EACH
def test_the_columns_of_a_row_agree(arch: Architecture) -> None:
    assert (arch.spare_serial is None) == (not arch.serial_args)
    assert arch.bpf_target == {"little": "bpfel", "big": "bpfeb"}[arch.byte_order]
    assert sum("{chardev}" in word for word in arch.console_args) == 1
    assert all("{chardev}" in "".join(args) for args in (arch.serial_args,) if args)
    assert "virtio_net" in arch.modules
    assert set(arch.kvm_hosts) <= set(arch.machines)


@EACH
def test_a_kernel_of_the_architecture_is_known_by_each_of_its_magics(arch: Architecture) -> None:
    for offset, magic in arch.kernel_magic:
        head = bytes(offset) + magic
        assert looks_like_kernel(head, arch)
        assert not looks_like_kernel(head[:-1], arch)
        assert not looks_like_kernel(b"\x01" + head, arch)


@EACH
@pytest.mark.parametrize("head", [b"", b"\0" * 0x20000, b"#!/bin/sh\n", b"MZ" + bytes(1000), b"\x7fELF\x01\x01"])
def test_other_files_are_no_kernels(arch: Architecture, head: bytes) -> None:
    assert not looks_like_kernel(head, arch)


def test_a_kernel_of_the_other_byte_order_is_none() -> None:
    assert not looks_like_kernel(b"\x7fELF\x02\x02", ARCHITECTURES["ppc64le"])
    assert not looks_like_kernel(b"\x7fELF\x02\x01", ARCHITECTURES["s390x"])


@EACH
def test_the_host_is_found_by_its_machine(arch: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    for machine in arch.machines:
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        assert host_architecture() is arch


def test_a_machine_that_the_table_lacks_has_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "sparc64")
    assert host_architecture() is None
