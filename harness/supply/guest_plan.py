"""What one guest is started from: a value that supplies make, and rooms above start, change and repeat."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.model.settings import Settings
from harness.supply.image.keys import RunKeys
from harness.supply.image.programs import GuestPrograms
from harness.supply.kernels.files import KernelFiles


@dataclass(frozen=True, kw_only=True)
class GuestPlan:
    """What is needed to start one guest.

    `base` is the shared userland; `programs` is what runs the cases in the guest; `objects` maps case id to files.
    Once `stopping` is set no guest starts any more; the guests of a run share it. `edit` may change the job before it
    is sent, as mutants do (harness/mutants/); it is given the job of harness/scenario/jobs.py and returns one.
    """

    kernel: KernelFiles
    settings: Settings
    accel: str
    base: Path
    keys: RunKeys
    objects: Mapping[str, Mapping[str, Path]]
    folder: Path
    programs: GuestPrograms = field(default_factory=GuestPrograms)
    cmdline: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)
    edit: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    @property
    def serial(self) -> bool:
        """Whether SSH goes over the spare serial port, for want of a network card."""
        return not self.kernel.has_network
