"""The rows of a run, several at once: what each gives is kept as soon as it is over, whatever becomes of the others."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import importlib
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import BpfmatrixError
from harness.facts.kernel import BuildFault, Failure, KernelFacts, fault_of
from harness.guest.snapshots import Snapshots
from harness.guest.starting import Starter
from harness.host import process
from harness.judge.cells import cells
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.model.phases import Phase
from harness.model.results import Fault, OutcomeKind
from harness.qemu.accel import Accel, qemu_version
from harness.qemu.process import end_all
from harness.run.inputs import inputs_of
from harness.run.one_kernel import facts_of, failure_of, run_kernel
from harness.run.plan import PlanRow
from harness.run.prepared import Prepared
from harness.run.schedule import longest_first
from harness.scenario.case import Case, units
from harness.supply.guest_plan import GuestPlan

STOP_SECONDS = 5.0
"""How long an interrupted run waits for its threads: a guest is gone at once, but a fetch may take its time, and
the reports must not wait for it."""

LATER = ("paramiko", "tenacity", "harness.reports.writer")
"""Modules that no guest needs in order to start, in the order of their use: they are imported while the first starts.
Where one is missing or broken the run ends at once, as with any other that is missing."""


NOTHING_BUILT = Failure(kind=OutcomeKind.NOT_RUN, reason="none of the cases can be built", fault=Fault.INPUT)
"""Why a row has no answers whose cases all have a build fault: no guest is started for it."""


def build_faults(prepared: Prepared, objects: str) -> dict[str, BuildFault]:
    """Return the cases that cannot be built with the `objects` of some rows (`PlanRow.objects`), and why.

    What another compiler of the same architecture's rows compiles, the compiler of these refuses.
    """
    return {
        case: fault_of(error, refused=prepared.compiled_elsewhere(case, objects))
        for case, error in prepared.built[objects].faults.items()
    }


SAID = {
    Phase.START: "starting",
    Phase.BOOT: "booting",
    Phase.PUSH: "running",
    Phase.AGENT: "running",
    Phase.SHUTDOWN: "ending",
}
"""What a row is at, by the phase of its guest."""


class Said:
    """Says what a row is at, by the phases of its guests and the cases that they begin. For one thread."""

    def __init__(self, say: Callable[[str], None], *, cases: int) -> None:
        """`say` takes the text; `cases` is how many there are."""
        self._say, self._cases = say, cases
        self._begun: set[str] = set()

    def __call__(self, phase: Phase, case: str) -> None:
        """Take a phase that begins, or a case."""
        if case:
            self._begun.add(case)
            self._say(f"cases: {len(self._begun)} of {self._cases}")
        elif phase in SAID:
            self._say(SAID[phase])


class Rows:
    """The rows of one run. `accels` are the accelerators that guests had, by architecture."""

    def __init__(
        self,
        prepared: Prepared,
        folder: Path,
        *,
        begun: Callable[[], None],
        keep: Callable[[KernelFacts], None],
        note: Callable[[str], None],
        seconds: Mapping[str, float],
    ) -> None:
        """`begun` is called beside the first guest's start; `keep` takes the facts of a row that is over, `note` a
        notice; `seconds` is what rows took the last time."""
        self._prepared, self._folder, self._keep, self._note, self._seconds = prepared, folder, keep, note, seconds
        self._begun = begun
        self._stopping = threading.Event()
        self._supplied = threading.Event()
        """Set once a guest has all that it needs to start."""
        self.accels: dict[str, Accel] = {}
        prepared.supplies.progress = prepared.observer.state
        prepared.supplies.stopping.clear()

    def stop(self) -> None:
        """End all guests, and let no other start."""
        self._stopping.set()
        self._prepared.supplies.stopping.set()
        end_all()

    def run(self) -> None:
        """Run all rows; raise what interrupts that, with no guest left."""
        pool = concurrent.futures.ThreadPoolExecutor(max_workers=self._prepared.jobs, thread_name_prefix="guest")
        ahead = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="fetch")
        later = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="import")
        futures: list[concurrent.futures.Future[None]] = []
        try:
            order = longest_first(self._prepared.plan.rows, self._seconds)
            if not order:  # an empty shard
                self._supplied.set()
            imported = later.submit(self._do_later)
            ahead.submit(self._fetch_ahead, order)
            futures += [pool.submit(self._run_row, row) for row in order]
            waiting = {imported, *futures}
            while waiting:  # in short steps, so that signals are seen at once
                done, waiting = concurrent.futures.wait(waiting, timeout=0.2)
                for future in done:
                    future.result()
        finally:
            self.stop()
            self._supplied.set()
            process.end_all()
            later.shutdown(wait=False)
            ahead.shutdown(wait=False, cancel_futures=True)
            pool.shutdown(wait=False, cancel_futures=True)
            begun = [future for future in futures if not future.cancelled()]  # the others never end
            concurrent.futures.wait(begun, timeout=STOP_SECONDS)

    def _fetch_ahead(self, rows: Sequence[PlanRow]) -> None:
        """Obtain the kernels' files while the first guests run; who needs one that failed will say so."""
        prepared = self._prepared
        for row in rows:
            if self._stopping.is_set():
                return
            if len(prepared.built[row.objects].faults) < len(prepared.plan.cases):
                with contextlib.suppress(BpfmatrixError, OSError):
                    prepared.supplies.kernel(row.kernel, cases=prepared.plan.cases)

    def _do_later(self) -> None:
        """Begin the journal and import the modules of `LATER` once a guest starts: before, that would hold it up."""
        self._supplied.wait()
        self._begun()
        for name in LATER:
            importlib.import_module(name)

    def _run_row(self, row: PlanRow) -> None:
        if self._stopping.is_set():
            return
        prepared, begun = self._prepared, time.monotonic()
        try:
            facts = self._facts(row)
        except Exception as error:  # whatever it is, the other rows go on, and this one's cells are not green
            if not isinstance(error, (BpfmatrixError, OSError)):
                prepared.observer.note(traceback.format_exc(), style="red")
            facts = self._failed(row, failure_of(error))
        finally:
            self._supplied.set()
        if self._stopping.is_set():
            return  # what came after the interruption is not to be trusted
        self._keep(facts)
        found = cells(facts, prepared.cases(row.objects), allow=prepared.allow)
        release = "" if facts.failure else str(facts.environment.get("release", facts.release))
        prepared.observer.done(row.name, found, seconds=time.monotonic() - begun, release=release)

    def _failed(self, row: PlanRow, failure: Failure) -> KernelFacts:
        faults = build_faults(self._prepared, row.objects)
        return KernelFacts(row=row.row, arch=row.kernel.arch, faults=faults, failure=failure)

    def _facts(self, row: PlanRow) -> KernelFacts:
        """Obtain what a row's guests need, run them, and return the facts."""
        prepared, arch = self._prepared, ARCHITECTURES[row.kernel.arch]
        built = prepared.built[row.objects]
        cases = [case for case in prepared.cases(row.objects) if case.id not in built.faults]
        if not cases:
            return self._failed(row, NOTHING_BUILT)
        begun = time.monotonic()
        prepared.observer.state(row.name, "fetching")
        plan = prepared.supplies.guest(
            row.kernel,
            prepared.plan.cases,
            keys=prepared.keys,
            folder=self._folder / row.name,
            accel=prepared.accel,
            objects={unit.id: built.files.get(case.id, {}) for case in cases for unit in units(case)},
            pushed={case.id: built.pushed[case.id] for case in cases if case.id in built.pushed},
            libbpf=row.libbpf,
            stopping=self._stopping,
        )
        plan = replace(
            plan,
            output=functools.partial(prepared.observer.output, row.name),
            visit=prepared.options.visit,
        )
        counted = len([unit for case in cases for unit in units(case)])
        plan = replace(plan, at=Said(functools.partial(prepared.observer.state, row.name), cases=counted))
        if plan.kernel.notice:
            prepared.observer.note(plan.kernel.notice)
        self.accels[arch.name] = prepared.supplies.accel(prepared.accel, plan.kernel)
        known = facts_of(
            plan,
            row=row.row,
            compiler=built.compiler,
            qemu_version=qemu_version(arch),
            fetch_seconds=time.monotonic() - begun,
        )
        tried = [unit for case in cases for unit in units(case)]
        again = self._answered(plan, tried, row)
        if again is not None:
            return again
        prepared.observer.state(row.name, "running")
        self._supplied.set()
        with concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="hash") as beside:
            inputs = beside.submit(_inputs, plan, tried)  # kernel and image are read while a guest boots
            facts = run_kernel(plan, tried, boot=self._starter(arch), known=known)
        for notice in facts.notices:
            self._note(notice)
            prepared.observer.note(notice)
        return replace(facts, faults=build_faults(prepared, row.objects), inputs=inputs.result())

    def _answered(self, plan: GuestPlan, cases: Sequence[Case], row: PlanRow) -> KernelFacts | None:
        """Return the facts that the earlier run has of a row, if nothing that went into them is different now."""
        earlier = self._prepared.earlier
        found = earlier.facts.get(row.name) if earlier is not None else None
        if earlier is None or found is None or found.failure is not None:
            return None
        if not found.inputs or found.inputs != _inputs(plan, cases):
            return None
        return replace(found, run=found.run or earlier.plan.id, faults=build_faults(self._prepared, row.objects))

    def _starter(self, arch: Architecture) -> Starter:
        if self._prepared.options.cold:
            return Starter(None)
        return Starter(Snapshots(self._prepared.supplies.cache, qemu_version=qemu_version(arch)))


def _inputs(plan: GuestPlan, cases: Sequence[Case]) -> dict[str, str]:
    """Return what went into a row; nothing where a file is gone meanwhile: then no run can go on with these answers."""
    try:
        return inputs_of(plan, cases, qemu_version=qemu_version(plan.kernel.arch))
    except OSError:
        return {}
