"""`precheck`: what the types of kernels show of objects, before anything is booted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import ReportError, UsageError
from harness.forecast.answers import Answer
from harness.forecast.comparing import Comparison, compared
from harness.forecast.document import Forecast, render
from harness.host.files import write_atomically
from harness.host.paths import shown
from harness.model.results import Report
from harness.reports import forecast_page, json_report, writer
from harness.reports.folder import failure_text
from harness.run.checking import with_objects
from harness.run.options import Options
from harness.run.precheck import precheck as run_precheck
from harness.screen.lines import make_console, printable
from harness.supply.own.said import Given

STYLES = {Answer.MISSING: "bold red", Answer.NEEDS_MODULE: "yellow", Answer.NOT_SHOWN: "cyan", Answer.FOUND: "green"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks of `precheck`."""

    objects: Sequence[Path]
    sweep: bool = False
    programs: Sequence[str] = field(default_factory=list)
    rodata: Sequence[str] = field(default_factory=list)
    btf: Path | None = None
    config: Path | None = None
    json: Path | None = None
    compare: Path | None = None


def precheck(options: Options, asked: Asked) -> int:
    """Say what the kernels' types show, write precheck.json and precheck.md, and return the exit code.

    Raises UsageError or ConfigError where what is asked for is wrong, ReportError where a file cannot be written.
    """
    console = make_console()
    report = json_report.parse(_text_of(asked.compare / "report.json")) if asked.compare is not None else None
    given = Given(programs=asked.programs, rodata=asked.rodata, btf=asked.btf, file=asked.config)
    options = with_objects(options, asked.objects, given, command_name="precheck")
    forecast = run_precheck(options, sweep=asked.sweep, say=lambda line: console.print(line, markup=False, style="dim"))
    comparison = compared(forecast, report) if report is not None else None
    for line, answer in forecast_page.lines_of(forecast):
        console.print(printable(line), markup=False, soft_wrap=True, style=STYLES[answer] if answer else "bold")
    for text in forecast.notices:
        console.print(printable(text), markup=False, soft_wrap=True, style="yellow")
    console.print(f"{forecast_page.summary_of(forecast)} ({forecast.seconds:.1f} s)", markup=False)
    console.print(forecast_page.IT_IS, markup=False, soft_wrap=True, style="dim")
    if comparison is not None:
        for line in forecast_page.comparison_lines(comparison):
            console.print(printable(line), markup=False, soft_wrap=True)
    folder = _write(forecast, comparison, options, asked)
    console.print(f"reports: {shown(folder)}/precheck.md, precheck.json", markup=False)
    return forecast.exit_code


def marked(report: Report, folder: Path, options: Options) -> Report:
    """Return the report of a run of `check` with a notice for each program that a forecast says otherwise of.

    The forecast and its comparison lie beside the other reports, which are written again. Raises what `precheck` does.
    """
    forecast = run_precheck(options, sweep=False, say=lambda _: None)
    first, *others = forecast_page.comparison_lines(compared(forecast, report))
    notices = [f"forecast {first}", *(f"forecast: {each.strip()}" for each in others)]
    found = replace(report, run=replace(report.run, notices=(*report.run.notices, *notices)))
    page = f"{forecast_page.render(forecast)}\n{forecast_page.render_comparison(compared(forecast, report))}"
    _write_all({folder / "precheck.json": render(forecast), folder / "precheck.md": page})
    writer.write(found, directory=folder)
    return found


def _write(forecast: Forecast, comparison: Comparison | None, options: Options, asked: Asked) -> Path:
    results = options.results or options.project.folder / "results"
    folder = results / f"precheck-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    page = forecast_page.render(forecast)
    if comparison is not None:
        page += f"\n{forecast_page.render_comparison(comparison)}"
    files = {folder / "precheck.json": render(forecast), folder / "precheck.md": page}
    if asked.json is not None:
        files[asked.json] = render(forecast)
    _write_all(files)
    return folder


def _write_all(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
        except OSError as error:
            raise ReportError(failure_text(error, f"{path} could not be written")) from error


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; name the folder of a run of check") from error
