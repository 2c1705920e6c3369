"""`invoke mutants`: find the cases' mutants, run and judge them, write the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.config.case import WrittenCase
from harness.config.matrix import Kernel
from harness.errors import ConfigError, UsageError
from harness.facts.records import CaseRecord
from harness.host import emulators
from harness.host.cache import Cache
from harness.host.paths import shown
from harness.host.signals import signals_as_errors
from harness.judge.cells import cell_of
from harness.judge.expectation import NO_RULE, choose
from harness.judge.known_splats import NOTHING_ALLOWED, AllowList
from harness.model.architectures import ARCHITECTURES, host_name
from harness.model.results import CellResult, Expectation, OutcomeKind, Verdict
from harness.mutants.guests import Answers, Laboratory, Trial, trial_of
from harness.mutants.known import Equivalent, load_equivalents, stale
from harness.mutants.model import Judged
from harness.mutants.report import Found, KernelCost, as_json, exit_code, headline, markdown
from harness.mutants.search import (
    can_be_mutated,
    explained,
    guest_mutants,
    judge_in_guest,
    judge_on_transcript,
    own_record,
    transcript_mutants,
)
from harness.mutants.transcripts import Recorded, read_run
from harness.qemu.process import end_all
from harness.reports.folder import make_run_directory
from harness.run.options import Options
from harness.run.plan import make_plan
from harness.scenario.case import Case
from harness.scenario.expected import expectations_of
from harness.supply.image.keys import make_keys
from harness.supply.kernels.tools import tools_of
from harness.supply.pushed import NOTHING
from harness.supply.supplies import Supplies
from harness.supply.unbuilt import yaml_cases

MAIN = "6.12"
"""The series of the kernel that mutants run on unless others are named: most cases work there."""


JOBS = 2
"""How many guests run at once unless another number is asked for."""

Shares = list[tuple[Kernel, Sequence[WrittenCase]]]
"""Which cases are tried on which kernels."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line asks for; None or empty leaves the choice to the command."""

    options: Options
    transcripts: Path | None = None
    guests: bool = True


def mutants(wanted: Wanted) -> int:
    """Do all that `invoke mutants` does; return the exit code."""
    from harness.screen.lines import make_console  # noqa: PLC0415  (a run without guests is over before it is loaded)

    if not wanted.guests and wanted.transcripts is None:
        raise UsageError("without guests there is nothing to judge: give --transcripts, the folder of a run")
    begun, console = time.monotonic(), make_console()
    search = Search(wanted, say=lambda text: console.print(text, markup=False))
    found = replace(search.run(), seconds=time.monotonic() - begun)
    (search.folder / "mutants.md").write_text(markdown(found), encoding="utf-8")
    (search.folder / "mutants.json").write_text(as_json(found), encoding="utf-8")
    for each in found.judged:
        if each.fate in ("survived", "not-run"):
            console.print(f"{each.fate}: {each.kernel}, {each.mutant} ({each.verdict})", markup=False)
    for text in found.stale:
        console.print(f"mutants.yaml says this of no survivor any more: {text}", markup=False)
    for cell in found.red:
        console.print(f"{cell.kernel}, {cell.case} by itself: {cell.verdict}: {cell.verdict_reason}", markup=False)
    console.print(f"{headline(found)} ({found.seconds:.0f} s)", markup=False)
    console.print(f"report: {shown(search.folder)}/mutants.md, mutants.json", markup=False)
    return exit_code(found)


