"""What report.md shows, and report.html around its cells, put together once: the templates only lay it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.model.phases import Phase
from harness.model.results import (
    INCOMPLETE,
    UNEXPECTED,
    CellResult,
    KernelResult,
    Outcome,
    OutcomeKind,
    PartResult,
    Report,
    Verdict,
)
from harness.reports import cost, grid, text, wording
from harness.reports.attribution import sentences
from harness.reports.bounded import bounded
from harness.reports.events import event_lines
from harness.reports.parts import PartsTable, parts_table

SECTIONS = (
    ("Not as expected", UNEXPECTED),
    ("No complete answer", INCOMPLETE),
    ("Answered, and no rule covers the kernel", frozenset({Verdict.ANSWERED})),
    ("Known bugs and expected refusals", frozenset({Verdict.KNOWN_BUG, Verdict.XFAIL})),
    ("Not applicable", frozenset({Verdict.NOT_APPLICABLE})),
)
"""Every verdict but `pass`, under the headings in which the cells are shown, the worst first."""

KERNEL_COLUMNS = ("release", "version", "version is", "arch", "accel", "package", "boots", "took")
"""The columns of the table of kernels behind the row's name, and behind those of the axes."""

NOTED_TITLE = "Passed, with an allowed splat"
"""The heading of cells that passed though their kernel complained, since `known-splats` allows that."""

EVIDENCE_LIMIT = 16_000
"""Characters of one block of evidence (a verifier's log, a console tail) on a page."""

MOST_LINES = 300
"""Entries of one list (events, console lines, splats) on a page."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A block of text of the kernel, under a label."""

    label: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """Everything that a page says about one sub-result of a cell."""

    name: str
    verdict: Verdict
    symbol: str
    facts: tuple[tuple[str, str], ...]
    evidence: tuple[Evidence, ...]
    events: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Detail:
    """Everything that a page says about one cell; `noted` where its kernel complained and was allowed to.

    `table` has its parts side by side, None where there is nothing to compare.
    """

    anchor: str
    kernel: str
    case: str
    verdict: Verdict
    symbol: str
    facts: tuple[tuple[str, str], ...]
    evidence: tuple[Evidence, ...]
    events: tuple[str, ...]
    noted: bool
    parts: tuple[Part, ...]
    table: PartsTable | None


@dataclass(frozen=True, kw_only=True)
class Section:
    """Cells whose verdicts belong together, under one heading; `urgent` where somebody must look at them."""

    title: str
    urgent: bool
    details: tuple[Detail, ...]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What one kernel's guests left that no cell carries: sentences, and the console's last lines."""

    kernel: str
    problems: tuple[str, ...]
    console: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One report without its cells, ready to be laid out."""

    run_id: str
    headline: str
    ok: bool
    notices: tuple[str, ...]
    problems: tuple[Problem, ...]
    run: tuple[tuple[str, str], ...]
    legend: tuple[tuple[str, Verdict, str], ...]
    decided: tuple[str, ...]
    kernel_columns: tuple[str, ...]
    kernels: tuple[tuple[str, ...], ...]
    costs: cost.Costs
    slowest: cost.Costs
    programs: cost.Costs


@dataclass(frozen=True, kw_only=True)
class View:
    """One report, ready to be laid out: its summary, its grid, and its cells under their headings."""

    summary: Summary
    table: grid.Table
    sections: tuple[Section, ...]
    passed: tuple[Detail, ...]


def cleaned(report: Report, *, limit: int = EVIDENCE_LIMIT) -> Report:
    """Return `report` with every cell of its grid, cleaned, each text and list as long as a page shows it."""
    return bounded(grid.completed(report), string=lambda said: text.block(said, limit=limit), items=MOST_LINES)


def summary(report: Report, *, limit: int = EVIDENCE_LIMIT) -> Summary:
    """Return what a page shows of `report`, which is cleaned, beside its cells."""
    return Summary(
        run_id=report.run.id,
        headline=grid.headline(report),
        ok=report.run.exit_code == 0,
        notices=grid.notices(report),
        problems=tuple(_problem(kernel, limit=limit) for kernel in _with_problems(report)),
        run=_run_facts(report),
        legend=grid.legend(report),
        decided=sentences(report),
        kernel_columns=("kernel", *(axes := _axis_columns(report)), *KERNEL_COLUMNS),
        kernels=tuple(_kernel_row(kernel, axes) for kernel in report.kernels),
        costs=cost.by_kernel(report),
        slowest=cost.slowest(report),
        programs=cost.by_program(report),
    )


def build(report: Report, *, limit: int = EVIDENCE_LIMIT) -> View:
    """Return what a page shows of `report`, cleaned, each block of evidence in at most `limit` characters."""
    report = cleaned(report, limit=limit)
    anchors = grid.anchors(report)
    details = [
        _detail(cell, anchor=anchors[cell.kernel, cell.case], limit=limit) for cell in grid.cells_in_order(report)
    ]
    sections = [
        Section(
            title=title,
            urgent=bool(verdicts & (UNEXPECTED | INCOMPLETE)),
            details=tuple(d for d in details if d.verdict in verdicts),
        )
        for title, verdicts in SECTIONS
    ]
    noted = tuple(d for d in details if d.verdict is Verdict.PASS and d.noted)
    sections.append(Section(title=NOTED_TITLE, urgent=False, details=noted))
    return View(
        summary=summary(report, limit=limit),
        table=grid.table(report),
        sections=tuple(section for section in sections if section.details),
        passed=tuple(d for d in details if d.verdict is Verdict.PASS and not d.noted),
    )


