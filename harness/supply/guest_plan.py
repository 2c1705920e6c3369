"""What one guest is started from: a value that supplies make, and rooms above start, change and repeat."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.model.phases import Phase
from harness.model.settings import Settings
from harness.scenario.case import Case
from harness.supply.image.keys import RunKeys
from harness.supply.image.programs import GuestPrograms
from harness.supply.kernels.files import KernelFiles
from harness.supply.pushed import Pushed, PushedFile

Visit = Callable[[str, Sequence[Case], Any, Any], None]
"""Visits a guest whose cases are over: the kernel's name, the cases, the transcript (harness/facts/transcript.py), and
the connection (harness/guest/connection.py)."""


@dataclass(frozen=True, kw_only=True)
class GuestPlan:
    """What is needed to start one guest.

    `base` is the shared userland; `programs` is what runs the cases in the guest; `objects` maps case id to files, and
    `pushed` to all else that a case brings. `archives` are appended to the userland, and `files` to the initramfs of a
    guest that is booted for them: of what its cases bring, what does not go over SSH. `output` is given what commands
    write, as it comes; `at` is given each phase and case that
    begins; `visit` is called before the guest is powered off.
    Once `stopping` is set no guest starts any more; the guests of a run share it. `edit` may change the job before it
    is sent, as mutants do (harness/mutants/); it is given the job of harness/scenario/jobs.py and returns one.
    Without `snapshots` none is made of it; without `share` each case loads its objects by itself.
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
    pushed: Mapping[str, Pushed] = field(default_factory=dict)
    archives: tuple[Path, ...] = ()
    files: tuple[PushedFile, ...] = ()
    output: Callable[[str], None] | None = None
    visit: Visit | None = None
    at: Callable[[Phase, str], None] = lambda phase, case: None  # noqa: ARG005
    edit: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    snapshots: bool = True
    share: bool = True

    @property
    def serial(self) -> bool:
        """Whether SSH goes over the spare serial port, for want of a network card."""
        return not self.kernel.has_network
