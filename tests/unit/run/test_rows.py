"""The rows of a run: what each needs and gives, several at once, and whatever becomes of the others."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from played_world import BROKEN, KERNELS, World, cells, good, make_world, with_a_broken_case, written

from harness.config.matrix import Kernel
from harness.errors import (
    EXIT_HARNESS,
    EXIT_USAGE,
    FetchError,
    KernelFileError,
)
from harness.facts.kernel import KernelFacts
from harness.guest.snapshots import Snapshots
from harness.guest.starting import Starter
from harness.model.phases import Phase
from harness.model.results import Stage, Verdict
from harness.run import rows
from harness.run.rows import Said
from harness.scenario.case import Case
from harness.screen.terminal import BRIEF
from harness.supply.guest_plan import GuestPlan
from harness.supply.kernels.files import KernelFiles
from harness.supply.supplies import Supplies
from harness.supply.unbuilt import ModuleUser


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


@pytest.mark.parametrize("cold", [False, True])
def test_guests_are_restored_from_snapshots_unless_the_run_is_cold(
    world: World, cold: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Snapshots | None] = []

    def starter(snapshots: Snapshots | None) -> Starter:
        made.append(snapshots)
        return Starter(snapshots)

    monkeypatch.setattr(rows, "Starter", starter)
    world.start(cold=cold)
    assert [snapshots is None for snapshots in made] == [cold] * 3


def test_a_module_that_is_missing_ends_the_run_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded while guests start is as much needed as what is loaded before."""

    def until_told(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        assert plan.stopping.wait(20), "nobody ended this guest"
        return good(plan, cases)

    world.play["first"] = until_told
    monkeypatch.setattr(rows, "LATER", ("no_such_module_as_this",))
    with pytest.raises(ModuleNotFoundError, match="no_such_module_as_this"):
        world.start()
    assert world.run == ["first"]
    said = written((world.folder / "results/latest").resolve())
    assert [cell["verdict"] for cell in said["cells"]] == ["not-run"] * 3


def test_nothing_is_loaded_for_later_before_a_guest_has_all_that_it_needs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr("importlib.import_module", done.append)

    def base(self: Supplies, arch: object) -> Path:
        time.sleep(0.2)
        assert done == []
        return world.folder / "base.cpio"

    monkeypatch.setattr(Supplies, "base", base)
    report, _ = world.start(kernels=["first"])
    assert cells(report) == {"first": Verdict.PASS}
    assert done == list(rows.LATER)


@pytest.mark.parametrize("error", [FetchError("the hash is wrong"), OSError(28, "No space left on device")])
def test_trouble_with_one_kernel_is_its_cells_own(world: World, error: Exception) -> None:
    def fail(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        raise error

    world.play["first"] = fail
    report, folder = world.start()
    assert cells(report) == {"first": Verdict.ERROR, "second": Verdict.PASS, "third": Verdict.PASS}
    assert str(error.args[-1]) in report.cell("first", "case").outcome.reason
    assert (report.run.exit_code, report.run.complete) == (EXIT_HARNESS, True)
    assert written(folder)["cells"][0]["outcome"] == "lost"


def test_an_interrupted_run_waits_for_nothing_that_never_started(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "STOP_SECONDS", 1.0)

    def interrupt(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        os.kill(os.getpid(), signal.SIGTERM)
        plan.stopping.wait(10)
        return good(plan, cases)

    world.play["first"] = interrupt
    begun = time.monotonic()
    world.start()
    assert time.monotonic() - begun < 0.9


def test_a_bug_of_the_harness_still_leaves_reports(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def bug(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        raise KeyError("a bug")

    world.play["second"] = bug
    _, folder = world.start()
    said = written(folder)
    assert [cell["verdict"] for cell in said["cells"]] == ["pass", "error", "pass"], "the other kernels go on"
    assert said["cells"][1]["outcome"] == "lost"
    assert "KeyError: 'a bug'" in said["cells"][1]["reason"]
    assert "raise KeyError" in capsys.readouterr().out, "the way to the bug is shown"
    assert said["run"]["exit_code"] == EXIT_HARNESS


def test_more_jobs_run_more_guests_at_once(world: World) -> None:
    together: list[int] = []
    running: list[str] = []

    def slow(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        running.append(plan.kernel.name)
        end = time.monotonic() + 5
        while len(running) < 3 and time.monotonic() < end:
            time.sleep(0.005)
        together.append(len(running))
        return good(plan, cases)

    world.play = dict.fromkeys(KERNELS, slow)
    report, _ = world.start(jobs=3)
    assert report.run.jobs == 3
    assert together[0] == 3
    assert [kernel.name for kernel in report.kernels] == list(KERNELS), "the grid keeps the order of the matrix"


def test_one_bad_case_does_not_end_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_a_broken_case(world, monkeypatch)
    given: list[list[str]] = []

    def note(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        given.append([case.id for case in cases])
        return good(plan, cases)

    world.play = dict.fromkeys(KERNELS, note)
    report, folder = world.start()
    assert given == [["case"]] * 3, "what cannot be built is in no guest's job"
    for kernel in KERNELS:
        assert report.cell(kernel, "case").verdict == Verdict.PASS
        cell = report.cell(kernel, "broken")
        assert (cell.verdict, cell.outcome.stage, cell.outcome.wrong_input) == (Verdict.ERROR, Stage.BUILD, True)
        assert cell.outcome.reason == "x.bpf.c does not compile: x.bpf.c:6:6: error: unused variable 'x'"
        assert cell.outcome.log == BROKEN.log
    assert (report.run.exit_code, report.run.complete) == (EXIT_USAGE, True)
    said = next(cell for cell in written(folder)["cells"] if cell["case"] == "broken")
    assert (said["outcome"], said["stage"], said["wrong_input"]) == ("lost", "build", True)
    assert "The compiler's text" in (folder / "report.md").read_text()
    assert capsys.readouterr().out.count("x.bpf.c does not compile:\n") == 1, "once, not for every kernel"


def test_a_kernel_with_none_but_bad_cases_has_no_guest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_broken_case(world, monkeypatch)
    entry = {"arch": "x86_64", "source": "debian", "suite": "bookworm", "package": "linux-image-cloud-amd64"}
    world.write_matrix(kernels=[{"name": name, **entry} for name in KERNELS])
    monkeypatch.setattr(Supplies, "kernel", lambda self, kernel, *, cases: pytest.fail("a kernel is obtained"))
    report, _ = world.start(cases=["broken"])
    assert world.run == []
    assert {cell.outcome.stage for cell in report.cells} == {Stage.BUILD}
    assert (report.run.exit_code, report.run.complete) == (EXIT_USAGE, True)


def test_a_kernel_file_that_is_gone_when_its_turn_comes_is_the_users(world: World) -> None:
    def gone(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        raise KernelFileError("vmlinuz: there is no such file")

    world.play["second"] = gone
    report, _ = world.start()
    assert (report.cell("second", "case").verdict, report.run.exit_code) == (Verdict.ERROR, EXIT_USAGE)


def test_what_takes_minutes_is_shown_and_is_to_end_with_the_run(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    obtain, used = Supplies.kernel, list[Supplies]()

    def slowly(self: Supplies, kernel: Kernel, *, cases: Sequence[ModuleUser]) -> KernelFiles:
        assert not self.stopping.is_set()
        assert self.progress is not None
        used.append(self)
        self.progress(kernel.name, "compiling: 3 files, a.o")
        self.progress(kernel.name, "compiling: 4 files, b.o")
        return obtain(self, kernel, cases=cases)

    monkeypatch.setattr(Supplies, "kernel", slowly)
    world.start(kernels=["first"])
    said = [line for line in capsys.readouterr().out.splitlines() if "compiling" in line]
    assert {*map(str.strip, said)} == {f"{'first':<20} compiling"}
    assert len(said) <= len(used), "without a table, a line for each step"
    assert used[0].stopping.is_set()


def test_what_a_row_is_at_is_said_by_phase_and_case() -> None:
    said: list[str] = []
    at = Said(said.append, cases=3)
    for phase in Phase:
        at(phase, "")
    for case in ("a", "b", "b"):
        at(Phase.CASES, case)
    assert said[:5] == ["starting", "booting", "running", "running", "ending"]
    assert said[5:] == ["cases: 1 of 3", "cases: 2 of 3", "cases: 2 of 3"]
    assert {text.partition(":")[0] for text in said} <= BRIEF, "each is over in seconds, and is no line of its own"
