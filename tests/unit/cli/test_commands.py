"""What each command does for its user: its exit code, what it prints, and what it refuses before it begins.

What runs guests is played. `clean`, `doctor`, `lint`, `test` and `lock` have files of their own.
"""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import answers_samples
import pytest
from unit_samples import CASE_ID, ROOT, golden_lines, kernel_facts, object_file, record_of, sample_case, x86_image

from harness import __version__
from harness.cli import commands
from harness.cli.doctor import Finding
from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, ConfigError, JournalError, UsageError
from harness.facts.journal import Journal, read_journal
from harness.facts.run import PlannedRow, RunEnd, RunPlan
from harness.model.results import Report
from harness.model.rows import Row
from harness.reports.json_report import render
from harness.run.again import judge_again
from harness.run.matrix import Finished
from harness.run.options import Options
from harness.supply.project import Project

LOOKED_AT = {"release": "6.1.0-50-cloud-amd64", "version": "Debian 6.1.176-1 (x)"}


def options(matrix_file: Path, **fields: Any) -> Options:
    return Options(project=Project(matrix_file=matrix_file), **fields)


def journal_of(folder: Path, *, works: bool = True, version: str = __version__) -> Path:
    """The journal of a run with one cell, which works or has not run."""
    folder.mkdir(parents=True)
    facts = kernel_facts(records={CASE_ID: record_of(golden_lines())}, environment=LOOKED_AT, boots=1)
    plan = RunPlan(
        id="20261129T120000Z",
        started="2026-11-29T12:00:00Z",
        version=version,
        command="bpfmatrix matrix",
        host={"cpus": "2"},
        jobs=1,
        accel="auto",
        rows=(PlannedRow(row=Row(kernel="6.1-x86_64"), arch="x86_64"),),
        cases=(sample_case(),),
        cases_of={"x86_64": (0,)},
    )
    journal = Journal(folder)
    journal.begin(plan)
    if works:
        journal.keep(facts)
    journal.end(RunEnd(seconds=9.5, accel="tcg", accel_reason="asked for"))
    return folder


