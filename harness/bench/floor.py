"""The floor: a kernel booted as it was shipped, in the machine that cold runs have, up to an init that powers off."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from harness.errors import BenchError
from harness.guest.boot import GuestPlan, guest_spec
from harness.image import cpio
from harness.qemu.accel import MARKER
from harness.qemu.argv import GuestSpec, kernel_cmdline
from harness.qemu.process import running, wait_until

_NEEDED = frozenset({"bin", "dev", "dev/console", "init", "proc", "usr", "usr/bin", "usr/bin/busybox"})
"""What images/init takes of the guest image until it powers off."""


def floor_ramdisk(base: bytes) -> bytes:
    """Return the smallest initramfs that gets to images/init, out of the guest image.

    Unpacking the whole image is part of what a cold run costs, so it is no part of the floor.
    """
    return cpio.archive(node for node in cpio.read(base) if node.path in _NEEDED)


def floor(plan: GuestPlan) -> float:
    """Boot the kernel of a plan up to its init and return the seconds from QEMU's start to its end.

    The kernel is started as it is, by the machine's firmware and its own decompressor. Raises BenchError where the
    init is not reached before the boot deadline, QemuError where QEMU does not start.
    """
    with tempfile.TemporaryDirectory(prefix="bpfmatrix-floor-") as name:
        folder = Path(name)
        (folder / "initrd").write_bytes(floor_ramdisk(plan.base.read_bytes()))
        cmdline = kernel_cmdline(plan.kernel.arch, serial=plan.serial, extra=plan.cmdline, floor=True)

        def spec(monitor_fd: int) -> GuestSpec:
            return replace(guest_spec(plan, folder=folder, monitor_fd=monitor_fd), cmdline=cmdline)

        begun = time.monotonic()
        with running(spec, folder=folder, stopping=plan.stopping) as qemu:
            wait_until(lambda: not qemu.alive(), seconds=plan.settings.deadlines.boot, step=0.005)
            seconds = time.monotonic() - begun
            if qemu.alive() or MARKER not in qemu.console_text():
                tail = "\n".join(qemu.console_text().splitlines()[-5:])
                raise BenchError(
                    f"{plan.kernel.name}: the floor cannot be measured: a guest did not get to its init and power off "
                    f"in {plan.settings.deadlines.boot:g} s. The last lines of its console:\n{tail}"
                )
    return seconds
