"""How the guests of a run are started: from snapshots where that works, else by booting them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from harness.errors import SnapshotError
from harness.facts.session import SessionFacts
from harness.guest.session import run_session
from harness.guest.snapshots import Snapshots
from harness.model.phases import Phase
from harness.model.results import Start
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan


class Starter:
    """Runs sessions; a kernel whose snapshot has failed once is booted from then on.

    Without `snapshots` all guests are booted, and always those of an architecture that QEMU cannot save whole, and
    those that are booted with files of their case in the initramfs, and those of sweeps.
    Safe to use from several threads.
    """

    def __init__(self, snapshots: Snapshots | None) -> None:
        self._snapshots = snapshots
        self._failed: set[str] = set()
        self._guard = threading.Lock()

    def __call__(self, plan: GuestPlan, cases: Sequence[Case]) -> SessionFacts:
        """Run one guest over `cases`; raise what `run_session` raises, and SnapshotError in a run that is ending.

        What a snapshot that failed has cost counts as `start`.
        """
        notices = []
        begun = time.monotonic()
        warm = self._snapshots is not None and plan.snapshots and plan.kernel.arch.snapshots and not plan.files
        if warm and self._snapshots is not None and plan.kernel.name not in self._failed:
            try:
                result = run_session(plan, cases, start=self._snapshots.restored)
            except SnapshotError as error:
                if plan.stopping.is_set():
                    raise
                notices.append(f"{error}; the guest was booted instead")
            else:
                if result.environment:
                    return replace(result, start=Start.WARM)
                notices.append(
                    f"{plan.kernel.name}: the guest that was restored from its snapshot gave no sign of life"
                )
            with self._guard:
                self._failed.add(plan.kernel.name)
        failed = time.monotonic() - begun
        result = run_session(plan, cases)
        seconds = dict(result.seconds)
        if notices:
            seconds[Phase.START] = seconds.get(Phase.START, 0.0) + failed
        return replace(result, start=Start.COLD, seconds=seconds, notices=(*result.notices, *notices))
