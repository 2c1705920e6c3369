"""Watch mode without guests: what changed, which cases that concerns, and the loop over runs that are played."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from unit_samples import RELEASE, ROOT, compiled, golden_lines, record_of, written_case, x86_image

from harness.config.case import WrittenCase
from harness.errors import (
    EXIT_HARNESS,
    EXIT_OK,
    EXIT_UNEXPECTED,
    BpfmatrixError,
    CompileError,
    ConfigError,
    InterruptedRunError,
    MissingToolError,
    ReportError,
    UsageError,
)
from harness.facts.kernel import KernelFacts
from harness.host import emulators
from harness.host.cache import Cache
from harness.model.results import (
    CellResult,
    Expectation,
    KernelResult,
    Outcome,
    OutcomeKind,
    Report,
    RunInfo,
    Verdict,
)
from harness.qemu.accel import Accel
from harness.reports.grid import exit_code
from harness.run import prepared as prepared_run
from harness.run import rows
from harness.run import watch as watching
from harness.run.matrix import Finished
from harness.run.one_kernel import facts_of
from harness.run.options import Options
from harness.run.watch import (
    KEPT_RUNS,
    MOST_FAULTS,
    Files,
    FileState,
    Look,
    Loop,
    Ready,
    Session,
    changed,
    concerned,
    saved_at,
    surplus,
    watch,
)
from harness.scenario.case import Case
from harness.screen.watch import WatchScreen
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.programs import GuestPrograms
from harness.supply.project import Project
from harness.supply.supplies import Built, Supplies

# --- what changed -----------------------------------------------------------------------------------------------------

A, B = Path("bpf/a"), Path("bpf/b")
STATE = FileState(modified_ns=5_000_000_000, size=7, inode=9)


def look(files: dict[Path, FileState], *, at: float = 0.0, cases: Sequence[Path] = (A, B)) -> Look:
    return Look(files=files, cases={folder.name: folder for folder in cases}, at=at)


def test_nothing_has_changed() -> None:
    assert changed(look({A / "x.bpf.c": STATE}, at=1), look({A / "x.bpf.c": STATE}, at=2)) == ()


@pytest.mark.parametrize("field", ["modified_ns", "size", "inode"])
def test_a_file_has_changed_if_anything_of_its_state_has(field: str) -> None:
    other = replace(STATE, **{field: getattr(STATE, field) + 1})
    same = {A / "same.h": STATE}
    assert changed(look({A / "x.bpf.c": STATE, **same}), look({A / "x.bpf.c": other, **same})) == (A / "x.bpf.c",)


def test_files_come_and_go() -> None:
    before, after = look({A / "old.h": STATE}), look({A / "new.h": STATE})
    assert changed(before, after) == (A / "new.h", A / "old.h")


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
)
def test_two_looks_differ_by_what_changed_and_by_nothing_else(one: dict[str, int], other: dict[str, int]) -> None:
    before, after = (
        look({Path(name): replace(STATE, size=size) for name, size in files.items()}) for files in (one, other)
    )
    paths = changed(before, after)
    assert paths == changed(after, before)
    assert {str(path) for path in paths} == {name for name in "abcd" if one.get(name) != other.get(name)}


@pytest.mark.parametrize(
    ("paths", "cases"),
    [
        ([], set()),
        ([A / "x.bpf.c"], {"a"}),
        ([A / "x.bpf.c", B / "case.yaml"], {"a", "b"}),
        ([A / "include/deep/common.h"], {"a"}),
        ([Path("bpf/include/event.h")], {"a", "b"}),
        ([Path("bpf/expectations.yaml")], {"a", "b"}),
        ([Path("matrix.yaml")], {"a", "b"}),
        ([A / "x.bpf.c", Path("matrix.yaml")], {"a", "b"}),
    ],
)
def test_which_cases_a_change_concerns(paths: list[Path], cases: set[str]) -> None:
    assert concerned(paths, before=look({}), after=look({})) == cases


def test_a_new_case_is_concerned_and_one_that_is_gone_concerns_nothing() -> None:
    with_both, with_a = look({}), look({}, cases=[A])
    assert concerned([B / "case.yaml"], before=with_a, after=with_both) == {"b"}
    assert concerned([B / "case.yaml"], before=with_both, after=with_a) == set()


@pytest.mark.parametrize(
    ("modified", "at"),
    [([4.5], 4.5), ([4.5, 4.75], 4.75), ([1.0], 4.0), ([9.0], 5.0), ([], 5.0), ([None], 5.0), ([None, 4.5], 4.5)],
)
def test_when_the_last_of_some_files_was_saved(modified: list[float | None], at: float) -> None:
    """Between the looks at 4 and 5, whatever the files say; None is one that is gone."""
    states = {Path(str(number)): time for number, time in enumerate(modified)}
    files = {path: replace(STATE, modified_ns=round(time * 1e9)) for path, time in states.items() if time is not None}
    assert saved_at(states, before=look({}, at=4.0), after=look(files, at=5.0)) == at


def test_the_last_runs_are_kept() -> None:
    folders = [Path(str(number)) for number in range(KEPT_RUNS + 2)]
    assert list(surplus(folders, keep=KEPT_RUNS)) == [Path("0"), Path("1")]
    assert list(surplus(folders[:KEPT_RUNS], keep=KEPT_RUNS)) == []
    assert list(surplus(folders[:3], keep=1)) == [Path("0"), Path("1")]


# --- looking at files -------------------------------------------------------------------------------------------------


class Desk:
    """A project whose files are saved by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.saves = 0
        self.matrix(cases=["bpf/*"])
        for name in ("bpf/include/event.h", "bpf/expectations.yaml"):
            self.save(name, "")
        for case in "abc":
            self.save(f"bpf/{case}/case.yaml", "")
            self.save(f"bpf/{case}/target.bpf.c", "pass")

    @property
    def project(self) -> Project:
        return Project(matrix_file=self.folder / "matrix.yaml")

    def matrix(self, **keys: Any) -> None:
        kernel = {"name": "6.1", "arch": "x86_64", "source": "path", "image": "vmlinuz"}
        self.save("matrix.yaml", json.dumps({"kernels": [kernel], **keys}))

    def save(self, name: str, text: str) -> None:
        """Write a file. The size grows with every save, since the clock of a file's time may stand still meanwhile."""
        self.saves += 1
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + " " * self.saves)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text().strip()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def seen(files: Files, desk: Desk) -> list[str]:
    return sorted(str(path.relative_to(desk.folder)) for path in files.look().files)


