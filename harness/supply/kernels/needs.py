"""What a guest needs of a kernel, looked for in its configuration before anything is booted. Pure.

Only what the configuration says counts: `# CONFIG_X is not set`, or `=m` where a module comes too late. An option that
it does not mention may be one that this kernel does not have, and then nothing is missing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from harness.model.architectures import Architecture
from harness.supply.kernels.modules import built_in

NEEDED = {
    "BLK_DEV_INITRD": "it takes no initramfs, which all of a guest is in",
    "BINFMT_ELF": "it starts no programs",
    "BINFMT_SCRIPT": "it starts no scripts, and a guest's first process is one",
    "PROC_FS": "it has no /proc",
    "SYSFS": "it has no /sys",
    "DEVTMPFS": "it makes no device files",
    "TMPFS": "it has no file system for /run and /tmp",
    "TTY": "it has no terminals, so no console",
    "FUTEX": "programs with threads cannot wait",
    "EPOLL": "libbpf cannot wait for ring buffers",
    "NET": "it has no sockets, and a guest is reached over TCP",
    "INET": "it has no TCP, over which a guest is reached",
}
"""The options that every guest needs built in, and what is the matter without one."""
REMARKS = (
    (re.compile(r"^# CONFIG_BPF_SYSCALL is not set$", re.M), "it has no bpf(2): every program is refused"),
    (re.compile(r"^# CONFIG_DEBUG_INFO_BTF is not set$", re.M), "it has no BTF: what needs BTF is refused"),
    (
        re.compile(r"^CONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY=y$", re.M),
        "it is locked down from the start (confidentiality): what reads the kernel's memory is refused",
    ),
    (
        re.compile(r"^CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY=y$", re.M),
        "it is locked down from the start (integrity): what writes to memory of the kernel or of programs is refused",
    ),
)
"""What a guest can be made without, and the user must know all the same."""


def can_have_network(absent: Sequence[str], *, config: str | None, listed: Collection[str] = ()) -> bool:
    """Say whether a guest can have its network card.

    `absent` are the modules for it that the kernel does not have as files, `config` is the text of its configuration,
    `listed` are the modules that are built in as modules.builtin lists them. Where neither says it, the driver of the
    card may be built in, but nobody knows, and the guest is reached otherwise; what else it needs is taken to be there.
    """
    lacking = [name for name in absent if not built_in(_option(name), config) and name not in listed]
    return not any(name == "virtio_net" or _otherwise(_option(name), config) for name in lacking)


def why_no_guest(arch: Architecture, *, config: str | None, has_network: bool) -> str:
    """Return why no guest can be made of a kernel, "" where nothing is known that is in the way."""
    options = (*((option, why) for option, why in NEEDED.items()), *_console(arch))
    reasons = [f"{why} (CONFIG_{option} is {value})" for option, why in options for value in _otherwise(option, config)]
    if not has_network and arch.spare_serial is None:
        reasons.append(
            f"it has no network card: {', '.join(arch.modules)} are neither there as modules nor built in, as far as "
            f"can be seen, and {arch.name} guests have no spare serial port to be reached over instead"
        )
    return "; ".join(reasons)


def remarks(config: str | None) -> str:
    """Return what a kernel's configuration says that the user must know, though a guest can be made; else ""."""
    return "; ".join(text for pattern, text in REMARKS if pattern.search(config or ""))


def _option(module: str) -> str:
    return module.upper().replace("-", "_")


def _console(arch: Architecture) -> Iterator[tuple[str, str]]:
    return ((option, f"it has no console at {arch.console}") for option in arch.console_options)


def _otherwise(option: str, config: str | None) -> list[str]:
    """Return how an option is set where it is not built in; nothing where it is, or where it is not mentioned."""
    found = re.search(rf"^(?:# CONFIG_{option} is (not set)|CONFIG_{option}=(.*))$", config or "", re.M)
    value = (found[1] or found[2]) if found else "y"
    return [] if value == "y" else [value]
