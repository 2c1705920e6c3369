"""What the host has: memory, processors, its versions."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def available_memory_mib() -> int:
    """Return the host's memory that programs can still have, in MiB (MemAvailable of /proc/meminfo)."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 1024


def host_facts() -> dict[str, str]:
    """Return what the reports say of the host; its name is left out."""
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
    }
