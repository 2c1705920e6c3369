"""The floor: a kernel booted as it was shipped, in the machine that cold runs have, up to an init that powers off.

It has our guests' command line and memory. Beside it the same is measured with neither, as Debian's boot loader and
QEMU have them by themselves: what our settings bring shows only against that.
"""

from __future__ import annotations

import time
from dataclasses import replace

from harness.errors import BenchError
from harness.guest.boot import guest_spec
from harness.host.scratch import scratch_folder
from harness.host.tsc import tsc_khz
from harness.model.architectures import Architecture
from harness.qemu.accel import MARKER
from harness.qemu.argv import FLOOR, GuestSpec, counter_rate, kernel_cmdline
from harness.qemu.process import running, wait_until
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import cpio

_NEEDED = frozenset({"bin", "dev", "dev/console", "init", "proc", "usr", "usr/bin", "usr/bin/busybox"})
"""What images/init takes of the guest image until it powers off."""


def floor_ramdisk(base: bytes) -> bytes:
    """Return the smallest initramfs that gets to images/init, out of the guest image.

    Unpacking the whole image is part of what a cold run costs, so it is no part of the floor.
    """
    return cpio.archive(node for node in cpio.read(base) if node.path in _NEEDED)


def floor_cmdline(
    arch: Architecture, *, accel: str, serial: bool, extra: str, shipped: bool, counter_khz: int | None = None
) -> str:
    """Return the floor's command line: that of our guests, or where `shipped` Debian's own.

    Debian's GRUB says `quiet` (GRUB_CMDLINE_LINUX_DEFAULT); the console and the way to end are needed anyhow.
    """
    if not shipped:
        said = f"{extra} {FLOOR}".strip()
        return kernel_cmdline(arch, accel=accel, serial=serial, extra=said, counter_khz=counter_khz)
    return " ".join(word for word in (f"console={arch.console}", "quiet", "panic=-1", extra, FLOOR) if word)


def floor(plan: GuestPlan, *, shipped: bool = False) -> float:
    """Boot the kernel of a plan up to its init and return the seconds from QEMU's start to its end.

    The kernel is started as it is, by the machine's firmware and its own decompressor; `shipped`: also with Debian's
    command line, and in a QEMU that has huge pages where it likes (harness/qemu/pages.py). Raises BenchError where the
    init is not reached before the boot deadline, QemuError where QEMU does not start.
    """
    with scratch_folder() as folder:
        (folder / "initrd").write_bytes(floor_ramdisk(plan.base.read_bytes()))
        arch = plan.kernel.arch
        cmdline = floor_cmdline(
            arch,
            accel=plan.accel,
            serial=plan.serial,
            extra=plan.cmdline,
            shipped=shipped,
            counter_khz=counter_rate(arch, accel=plan.accel, host=tsc_khz),
        )

        def spec(monitor_fd: int) -> GuestSpec:
            return replace(guest_spec(plan, folder=folder, monitor_fd=monitor_fd), cmdline=cmdline)

        begun = time.monotonic()
        with running(spec, folder=folder, stopping=plan.stopping, huge_pages=shipped) as qemu:
            wait_until(lambda: not qemu.alive(), seconds=plan.settings.deadlines.boot, step=0.005)
            seconds = time.monotonic() - begun
            if qemu.alive() or MARKER not in qemu.console_text():
                tail = "\n".join(qemu.console_text().splitlines()[-5:])
                raise BenchError(
                    f"{plan.kernel.name}: the floor cannot be measured: a guest did not get to its init and power off "
                    f"in {plan.settings.deadlines.boot:g} s. The last lines of its console:\n{tail}"
                )
    return seconds
