"""A finished run once more: judged again from its journal, or gone on with where it was interrupted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.config.axes import ClangChoice
from harness.config.matrix import Matrix
from harness.errors import UsageError
from harness.facts.journal import Recorded
from harness.facts.run import PlannedRow, RunPlan, shared_cases
from harness.host.cache import Cache
from harness.host.called_as import command
from harness.host.paths import shown
from harness.judge.report import report
from harness.model.architectures import ARCHITECTURES
from harness.model.results import Report
from harness.run.options import Options
from harness.run.plan import rows_of
from harness.run.prepared import with_axes
from harness.scenario.case import Case
from harness.supply.project import Project
from harness.supply.supplies import Supplies
from harness.supply.unbuilt import yaml_cases

RECORDED, CURRENT = "recorded", "current"
RULES = (RECORDED, CURRENT)
"""Whose expectations a run is judged by: those that it was started with, or those of today."""


def judge_again(recorded: Recorded) -> Report:
    """Return the report of a run by its journal, judged by the cases in it. Pure."""
    return report(recorded.plan, recorded.facts, recorded.end, started=recorded.started)


def with_current_rules(recorded: Recorded, project: Project, *, cache: Cache | None = None) -> Recorded:
    """Return a run with today's expectations and known splats, for the cases whose steps are still those of the run.

    The cases are read and built: what the names in them are is known from their objects. A case that has other steps
    now, or is gone, keeps the expectations of the run, and a notice says so. Raises ConfigError and UsageError.
    """
    if recorded.plan.own:
        raise UsageError(_same_command(recorded, why="their rules lie beside them"))
    project = of_suite(project, recorded.plan)
    matrix = project.load_matrix()
    own = with_axes(matrix, libbpf=recorded.plan.libbpf, clang=recorded.plan.clang)
    compilers = {row.objects: row.clang for row in rows_of(own)}  # of one that is gone, the host's gives the names
    today = {
        planned.objects: _cases_today(
            recorded.plan, planned, project, matrix, clang=compilers.get(planned.objects), cache=cache
        )
        for planned in {planned.objects: planned for planned in recorded.plan.rows}.values()
    }
    cases, notices = {}, []
    for objects, current in today.items():
        cases[objects], changed = rules_of(recorded.plan.cases_on(objects), current)
        notices += changed
    chosen, cases_of = shared_cases(cases)
    plan = replace(recorded.plan, cases=chosen, cases_of=cases_of, known_splats=matrix.allowed_splats())
    more = ("judged by the expectations of today, not by those of the run", *dict.fromkeys(notices))
    end = replace(recorded.end, notices=(*recorded.end.notices, *more)) if recorded.end is not None else None
    return replace(recorded, plan=plan, end=end)


def rules_of(recorded: Sequence[Case], current: Mapping[str, Case]) -> tuple[list[Case], list[str]]:
    """Return the cases of a run with the rules of today's cases of the same id and steps, and what changed. Pure."""
    found: list[Case] = []
    changed: list[str] = []
    for case in recorded:
        now = current.get(case.id)
        if now is not None and _with_rules_of(case, now) == case:
            found.append(now)
            continue
        found.append(case)
        what = "it is gone" if now is None else "its steps have changed"
        changed.append(
            f"{case.id}: {what} since the run, whose rules judge it; "
            f"run it again: {command(f'matrix --case {case.id}')}"
        )
    return found, changed


def _with_rules_of(case: Case, now: Case) -> Case:
    """Return a case with what another one says of itself and expects: what is left of it is what is done."""
    return replace(now, title=case.title, description=case.description, expect=case.expect, budget=case.budget)


def _cases_today(
    plan: RunPlan,
    planned: PlannedRow,
    project: Project,
    matrix: Matrix,
    *,
    clang: ClangChoice | None,
    cache: Cache | None,
) -> Mapping[str, Case]:
    wanted = [case.id for case in plan.cases_on(planned.objects)]
    there = project.load_cases(matrix, only=wanted)
    supplies = Supplies(project, matrix, cache=cache or Cache())
    cases = yaml_cases(case for case in there if case.id in wanted)
    built = supplies.build(cases, ARCHITECTURES[planned.arch], clang=clang)
    return {case: value for case, value in built.cases.items() if case not in built.faults}


def going_on(options: Options, earlier: Recorded) -> Options:
    """Return the options of a run that goes on with an earlier one: the same kernels and cases. Pure.

    Raises UsageError where the command line names others.
    """
    if any((options.kernels, options.arches, options.cases, options.libbpf, options.clang, options.shard)):
        raise UsageError(
            f"--resume takes the kernels and cases of {earlier.plan.id}; leave out --kernel, --arch, --case, --libbpf, "
            "--clang and --shard"
        )
    if earlier.plan.own and not options.own_cases:
        raise UsageError(_same_command(earlier, why="they are in no matrix file"))
    rows = [planned.row.name for planned in earlier.plan.rows]
    cases = dict.fromkeys(case.id for case in earlier.plan.cases)
    project = of_suite(options.project, earlier.plan)
    return replace(
        options,
        project=project,
        kernels=rows,
        arches=["all"],
        cases=list(cases),
        libbpf=earlier.plan.libbpf,
        clang=earlier.plan.clang,
    )


def _same_command(recorded: Recorded, *, why: str) -> str:
    """Say how a run goes on whose cases were given on the command line. Pure."""
    return (
        f"the cases of {recorded.plan.id} were given on the command line (`{recorded.plan.command}`), and {why}. Give "
        f"the same command with --resume {shown(recorded.folder)} in place of --kernel, --arch, --case, --libbpf and "
        "--clang: what has an answer, from the same inputs, is judged again by the rules of today"
    )


def of_suite(project: Project, plan: RunPlan) -> Project:
    """Return the project with the suite that a run had instead of the project's cases, or with none. Pure.

    Raises UsageError where the command line names another.
    """
    if project.suite not in (None, plan.suite):
        raise UsageError(f"{plan.id} had {plan.suite or 'no suite'}; leave out --suite")
    return replace(project, suite=plan.suite or None)
