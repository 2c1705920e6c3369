"""The floor's initramfs, and a floor that is not reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.bench.floor import floor_cmdline, floor_ramdisk
from harness.model.architectures import ARCHITECTURES
from harness.qemu.argv import kernel_cmdline
from harness.supply.image import cpio

ROOT = Path(__file__).resolve().parents[3]


def test_it_has_what_init_takes_until_it_powers_off_and_no_more() -> None:
    base = cpio.archive(
        [
            cpio.link("bin", "usr/bin"),
            cpio.folder("dev"),
            cpio.character_device("dev/console", major=5, minor=1),
            cpio.file("init", b"#!/bin/busybox sh\n", executable=True),
            cpio.folder("proc"),
            cpio.folder("sys"),
            cpio.folder("usr"),
            cpio.folder("usr/bin"),
            cpio.file("usr/bin/busybox", b"busybox", executable=True),
            cpio.file("usr/bin/python3.13", b"python", executable=True),
        ]
    )
    kept = {node.path: node for node in cpio.read(floor_ramdisk(base))}
    assert sorted(kept) == ["bin", "dev", "dev/console", "init", "proc", "usr", "usr/bin", "usr/bin/busybox"]
    assert (kept["usr/bin/busybox"].data, kept["usr/bin/busybox"].mode & 0o777) == (b"busybox", 0o755)
    assert kept["dev/console"].device == (5, 1)


def test_init_mounts_nothing_else_and_calls_nothing_but_busybox_before() -> None:
    """What the floor's initramfs lacks must not be needed there."""
    text = (ROOT / "images/init").read_text()
    before = text[: text.index("bpfmatrix.floor)")]
    assert re.findall(r"^/usr/bin/busybox mount .* (/\S+)$", before, re.MULTILINE) == ["/proc"]
    assert text.startswith("#!/bin/busybox sh")
    commands = re.findall(r"^(?!export|read|serial=|standby=|for|do|\s|#|$)(\S+)", before, re.MULTILINE)
    assert commands == ["/usr/bin/busybox"]


@pytest.mark.parametrize("accel", ["tcg", "kvm"])
def test_the_floor_has_our_command_line_and_the_shipped_one_debians(accel: str) -> None:
    x86 = ARCHITECTURES["x86_64"]
    shipped = floor_cmdline(x86, accel=accel, serial=False, extra="kasan=off", shipped=True)
    assert shipped == "console=ttyS0 quiet panic=-1 kasan=off bpfmatrix.floor"
    ours = floor_cmdline(x86, accel=accel, serial=False, extra="kasan=off", shipped=False)
    assert ours == kernel_cmdline(x86, accel=accel, serial=False, extra="kasan=off bpfmatrix.floor")
