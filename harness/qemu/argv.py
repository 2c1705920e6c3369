"""QEMU's command line, as a pure function of a frozen description of the guest."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import QemuError
from harness.model.architectures import Architecture

GUEST_ADDRESS = "10.0.2.15"
"""The guest's address in QEMU's user network; images/init sets it."""


@dataclass(frozen=True, kw_only=True)
class GuestSpec:
    """Everything that decides how QEMU is started.

    `memory` is in MiB. `monitor_fd` is an open socket that QEMU inherits. With `network`, SSH comes over the
    user network through a port of 127.0.0.1 that the host's kernel chooses; without it, over the spare
    serial port, which QEMU offers as the unix socket `serial_socket`. With neither, there is no SSH.
    What the guest writes to its console goes to the file `console`; with `console_socket`, a unix socket, the host
    may write to it. With `ram`, the guest's memory is that file, which a guest that is `restored` from a snapshot
    maps privately, so that the file stays as it is.
    """

    arch: Architecture
    accel: str
    memory: int
    cpus: int
    kernel: Path
    initrd: Path
    cmdline: str
    console: Path
    monitor_fd: int
    network: bool
    serial_socket: Path | None = None
    console_socket: Path | None = None
    ram: Path | None = None
    restored: bool = False


FLOOR = "bpfmatrix.floor"
"""Tells images/init to power off at once."""


def kernel_cmdline(
    arch: Architecture,
    *,
    accel: str,
    serial: bool,
    extra: str = "",
    standby: bool = False,
    counter_khz: int | None = None,
) -> str:
    """Return the guest kernel's command line.

    A kernel that oopses or locks up must panic, and one that panics must reset at once (`-no-reboot` then
    ends QEMU): Documentation/admin-guide/kernel-parameters.txt. loglevel=4 keeps the boot's chatter off the
    slow serial port; an oops raises it again by itself (console_verbose()). What built-in ciphers compute is nothing
    that a case asks, and their self-tests are a tenth of an emulated boot (cryptomgr.notests); waiting for RCU's
    grace periods is most of what detaching costs (rcupdate.rcu_expedited: when they end, not what they protect).
    `counter_khz` is the rate of an emulated machine's counter, where it is known: see `counter_rate`.
    Raises QemuError for `serial` where the machine has no spare serial port.
    """
    if serial and arch.spare_serial is None:
        raise QemuError(
            f"this {arch.name} kernel comes without its network card's module (virtio_net), and {arch.name} guests "
            f"have no spare serial port to be reached over instead; take a kernel that has the module"
        )
    parameters = [
        f"console={arch.console}",
        "loglevel=4",
        "panic=-1",
        "oops=panic",
        "softlockup_panic=1",
        "cryptomgr.notests",
        "rcupdate.rcu_expedited=1",
        arch.cmdline,
        arch.tcg_cmdline if accel == "tcg" else "",
        arch.counter_cmdline.format(khz=counter_khz) if counter_khz is not None else "",
        f"bpfmatrix.serial={arch.spare_serial}" if serial else "",
        "bpfmatrix.standby" if standby else "",
        extra,
    ]
    return " ".join(word for word in parameters if word)


def counter_rate(arch: Architecture, *, accel: str, host: Callable[[], int | None]) -> int | None:
    """Return the rate in kHz of the counter that a guest shares with its host, None where it shares none.

    An emulated guest has its host's counter where both are of one architecture and that is x86_64 (QEMU, cpu_get_tsc()
    and cpu_get_host_ticks()). Without this a kernel measures the rate when it boots, wrongly on a busy host. `host`
    returns the rate of the host's own.
    """
    if accel != "tcg" or not arch.counter_cmdline or os.uname().machine not in arch.kvm_hosts:
        return None
    return host()


def qemu_argv(spec: GuestSpec) -> list[str]:
    """Return QEMU's command line for a guest, the program's name first."""
    arch = spec.arch
    argv = [
        arch.qemu,
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        *("-display", "none"),
        *("-machine", f"{arch.machine},memory-backend=ram" if spec.ram else arch.machine),
        *("-accel", spec.accel),
        *("-cpu", "host" if spec.accel == "kvm" else arch.tcg_cpu),
        *("-m", f"{spec.memory}M"),
        *("-smp", str(spec.cpus)),
        *_boot(spec),
        *("-chardev", _console(spec)),
        *(word.format(chardev="console") for word in arch.console_args),
        *("-chardev", f"socket,id=monitor,fd={spec.monitor_fd}"),
        *("-mon", "chardev=monitor,mode=control"),
    ]
    if spec.ram is not None:
        share = "off" if spec.restored else "on"
        argv += [
            "-object",
            f"memory-backend-file,id=ram,size={spec.memory}M,mem-path={_quoted(spec.ram)},share={share}",
        ]
    if spec.restored:
        argv += ["-incoming", "defer"]
    if spec.network:
        argv += [
            *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-{GUEST_ADDRESS}:22"),
            *("-device", f"{arch.network_device},netdev=net"),
        ]
    elif spec.serial_socket is not None:
        argv += ["-chardev", f"socket,id=ssh,path={_quoted(spec.serial_socket)},server=on,wait=off"]
        argv += [word.format(chardev="ssh") for word in arch.serial_args]
    return argv


def _boot(spec: GuestSpec) -> list[str]:
    # A restored guest has its kernel in its memory.
    return [] if spec.restored else ["-kernel", str(spec.kernel), "-initrd", str(spec.initrd), "-append", spec.cmdline]


def _console(spec: GuestSpec) -> str:
    if spec.console_socket is None:
        return f"file,id=console,path={_quoted(spec.console)}"
    path, log = _quoted(spec.console_socket), _quoted(spec.console)
    return f"socket,id=console,path={path},server=on,wait=off,logfile={log}"


def _quoted(path: Path) -> str:
    # A comma ends a value in QEMU's option syntax and is doubled to stand for itself.
    return str(path).replace(",", ",,")
