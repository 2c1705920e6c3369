"""What a finished run says in GitHub Actions: annotations, the summary and the outputs of its step, a comment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from harness.answers.compare import Comparison, compare
from harness.answers.explain import explain, failed_places
from harness.cli.answers import REPORT, report_at, write_files
from harness.cli.spots import Spots
from harness.errors import EXIT_OK, ReportError, UsageError
from harness.host.called_as import command
from harness.host.paths import shown
from harness.model.exit_codes import worst
from harness.model.results import Report
from harness.reports import github as page
from harness.reports.folder import failure_text
from harness.reports.markdown import escape
from harness.supply.project import Project

SUMMARY = "summary.md"
"""The file in the folder of a run with what its job's summary has."""

FAIL_ON = ("unexpected", "regression", "never")
"""What `--fail-on` takes: what is not as expected or became worse, what became worse alone, nothing."""


def github(
    run: Path,
    *,
    project: Project,
    base: Path | None,
    common: bool,
    comment: Path | None,
    fail_on: str,
    environment: Mapping[str, str] = os.environ,
) -> int:
    """Show a finished run in GitHub Actions and return the exit code that its job is to have.

    `base` is an earlier run; where there is none under that name, or one of other rows and cases, that is said, and
    nothing is compared: the first run has none before it. `comment` is the file for what a pull request shows, empty
    where nothing changed. Raises UsageError for a run without a report, and for a `fail_on` that there is not.
    """
    if fail_on not in FAIL_ON:
        raise UsageError(f'--fail-on takes {", ".join(FAIL_ON)}; got "{fail_on}"')
    report = report_at(run)
    comparison, notes = _compared(report, base, common=common)
    folder = run if run.is_dir() else run.parent
    _annotate(report, project=project, top=Path(environment.get("GITHUB_WORKSPACE") or "."))
    _summarize(folder, comparison, notes, step=environment.get("GITHUB_STEP_SUMMARY", ""))
    if comment is not None:
        write_files((comment, lambda: page.comment(comparison) if comparison else ""))
    outputs = {
        "report": folder / REPORT,
        "junit": folder / "junit.xml",
        "summary": folder / SUMMARY,
        "failed": len(failed_places(report)),
    }
    _append(environment.get("GITHUB_OUTPUT", ""), "".join(f"{name}={value}\n" for name, value in outputs.items()))
    return exit_code(report, comparison, fail_on=fail_on)


def exit_code(report: Report, comparison: Comparison | None, *, fail_on: str) -> int:
    """Return the exit code of a job: by what is not as expected, by what became worse, or 0.

    Where there is nothing to compare with, what is not as expected counts for `regression`, too.
    """
    if fail_on == "never":
        return EXIT_OK
    if comparison is None:
        return report.run.exit_code
    return comparison.exit_code if fail_on == "regression" else worst([report.run.exit_code, comparison.exit_code])


def _compared(report: Report, base: Path | None, *, common: bool) -> tuple[Comparison | None, list[str]]:
    if base is None:
        return None, []
    if not base.exists():
        return _not_compared(f"there is no earlier run at {shown(base)}")
    earlier = report_at(base)
    try:
        return compare(earlier, report, common=common), []
    except UsageError as error:
        return _not_compared(str(error))


def _not_compared(reason: str) -> tuple[None, list[str]]:
    """Say that a run has nothing to be compared with; that is no failure of it."""
    print(page.warning(f"nothing is compared: {reason}"))
    return None, [f"nothing is compared: {escape(reason)}"]


def _annotate(report: Report, *, project: Project, top: Path) -> None:
    # Beside no `./run` it is called as where it is installed, though the action has a checkout of it elsewhere.
    explanation = explain(report, program=command("").strip() if Path("run").is_file() else "bpfmatrix")
    spots = Spots(report, project=project, top=top)
    for each in page.failures(explanation, where=spots.of):
        print(page.command(each))


def _summarize(folder: Path, comparison: Comparison | None, notes: list[str], *, step: str) -> None:
    try:
        text = (folder / "report.md").read_text(encoding="utf-8")
    except OSError as error:
        raise ReportError(failure_text(error, f"{shown(folder / 'report.md')} could not be read")) from error
    made = page.summary(text, comparison=comparison, notes=notes)
    write_files((folder / SUMMARY, lambda: made))
    _append(step, made)


def _append(path: str, text: str) -> None:
    """Write to one of the files that the runner reads after a step; nothing where there is no runner."""
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ReportError(failure_text(error, f"{path} could not be written")) from error
