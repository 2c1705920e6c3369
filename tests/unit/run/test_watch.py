"""The loop of a watch over runs that are played."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from unit_samples import RELEASE
from watch_desk import Desk

from harness.errors import (
    EXIT_HARNESS,
    EXIT_OK,
    EXIT_UNEXPECTED,
    BpfmatrixError,
    CompileError,
    InterruptedRunError,
    MissingToolError,
    ReportError,
    UsageError,
)
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
from harness.reports.grid import exit_code
from harness.run import watch as watching
from harness.run.changes import Files
from harness.run.matrix import Finished
from harness.run.watch import KEPT_RUNS, MOST_FAULTS, Loop, Ready, surplus
from harness.screen.watch import WatchScreen


def test_the_last_runs_are_kept() -> None:
    folders = [Path(str(number)) for number in range(KEPT_RUNS + 2)]
    assert list(surplus(folders, keep=KEPT_RUNS)) == [Path("0"), Path("1")]
    assert list(surplus(folders[:KEPT_RUNS], keep=KEPT_RUNS)) == []
    assert list(surplus(folders[:3], keep=1)) == [Path("0"), Path("1")]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


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
    from harness.screen.watch import cell_words

    return cell_words(shown)


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
