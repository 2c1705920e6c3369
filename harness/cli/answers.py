"""The commands that answer from finished runs alone: from report files to a terminal, a page, an exit code."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import EXIT_OK, EXIT_UNEXPECTED, ReportError, UsageError
from harness.host.called_as import command
from harness.host.files import write_atomically
from harness.host.paths import shown
from harness.reports.folder import failure_text

if TYPE_CHECKING:
    from harness.answers.compare import Comparison
    from harness.answers.explain import Explanation
    from harness.answers.history import Answer
    from harness.model.results import Report

REPORT = "report.json"


def compare(base: Path, head: Path, *, common: bool, markdown: Path | None, json: Path | None) -> int:
    """Show what changed from one run to another, and return the exit code."""
    from harness.answers.compare import compare as compared
    from harness.reports import comparison as page
    from harness.screen.answers import print_comparison

    found: Comparison = compared(report_at(base, evidence=False), report_at(head, evidence=False), common=common)
    print_comparison(found)
    write_files((markdown, lambda: page.markdown(found)), (json, lambda: page.as_json(found)))
    return found.exit_code


def explain(run: Path, *, markdown: Path | None, json: Path | None) -> int:
    """Show what failed in a run by its cause."""
    from harness.answers.explain import explain as explained
    from harness.reports import explanation as page
    from harness.screen.answers import print_explanation

    report = report_at(run)
    found: Explanation = explained(report, program=command("").strip())
    print_explanation(found, run=shown(run))
    write_files((markdown, lambda: page.markdown(found)), (json, lambda: page.as_json(found)))
    return EXIT_OK


def support(
    runs: Sequence[Path], *, cases: Sequence[str], markdown: Path | None, json: Path | None, badge: Path | None
) -> int:
    """Show on which kernels cases were seen to work, from some runs; write it for readers and programs."""
    from harness.answers.support import support as supported
    from harness.reports import support_page as page
    from harness.run.plan import matching

    reports = [report_at(run, evidence=False) for run in runs]
    if not reports:
        raise UsageError(f"name the runs: {command('support results/latest')}")
    known = list(dict.fromkeys(case for report in reports for case, _ in report.cases))
    found = supported(reports, cases=matching("case", cases, known))
    if markdown is None:
        print(page.markdown(found), end="")
    write_files(
        (markdown, lambda: page.markdown(found)),
        (json, lambda: page.as_json(found)),
        (badge, lambda: page.badge_svg(found) if badge and badge.suffix == ".svg" else page.endpoint(found)),
    )
    return EXIT_OK


def statement(path: Path, *, reports: Sequence[Path]) -> int:
    """Replace the support statement in a page, between its marks, by that of some runs; raise UsageError without."""
    from harness.answers.support import support as supported
    from harness.reports import page
    from harness.reports import support_page as statements

    if not reports:
        raise UsageError("name the runs: --report RUN/report.json")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {error.strerror}") from error
    found = supported([report_at(each) for each in reports])
    made = statements.markdown(found, title="The statement", depth=2).rstrip()
    write_files((path, lambda: page.insert(text, made, part=page.SUPPORT)))
    return EXIT_OK


def merge(runs: Sequence[Path], *, output: Path, last_wins: bool, partial: bool) -> int:
    """Write the reports of some runs as those of one, and return its exit code."""
    from harness.answers.merge import merge as merged
    from harness.cli.commands import show
    from harness.reports import grid, writer

    report = grid.completed(merged([report_at(run) for run in runs], last_wins=last_wins, partial=partial))
    report = replace(report, run=replace(report.run, exit_code=grid.exit_code(report)))
    writer.write(report, directory=output)
    show(report, output)
    return report.run.exit_code


def write_files(*wanted: tuple[Path | None, Callable[[], str]]) -> None:
    """Write the files that were asked for (None: not); raise ReportError where one cannot be written."""
    for path, text in wanted:
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text().encode())
        except OSError as error:
            raise ReportError(failure_text(error, f"{shown(path)} could not be written")) from error
        print(f"{shown(path)} written")


def history(
    runs: Sequence[Path], *, database: Path | None, cases: Sequence[str], markdown: Path | None, json: Path | None
) -> int:
    """Show when and between which builds answers changed; return 1 where the same inputs had different ones."""
    from harness.answers.history import answers_of
    from harness.answers.history import history as found_in
    from harness.reports import history_page as page
    from harness.run.plan import matching
    from harness.screen.answers import print_history

    if not runs and database is None:
        raise UsageError(f"name the runs, or a folder of runs: {command('history results')}")
    answers: list[Answer] = []
    for path in _reports_in(runs):
        report = report_at(path, evidence=False)
        answers += answers_of(report, shown=page.shown_in(report))
    if database is not None:
        from harness.answers.history_store import answers_in, put

        put(database, answers)
        answers = answers_in(database)
    kept = matching("case", cases, list(dict.fromkeys(answer.place.case for answer in answers)))
    found = found_in(answer for answer in answers if answer.place.case in kept)
    print_history(found)
    write_files((markdown, lambda: page.markdown(found)), (json, lambda: page.as_json(found)))
    return EXIT_UNEXPECTED if found.defects else EXIT_OK


def _reports_in(runs: Sequence[Path]) -> list[Path]:
    """Return the reports that some words name: runs, reports, or folders of runs. Raises UsageError for none."""
    found: list[Path] = []
    for run in runs:
        if run.is_file() or (run / REPORT).is_file():
            found.append(run)
            continue
        below = sorted(path for path in run.glob(f"*/{REPORT}") if not path.parent.is_symlink())
        if not below:
            raise UsageError(f"{shown(run)}: there is no run; name the folder of a run, or one that has runs in it")
        found += below
    return found


def report_at(run: Path, *, evidence: bool = True) -> Report:
    """Return the report of a run, named by its folder or by its report.json; without `evidence` as `parse` does.

    Raises UsageError where there is none, ConfigError where the file is no report of this schema.
    """
    from harness.reports.json_report import parse

    gc.disable()  # nothing of a report is garbage: 30,000 cells are read in 1.1 s instead of 2.4 s
    path = run / REPORT if run.is_dir() else run
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(
            f"{shown(path)}: there is no report; name the folder of a run, such as results/latest, or its {REPORT}"
        ) from error
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {error.strerror}") from error
    return parse(content, name=shown(path), evidence=evidence)
