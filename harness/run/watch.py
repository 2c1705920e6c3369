"""Watch mode: the cells are run again as soon as something that they depend on is saved.

The files are looked at a few times a second. What is there when a run begins is remembered, and compared with what is
there afterwards: so a save that comes during a run leads to another one, and none is lost.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from harness.config.case_folders import find_folders
from harness.config.matrix import Matrix, load_matrix
from harness.errors import (
    EXIT_HARNESS,
    BpfmatrixError,
    BuildError,
    ConfigError,
    InterruptedRunError,
    KernelFileError,
)
from harness.host import emulators
from harness.host.cache import Cache
from harness.host.paths import shown
from harness.host.signals import signals_as_errors
from harness.model.architectures import host_name
from harness.model.exit_codes import exit_meaning
from harness.reports.grid import headline
from harness.run.changes import Files, Look, changed, concerned, saved_at
from harness.run.matrix import Finished, run
from harness.run.one_kernel import error_reason
from harness.run.options import Options
from harness.run.plan import choose_kernels, matching
from harness.run.prepared import Prepared, load_plan, prepare
from harness.screen.watch import WatchScreen, named
from harness.supply.image.keys import make_keys
from harness.supply.kernels.tools import tools_of
from harness.supply.supplies import Supplies

INTERVAL = 0.2
"""Seconds between two looks at the files."""
SETTLE = 0.05
"""Seconds for which nothing may change before a run begins: editors save in several steps."""
MOST_SETTLING = 2.0
"""After this many seconds a run begins though the files still change."""
KEPT_RUNS = 20
MOST_FAULTS = 5
"""So many broken cases are reported at once; the others are looked at once these are fixed."""
MENDABLE = (ConfigError, BuildError, KernelFileError)
"""What the user may fix by saving a file."""


def surplus(folders: Sequence[Path], *, keep: int) -> Sequence[Path]:
    """Return which folders of runs to remove, of those that a session made, oldest first."""
    return folders[: max(0, len(folders) - keep)]


# --- the loop ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A run whose sources compile: its kernels, and what starts it."""

    kernels: Sequence[str]
    run: Callable[[], Finished]


class Runner(Protocol):
    """What gets runs ready."""

    def ready(self, cases: Sequence[str]) -> Ready:
        """Get a run of these cases ready, or, where none is named, of all that are watched; raise BpfmatrixError."""
        ...


