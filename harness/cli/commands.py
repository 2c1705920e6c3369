"""What the tasks do, one function a task: from the command line to the harness, and back to the terminal.

Each imports what it needs by itself: all of it together takes longer to load than a guest to be restored.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, CacheError, PackageGoneError, UsageError
from harness.host.called_as import command
from harness.host.paths import shown

if TYPE_CHECKING:
    from harness.cli.exec import Asked
    from harness.model.results import Report
    from harness.run.options import Options


def matrix(options: Options, *, repeat: int = 1) -> int:
    """Run the matrix, show the grid, and return the exit code.

    With `repeat` it runs so often, one run after the other; where they do not all say the same, that is shown, and is
    unexpected. Raises UsageError where an earlier run would be gone on with more than once.
    """
    from harness.run.matrix import run_matrix

    if repeat > 1 and options.resume is not None:
        raise UsageError("--repeat runs everything again, and --resume does not; leave one of them out")
    reports: list[Report] = []
    interrupted = ""
    while len(reports) < repeat and not interrupted:
        finished = run_matrix(options)
        show(finished.report, finished.folder, quiet=options.quiet, json=options.json)
        reports.append(finished.report)
        interrupted = finished.interrupted
    return _of_all(reports, json=options.json) if repeat > 1 else reports[0].run.exit_code


def failed_again(options: Options, *, run: Path, repeat: int = 1) -> int:
    """Run exactly those cells again that failed in a run, or that have no answer in it; return the exit code.

    Rows with the same such cases are one run; the exit code is that of all of them. Raises UsageError where cells are
    chosen in another way as well, and where the run was none of cases of a matrix.
    """
    from harness.answers.explain import failed_grids, runs_cases
    from harness.cli.answers import report_at
    from harness.model.exit_codes import worst
    from harness.run.plan import ALL

    if options.kernels or options.cases or options.arches or options.shard or options.resume is not None:
        raise UsageError("--failed-of says which cells run; leave out --kernel, --arch, --case, --shard and --resume")
    report = report_at(run)
    if not runs_cases(report):
        raise UsageError(
            f"{shown(run)} is a run of `{report.run.command}`, not of cases of a matrix; "
            f"`{command(f'explain {shown(run)}')}` has the commands that show each failure again"
        )
    grids = failed_grids(report)
    if not grids:
        print(f"bpfmatrix: nothing failed in {shown(run)}")
    codes = [matrix(replace(options, kernels=rows, cases=cases, arches=[ALL]), repeat=repeat) for rows, cases in grids]
    return worst(codes)


def _of_all(reports: Sequence[Report], *, json: bool) -> int:
    """Show in what some runs of the same thing differ, and return their exit code."""
    from harness.answers.history import unlike
    from harness.model.exit_codes import worst
    from harness.screen.answers import print_unlike
    from harness.screen.lines import make_console

    found = unlike(reports)
    print_unlike(found, runs=len(reports), console=make_console(stderr=json))
    return worst([*(report.run.exit_code for report in reports), EXIT_UNEXPECTED if found else EXIT_OK])


def exec(options: Options, asked: Asked) -> int:
    """Run a command on the kernels, show the grid, and return the exit code."""
    from harness.cli.exec import exec_command

    finished = exec_command(options, asked)
    show(finished.report, finished.folder, quiet=options.quiet, json=options.json)
    return finished.report.run.exit_code


def check(
    options: Options,
    *,
    objects: Sequence[Path],
    programs: Sequence[str] = (),
    rodata: Sequence[str] = (),
    btf: Path | None = None,
    run: bool = True,
    require_run: bool = False,
    config: Path | None = None,
    accept: Path | None = None,
    precheck: bool = False,
) -> int:
    """Try objects of the user's own, show how many programs of each are attached, and return the exit code.

    With `accept` rules are drafted from what that run saw, and nothing is tried. With `precheck` the reports say where
    a forecast differs.
    """
    if accept is not None:
        return _draft(accept)
    from harness.run.checking import with_objects
    from harness.run.matrix import run_matrix
    from harness.screen.lines import make_console
    from harness.screen.parts import print_parts
    from harness.supply.own.said import Given

    given = Given(programs=programs, rodata=rodata, btf=btf, run=run, require_run=require_run, file=config)
    options = with_objects(options, objects, given)
    finished = run_matrix(options)
    if precheck:
        from harness.cli.precheck import marked

        finished = replace(finished, report=marked(finished.report, finished.folder, options))
    if not options.quiet:
        print_parts(finished.report, console=make_console(stderr=options.json))
    show(finished.report, finished.folder, causes=False, quiet=options.quiet, json=options.json)
    return finished.report.run.exit_code


def _draft(run: Path) -> int:
    from harness.facts.journal import read_journal
    from harness.reports.draft import draft
    from harness.run.again import judge_again

    print(draft(judge_again(read_journal(run))), end="")
    return EXIT_OK


def judge(options: Options, *, run: Path, rules: str) -> int:
    """Write the reports of a finished run again from its journal, show the grid, and return the exit code."""
    from harness import __version__
    from harness.facts.journal import read_journal
    from harness.reports import writer
    from harness.run.again import CURRENT, RULES, judge_again, with_current_rules

    if rules not in RULES:
        raise UsageError(f'--rules takes {" or ".join(RULES)}; got "{rules}"')
    recorded = read_journal(run)
    if recorded.plan.version != __version__:
        print(f"bpfmatrix: {shown(run)} is a run of version {recorded.plan.version}; this is {__version__}")
    if rules == CURRENT:
        recorded = with_current_rules(recorded, options.project)
    report = judge_again(recorded)
    writer.write(report, directory=recorded.folder)
    show(report, recorded.folder)
    return report.run.exit_code


def show(report: Report, folder: Path, *, causes: bool = True, quiet: bool = False, json: bool = False) -> None:
    """Show the grid of a run, then what is unexpected, each cause once with all that it hit, and what it comes to.

    `causes` is left out where all of them were shown. With `quiet` there is no grid; with `json` all of it goes to
    stderr, and a summary to stdout.
    """
    from harness.reports.attribution import sentences
    from harness.reports.grid import headline
    from harness.screen.grid import print_grid
    from harness.screen.lines import make_console, print_text

    console = make_console(stderr=json)
    if not quiet:
        print_grid(report, console=console)
        for sentence in sentences(report):
            print_text(console, sentence)
    if (causes or quiet) and report.run.exit_code != EXIT_OK:
        from harness.answers.explain import explain
        from harness.screen.answers import print_causes

        print_causes(explain(report, program=command("").strip()), console=console)
    part = f"shard {report.run.shard.name}: " if report.run.shard else ""
    print_text(console, f"{part}{headline(report)} ({report.run.seconds:.1f} s under {report.run.accel})")
    if not quiet:
        print_text(console, f"reports: {shown(folder)}/report.md, report.html, report.json, junit.xml, matrix.svg")
    if json:
        from harness.reports.summary import as_json

        print(as_json(report, folder=shown(folder), program=command("").strip()), end="")


def bisect(options: Options, *, good: str, bad: str, words: Sequence[str]) -> int:
    """Find between which builds an answer changes, show them, their changelogs' difference, and how to see both."""
    from harness.run.bisect import bisect as bisected
    from harness.screen.bisect import print_bisected
    from harness.screen.lines import make_console
    from harness.screen.terminal import Progress

    console = make_console()
    found = bisected(
        options,
        good=good,
        bad=bad,
        say=lambda text: console.print(text, markup=False),
        showing=lambda rows: Progress(rows, console=console),
    )
    print_bisected(found, words=words, console=console)
    return EXIT_OK


