"""The guest that the cases run in, as it describes itself."""

from __future__ import annotations

import os
import sys
import time

from harness.agent.files import read_text

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any

    from harness.agent.libbpf import Libbpf

CLEAR_WARN_ONCE = "/sys/kernel/debug/clear_warn_once"


def environment(lib: Libbpf) -> dict[str, Any]:
    """Return what may matter for the outcomes, as the guest itself says it."""
    name = os.uname()
    return {
        "release": name.release,
        "version": name.version,
        "version_signature": read_text("/proc/version_signature"),
        "machine": name.machine,
        "btf": os.path.exists("/sys/kernel/btf/vmlinux"),
        "bpf_jit_enable": read_text("/proc/sys/net/core/bpf_jit_enable"),
        "bpf_jit_harden": read_text("/proc/sys/net/core/bpf_jit_harden"),
        "unprivileged_bpf_disabled": read_text("/proc/sys/kernel/unprivileged_bpf_disabled"),
        "ftrace_enabled": read_text("/proc/sys/kernel/ftrace_enabled"),
        "lockdown": read_text("/sys/kernel/security/lockdown"),
        "lsm": read_text("/sys/kernel/security/lsm"),
        "tainted": read_text("/proc/sys/kernel/tainted"),
        "cmdline": read_text("/proc/cmdline"),
        "init_uptime": os.environ.get("BPFMATRIX_UPTIME"),
        "uptime": round(time.clock_gettime(time.CLOCK_BOOTTIME), 2),
        "clear_warn_once": clear_warn_once(),
        "cpus": os.cpu_count(),
        "byte_order": sys.byteorder,
        "libbpf": lib.version(),
        "python": sys.version.split()[0],
    }


def clear_warn_once() -> bool:
    """Let each WARN_ONCE() warn again, so that it does not depend on which case came before (kernel/panic.c).

    Return whether that is possible: the file is debugfs', which a locked-down kernel does not open.
    """
    try:
        fd = os.open(CLEAR_WARN_ONCE, os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(fd, b"1")
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