class Search:
    """One search for mutants that survive. `say` shows a line to the person who waits; `folder` is for the report."""

    def __init__(self, wanted: Wanted, *, say: Callable[[str], None]) -> None:
        self._wanted, self._options, self._say = wanted, wanted.options, say
        project = self._options.project
        self._matrix = project.load_matrix()
        plan = make_plan(
            self._matrix,
            project.load_cases(self._matrix, only=self._options.cases),
            kernel_globs=self._options.kernels,
            case_globs=self._options.cases,
            host_arch=host_name(),
        )
        if wanted.guests:
            emulators.require((kernel.arch for kernel in plan.kernels), tools=tools_of(plan.kernels))
        self._cases, self._kernels = plan.cases, plan.kernels
        self._cache = Cache()
        self._supplies = Supplies(project, self._matrix, cache=self._cache)
        self._allow = AllowList(entries=self._matrix.allowed_splats(), today=datetime.now(UTC).date())
        self._equivalents = equivalents_of(self._cases)
        self._judged: list[Judged] = []
        self._red: list[CellResult] = []
        self._costs: list[KernelCost] = []
        self._notices: list[str] = []
        results = self._options.results or project.folder / "results"
        self.folder = make_run_directory(results / "mutants", now=datetime.now(UTC))

    def run(self) -> Found:
        """Find the mutants and what becomes of them."""
        recorded = read_run(self._wanted.transcripts) if self._wanted.transcripts is not None else []
        if self._wanted.guests:
            here = self._in_guests()
            recorded = recorded or here
        self._on_transcripts(recorded)
        judged = explained(self._judged, self._equivalents)
        return Found(
            judged=judged,
            red=self._red,
            stale=stale(self._equivalents, judged) if self._wanted.guests else [],
            costs=self._costs,
            notices=self._notices,
            transcripts=str(self._wanted.transcripts or "those of this search's own guests"),
        )

    # --- in guests ---

    def _in_guests(self) -> list[Recorded]:
        supplies = self._supplies
        lab = Laboratory(
            matrix=self._matrix,
            supplies=supplies,
            cache=self._cache,
            keys=make_keys(),
            folder=self.folder,
            accel=self._options.accel or self._matrix.defaults.accel,
            jobs=self._options.jobs or JOBS,
            cold=self._options.cold,
        )
        if self._options.kernels:
            shares: Shares = [(kernel, self._cases) for kernel in self._kernels]
        else:
            versions = {kernel.name: supplies.describe(kernel).version for kernel in self._kernels}
            pinned = {name: version for name, version in versions.items() if version}
            shares = assignments(self._cases, self._kernels, pinned)
        for arch in sorted({kernel.arch for kernel, _ in shares}):
            supplies.build_all(yaml_cases(self._cases), ARCHITECTURES[arch])  # a mistake of the user's ends it here
        recorded = []
        with signals_as_errors():
            try:
                for kernel, cases in shares:
                    recorded.append(self._one_kernel(lab, kernel, cases))
            finally:
                lab.stopping.set()
                end_all()
        return recorded

    def _one_kernel(self, lab: Laboratory, kernel: Kernel, cases: Sequence[WrittenCase]) -> Recorded:
        """Run some cases by themselves on a kernel, then their mutants."""
        begun = time.monotonic()
        version = lab.supplies.describe(kernel).version
        built = lab.supplies.build_all(yaml_cases(cases), ARCHITECTURES[kernel.arch])
        trials = [
            trial_of(
                built.cases[case.id],
                built.pushed.get(case.id, NOTHING),
                expected=_expected(built.cases[case.id].expect, kernel, version),
            )
            for case in cases
        ]
        answers = lab.run(kernel, trials, cases=self._cases)
        recorded = self._baseline(kernel, trials, answers)
        more = [
            replace(trial, mutant=mutant)
            for trial in trials
            if trial.case.id in recorded.records
            for mutant in guest_mutants(
                trial.case, recorded.records[trial.case.id], recorded.cells[trial.case.id], built.files[trial.case.id]
            )
        ]
        self._say(f"{kernel.name}: {len(recorded.records)} cases by themselves, {len(more)} mutants of them in guests")
        results = lab.run(kernel, more, cases=self._cases) if more else Answers(records=[])
        allow = self._allow.concerning(arch=kernel.arch, version=recorded.version)
        for trial, record in zip(more, results.records, strict=True):
            assert trial.mutant is not None
            self._judged.append(
                judge_in_guest(
                    trial.mutant,
                    record,
                    (recorded.records[trial.case.id], recorded.cells[trial.case.id]),
                    arch=kernel.arch,
                    version=recorded.version,
                    allow=allow,
                )
            )
        self._notices += [*answers.notices, *results.notices]
        self._costs.append(
            KernelCost(
                kernel=kernel.name,
                cases=len(trials),
                mutants=len(more),
                guests=answers.guests + results.guests,
                seconds=round(time.monotonic() - begun, 1),
            )
        )
        return recorded

    def _baseline(self, kernel: Kernel, trials: Sequence[Trial], answers: Answers) -> Recorded:
        """Judge the cases by themselves; those that are not as expected are noted, and left out."""
        allow = self._allow.concerning(arch=kernel.arch, version=answers.version)
        recorded = Recorded(kernel=kernel.name, arch=kernel.arch, version=answers.version, records={}, cells={})
        for trial, record in zip(trials, answers.records, strict=True):
            found = own_record(record or CaseRecord(), trial.case.id)
            case = trial.case
            cell = cell_of(kernel.name, case, found, arch=kernel.arch, version=answers.version, allow=allow)
            if can_be_mutated(cell):
                recorded.records[trial.case.id], recorded.cells[trial.case.id] = found, cell
            else:
                self._red.append(cell)
        return recorded

    # --- on transcripts ---

    def _on_transcripts(self, recorded: Sequence[Recorded]) -> None:
        arches = sorted({on.arch for on in recorded})
        cases = {arch: self._supplies.build_all(yaml_cases(self._cases), ARCHITECTURES[arch]).cases for arch in arches}
        for chosen in chosen_records(cases, recorded, allow=self._allow):
            for mutant in transcript_mutants(chosen.case, chosen.record, chosen.cell):
                on = chosen.on
                allow = self._allow.concerning(arch=on.arch, version=on.version)
                self._judged.append(
                    judge_on_transcript(
                        mutant, chosen.record, chosen.cell, arch=on.arch, version=on.version, allow=allow
                    )
                )


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A record that a case's expectations are changed against: where it is from, and how the case is judged by it."""

    on: Recorded
    case: Case
    record: CaseRecord
    cell: CellResult