def bisect_commits(options: Options, *, clone: Path, good: str, bad: str, first_parent: bool) -> int:
    """Find which commit of a git clone changed an answer, and show it, what was skipped, and how to see both."""
    from harness.run.bisect_commits import Asked as Commits
    from harness.run.bisect_commits import bisect_commits as bisected
    from harness.screen.bisect import print_commits
    from harness.screen.lines import make_console
    from harness.screen.terminal import Progress

    console = make_console()
    found = bisected(
        options,
        Commits(clone=clone, good=good, bad=bad, first_parent=first_parent),
        say=lambda text: console.print(text, markup=False),
        showing=lambda rows: Progress(rows, console=console),
    )
    print_commits(found, console=console)
    return EXIT_OK


def watch(options: Options) -> int:
    """Run the cells after every save until Ctrl-C; return the exit code of the last run that was finished."""
    from harness.run import watch as watching

    if not options.cases:
        raise UsageError(
            f"watch needs --case: the case that you work at, or a pattern of several; see `{command('cases')}`"
        )
    return watching.watch(options)


def kernels(options: Options) -> None:
    """List the kernels of the matrix."""
    from rich.table import Table

    from harness.host.cache import Cache
    from harness.screen.lines import make_console
    from harness.supply.supplies import Supplies

    arches, loaded = options.arches, options.project.load_matrix()
    supplies = Supplies(options.project, loaded, cache=Cache())
    table = Table("kernel", "arch", "from", "pinned", box=None, padding=(0, 2, 0, 0))
    for kernel in loaded.kernels:
        if arches and "all" not in arches and kernel.arch not in arches:
            continue
        about = supplies.describe(kernel)
        pinned = about.version or ("not pinned" if about.pinnable else "")
        remark = f" ({about.remark})" if about.remark else ""
        table.add_row(kernel.name, kernel.arch, about.origin, f"{pinned}{remark}")
    make_console().print(table)


