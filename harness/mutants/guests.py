"""Running cases and their mutants in guests: many in one guest, as the judge would never run them.

A case that is isolated for the sake of other cases shares a guest here where its rule says that the kernel survives it:
its own mutants, and the case by itself before them, show whether that holds.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from harness.config.case import WrittenCase
from harness.config.matrix import Kernel, Matrix
from harness.facts.kernel import KernelFacts, version_of
from harness.facts.records import CaseRecord
from harness.guest.snapshots import Snapshots
from harness.guest.starting import Starter
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.model.results import OutcomeKind
from harness.mutants.model import Mutant
from harness.qemu.accel import qemu_version
from harness.qemu.process import end_all
from harness.run.one_kernel import run_kernel
from harness.scenario.case import Case
from harness.supply.brought import needs_a_guest
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.keys import RunKeys
from harness.supply.pushed import Pushed
from harness.supply.supplies import Built, Supplies
from harness.supply.unbuilt import yaml_cases

WAIT_SECONDS = 0.1
"""How long a mutant's look waits for events that may never come. The case by itself waits no longer, and is green."""
MOST = 250
"""Trials of one guest at most: their objects are pushed in one piece, for which there is a case's deadline."""
WORTH_SHARING = 20
"""From so many trials on, several guests at once are faster than one."""
SURVIVES = frozenset({OutcomeKind.WORKS, OutcomeKind.REFUSED, OutcomeKind.NOT_APPLICABLE})
"""Expected outcomes after which a guest can go on with other cases."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One case, or one mutant of it, as it goes to a guest.

    `survives` says whether the guest can go on with another case afterwards; else mutants of the same case share a
    guest, unless the kernel `dies` of it.
    """

    case: Case
    mutant: Mutant | None = None
    survives: bool = True
    dies: bool = False

    @property
    def cmdline(self) -> str:
        """The kernel parameters that its guest has."""
        changed = self.mutant.cmdline if self.mutant is not None else None
        return self.case.cmdline if changed is None else changed

    @property
    def group(self) -> tuple[str, str]:
        """Trials of the same group can share a guest."""
        return self.cmdline, "" if self.survives else self.case.id


def trial_of(case: Case, pushed: Pushed, *, expected: OutcomeKind) -> Trial:
    """Return a case as it goes to a guest: what is expected of the kernel says who may share that guest. Pure.

    No other case does where it brings files to places that could be another's, too.
    """
    survives = not case.isolated or expected in SURVIVES
    return Trial(
        case=case,
        survives=survives and not needs_a_guest(pushed, case),
        dies=case.isolated and expected == OutcomeKind.CRASHED,
    )


@dataclass(kw_only=True)
class Answers:
    """What the guests of one kernel gave: a record for each trial, in their order, or None; and what it cost."""

    records: list[CaseRecord | None]
    version: str = ""
    guests: int = 0
    seconds: float = 0.0
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """All that guests need; one for a whole search."""

    matrix: Matrix
    supplies: Supplies
    cache: Cache
    keys: RunKeys
    folder: Path
    accel: str
    jobs: int
    cold: bool = False
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, kernel: Kernel, trials: Sequence[Trial], *, cases: Sequence[WrittenCase]) -> Answers:
        """Run trials on a kernel; `cases` are all cases of the search, whose modules the guests have.

        Raises what keeps a guest from starting at all.
        """
        begun = time.monotonic()
        arch = ARCHITECTURES[kernel.arch]
        plan = self.supplies.guest(
            kernel,
            cases,
            keys=self.keys,
            folder=self.folder / kernel.name,
            accel=self.accel,
            stopping=self.stopping,
        )
        files = plan.kernel
        tried = {trial.case.id for trial in trials}
        built = self.supplies.build_all(yaml_cases(case for case in cases if case.id in tried), arch)
        snapshots = None if self.cold else Snapshots(self.cache, qemu_version=qemu_version(arch))
        work = _Work(plan, trials, built, starter=Starter(snapshots))
        answers = Answers(records=[None] * len(trials))
        for indexes, run in as_they_end(work, jobs=self.jobs, stopping=self.stopping):
            for index in indexes:
                answers.records[index] = run.records.get(work.name(index))
            answers.version = answers.version or (
                version_of(
                    run.environment,
                    files.package.version or files.release,
                    known=files.package.distribution,
                )
                if run.environment
                else ""
            )
            answers.guests += run.boots
            answers.notices += run.notices
        answers.version = answers.version or files.package.version or files.release
        answers.seconds = time.monotonic() - begun
        return answers


