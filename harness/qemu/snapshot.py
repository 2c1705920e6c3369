"""Writing a guest's state to files, and restoring it, over QEMU's monitor.

The state is in two files: the guest's memory, which is a file from the guest's start (memory-backend-file,
share=on), and the rest of the machine, which is what QEMU would send to another host. With the capability
`x-ignore-shared` (QEMU 4.0) memory that is shared with a file is left out of that.
"""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from harness.errors import QemuError
from harness.qemu.monitor import Monitor

SECONDS = 20.0
_CAPABILITIES = {"capabilities": [{"capability": "x-ignore-shared", "state": True}]}
_RUNNING = ("setup", "active", "device", "wait-unplug", "none", None)


def save_state(monitor: Monitor, path: Path) -> None:
    """Stop the guest for good and write the state of its machine to `path`; raise QemuError where QEMU cannot."""
    monitor.command("stop")
    monitor.command("migrate-set-capabilities", _CAPABILITIES)
    monitor.command("migrate", {"uri": f"exec:cat > {shlex.quote(str(path))}"})
    _finish(monitor, "saving the guest's state")


def load_state(monitor: Monitor, path: Path) -> None:
    """Give a guest that was started to be restored the state in `path`; raise QemuError. It does not run yet."""
    monitor.command("migrate-set-capabilities", _CAPABILITIES)
    monitor.command("migrate-incoming", {"uri": f"exec:cat {shlex.quote(str(path))}"})
    _finish(monitor, "restoring the guest's state")


def resume(monitor: Monitor) -> None:
    """Let a restored guest run; raise QemuError."""
    monitor.command("cont")


def _finish(monitor: Monitor, doing: str) -> None:
    end = time.monotonic() + SECONDS
    while True:
        found = monitor.command("query-migrate")
        if found.get("status") == "completed":
            return
        if found.get("status") not in _RUNNING or time.monotonic() > end:
            raise QemuError(f"QEMU failed at {doing}: {found.get('status')} {found.get('error-desc', '')}".rstrip())
        time.sleep(0.002)