def _with_problems(report: Report) -> list[KernelResult]:
    """Return the kernels with problems, or with cells without an answer none of which shows their console's tail."""
    shown: dict[str, set[tuple[str, ...]]] = {}
    wanted: set[str] = set()
    for cell in report.cells:
        shown.setdefault(cell.kernel, set()).add(cell.outcome.console_tail)
        if cell.verdict in INCOMPLETE or cell.outcome.kind is OutcomeKind.CRASHED:
            wanted.add(cell.kernel)
    return [
        kernel
        for kernel in report.kernels
        if kernel.problems
        or (kernel.console_tail and kernel.name in wanted and kernel.console_tail not in shown[kernel.name])
    ]


def _problem(kernel: KernelResult, *, limit: int) -> Problem:
    console = text.bound("\n".join(kernel.console_tail), limit=limit)
    return Problem(kernel=kernel.name, problems=kernel.problems, console=console)


def _run_facts(report: Report) -> tuple[tuple[str, str], ...]:
    run = report.run
    facts = [
        ("Accelerator", f"{run.accel}: {run.accel_reason}" if run.accel_reason else run.accel),
        ("QEMU", _distinct(kernel.qemu_version for kernel in report.kernels)),
        ("libbpf in the guests", _distinct(kernel.libbpf_version for kernel in report.kernels)),
        ("Connection to the guests", _distinct(kernel.transport for kernel in report.kernels)),
        ("Jobs", str(run.jobs)),
        ("Shard", wording.shard(run.shard)),
        ("Started", run.started),
        ("Took", wording.duration(run.seconds)),
        ("Host", ", ".join(f"{name} {value}" for name, value in run.host.items())),
        ("bpfmatrix", run.version),
        ("Command", run.command),
    ]
    return tuple((label, value) for label, value in facts if value)


def _distinct(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))


def _axis_columns(report: Report) -> dict[str, Callable[[KernelResult], str]]:
    """Return the columns of the axes that the rows have, and what is in them: the versions."""
    columns: dict[str, Callable[[KernelResult], str]] = {}
    if any(kernel.userland for kernel in report.kernels):
        columns["libbpf"] = lambda kernel: kernel.libbpf_version
    if any(kernel.compiler for kernel in report.kernels):
        columns["clang"] = lambda kernel: kernel.clang_version
    return columns


def _kernel_row(kernel: KernelResult, axes: Mapping[str, Callable[[KernelResult], str]]) -> tuple[str, ...]:
    return (
        kernel.name,
        *(version(kernel) or "-" for version in axes.values()),
        kernel.release or "-",
        kernel.version or "-",
        wording.number(kernel),
        kernel.arch or "-",
        kernel.accel or "-",
        wording.package(kernel.package),
        str(kernel.boots),
        wording.duration(kernel.seconds.get(Phase.TOTAL)),
    )


def _detail(cell: CellResult, *, anchor: str, limit: int) -> Detail:
    facts = [("Case", cell.title), ("Expected", wording.expected(cell.expectation)), *_facts(cell)]
    return Detail(
        anchor=anchor,
        kernel=cell.kernel,
        case=cell.case,
        verdict=cell.verdict,
        symbol=grid.SYMBOLS[cell.verdict],
        facts=tuple((label, value) for label, value in facts if value),
        evidence=_evidence(cell.outcome, limit=limit),
        events=event_lines(cell.outcome.events),
        noted=bool(cell.outcome.allowed_splats),
        parts=tuple(_part(part, limit=limit) for part in cell.parts),
        table=parts_table(cell.parts),
    )


def _part(part: PartResult, *, limit: int) -> Part:
    return Part(
        name=part.name,
        verdict=part.verdict,
        symbol=grid.SYMBOLS[part.verdict],
        facts=tuple((label, value) for label, value in _facts(part) if value),
        evidence=_evidence(part.outcome, limit=limit),
        events=event_lines(part.outcome.events),
    )


def _facts(judged: CellResult | PartResult) -> Iterator[tuple[str, str]]:
    """Yield what an outcome and its verdict say, each with its label; "" where there is nothing."""
    outcome, verdict = judged.outcome, str(judged.verdict)
    yield "Happened", wording.happened(outcome)
    yield "Stage", str(outcome.stage or "")
    yield "Step", outcome.step
    yield "Errno", wording.errno(outcome)
    yield "Mark", f"{outcome.mark}: {outcome.mark_reason}" if outcome.mark else ""
    yield "Asked", wording.asked(outcome)
    yield "Verdict", f"{verdict}: {judged.verdict_reason}" if judged.verdict_reason else verdict
    for splat in outcome.allowed_splats:
        yield "Allowed splat", wording.allowed_splat(splat)
    yield "Took", "" if outcome.seconds is None else wording.duration(outcome.seconds)


def _evidence(outcome: Outcome, *, limit: int) -> tuple[Evidence, ...]:
    evidence = [
        (wording.log_label(outcome).capitalize(), outcome.log),
        ("Its output", outcome.output),
        *(("The kernel's log", splat) for splat in outcome.splats),
        ("The kernel's death", outcome.crash),
        ("The console's last lines", text.bound("\n".join(outcome.console_tail), limit=limit)),
    ]
    return tuple(Evidence(label=label, text=said) for label, said in evidence if said.strip())