def cases(options: Options) -> None:
    """List the cases: those of a suite, which need no matrix, or those of the matrix."""
    from rich.table import Table

    from harness.screen.lines import make_console

    project = options.project
    table = Table("case", "title", box=None, padding=(0, 2, 0, 0))
    for case in project.load_cases(None if project.suite else project.load_matrix()):
        table.add_row(case.id, case.title)
    make_console().print(table)


def lock(options: Options) -> None:
    """Resolve the kernels and the guest images, and write matrix.lock.

    Where kernels are named only those that match are resolved; the others, and the images that are pinned, stay as
    they are. What a suite no longer has keeps its pin, with a message. Raises PackageGoneError, after the lock is
    written, where there is no pin to keep.
    """
    from harness.host.cache import Cache
    from harness.run.plan import ALL
    from harness.run.prepared import load_plan
    from harness.screen.lines import make_console
    from harness.supply.axes import requests_of
    from harness.supply.lock import write_lock
    from harness.supply.locking import pin_again
    from harness.supply.supplies import Supplies
    from harness.supply.unbuilt import YamlCase

    project = options.project
    loaded, plan = load_plan(replace(options, arches=[ALL]), sweeps=True)
    console = make_console()
    pinned = pin_again(
        Supplies(project, loaded, cache=Cache()),
        loaded.kernels,
        chosen=plan.kernels,
        packages=[case.written.packages for case in plan.cases if isinstance(case, YamlCase) and case.written.packages],
        axes=requests_of(loaded, loaded.kernels),
        keep_images=bool(options.kernels),
        say=lambda line: console.print(line, markup=False),
    )
    try:
        write_lock(project.lock_file, pinned.lock)
    except OSError as error:
        raise CacheError(f"{project.lock_file} cannot be written: {error.strerror}") from error
    counts = f"{len(pinned.lock.kernels)} kernels, {len(pinned.lock.images)} images"
    console.print(f"{shown(project.lock_file)} written: {counts}", markup=False)
    if pinned.unpinned:
        raise PackageGoneError(
            f"{', '.join(pinned.unpinned)}: not pinned, since their source has no such build (see above); "
            f"correct matrix.yaml, or run `{command('lock')}` again when it has one"
        )