def chosen_records(
    cases: Mapping[str, Mapping[str, Case]], recorded: Sequence[Recorded], *, allow: AllowList = NOTHING_ALLOWED
) -> Iterator[Chosen]:
    """Yield for each case the first record by which it works, and the first for each other thing that it expects. Pure.

    `cases` are those of each architecture, by id. A record by which the case, as it is now, is not as expected is of no
    use, and left out.
    """
    for name in dict.fromkeys(name for own in cases.values() for name in own):
        seen: list[tuple[Verdict, Expectation]] = []  # what a signature's events hold cannot be hashed
        for on in recorded:
            case, record = cases[on.arch].get(name), on.records.get(name)
            if case is None or record is None:
                continue
            own = allow.concerning(arch=on.arch, version=on.version)
            cell = cell_of(on.kernel, case, record, arch=on.arch, version=on.version, allow=own)
            what = (cell.verdict, NO_RULE if cell.verdict == Verdict.PASS else cell.expectation)
            if can_be_mutated(cell) and what not in seen:
                seen.append(what)
                yield Chosen(on=on, case=case, record=record, cell=cell)


def assignments(cases: Sequence[WrittenCase], kernels: Sequence[Kernel], versions: Mapping[str, str]) -> Shares:
    """Return which cases are tried on which kernels: all on the one of series MAIN, what does not work there elsewhere.

    Elsewhere means as few other kernels of `kernels` as possible; `versions` are those that their lock pins. A case
    that works nowhere is tried on the first alone.
    """
    main = next((kernel for kernel in kernels if kernel.name.startswith(f"{MAIN}-")), kernels[0])
    found: Shares = [(main, cases)]
    rules = {case.id: expectations_of(case) for case in cases}
    left = [case for case in cases if _expected(rules[case.id], main, versions.get(main.name, "")) != OutcomeKind.WORKS]
    others = [kernel for kernel in kernels if kernel != main and kernel.name in versions]
    while left and others:
        working = {
            kernel.name: [
                case for case in left if _expected(rules[case.id], kernel, versions[kernel.name]) == OutcomeKind.WORKS
            ]
            for kernel in others
        }
        best = max(others, key=lambda kernel: len(working[kernel.name]))
        if not working[best.name]:
            break
        found.append((best, working[best.name]))
        left = [case for case in left if case not in working[best.name]]
    return found


def _expected(rules: Sequence[Expectation], kernel: Kernel, version: str) -> OutcomeKind:
    try:
        return choose(rules, arch=kernel.arch, version=version, name=kernel.name).outcome
    except ConfigError:  # a kernel of the user's own, whose version nobody knows before it runs
        return OutcomeKind.WORKS


def equivalents_of(cases: Sequence[WrittenCase]) -> tuple[Equivalent, ...]:
    """Return what mutants.yaml says beside the cases; raise ConfigError."""
    folders = dict.fromkeys(case.folder.parent for case in cases)
    return tuple(entry for folder in folders for entry in load_equivalents(folder))