class Work(Protocol):
    """What is shared out among guests."""

    def groups(self, jobs: int) -> list[list[int]]:
        """Return what each guest does, where so many run at once."""
        ...

    def run_group(self, indexes: Sequence[int]) -> tuple[Sequence[int], KernelFacts]:
        """Do what one guest does; return it with the facts."""
        ...


def as_they_end(work: Work, *, jobs: int, stopping: threading.Event) -> Iterator[tuple[Sequence[int], KernelFacts]]:
    """Do work in so many guests at once; yield what each gave as it is done.

    Where one fails or all is interrupted, `stopping` is set and the other guests are ended; raises what it was.
    """
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="mutants") as pool:
        waiting = {pool.submit(work.run_group, group) for group in work.groups(jobs)}
        try:
            while waiting:  # in short steps, so that signals are seen at once
                done, waiting = concurrent.futures.wait(
                    waiting, timeout=0.2, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    yield future.result()
        except BaseException:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise


class _Work:
    """The trials of one kernel, shared out among guests."""

    def __init__(
        self,
        plan: GuestPlan,
        trials: Sequence[Trial],
        built: Built,
        *,
        starter: Starter,
    ) -> None:
        self._plan, self._trials, self._built, self._starter = plan, trials, built, starter

    def name(self, index: int) -> str:
        """Return the id that a trial has in its guest."""
        return f"{self._trials[index].case.id}~{index}"

    def groups(self, jobs: int) -> list[list[int]]:
        """Return which trials share a guest, by index: those of a group; a large group is in several equal parts."""
        found: dict[tuple[str, str], list[int]] = {}
        for index, trial in enumerate(self._trials):
            found.setdefault(trial.group, []).append(index)
        parts: list[list[int]] = []
        for group in found.values():
            pieces = max(-(-len(group) // MOST), jobs if len(group) >= WORTH_SHARING else 1)
            parts += [group[start::pieces] for start in range(pieces)]
        return sorted(parts, key=len, reverse=True)

    def run_group(self, indexes: Sequence[int]) -> tuple[Sequence[int], KernelFacts]:
        """Run some trials that can share a guest."""
        folder = self._plan.folder / f"guest-{indexes[0]}"
        folder.mkdir(parents=True, exist_ok=True)
        cases, objects, edits, pushed = [], {}, {}, {}
        for index in indexes:
            trial, name = self._trials[index], self.name(index)
            cases.append(replace(trial.case, id=name, cmdline="", isolated=trial.dies))
            objects[name] = self._files(trial, name, folder=folder)
            edits[name] = trial.mutant
            if trial.case.id in self._built.pushed:
                pushed[name] = self._built.pushed[trial.case.id]
        plan = replace(
            self._plan,
            folder=folder,
            objects=objects,
            pushed=pushed,
            cmdline=f"{self._plan.cmdline} {self._trials[indexes[0]].cmdline}".strip(),
            edit=lambda job: edited(job, edits),
        )
        return indexes, run_kernel(plan, cases, boot=self._starter)

    def _files(self, trial: Trial, name: str, *, folder: Path) -> Mapping[str, Path]:
        files = dict(self._built.files[trial.case.id])
        for file, data in (trial.mutant.objects if trial.mutant is not None else {}).items():
            files[file] = folder / f"{name}.{PurePosixPath(file).name}.o"
            files[file].write_bytes(data)
        return files


def edited(job: dict[str, Any], mutants: Mapping[str, Mutant | None]) -> dict[str, Any]:
    """Return a job with the changes of mutants, by the id that each has in the job; waits are short for all. Pure."""
    cases = []
    for case in job["cases"]:
        mutant = mutants[case["id"]]
        changes: Mapping[int, Mapping[str, Any]] = mutant.changes if mutant is not None else {}
        steps = []
        for index, step in enumerate(case["steps"]):
            short = {"seconds": WAIT_SECONDS} if "seconds" in step else {}
            steps.append({**step, **short, **changes.get(index, {})})
        cases.append({**case, **(mutant.settings if mutant is not None else {}), "steps": steps})
    return {**job, "cases": cases}
