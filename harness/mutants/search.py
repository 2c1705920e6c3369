"""Which mutants there are of some cases, and what became of them. What decides is pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.facts.records import CaseRecord
from harness.judge.cells import cell_of
from harness.judge.known_splats import NOTHING_ALLOWED, AllowList
from harness.judge.verdict import judge
from harness.model.results import CellResult, OutcomeKind, Verdict
from harness.mutants.elf import functions
from harness.mutants.expectations import case_mutants_beside, rule_mutants
from harness.mutants.known import Equivalent
from harness.mutants.model import GREEN, Fate, Judged, Kind, Mutant, fate_of
from harness.mutants.programs import program_mutants
from harness.mutants.steps import Script, step_mutants
from harness.scenario.case import AgentStep, Case


def guest_mutants(case: Case, record: CaseRecord, cell: CellResult, objects: Mapping[str, Path]) -> Iterator[Mutant]:
    """Yield the mutants of a case's steps and programs that are worth a guest on the kernel of its green cell.

    Where the case stops, with a refusal or with the guest's death, steps before that are changed; programs only where
    one of them may have run by then, and only those of objects that were loaded. `objects` are the built objects by
    file name.
    """
    steps = case.steps
    loaded = loaded_objects(steps, record)
    data = {name: objects[file].read_bytes() for name, file in case.objects.items() if name in loaded}
    programs = {name: functions(code) for name, code in data.items()}
    reached = steps_reached(record, cell, len(steps))
    for name, changes in step_mutants(Script(steps=steps, programs=programs, reached=reached)):
        yield Mutant(case=case, kind=Kind.STEPS, name=name, changes=changes)
    for sysctl in case.sysctls:
        kept = {name: value for name, value in case.sysctls.items() if name != sysctl}
        yield Mutant(case=case, kind=Kind.STEPS, name=f"sysctl {sysctl}: not set", settings={"sysctls": kept})
    if case.btf:
        yield Mutant(case=case, kind=Kind.STEPS, name="btf: the kernel's own types", settings={"btf": ""})
    if case.cmdline:
        yield Mutant(case=case, kind=Kind.STEPS, name=f"command line without {case.cmdline}", cmdline="")
    if not any(step.op == "trigger" for step in steps[: reached + (cell.outcome.kind == OutcomeKind.CRASHED)]):
        return
    for file, object_name in {file: name for name, file in case.objects.items() if name in loaded}.items():
        for name, patched in program_mutants(data[object_name]):
            what = f"{object_name}.{name}"
            yield Mutant(case=case, kind=Kind.PROGRAMS, name=what, objects={file: patched})


def loaded_objects(steps: Sequence[AgentStep], record: CaseRecord) -> set[str]:
    """Return the objects of a case that the kernel has loaded."""
    pairs = zip(steps, record.steps, strict=False)
    return {str(step.args["object"]) for step, report in pairs if step.op == "load" and report.get("ok")}


def steps_reached(record: CaseRecord, cell: CellResult, steps: int) -> int:
    """Return how many steps of a case did what they should before the case was over, the one that ended it left out."""
    if cell.verdict == Verdict.PASS:
        return steps
    failed = record.steps and not record.steps[-1].get("ok")
    return len(record.steps) - 1 if failed else len(record.steps)


def transcript_mutants(case: Case, record: CaseRecord, cell: CellResult) -> Iterator[Mutant]:
    """Yield the mutants of what a case expects that can be judged on a record of it; `cell` is how it was judged."""
    if cell.verdict != Verdict.NOT_APPLICABLE:
        reached = steps_reached(record, cell, len(case.steps))
        for what, changed in case_mutants_beside(case, cell.expectation.differences, reached=reached):
            yield Mutant(case=case, kind=Kind.EXPECTATIONS, name=what, changed=changed)
    if cell.verdict != Verdict.PASS:
        for what, expected in rule_mutants(cell.expectation, cell.outcome):
            yield Mutant(case=case, kind=Kind.EXPECTATIONS, name=what, expected=expected)


def judge_on_transcript(
    mutant: Mutant, record: CaseRecord, cell: CellResult, *, arch: str, version: str, allow: AllowList = NOTHING_ALLOWED
) -> Judged:
    """Judge a mutant of expectations on what was recorded of its case."""
    if mutant.changed is not None:
        changed = cell_of(cell.kernel, mutant.changed, record, arch=arch, version=version, allow=allow)
        verdict, why = changed.verdict, changed.verdict_reason
    else:
        assert mutant.expected is not None
        verdict, why = judge(cell.outcome, mutant.expected)
    fate = fate_of(mutant, verdict=verdict, record=record, steps=len(record.steps))
    return Judged(mutant=mutant, kernel=cell.kernel, expected=cell.verdict, fate=fate, verdict=verdict, why=why)


def judge_in_guest(
    mutant: Mutant,
    record: CaseRecord | None,
    baseline: tuple[CaseRecord, CellResult],
    *,
    arch: str,
    version: str,
    allow: AllowList = NOTHING_ALLOWED,
) -> Judged:
    """Judge a mutant that ran in a guest by its case, which nobody changed.

    `baseline` is what the case by itself gave on the same kernel.
    """
    own, cell = baseline
    if record is None:
        verdict, why, fate = Verdict.NOT_RUN, "its guest gave no answer", Fate.NOT_RUN
    else:
        changed = cell_of(
            cell.kernel, mutant.case, own_record(record, mutant.case.id), arch=arch, version=version, allow=allow
        )
        verdict, why = changed.verdict, changed.verdict_reason
        fate = fate_of(mutant, verdict=verdict, record=record, steps=len(own.steps))
    return Judged(mutant=mutant, kernel=cell.kernel, expected=cell.verdict, fate=fate, verdict=verdict, why=why)


def own_record(record: CaseRecord, case: str) -> CaseRecord:
    """Return a record of a case that had another id in its guest as one of the case itself."""
    if record.ending is None or record.ending.step is None:
        return record
    return replace(record, ending=replace(record.ending, step=(case, record.ending.step[1])))


def explained(judged: Sequence[Judged], entries: Sequence[Equivalent]) -> list[Judged]:
    """Return what became of mutants, with survivors that an entry of mutants.yaml explains."""
    found = []
    for each in judged:
        entry = next((entry for entry in entries if entry.covers(each)), None) if each.fate == Fate.SURVIVED else None
        found.append(replace(each, fate=Fate.EQUIVALENT, why=entry.reason) if entry is not None else each)
    return found


def can_be_mutated(cell: CellResult) -> bool:
    """Return whether a case's cell is as it should be, so that its mutants can be compared with it."""
    return cell.verdict in GREEN
