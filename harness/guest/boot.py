"""Starting a guest: booting its kernel, or restoring the snapshot of one that had booted; then SSH into it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import QemuError
from harness.guest.connection import Connection, connect, dial_port, dial_serial
from harness.host.scratch import scratch_folder
from harness.host.tsc import tsc_khz
from harness.qemu.argv import GuestSpec, counter_rate, kernel_cmdline
from harness.qemu.process import QemuProcess, running
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import cpio
from harness.supply.image.ramdisk import key_nodes, module_nodes, write_ramdisk
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.payload import direct_image

LISTENING = "Not backgrounding"
"""What dropbear -F -E writes to the console once it listens (src/svr-main.c, main_noinetd())."""
SETTLE = 2.0
"""Seconds for QEMU to end after the connection broke: a dying kernel takes a moment to reset the machine."""


@contextlib.contextmanager
def guest_folder(plan: GuestPlan) -> Iterator[Path]:
    """Make a folder for one QEMU process; afterwards the console's text is added to the plan's console.log."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder() as folder:
        try:
            yield folder
        finally:
            _keep_console(folder / "console", plan.folder / "console.log")


def guest_spec(plan: GuestPlan, *, folder: Path, monitor_fd: int) -> GuestSpec:
    """Return the description of a plan's guest whose files lie in `folder`, booted from kernel and initramfs."""
    return GuestSpec(
        arch=plan.kernel.arch,
        accel=plan.accel,
        memory=plan.settings.memory,
        cpus=plan.settings.cpus,
        kernel=plan.kernel.image,
        initrd=folder / "initrd",
        cmdline=kernel_cmdline(
            plan.kernel.arch,
            accel=plan.accel,
            serial=plan.serial,
            extra=plan.cmdline,
            counter_khz=counter_rate(plan.kernel.arch, accel=plan.accel, host=tsc_khz),
        ),
        console=folder / "console",
        monitor_fd=monitor_fd,
        network=not plan.serial,
        serial_socket=folder / "ssh" if plan.serial else None,
    )


@contextlib.contextmanager
def booted(plan: GuestPlan) -> Iterator[QemuProcess]:
    """Run QEMU with the guest's kernel for the duration of the block.

    The console's text is kept as console.log in the plan's folder, appended where there is one already.
    Raises QemuError where QEMU does not start.
    """
    with guest_folder(plan) as folder:
        keys = key_nodes(host_key=plan.keys.host_key_file, authorized_key=plan.keys.authorized_key)
        image = boot_files(plan, folder=folder, more=keys)

        def spec(monitor_fd: int) -> GuestSpec:
            return replace(guest_spec(plan, folder=folder, monitor_fd=monitor_fd), kernel=image)

        with running(spec, folder=folder, stopping=plan.stopping) as qemu:
            yield qemu


def boot_files(plan: GuestPlan, *, folder: Path, more: Sequence[cpio.Node]) -> Path:
    """Write the guest's initramfs to `folder`, with the entries `more`, and return the kernel image to start.

    Raises QemuError where there is no space for them, or where a file that is pushed cannot be read.
    """
    try:
        write_ramdisk(
            folder / "initrd",
            base=plan.base,
            nodes=[*common_nodes(plan), *more],
            archives=plan.archives,
            files=plan.files,
        )
        return direct_image(plan.kernel.image, folder)
    except ValueError as error:
        raise QemuError(str(error)) from error
    except OSError as error:
        raise QemuError(
            f"the guest's kernel and initramfs cannot be written to {folder}: {error.strerror}. Free some space "
            f"there, or set TMPDIR to another folder"
        ) from error


def common_nodes(plan: GuestPlan) -> list[cpio.Node]:
    """Return the initramfs entries that every guest of this plan has on top of the userland."""
    return [*module_nodes(plan.kernel.modules), *config_nodes(plan.kernel), *plan.programs.nodes]


def config_nodes(kernel: KernelFiles) -> list[cpio.Node]:
    """Return the kernel's configuration where a distribution installs it, and libbpf reads it for `__kconfig`."""
    if kernel.config is None or not kernel.release:
        return []
    return [cpio.folder("boot"), cpio.file(f"boot/config-{kernel.release}", kernel.config.read_bytes())]


@contextlib.contextmanager
def connected(plan: GuestPlan, qemu: QemuProcess) -> Iterator[Connection]:
    """Wait for the guest's SSH service and hold a connection to it for the duration of the block.

    Raises DeadlineError (boot), GuestGoneError or GuestConnectionError.
    """
    if plan.serial:
        dial = dial_serial(qemu.folder / "ssh", opened=qemu.line)
    else:
        dial = dial_port(qemu.monitor.forwarded_port())
    connection = connect(
        dial,
        keys=plan.keys,
        seconds=plan.settings.deadlines.boot,
        alive=qemu.alive,
        # A serial line must be open before the guest says its banner.
        listening=lambda: plan.serial or qemu.listening or LISTENING in qemu.console_text(),
        compress=plan.serial,
        clock=qemu.clock,
    )
    try:
        yield connection
    finally:
        connection.close()


def _keep_console(source: Path, target: Path) -> None:
    if source.exists():
        with target.open("ab") as log, source.open("rb") as text:
            shutil.copyfileobj(text, log)