class Loop:
    """Runs, and waits for the next save. `code` is the exit code of the last run that was finished."""

    def __init__(
        self,
        *,
        look: Callable[[], Look],
        runner: Runner,
        screen: WatchScreen,
        signals: Sequence[str] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._look_again = look
        self._runner = runner
        self._screen = screen
        self._signals = signals
        self._sleep = sleep
        self._runs = 0
        self.code = EXIT_HARNESS

    def run(self) -> None:
        """Go on until something interrupts it: a run ends as interrupted, or a signal came.

        Raises KeyboardInterrupt or InterruptedRunError where that happens between two runs; and what keeps the first
        run from starting, if it is nothing that the user may fix by saving a file.
        """
        seen = self._look_again()
        pending, saved, what = frozenset(seen.cases), seen.at, "first run"
        while True:
            self._screen.saved(cases=sorted(seen.cases), concerned=pending, what=what)
            if pending or not seen.cases:
                pending -= self._round(pending, seen, saved=saved)
            else:
                self._screen.status(f"{what}, which concerns no case; waiting for a save")
            before = seen
            seen = self._next(before)
            if self._signals:
                return
            paths = changed(before, seen)
            pending = (pending & seen.cases.keys()) | concerned(paths, before=before, after=seen)
            saved = saved_at(paths, before=before, after=seen)
            what = f"{named([shown(path) for path in paths])} changed"

    def _next(self, before: Look) -> Look:
        """Wait for a save, and until nothing changes any more; return how the files are then."""
        while not changed(before, now := self._look_again()) and not self._signals:
            self._sleep(INTERVAL)
        for _ in range(round(MOST_SETTLING / SETTLE)):
            if self._signals:
                break
            self._sleep(SETTLE)
            earlier, now = now, self._look_again()
            if not changed(earlier, now):
                break
        return now

    def _round(self, pending: Collection[str], seen: Look, *, saved: float) -> frozenset[str]:
        """Run what is pending and whole; return the cases that have their answers now."""
        first, self._runs = self._runs == 0, self._runs + 1
        try:
            ready, cases, faults = self._ready(pending, seen, first=first)
            for fault in faults:
                self._screen.note(f"bpfmatrix: {fault}", style="red")
            if ready is None:
                self._screen.status("waiting for a save that fixes this; what is marked (old) is an earlier run's")
                return frozenset()
            self._heed_signals()
            self._screen.begun(ready.kernels)
            finished = ready.run()
        except InterruptedRunError:
            raise
        except (BpfmatrixError, OSError) as error:
            if first and not isinstance(error, MENDABLE):
                raise
            self.code = EXIT_HARNESS
            self._screen.note(f"bpfmatrix: {_message_of(error)}", style="red")
            self._screen.status("waiting for a save")
            return frozenset()
        if finished.interrupted:
            raise InterruptedRunError(finished.interrupted)
        self.code = finished.report.run.exit_code
        self._screen.causes(finished.report)
        taken = f"{max(0.0, time.time() - saved):.1f} s from {'the start' if first else 'save'} to grid"
        reports = f"reports: {shown(finished.folder)}"
        self._screen.status(f"run {self._runs}: {headline(finished.report)} {taken}; {reports}; waiting for a save")
        return cases

    def _heed_signals(self) -> None:
        """Raise what a signal's handler raised, for whoever took that for an error of its own work."""
        if self._signals:
            raise InterruptedRunError(self._signals[-1])

    def _ready(
        self, pending: Collection[str], seen: Look, *, first: bool
    ) -> tuple[Ready | None, frozenset[str], Sequence[str]]:
        """Return a run of those cases that can be run, which they are, and what is wrong with the others."""
        everything = len(pending) == len(seen.cases)
        try:
            return self._runner.ready([] if everything else sorted(pending)), frozenset(pending), []
        except InterruptedRunError:
            raise
        except (BpfmatrixError, OSError) as error:
            if first and not isinstance(error, MENDABLE):
                raise
            whole = _message_of(error)
        faults: list[str] = []
        good: list[str] = []
        for case in sorted(pending) if len(pending) > 1 else []:
            fault = self._fault([case])
            if fault:
                faults.append(fault)
            else:
                good.append(case)
            if len(faults) == MOST_FAULTS:
                break
        reported = list(dict.fromkeys(faults)) or [whole]
        if not good:
            return None, frozenset(), reported
        return self._runner.ready(good), frozenset(good), reported

    def _fault(self, cases: Sequence[str]) -> str:
        try:
            self._runner.ready(cases)
        except InterruptedRunError:
            raise
        except (BpfmatrixError, OSError) as error:
            return _message_of(error)
        return ""


def _message_of(error: Exception) -> str:
    return str(error) if isinstance(error, BpfmatrixError) else error_reason(error)


# --- real runs --------------------------------------------------------------------------------------------------------


class Session:
    """Gets runs of the matrix ready; what one has prepared the next takes over."""

    def __init__(self, options: Options, *, screen: WatchScreen, cache: Cache) -> None:
        self._options = options
        self._screen = screen
        self._cache = cache
        self._keys = make_keys()
        self._prepared: tuple[Matrix, Supplies] | None = None
        self._made: list[Path] = []

    def ready(self, cases: Sequence[str]) -> Ready:
        """Do what `Runner` says. Supplies are kept until matrix.yaml says something else."""
        matrix, plan = load_plan(replace(self._options, cases=cases or self._options.cases))
        if self._prepared is None or self._prepared[0] != matrix:
            self._prepared = matrix, Supplies(self._options.project, matrix, cache=self._cache)
        prepared = prepare(
            self._options, matrix, plan, supplies=self._prepared[1], keys=self._keys, observer=lambda: self._screen
        )
        for fault in prepared.mistakes:  # its cells keep what they were, and no other waits for it
            raise fault
        return Ready(kernels=[row.name for row in plan.rows], run=lambda: self._run(prepared))

    def _run(self, prepared: Prepared) -> Finished:
        try:
            return run(prepared, made=self._made.append)
        finally:
            for old in surplus(self._made, keep=KEPT_RUNS):
                shutil.rmtree(old, ignore_errors=True)
            self._made = self._made[-KEPT_RUNS:]


def watch(
    options: Options,
    *,
    screen: WatchScreen | None = None,
    cache: Cache | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Run the cells that were asked for again and again until Ctrl-C; return the last finished run's exit code.

    Between two looks at the files it does `sleep` for so many seconds. Without a finished run the code is 3. Raises
    ConfigError where there is no matrix file, UsageError where there is no such case, and what else keeps the first run
    from starting, if it is nothing that the user may fix by saving a file.
    """
    matrix_file = options.project.matrix_file
    try:
        matrix = load_matrix(matrix_file)
        folders, _ = find_folders(matrix_file, options.project.case_globs(matrix.cases))
    except ConfigError:  # reported again by the first run, if it is one that can be fixed
        if not matrix_file.exists():
            raise
    else:
        matching("case", options.cases, [folder.name for folder in folders])
        chosen = choose_kernels(matrix, globs=options.kernels, arches=options.arches, host_arch=host_name())
        emulators.require((kernel.arch for kernel in chosen), tools=tools_of(chosen))
    screen = screen or WatchScreen()
    ended = ""
    with signals_as_errors() as signals, screen.live():
        files = Files(options.project, patterns=options.cases)
        session = Session(options, screen=screen, cache=cache or Cache())
        loop = Loop(look=files.look, runner=session, screen=screen, signals=signals, sleep=sleep)
        try:
            loop.run()
        except (KeyboardInterrupt, InterruptedRunError) as error:
            ended = str(error)
    how = ended or "Ctrl-C"
    screen.status(f"watch ended ({how}). Exit code {loop.code}: {exit_meaning(loop.code)}.")
    return loop.code
