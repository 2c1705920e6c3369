"""From the facts of a row to its cells: what each case did, compared with what was expected. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.errors import ConfigError
from harness.facts.kernel import BuildFault, Failure, KernelFacts
from harness.facts.records import CaseRecord
from harness.judge.budget import with_budget
from harness.judge.expectation import NO_CONFIG, choose
from harness.judge.junit import with_test_cases
from harness.judge.known_splats import NOTHING_ALLOWED, AllowList, boot_problems
from harness.judge.outcome import outcome_of
from harness.judge.parts import cell_of_parts, expectation_of_parts
from harness.judge.runs import with_runs
from harness.judge.verdict import judge
from harness.model.phases import Phase
from harness.model.results import CellResult, Expectation, KernelResult, Outcome, OutcomeKind, PartResult, Stage
from harness.scenario.case import Case, units


def cells(facts: KernelFacts, cases: Sequence[Case], *, allow: AllowList = NOTHING_ALLOWED) -> list[CellResult]:
    """Return a cell for each case, in order. `allow` holds the known splats of all kernels."""
    version = facts.version
    own = allow.concerning(arch=facts.arch, version=version)
    found = []
    for case in cases:
        if case.parts and case.id not in facts.faults:
            found.append(_cell_with_parts(facts, case, version=version, allow=own))
            continue
        outcome = _outcome(facts, case, allow=own)
        outcome, parts = with_test_cases(case, facts.records.get(case.id, CaseRecord()), outcome)
        expectation = _expectation(case, facts, version=version)
        cell = _cell(facts.row.name, case, outcome, expectation)
        found.append(replace(cell, start=facts.starts.get(case.id), parts=parts))
    return found


def _cell_with_parts(facts: KernelFacts, case: Case, *, version: str, allow: AllowList) -> CellResult:
    """Return the cell of a case that is tried in parts: each is judged by itself, and the cell is what they come to."""
    parts = []
    own = units(case)
    for part, unit in zip(case.parts, own, strict=True):
        outcome = _outcome(facts, unit, allow=allow)
        verdict, reason = judge(outcome, _expectation(unit, facts, version=version))
        found = PartResult(name=part.name, outcome=outcome, verdict=verdict, verdict_reason=reason, about=part.about)
        parts.append(found)
    outcome, verdict, reason = cell_of_parts(parts)
    return CellResult(
        kernel=facts.row.name,
        case=case.id,
        title=case.title,
        outcome=outcome,
        expectation=expectation_of_parts(),
        verdict=verdict,
        verdict_reason=reason,
        start=next((facts.starts[unit.id] for unit in own if unit.id in facts.starts), None),
        isolated=case.alone,
        parts=tuple(parts),
    )


def cell_of(
    row: str,
    case: Case,
    record: CaseRecord,
    *,
    arch: str,
    version: str,
    distribution: str = "",
    allow: AllowList = NOTHING_ALLOWED,
) -> CellResult:
    """Judge what is known of one case on the row of this name. `allow` holds the known splats of its kernel."""
    name = row.partition("+")[0]
    expectation = expected(case, arch=arch, version=version, name=name, config=record.config, distribution=distribution)
    return _cell(row, case, outcome_of(case, record, allow=allow), expectation)


def kernel_result(facts: KernelFacts, *, allow: AllowList = NOTHING_ALLOWED) -> KernelResult:
    """Return what the reports say about a row; `allow` holds the known splats of all kernels."""
    row, version = facts.row, facts.version
    own = allow.concerning(arch=facts.arch, version=version)
    if facts.failure is not None:
        return KernelResult(
            name=row.name,
            userland=row.userland,
            compiler=row.compiler,
            clang_version=facts.compiler,
            arch=facts.arch,
            distribution=facts.distribution,
            package=facts.package,
        )
    seconds = {**facts.seconds, Phase.TOTAL: math.fsum(facts.seconds.values())}
    return KernelResult(
        name=row.name,
        userland=row.userland,
        compiler=row.compiler,
        clang_version=facts.compiler,
        arch=facts.arch,
        release=str(facts.environment.get("release", facts.release)),
        version=version,
        distribution=facts.distribution,
        accel=facts.accel,
        transport=facts.transport,
        qemu_version=facts.qemu_version,
        libbpf_version=str(facts.environment.get("libbpf", "")),
        package=facts.package,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        environment=dict(facts.environment),
        boots=facts.boots,
        memory=round(facts.memory, 1),
        problems=(*facts.problems, *boot_problems(facts.boot_logs, allow=own)),
        console_tail=facts.console_tail,
        run=facts.run,
        inputs=dict(facts.inputs),
    )


def expected(
    case: Case,
    *,
    arch: str,
    version: str,
    name: str = "",
    config: Mapping[str, str] = NO_CONFIG,
    distribution: str = "",
) -> Expectation:
    """Return what a case says should happen on a kernel, where its version can be read; else that it works."""
    try:
        return choose(case.expect, arch=arch, version=version, name=name, config=config, distribution=distribution)
    except ConfigError:  # a kernel of the user's own may call itself anything, or nothing where it never spoke
        return _unknown_version(case, arch=arch)


def _expectation(case: Case, facts: KernelFacts, *, version: str) -> Expectation:
    if facts.failure is not None:
        return _unknown_version(case, arch=facts.arch)
    record = facts.records.get(case.id, CaseRecord())
    return expected(
        case,
        arch=facts.arch,
        version=version,
        name=facts.row.kernel,
        config=record.config,
        distribution=facts.distribution,
    )


def _unknown_version(case: Case, *, arch: str) -> Expectation:
    return Expectation(outcome=OutcomeKind.WORKS, reason=f"the kernel's version is not known ({arch}, {case.id})")


def _outcome(facts: KernelFacts, case: Case, *, allow: AllowList) -> Outcome:
    if case.id in facts.faults:
        return _unbuilt(facts.faults[case.id])
    if facts.failure is not None:
        return _unreached(facts.failure)
    record = facts.records.get(case.id, CaseRecord())
    return with_budget(case, record, with_runs(case, record, outcome_of(case, record, allow=allow)))


def _unbuilt(fault: BuildFault) -> Outcome:
    """Return the outcome of a case whose objects cannot be had: no kernel was asked, and the input is why.

    Where compilers are an axis, and another one compiles it, the compiler has refused it: that is an answer.
    """
    if fault.refused:
        return Outcome(kind=OutcomeKind.REFUSED, reason=fault.reason, stage=Stage.BUILD, log=fault.log)
    return Outcome(kind=OutcomeKind.LOST, reason=fault.reason, stage=Stage.BUILD, log=fault.log, wrong_input=True)


def _unreached(failure: Failure) -> Outcome:
    return Outcome(kind=failure.kind, reason=failure.reason, wrong_input=failure.wrong_input, fault=failure.fault)


def _cell(row: str, case: Case, outcome: Outcome, expectation: Expectation) -> CellResult:
    verdict, reason = judge(outcome, expectation)
    return CellResult(
        kernel=row,
        case=case.id,
        title=case.title,
        outcome=outcome,
        expectation=expectation,
        verdict=verdict,
        verdict_reason=reason,
        isolated=case.alone,
    )