def test_what_the_chosen_cases_depend_on_is_looked_at(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    expected = ["bpf/a/case.yaml", "bpf/a/target.bpf.c", "bpf/expectations.yaml", "bpf/include/event.h", "matrix.yaml"]
    assert seen(files, desk) == expected
    assert files.look().cases == {"a": desk.folder / "bpf/a"}
    assert sorted(Files(desk.project, patterns=["[ab]", "c"]).look().cases) == ["a", "b", "c"]


def test_a_suite_is_looked_at_where_it_lies(desk: Desk) -> None:
    project = Project(matrix_file=desk.project.matrix_file, suite="tracing")
    found = Files(project, patterns=["xdp"]).look()
    assert found.cases == {"xdp": ROOT / "bpf/xdp"}
    assert {ROOT / "bpf/xdp/case.yaml", ROOT / "bpf/expectations.yaml", ROOT / "bpf/include/kernel.h"} <= set(
        found.files
    )
    assert desk.folder / "bpf/include/event.h" not in found.files, "it is compiled without it"


def test_sources_that_cases_share_are_looked_at_and_concern_all(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a", "b"])
    before = files.look()
    desk.save("bpf/shared/target.bpf.c", "pass")
    after = files.look()
    assert changed(before, after) == (desk.folder / "bpf/shared/target.bpf.c",)
    assert concerned(changed(before, after), before=before, after=after) == {"a", "b"}
    assert after.cases.keys() == {"a", "b"}, "the folder is no case"


@pytest.mark.parametrize(
    "name", [".target.bpf.c.swp", "target.bpf.c~", "#target.bpf.c#", ".#target.bpf.c", "4913", "x"]
)
def test_what_an_editor_leaves_is_no_change(name: str, desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    before = files.look()
    desk.save(f"bpf/a/{name}", "x")
    desk.save(f"bpf/include/{name}", "x")
    assert changed(before, files.look()) == ()


@pytest.mark.parametrize(
    "name",
    [
        "bpf/a/case.yaml",
        "bpf/a/target.bpf.c",
        "bpf/a/new.h",
        "bpf/a/made.bpf.o",
        "bpf/a/prebuilt_bpfel.o",
        "bpf/a/impl.c",
        "bpf/a/include/deep/common.h",
        "bpf/include/bpf/own.h",
        "bpf/include/new.h",
        "bpf/expectations.yaml",
        "matrix.yaml",
    ],
)
def test_a_save_is_seen(name: str, desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    before = files.look()
    desk.save(name, desk.text(name) if (desk.folder / name).exists() else "")
    assert changed(before, files.look()) == (desk.folder / name,)


def test_saving_by_renaming_is_seen_whatever_the_time_and_the_size(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    before = files.look()
    path = desk.folder / "bpf/a/target.bpf.c"
    status, copy = path.stat(), path.with_name("copy")
    shutil.copyfile(path, copy)
    os.utime(copy, ns=(status.st_mtime_ns, status.st_mtime_ns))
    copy.replace(path)
    assert changed(before, files.look()) == (path,)


def test_a_file_that_is_gone_is_seen_and_harms_nothing(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    before = files.look()
    shutil.rmtree(desk.folder / "bpf/include")
    (desk.folder / "bpf/a/dangling.h").symlink_to("nowhere")
    assert changed(before, files.look()) == (desk.folder / "bpf/include/event.h",)


def test_a_new_case_that_matches_is_found(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a*"])
    before = files.look()
    desk.save("bpf/another/case.yaml", "")
    after = files.look()
    assert changed(before, after) == (desk.folder / "bpf/another/case.yaml",)
    assert sorted(after.cases) == ["a", "another"]


def test_while_the_matrix_is_wrong_the_cases_are_those_of_before(desk: Desk) -> None:
    files = Files(desk.project, patterns=["*"])
    desk.save("matrix.yaml", "cases: [")
    assert files.look().cases == {}, "nobody knows yet where they are"
    desk.matrix(cases=["bpf/[ab]"])
    assert sorted(files.look().cases) == ["a", "b"]
    desk.save("matrix.yaml", "cases: [")
    assert sorted(files.look().cases) == ["a", "b"]


# --- the loop ---------------------------------------------------------------------------------------------------------


def cell(case: str, verdict: Verdict) -> CellResult:
    outcome = Outcome(kind=OutcomeKind.WORKS, reason="r")
    expectation = Expectation(outcome=OutcomeKind.WORKS, reason="r")
    return CellResult(
        kernel="6.1",
        case=case,
        title="t",
        outcome=outcome,
        expectation=expectation,
        verdict=verdict,
        verdict_reason="why",
    )


class Played:
    """Plays runs: a case's source is its verdict, or `broken`; what the test has to do is done as things go on."""

    def __init__(self, desk: Desk, *cases: str) -> None:
        self.desk = desk
        self.out = io.StringIO()
        self.screen = WatchScreen(console=Console(file=self.out, width=200, highlight=False, soft_wrap=True))
        self.files = Files(desk.project, patterns=cases)
        self.signals: list[str] = []
        self.runs: list[list[str]] = []
        self.grids: list[dict[str, str]] = []
        self.during: dict[int, Callable[[], object]] = {}
        self.getting_ready: Callable[[], object] = lambda: None
        self.idle: list[Callable[[], object]] = []
        self.settling: Callable[[], object] = lambda: None
        self.loop = Loop(look=self.files.look, runner=self, screen=self.screen, signals=self.signals, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        """Time passes. Where the loop waits for a save, the next of the things to do is done, at last Ctrl-C."""
        if seconds == watching.SETTLE:
            self.settling()
        if seconds == watching.INTERVAL:
            self.grids.append({case: shown_as(shown) for (_, case), shown in sorted(self.screen.grid.items())})
            if not self.idle:
                raise KeyboardInterrupt
            self.idle.pop(0)()

    def ready(self, cases: Sequence[str]) -> Ready:
        self.getting_ready()
        chosen = sorted(cases or self.files.look().cases)
        sources = {case: self.desk.text(f"bpf/{case}/target.bpf.c") for case in chosen}
        if self.desk.text("bpf/include/event.h") == "broken":
            raise CompileError("event.h does not compile")
        for case, source in sources.items():
            if source == "broken":
                raise CompileError(f"{case} does not compile")
        return Ready(kernels=["6.1"], run=lambda: self.run(sources))

    def run(self, sources: dict[str, str]) -> Finished:
        self.runs.append(list(sources))
        interrupted = self.during.pop(len(self.runs), lambda: None)()
        cells = [cell(case, Verdict(source)) for case, source in sources.items()]
        if not interrupted:
            self.screen.done("6.1", cells, seconds=1.0, release=RELEASE)
        info: dict[str, Any] = {"id": "i", "started": "s", "seconds": 1, "version": "0", "command": "c", "host": {}}
        run = RunInfo(**info, accel="tcg", accel_reason="", jobs=1, complete=True, exit_code=0)
        kernels = (KernelResult(name="6.1", arch="x86_64"),)
        report = Report(run=run, kernels=kernels, cases=tuple((case, "t") for case in sources), cells=tuple(cells))
        report = replace(report, run=replace(run, exit_code=exit_code(report)))
        return Finished(report=report, folder=Path("results/now"), interrupted=str(interrupted or ""))

    def start(self, *idle: Callable[[], object]) -> int:
        """Run the loop while the things of `idle` are done, one each time that it waits; return the exit code."""
        self.idle = list(idle)
        with pytest.raises(KeyboardInterrupt):
            self.loop.run()
        return self.loop.code

    def save(self, case: str, text: str) -> Callable[[], None]:
        return lambda: self.desk.save(f"bpf/{case}/target.bpf.c", text)


def shown_as(shown: Any) -> str:
    from harness.screen.watch import words

    return words(shown)


@pytest.fixture
def played(desk: Desk) -> Played:
    return Played(desk, "a", "b")


def test_a_save_runs_its_case_again(played: Played) -> None:
    assert played.start(played.save("a", "fail"), lambda: None, played.save("a", "pass")) == EXIT_OK
    assert played.runs == [["a", "b"], ["a"], ["a"]]
    assert played.grids == [
        {"a": "pass", "b": "pass"},
        {"a": "fail (was pass)", "b": "pass"},
        {"a": "fail (was pass)", "b": "pass"},
        {"a": "pass (was fail)", "b": "pass"},
    ]


@pytest.mark.parametrize("name", ["bpf/include/event.h", "bpf/expectations.yaml", "matrix.yaml"])
def test_a_save_of_what_is_shared_runs_all_cases(name: str, played: Played) -> None:
    played.start(lambda: played.desk.save(name, played.desk.text(name)))
    assert played.runs == [["a", "b"], ["a", "b"]]


def test_a_save_of_a_case_that_was_not_chosen_runs_nothing(played: Played) -> None:
    played.start(played.save("c", "fail"))
    assert played.runs == [["a", "b"]]


def test_saves_during_a_run_lead_to_another_one(played: Played) -> None:
    def both() -> None:
        played.save("a", "fail")()
        played.save("b", "xpass")()

    played.during = {1: both, 2: played.save("a", "pass")}
    assert played.start() == EXIT_OK
    assert played.runs == [["a", "b"], ["a", "b"], ["a"]]
    assert played.grids == [{"a": "pass (was fail)", "b": "xpass"}], "there was no wait before"


def test_a_save_while_files_settle_is_in_the_run(played: Played) -> None:
    saves = [played.save("b", "fail"), played.save("a", "xfail")]

    def settling() -> None:
        if saves:
            saves.pop(0)()

    played.settling = settling
    played.start(played.save("a", "fail"))
    assert played.runs == [["a", "b"], ["a", "b"]]
    assert played.grids[-1] == {"a": "xfail (was pass)", "b": "fail (was pass)"}


def test_files_that_never_settle_do_not_keep_a_run_from_beginning(played: Played) -> None:
    saves: list[None] = []

    def settling() -> None:
        if len(played.runs) == 1:
            saves.append(played.save("a", "pass")())

    played.settling = settling
    played.start(played.save("a", "pass"))
    assert played.runs == [["a", "b"], ["a"]]
    assert len(saves) * watching.SETTLE == pytest.approx(watching.MOST_SETTLING)


def test_a_source_that_does_not_compile_keeps_its_last_cells_until_it_is_mended(played: Played) -> None:
    code = played.start(played.save("a", "broken"), played.save("b", "fail"), played.save("a", "fail"))
    assert played.runs == [["a", "b"], ["b"], ["a"]], "one that is broken holds up no other"
    assert played.grids == [
        {"a": "pass", "b": "pass"},
        {"a": "pass (old)", "b": "pass"},
        {"a": "pass (old)", "b": "fail (was pass)"},
        {"a": "fail (was pass)", "b": "fail"},
    ]
    assert code == EXIT_UNEXPECTED
    assert played.out.getvalue().count("bpfmatrix: a does not compile\n") == 2


def test_what_is_shared_and_broken_makes_all_cells_old_and_is_told_once(played: Played) -> None:
    header = "bpf/include/event.h"
    played.start(lambda: played.desk.save(header, "broken"), lambda: played.desk.save(header, ""))
    assert played.runs == [["a", "b"], ["a", "b"]]
    assert played.grids[1] == {"a": "pass (old)", "b": "pass (old)"}
    assert played.grids[2] == {"a": "pass", "b": "pass"}
    assert played.out.getvalue().count("event.h does not compile") == 1


def test_the_first_run_may_wait_for_a_save(played: Played) -> None:
    played.desk.save("bpf/include/event.h", "broken")
    assert played.start() == EXIT_HARNESS, "no run was finished"
    assert played.runs == []
    assert played.start(lambda: played.desk.save("bpf/include/event.h", "")) == EXIT_OK
    assert played.runs == [["a", "b"]]


def test_not_all_broken_cases_are_told_at_once(desk: Desk) -> None:
    for number in range(MOST_FAULTS + 2):
        desk.save(f"bpf/many-{number}/target.bpf.c", "broken")
    desk.save("bpf/early/target.bpf.c", "pass")
    played = Played(desk, "many-*", "early")
    played.start()
    assert played.runs == [["early"]]
    assert played.out.getvalue().count("does not compile") == MOST_FAULTS


def test_a_case_that_is_gone_is_shown_no_more(played: Played) -> None:
    played.start(lambda: shutil.rmtree(played.desk.folder / "bpf/b"), played.save("a", "fail"))
    assert played.runs == [["a", "b"], ["a"]]
    assert played.grids[-1] == {"a": "fail (was pass)"}


@pytest.mark.parametrize("error", [UsageError("no case"), MissingToolError("no clang"), ReportError("disk full")])
def test_what_no_save_mends_ends_the_first_run_but_no_later_one(played: Played, error: BpfmatrixError) -> None:
    def trouble() -> None:
        raise error

    played.getting_ready = trouble
    with pytest.raises(type(error)):
        played.loop.run()

    def end_of_trouble() -> None:
        played.getting_ready = lambda: None
        played.save("a", "xfail")()

    def begin_of_trouble() -> None:
        played.getting_ready = trouble
        played.save("a", "fail")()

    again = Played(played.desk, "a")
    played = again
    assert played.start(begin_of_trouble, end_of_trouble) == EXIT_OK
    assert played.grids == [{"a": "pass"}, {"a": "pass (old)"}, {"a": "xfail (was pass)"}]
    assert f"bpfmatrix: {error}\n" in played.out.getvalue()


def test_reports_that_cannot_be_written_are_told_and_the_case_runs_again_with_the_next_save(played: Played) -> None:
    def full() -> None:
        raise ReportError("the disk is full")

    played.during = {2: full}
    assert played.start(played.save("a", "fail")) == EXIT_HARNESS
    played.during = {4: full}
    assert played.start(played.save("a", "pass"), played.save("b", "pass")) == EXIT_OK
    assert played.runs[3:] == [["a"], ["a", "b"]]


def test_a_file_that_vanishes_while_it_is_read_is_no_end(played: Played) -> None:
    played.desk.save("bpf/a/target.bpf.c", "pass")

    def vanish() -> None:
        (played.desk.folder / "bpf/a/target.bpf.c").unlink()

    played.start(vanish, played.save("a", "fail"))
    assert played.grids[1:] == [{"a": "pass (old)", "b": "pass"}, {"a": "fail (was pass)", "b": "pass"}]
    assert "the host failed: " in played.out.getvalue()


@pytest.mark.parametrize(("source", "code"), [("pass", EXIT_OK), ("fail", EXIT_UNEXPECTED), ("error", EXIT_HARNESS)])
def test_ctrl_c_ends_it_with_the_exit_code_of_the_last_run(source: str, code: int, played: Played) -> None:
    assert played.start(played.save("a", source)) == code


def test_a_run_that_is_interrupted_does_not_count(played: Played) -> None:
    played.during = {2: lambda: "Ctrl-C"}
    played.idle = [played.save("a", "fail")]
    with pytest.raises(InterruptedRunError, match="Ctrl-C"):
        played.loop.run()
    assert played.runs == [["a", "b"], ["a"]]
    assert played.loop.code == EXIT_OK
    assert played.screen.grid["6.1", "a"].old


def test_a_signal_whose_error_was_swallowed_ends_it_all_the_same(played: Played) -> None:
    played.during = {1: lambda: played.signals.append("SIGTERM")}
    played.loop.run()
    assert played.runs == [["a", "b"]]


def test_no_run_begins_after_such_a_signal(played: Played) -> None:
    played.getting_ready = lambda: played.signals.append("SIGTERM")
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        played.loop.run()
    assert played.runs == []


def test_the_time_from_the_save_is_shown(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    path = played.desk.folder / "bpf/a/target.bpf.c"
    now = [path.stat().st_mtime + 100.0]
    monkeypatch.setattr("harness.run.watch.time.time", lambda: now[0])

    def save() -> None:
        played.save("a", "fail")()
        os.utime(path, (now[0] + 1, now[0] + 1))
        now[0] += 1.5

    def slow() -> None:
        now[0] += 2.0

    played.during = {1: slow, 2: slow}
    played.start(save)
    lines = [line for line in played.out.getvalue().splitlines() if line.startswith("run ")]
    assert [line.partition(". Exit")[0] for line in lines] == [
        "run 1: 2 cells (1 kernel × 2 cases): 2 pass",
        "run 2: 1 cell (1 kernel × 1 case): 1 fail",
    ]
    assert "2.0 s from the start to grid" in lines[0]
    assert "2.5 s from save to grid; reports: results/now; waiting for a save" in lines[1]


# --- real runs with guests that are played ----------------------------------------------------------------------------


class Room:
    """A project of one `path` kernel; `made` are the supplies of its runs, `plans` their guests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Supplies] = []
        self.plans: list[GuestPlan] = []
        for case in ("one", "two"):
            model = written_case().model_dump(
                mode="json", by_alias=True, exclude={"id", "folder"}, exclude_defaults=True
            )
            (folder / f"bpf/{case}").mkdir(parents=True)
            (folder / f"bpf/{case}/case.yaml").write_text(json.dumps(model))
            for name in ("target", "tracer"):
                (folder / f"bpf/{case}/{name}.bpf.c").write_text("int value;\n")
        (folder / "vmlinuz").write_bytes(x86_image())
        self.write_matrix()
        self.cache = Cache(folder / "cache")
        self.out = io.StringIO()
        self.screen = WatchScreen(console=Console(file=self.out, width=200, highlight=False))
        self.options = Options(project=Project(matrix_file=folder / "matrix.yaml"), cases=["*"], jobs=1)
        self.session = Session(self.options, screen=self.screen, cache=self.cache)

    def write_matrix(self, **keys: Any) -> None:
        kernel = {"name": "6.1", "arch": "x86_64", "source": "path", "image": "vmlinuz"}
        (self.folder / "matrix.yaml").write_text(json.dumps({"kernels": [kernel], **keys}))

    def kernel(self, plan: GuestPlan, cases: Sequence[Case], **_: object) -> KernelFacts:
        self.plans.append(plan)
        records = {}
        for case in cases:
            lines = [{**line, "case": case.id} if "case" in line else line for line in golden_lines()]
            records[case.id] = record_of(lines, case.id)
        environment: dict[str, object] = {"release": RELEASE, "version": "Debian 6.1.176-1 (x)"}
        return replace(facts_of(plan), records=records, environment=environment, boots=1)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room(tmp_path)
    init = Supplies.__init__

    def made(self: Supplies, *words: Any, **keys: Any) -> None:
        init(self, *words, **keys)
        room.made.append(self)

    monkeypatch.setattr(Supplies, "__init__", made)
    monkeypatch.setattr(Supplies, "base", lambda self, arch: tmp_path / "base.cpio")
    monkeypatch.setattr(Supplies, "programs", lambda self, arch: GuestPrograms())
    monkeypatch.setattr(Supplies, "accel", lambda self, wanted, files: Accel("tcg", "the test says so"))
    monkeypatch.setattr(
        Supplies, "build", lambda self, cases, arch: Built(cases=compiled(cases), files={c.id: {} for c in cases})
    )
    monkeypatch.setattr(rows, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(prepared_run, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(rows, "run_kernel", room.kernel)
    monkeypatch.setattr(prepared_run, "host_name", lambda: "x86_64")
    monkeypatch.setattr(emulators, "has_tool", lambda name: True)
    yield room


def test_a_run_leaves_what_a_run_of_the_matrix_leaves(room: Room) -> None:
    ready = room.session.ready([])
    assert ready.kernels == ["6.1"]
    finished = ready.run()
    assert finished.interrupted == ""
    assert [cell.verdict for cell in finished.report.cells] == [Verdict.PASS] * 2
    assert finished.folder.parent == room.folder / "results"
    assert (room.folder / "results/latest").resolve() == finished.folder
    for name in ("report.json", "junit.xml", "report.md", "report.html"):
        assert (finished.folder / name).stat().st_size > 0
    assert set(room.screen.grid) == {("6.1", "one"), ("6.1", "two")}


def test_runs_share_what_was_prepared_until_the_matrix_changes(room: Room) -> None:
    assert len(room.session.ready([]).run().report.cells) == 2
    assert len(room.session.ready(["two"]).run().report.cells) == 1
    assert len(room.made) == 1
    first, second = room.plans
    assert first.keys is second.keys
    assert first.objects == {"one": {}, "two": {}}
    room.write_matrix(defaults={"memory": 300})
    room.session.ready(["two"]).run()
    assert len(room.made) == 2
    assert room.plans[2].keys is first.keys
    assert room.plans[2].settings.memory == 300


def test_only_runs_of_this_session_are_removed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "KEPT_RUNS", 2)
    earlier = Session(room.options, screen=room.screen, cache=room.cache).ready([]).run().folder
    other = room.folder / "results/notes"
    other.mkdir()
    runs = [room.session.ready(["one"]).run().folder for _ in range(4)]
    # Of runs in one second a later one may take the name of one that was removed.
    left = {folder for folder in (room.folder / "results").iterdir() if not folder.is_symlink()}
    assert left == {earlier, other, *runs[-2:]}
    assert (room.folder / "results/latest").resolve() == runs[-1]


def test_what_is_saved_while_a_run_is_going_on_is_not_in_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    built = {"one": {"target.bpf.c": Path("as it was")}, "two": {}}
    monkeypatch.setattr(Supplies, "build", lambda self, cases, arch: Built(files=built, cases=compiled(cases)))
    ready = room.session.ready([])
    monkeypatch.setattr(Supplies, "build", lambda self, cases, arch: Built(cases=compiled(cases)))
    ready.run()
    assert room.plans[0].objects == built


def test_a_case_that_cannot_be_built_is_no_run(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix makes such cells `error`; here they keep what they were until the source is saved again."""

    def build(self: Supplies, cases: Sequence[WrittenCase], arch: object) -> Built:
        return Built(
            cases=compiled(cases),
            faults={case.id: CompileError(f"{case.id} does not compile") for case in cases if case.id == "two"},
        )

    monkeypatch.setattr(Supplies, "build", build)
    with pytest.raises(CompileError, match="two does not compile"):
        room.session.ready([])
    assert room.session.ready(["one"]).run().report.cases == (("one", "fentry and fexit on a kprobe BPF program"),)


def test_a_watch_ends_with_its_last_exit_code(room: Room) -> None:
    def ctrl_c(seconds: float) -> None:
        raise KeyboardInterrupt

    assert watch(room.options, screen=room.screen, cache=room.cache, sleep=ctrl_c) == EXIT_OK
    said = room.out.getvalue().splitlines()
    assert said[0] == "first run"
    assert said[-1] == "watch ended (Ctrl-C). Exit code 0: every cell came out as its case expects."


def test_without_a_matrix_file_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        watch(Options(project=Project(matrix_file=tmp_path / "matrix.yaml"), cases=["a"]))


def test_a_case_that_does_not_exist_is_told_though_another_is_broken(room: Room) -> None:
    (room.folder / "bpf/one/case.yaml").write_text("title: [")
    with pytest.raises(UsageError, match='no case matches "thre"'):
        watch(replace(room.options, cases=["two", "thre"]), screen=room.screen, cache=room.cache)


def test_a_matrix_that_is_wrong_from_the_start_is_reported_and_waited_for(room: Room) -> None:
    def fix(seconds: float) -> None:
        if room.plans:
            raise KeyboardInterrupt
        if seconds == watching.INTERVAL:
            room.write_matrix()

    (room.folder / "matrix.yaml").write_text("kernels: [")
    assert watch(room.options, screen=room.screen, cache=room.cache, sleep=fix) == EXIT_OK
    assert "matrix.yaml:1: not valid YAML" in room.out.getvalue()
    assert len(room.plans) == 1