def shell(options: Options, *, kernel: str) -> int:
    """Boot one kernel and connect the terminal to a shell in it; return the shell's exit code."""
    from harness.cli.shell import interactive_shell
    from harness.host import emulators
    from harness.host.cache import Cache
    from harness.run.prepared import load_plan
    from harness.supply.kernels.tools import tools_of
    from harness.supply.supplies import Supplies

    loaded, plan = load_plan(replace(options, kernels=[kernel]))
    if len(plan.kernels) != 1:
        names = ", ".join(entry.name for entry in plan.kernels)
        raise UsageError(f'--kernel "{kernel}" matches several kernels ({names}); a shell needs one')
    emulators.require([plan.kernels[0].arch], tools=tools_of(plan.kernels))
    supplies = Supplies(options.project, loaded, cache=Cache())
    return interactive_shell(supplies, plan.kernels[0], accel=options.accel)


def init(folder: Path) -> None:
    """Write a project of one's own into a folder, and say what to do next."""
    from harness.cli.init import init as write_project

    for path in write_project(folder):
        print(f"{shown(path)} written")
    print(f"next: {command('doctor')}, then {command('matrix')}")


def doctor(options: Options) -> int:
    """Print what the host offers; return 3 where something that every run needs is missing."""
    from harness.cli.doctor import examine
    from harness.screen.lines import make_console

    console = make_console()
    findings = examine(options.project.matrix_file)
    for finding in findings:
        console.print(f"{finding.sign} {finding.subject:<12} {finding.text}", markup=False)
        if finding.advice:
            console.print(f"{'':<15}{finding.advice}", markup=False)
    return EXIT_HARNESS if any(finding.fatal for finding in findings) else EXIT_OK


def clean(*, results: Path | None) -> None:
    """Empty the cache, and remove earlier results where `results` names their folder.

    Nothing is removed where that folder is missing (UsageError), or where another process uses the cache
    (CacheInUseError).
    """
    from harness.host.cache import Cache

    if results is not None and not results.is_dir():
        raise UsageError(
            f"there is no folder {shown(results)} here, so nothing was removed; see `{command('--help clean')}`"
        )
    cache = Cache()
    size = cache.clear()
    print(f"{cache.root}: {size / 2**20:.0f} MiB removed")
    if results is not None:
        for path in results.iterdir():
            if path.is_symlink():
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)
        print(f"{shown(results)}: emptied")


def schema(folder: Path) -> None:
    """Write the JSON Schemas, and the page of what a scenario.py works with."""
    from harness.cli.api_page import API_PAGE, API_SOURCES, page_of
    from harness.config.schema import write_schemas
    from harness.reports.document import REPORT_SCHEMA_FILE, report_schema

    write_schemas(folder)
    (folder / REPORT_SCHEMA_FILE).write_text(report_schema(), encoding="utf-8")
    (folder / API_PAGE).write_text(
        page_of(*(path.read_text(encoding="utf-8") for path in API_SOURCES)), encoding="utf-8"
    )


def grid(path: Path, *, report: Path) -> None:
    """Replace the grid in a page by that of a run; raise UsageError where one of the files cannot be read."""
    from harness.reports import page
    from harness.reports.json_report import parse

    made = page.render(parse(_text_of(report), name=str(report)))
    path.write_text(page.insert(_text_of(path), made), encoding="utf-8")


def parts(path: Path, *, reports: Sequence[Path], part: str) -> None:
    """Replace a table in a page, between the marks `part`, by the sub-results of some runs; raise UsageError."""
    from harness.reports import page
    from harness.reports.json_report import parse
    from harness.reports.parts_page import render_parts

    if not reports:
        raise UsageError("name the runs: --report RUN/report.json")
    made = render_parts([parse(_text_of(report), name=str(report)) for report in reports])
    path.write_text(page.insert(_text_of(path), made, part=part), encoding="utf-8")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