def report_of(folder: Path) -> Report:
    return judge_again(read_journal(journal_of(folder)))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The matrix file of a project with two kernels and one case, in the present folder; its cache is its own."""
    case = tmp_path / "bpf/first"
    case.mkdir(parents=True)
    (case / "target.bpf.c").touch()
    (case / "case.yaml").write_text(
        "title: what it shows\nobjects: {target: target.bpf.c}\nsteps: [{do: load, object: target}]\n"
    )
    kernels = [
        {"name": f"mine-{arch}", "arch": arch, "source": "path", "image": "vmlinuz"} for arch in ("x86_64", "arm64")
    ]
    (tmp_path / "vmlinuz").write_bytes(x86_image())
    (tmp_path / "matrix.yaml").write_text(json.dumps({"cases": ["bpf/*"], "kernels": kernels}))
    monkeypatch.setenv("BPFMATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Path("matrix.yaml")


# --- matrix ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [EXIT_OK, EXIT_UNEXPECTED, EXIT_HARNESS])
def test_matrix_ends_with_the_runs_exit_code_and_shows_its_grid_and_where_the_reports_are(
    code: int, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = report_of(Path("r").absolute())
    asked: list[Options] = []

    def play(options: Options) -> Finished:
        asked.append(options)
        return Finished(report=replace(report, run=replace(report.run, exit_code=code)), folder=Path("r").absolute())

    monkeypatch.setattr("harness.run.matrix.run_matrix", play)
    wanted = options(project, kernels=["6.*"], jobs=3)
    assert commands.matrix(wanted) == code
    assert asked == [wanted]
    *grid, headline, where = capsys.readouterr().out.splitlines()
    assert any("6.1-x86_64" in line for line in grid)
    assert headline.endswith("(9.5 s under tcg)")
    assert where == "reports: r/report.md, report.html, report.json, junit.xml, matrix.svg"


def test_each_cause_is_shown_once_just_before_the_headline(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = {"5.10": {"a": "fail", "b": "other"}, "6.1": {"a": "fail", "b": "pass"}}
    failed = answers_samples.report(cells, exit_code=EXIT_UNEXPECTED)
    finished = Finished(report=failed, folder=Path("r").absolute())
    monkeypatch.setattr("harness.run.matrix.run_matrix", lambda options: finished)
    assert commands.matrix(options(project)) == EXIT_UNEXPECTED
    lines = capsys.readouterr().out.splitlines()
    begin = lines.index("1. the kernel's (2):")
    assert lines[begin + 2] == "   where:    5.10, 6.1"
    assert lines[begin + 5] == "   again:    ./run matrix --kernel 5.10 --case a"
    assert lines[begin + 6] == "2. the kernel's (1):", "and what hit one alone"
    assert lines[-3] == "   again:    ./run matrix --kernel 5.10 --case b"
    assert lines[-2].startswith("4 cells")


def test_exactly_what_failed_runs_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[list[str], list[str], list[str]]] = []

    def play(options: Options) -> Finished:
        asked.append((list(options.kernels), list(options.cases), list(options.arches)))
        return Finished(report=answers_samples.report({"6.1": {"a": "pass"}}), folder=Path("r").absolute())

    monkeypatch.setattr("harness.run.matrix.run_matrix", play)
    failed = answers_samples.report({"5.10": {"a": "fail", "b": "pass"}, "6.1": {"a": "lost", "b": "fail"}})
    Path("before.json").write_text(render(failed))
    assert commands.failed_again(options(project), run=Path("before.json")) == EXIT_OK
    assert asked == [(["5.10"], ["a"], ["all"]), (["6.1"], ["a", "b"], ["all"])]
    with pytest.raises(UsageError, match="leave out --kernel"):
        commands.failed_again(options(project, kernels=["6.1"]), run=Path("before.json"))
    Path("before.json").write_text(
        render(answers_samples.report({"6.1": {"a": "fail"}}, command="bpfmatrix check a.o"))
    )
    with pytest.raises(UsageError, match="not of cases of a matrix"):
        commands.failed_again(options(project), run=Path("before.json"))
    Path("before.json").write_text(render(answers_samples.report({"6.1": {"a": "pass"}})))
    capsys.readouterr()
    assert commands.failed_again(options(project), run=Path("before.json")) == EXIT_OK
    assert capsys.readouterr().out == "bpfmatrix: nothing failed in before.json\n"


def test_runs_that_are_repeated_must_say_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = iter(["pass", "pass", "lost"])

    def play(_options: Options) -> Finished:
        return Finished(report=answers_samples.report({"6.1": {"a": next(words)}}), folder=Path("r").absolute())

    monkeypatch.setattr("harness.run.matrix.run_matrix", play)
    assert commands.matrix(options(project), repeat=2) == EXIT_OK
    words = iter(["pass", "lost"])
    assert commands.matrix(options(project), repeat=2) == EXIT_UNEXPECTED
    assert "not the same each time: a on 6.1: pass: works (1 of 2); error: lost (1 of 2)" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--repeat runs everything again"):
        commands.matrix(options(project, resume=Path("r")), repeat=2)


# --- check -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [EXIT_OK, EXIT_UNEXPECTED])
def test_check_runs_the_objects_as_cases_and_shows_what_came_of_their_programs(
    code: int, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = report_of(Path("r").absolute())
    asked: list[Options] = []

    def play(options: Options) -> Finished:
        asked.append(options)
        return Finished(report=replace(report, run=replace(report.run, exit_code=code)), folder=Path("r").absolute())

    monkeypatch.setattr("harness.run.matrix.run_matrix", play)
    assert commands.check(options(project, kernels=["6.*"]), objects=[object_file(Path("o"))]) == code
    (wanted,) = asked
    assert ([case.id for case in wanted.own_cases], wanted.kernels) == (["my"], ["6.*"])
    first, *_, where = capsys.readouterr().out.splitlines()
    assert first.startswith("6.1-x86_64 (6.1.176-1)")
    assert where == "reports: r/report.md, report.html, report.json, junit.xml, matrix.svg"


def test_check_drafts_rules_from_a_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.check(options(project), objects=[], accept=journal_of(Path("r"))) == EXIT_OK
    assert capsys.readouterr().out == "# Nothing to accept: no program was refused unexpectedly.\n"


# --- judge -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("works", "code"), [(True, EXIT_OK), (False, EXIT_HARNESS)])
def test_judge_writes_the_reports_again_and_ends_as_the_run_would(
    works: bool, code: int, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = journal_of(Path("r"), works=works)
    assert commands.judge(options(Path("no such file")), run=folder, rules="recorded") == code
    assert {"report.json", "junit.xml", "report.md", "report.html"} <= {path.name for path in folder.iterdir()}
    assert json.loads((folder / "report.json").read_text())["run"]["exit_code"] == code
    assert capsys.readouterr().out.endswith("reports: r/report.md, report.html, report.json, junit.xml, matrix.svg\n")


def test_judge_says_that_a_run_is_of_another_version(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.judge(options(project), run=journal_of(Path("r"), version="0.0.1"), rules="recorded")
    assert capsys.readouterr().out.startswith(f"bpfmatrix: r is a run of version 0.0.1; this is {__version__}\n")


def test_judge_refuses_other_rules_and_a_folder_without_a_run(project: Path) -> None:
    with pytest.raises(UsageError, match='--rules takes recorded or current; got "new"'):
        commands.judge(options(project), run=Path("/no/such"), rules="new")
    with pytest.raises(JournalError, match="there is no such file"):
        commands.judge(options(project), run=Path(), rules="recorded")


# --- watch, shell ----------------------------------------------------------------------------------------------------


def test_watch_needs_a_case(project: Path) -> None:
    with pytest.raises(UsageError, match="watch needs --case"):
        commands.watch(options(project))


def test_watch_ends_with_the_exit_code_of_its_last_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Options] = []

    def play(options: Options) -> int:
        asked.append(options)
        return EXIT_UNEXPECTED

    monkeypatch.setattr("harness.run.watch.watch", play)
    assert commands.watch(options(project, cases=["a"], jobs=2)) == EXIT_UNEXPECTED
    assert (asked[0].cases, asked[0].jobs) == (["a"], 2)


def test_shell_boots_one_kernel_and_ends_with_its_shells_exit_code(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booted: list[tuple[str, str | None]] = []

    def play(supplies: object, kernel: Any, *, accel: str | None) -> int:
        booted.append((kernel.name, accel))
        return 42

    monkeypatch.setattr("harness.cli.shell.interactive_shell", play)
    monkeypatch.setattr("harness.host.emulators.has_tool", lambda name: True)
    assert commands.shell(options(project, accel="tcg"), kernel="mine-arm64") == 42
    assert booted == [("mine-arm64", "tcg")]


def test_shell_refuses_a_pattern_of_several_kernels(project: Path) -> None:
    kernels = json.loads(project.read_text())["kernels"]
    more = [*kernels, {**kernels[0], "name": "mine-too"}, {**kernels[1], "name": "mine-also"}]
    project.write_text(json.dumps({"cases": ["bpf/*"], "kernels": more}))
    with pytest.raises(UsageError, match=r'"mine-\*" matches several kernels \(mine-.*, mine-.*\); a shell needs one'):
        commands.shell(options(project), kernel="mine-*")


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arches", "names"),
    [
        ([], ["mine-x86_64", "mine-arm64"]),
        (["arm64"], ["mine-arm64"]),
        (["x86_64", "all"], ["mine-x86_64", "mine-arm64"]),
    ],
)
def test_kernels_lists_those_of_the_matrix(
    arches: list[str], names: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.kernels(options(project, arches=arches))
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["kernel", "arch", "from", "pinned"]
    assert [line.split()[0] for line in lines] == names
    assert all("not pinned" not in line for line in lines), "a file is nothing to be pinned"


def test_kernels_says_what_the_lock_pins(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    commands.kernels(options(ROOT / "matrix.yaml", arches=["x86_64"]))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("6.1-x86_64")]
    assert "bookworm" in line
    assert line.split()[-1].startswith("6.1.")


def test_cases_lists_each_with_its_title(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.cases(options(project))
    assert [line.split(maxsplit=1) for line in map(str.strip, capsys.readouterr().out.splitlines()[1:])] == [
        ["first", "what it shows"]
    ]


def test_a_matrix_file_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no-such\.yaml"):
        commands.cases(options(Path("no-such.yaml")))
    with pytest.raises(ConfigError, match=r"no-such\.yaml"):
        commands.kernels(options(Path("no-such.yaml")))


# --- doctor, schema, grid --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fatal", "code"), [(False, EXIT_OK), (True, EXIT_HARNESS)])
def test_doctor_shows_each_finding_with_its_advice_and_fails_for_what_every_run_needs(
    fatal: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        Finding(subject="host", text="is [here]"),
        Finding(subject="clang", text="no", good=False, fatal=fatal, advice="get it"),
    ]
    monkeypatch.setattr("harness.cli.doctor.examine", lambda matrix_file: found)
    assert commands.doctor(options(Path("matrix.yaml"))) == code
    sign = "LACK" if fatal else "note"
    assert capsys.readouterr().out.splitlines() == [
        "ok   host         is [here]",
        f"{sign} clang        no",
        " " * 15 + "get it",
    ]


def test_schema_writes_those_that_are_committed(tmp_path: Path) -> None:
    commands.schema(tmp_path)
    made = sorted(tmp_path.iterdir())
    assert made
    for path in made:
        assert path.read_text() == (ROOT / "docs" / path.name).read_text(), "run `invoke schema`"


def test_grid_puts_the_grid_of_a_run_into_a_page(project: Path) -> None:
    commands.judge(options(project), run=journal_of(Path("r")), rules="recorded")
    page = Path("page.md")
    text = (ROOT / "docs/grid.md").read_text()
    page.write_text(text)
    commands.grid(page, report=Path("r/report.json"))
    once = page.read_text()
    assert once != text
    assert f"\n| x86_64 | 6.1 |\n|---|:-:|\n| {CASE_ID} | ✓ |\n" in once
    commands.grid(page, report=Path("r/report.json"))
    assert page.read_text() == once


def test_parts_puts_the_sub_results_of_runs_into_a_page(project: Path) -> None:
    page = Path("page.md")
    page.write_text("a\n<!-- tools: begin -->\nold\n<!-- tools: end -->\nb\n")
    commands.judge(options(project), run=journal_of(Path("r")), rules="recorded")
    commands.parts(page, reports=[Path("r/report.json"), Path("r/report.json")], part="tools")
    text = page.read_text()
    assert text.startswith("a\n<!-- tools: begin -->\nFrom runs of ") and text.endswith("<!-- tools: end -->\nb\n")
    with pytest.raises(UsageError, match="name the runs"):
        commands.parts(page, reports=[], part="tools")
    with pytest.raises(UsageError, match=r"no/report\.json cannot be read"):
        commands.parts(page, reports=[Path("no/report.json")], part="tools")


def test_grid_names_a_file_that_cannot_be_read(project: Path) -> None:
    with pytest.raises(UsageError, match=r"r/report\.json cannot be read: No such file or directory"):
        commands.grid(Path("page.md"), report=Path("r/report.json"))
