"""What one guest gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.facts.records import CaseRecord, KernelLog
from harness.model.results import Start


@dataclass(frozen=True, kw_only=True)
class SessionFacts:
    """What one guest gave: a record for each case that it had, in order, and what it cost.

    `environment` is what the agent reported of the guest, empty where it never did. `seconds` is by phase; `memory` is
    the most that QEMU took of the host's, in MiB, 0 where that is not known. `start` is None where nobody has said yet
    how the guest was started. `problems` and `notices` are sentences. `apart` says that it ended while an object
    was loaded for several cases, which says nothing of any of them.
    """

    records: Mapping[str, CaseRecord] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    console_tail: tuple[str, ...] = ()
    memory: float = 0.0
    start: Start | None = None
    notices: tuple[str, ...] = ()
    boot_log: KernelLog = field(default_factory=KernelLog)
    apart: bool = False
