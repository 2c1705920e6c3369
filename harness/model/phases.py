"""The phases of a kernel, in their order: where the seconds of a row go. The one place that names them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Phase(StrEnum):
    """A key of `seconds` in facts and reports. PHASE_SPANS says from what to what each is."""

    FETCH = "fetch"
    START = "start"
    BOOT = "boot"
    CONNECT = "connect"
    PUSH = "push"
    AGENT = "agent"
    CASES = "cases"
    SHUTDOWN = "shutdown"
    TOTAL = "total"
    """No phase of its own, but the sum of them: only reports have it."""


PHASE_SPANS: Mapping[Phase, str] = {
    Phase.FETCH: "the kernel's files, the guest image and the objects are obtained, or found in the cache",
    Phase.START: (
        "until QEMU runs: initramfs and kernel are written, or a snapshot is restored; where there is none yet, making "
        "it is a part of this"
    ),
    Phase.BOOT: "until the guest's SSH service is there (of a restored guest, too)",
    Phase.CONNECT: "the SSH handshake",
    Phase.PUSH: "the job, its objects, and the agent where the snapshot has none are pushed into the guest",
    Phase.AGENT: "until the agent's first line",
    Phase.CASES: "until the agent's last line",
    Phase.SHUTDOWN: "until QEMU has ended",
    Phase.TOTAL: "the sum of them",
}
"""What happens in each phase: each begins where the one before it ends. docs/report-json.md has the same table."""
