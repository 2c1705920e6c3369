"""Whole runs with guests that are played: which reports they leave, however they end."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from unit_samples import RELEASE, compiled, golden_lines, record_of, written_case, x86_image

from harness.config.case import WrittenCase
from harness.config.matrix import Matrix
from harness.errors import (
    EXIT_HARNESS,
    EXIT_OK,
    EXIT_UNEXPECTED,
    EXIT_USAGE,
    CompileError,
    ConfigError,
    FetchError,
    KernelFileError,
    MissingToolError,
    UsageError,
)
from harness.facts.kernel import KernelFacts
from harness.facts.records import CaseRecord, Ending
from harness.guest.snapshots import Snapshots
from harness.guest.starting import Starter
from harness.host import emulators
from harness.host.cache import Cache
from harness.host.resources import available_memory_mib, host_facts
from harness.model.results import OutcomeKind, Report, Stage, Verdict
from harness.qemu.accel import Accel
from harness.run import prepared as prepared_run
from harness.run import rows
from harness.run.matrix import run_matrix
from harness.run.one_kernel import facts_of
from harness.run.options import Options
from harness.run.plan import Plan
from harness.run.prepared import auto_jobs, load_plan
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.programs import GuestPrograms
from harness.supply.project import Project
from harness.supply.supplies import Built, Supplies
from harness.supply.unbuilt import UnbuiltCase

KERNELS = ("first", "second", "third")
Play = Callable[[GuestPlan, Sequence[Case]], KernelFacts]


class World:
    """A project of `path` kernels whose guests are played."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.play: dict[str, Play] = {}
        self.run: list[str] = []
        (folder / "bpf/case").mkdir(parents=True)
        (folder / "vmlinuz").write_bytes(x86_image())
        case = written_case().model_dump(mode="json", by_alias=True, exclude={"id", "folder"}, exclude_defaults=True)
        (folder / "bpf/case/case.yaml").write_text(json.dumps(case))
        for name in ("target", "tracer"):
            (folder / f"bpf/case/{name}.bpf.c").write_text("int value;\n")
        self.write_matrix()

    def write_matrix(self, **changes: Any) -> None:
        kernels = [{"name": name, "arch": "x86_64", "source": "path", "image": "vmlinuz"} for name in KERNELS]
        text = json.dumps({"defaults": {"jobs": 1}, "kernels": kernels, **changes})
        (self.folder / "matrix.yaml").write_text(text)

    @property
    def project(self) -> Project:
        return Project(matrix_file=self.folder / "matrix.yaml")

    def kernel(self, plan: GuestPlan, cases: Sequence[Case], *, boot: Starter, known: KernelFacts) -> KernelFacts:
        self.run.append(plan.kernel.name)
        return self.play.get(plan.kernel.name, good)(plan, cases)

    def start(self, **options: Any) -> tuple[Report, Path]:
        finished = run_matrix(Options(project=self.project, **options), cache=Cache(self.folder / "cache"))
        return finished.report, finished.folder


def good(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
    lines = [{**line, "case": "case"} if "case" in line else line for line in golden_lines()]
    environment: dict[str, object] = {"release": RELEASE, "version": "Debian 6.1.176-1 (x)", "libbpf": "v1.5"}
    return replace(facts_of(plan), records={"case": record_of(lines, "case")}, environment=environment, boots=1)


def crashed(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
    ending = Ending(kind=OutcomeKind.CRASHED, reason="the kernel died: Oops", console_tail=("Oops",), step=("case", 0))
    return replace(facts_of(plan), records={"case": CaseRecord(ending=ending)}, boots=1)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(rows, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(prepared_run, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(rows, "run_kernel", world.kernel)
    monkeypatch.setattr(prepared_run, "host_name", lambda: "x86_64")
    monkeypatch.setattr(emulators, "has_tool", lambda name: True)
    monkeypatch.setattr(Supplies, "base", lambda self, arch: tmp_path / "base.cpio")
    monkeypatch.setattr(Supplies, "programs", lambda self, arch: GuestPrograms())
    monkeypatch.setattr(Supplies, "accel", lambda self, wanted, files: Accel("tcg", "the test says so"))
    monkeypatch.setattr(Supplies, "build", lambda self, cases, arch: Built(cases=compiled(cases)))
    monkeypatch.setattr(rows, "STOP_SECONDS", 0.3)
    monkeypatch.delenv("BPFMATRIX_CACHE_GIB", raising=False)
    yield world


def cells(report: Report) -> dict[str, Verdict]:
    return {cell.kernel: cell.verdict for cell in report.cells}


def written(folder: Path) -> dict[str, Any]:
    """The report.json of a run; all other reports must be there, too."""
    for name in ("report.json", "junit.xml", "report.md", "report.html"):
        assert (folder / name).stat().st_size > 0
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def test_a_run_in_which_all_is_as_expected(world: World) -> None:
    report, folder = world.start()
    assert cells(report) == dict.fromkeys(KERNELS, Verdict.PASS)
    assert (report.run.exit_code, report.run.complete, report.run.jobs) == (EXIT_OK, True, 1)
    assert (report.run.accel, report.run.accel_reason, report.run.notices) == ("tcg", "the test says so", ())
    assert folder == world.folder / "results" / report.run.id
    assert (world.folder / "results/latest").resolve() == folder
    said = written(folder)
    assert [cell["outcome"] for cell in said["cells"]] == ["works"] * 3
    assert said["run"]["exit_code"] == EXIT_OK


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


def test_an_unexpected_cell_decides_the_exit_code(world: World) -> None:
    world.play["second"] = crashed
    report, _ = world.start()
    assert cells(report) == {"first": Verdict.PASS, "second": Verdict.FAIL, "third": Verdict.PASS}
    assert (report.run.exit_code, report.run.complete) == (EXIT_UNEXPECTED, True)


def complaining(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
    run = good(plan, cases)
    record = run.records["case"]
    log = ["<4> WARNING: CPU: 0 PID: 71 at kernel/x.c:1 f+0x1/0x2"]
    return replace(run, records={"case": replace(record, end={**(record.end or {}), "kernel_log": log})})


def known_splat(**changes: str) -> dict[str, str]:
    last = datetime.now(UTC).date() + timedelta(days=2)
    return {"pattern": "x[.]c:1", "reason": "its own", "link": "https://example.org/1", "expires": str(last), **changes}


def test_a_known_splat_makes_no_cell_unexpected(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.write_matrix(**{"known-splats": [known_splat(version="==6.1.*")]})
    world.play["second"] = complaining
    report, folder = world.start()
    assert cells(report) == dict.fromkeys(KERNELS, Verdict.PASS)
    assert report.run.notices == ()
    (splat,) = report.cell("second", "case").outcome.allowed_splats
    assert (splat.reason, splat.pattern) == ("its own", "x[.]c:1")
    assert written(folder)["cells"][1]["allowed_splats"][0]["link"] == "https://example.org/1"
    assert "its own" in (folder / "report.md").read_text()
    assert "expired" not in capsys.readouterr().out


def test_a_known_splat_of_other_kernels_helps_no_cell(world: World) -> None:
    world.write_matrix(**{"known-splats": [known_splat(version=">=6.2")]})
    world.play["second"] = complaining
    report, _ = world.start()
    assert report.cell("second", "case").outcome.kind == OutcomeKind.MISBEHAVES
    assert report.run.exit_code == EXIT_UNEXPECTED


def test_a_known_splat_that_has_expired_is_told_loudly(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.write_matrix(**{"known-splats": [known_splat(expires="2020-02-29")]})
    world.play["second"] = complaining
    report, folder = world.start()
    assert cells(report) == {"first": Verdict.PASS, "second": Verdict.FAIL, "third": Verdict.PASS}
    assert report.run.exit_code == EXIT_UNEXPECTED
    told = "matrix.yaml: known-splats[0] (/x[.]c:1/: its own) expired after 2020-02-29 and counts no more"
    (notice,) = report.run.notices
    assert notice.startswith(told)
    said = capsys.readouterr().out
    assert said.index(told) < said.index("first"), "it stands before what came of the kernels"
    assert "(allowed until 2020-02-29, which is over" in said
    assert "expired after 2020-02-29" in (folder / "report.md").read_text()
    assert "expired after 2020-02-29" in (folder / "report.html").read_text()


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_interrupted_run_tells_what_it_knows(world: World, number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)]

    def interrupt(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        os.kill(os.getpid(), number)
        assert plan.stopping.wait(10), "the guests are not told to stop"
        return good(plan, cases)

    world.play["second"] = interrupt
    begun = time.monotonic()
    report, folder = world.start()
    assert time.monotonic() - begun < 10
    assert cells(report) == {"first": Verdict.PASS, "second": Verdict.NOT_RUN, "third": Verdict.NOT_RUN}
    assert world.run == ["first", "second"]
    assert (report.run.exit_code, report.run.complete) == (EXIT_HARNESS, False)
    word = "Ctrl-C" if number == signal.SIGINT else number.name
    assert report.run.notices[0] == f"the run was interrupted ({word})"
    assert report.cell("third", "case").outcome.reason == f"the run was interrupted ({word})"
    said = written(folder)
    assert [cell["verdict"] for cell in said["cells"]] == ["pass", "not-run", "not-run"]
    assert said["run"]["exit_code"] == EXIT_HARNESS
    assert (world.folder / "results/latest").resolve() == folder
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)] == before


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


def test_an_interruption_outranks_a_crash_seen_before_it(world: World) -> None:
    def interrupt(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        os.kill(os.getpid(), signal.SIGTERM)
        plan.stopping.wait(10)
        return good(plan, cases)

    world.play.update(first=crashed, second=interrupt)
    report, _ = world.start()
    assert report.run.exit_code == EXIT_HARNESS


def test_results_go_where_they_are_wanted(world: World, tmp_path: Path) -> None:
    _, folder = world.start(results=tmp_path / "elsewhere")
    assert folder.parent == tmp_path / "elsewhere"
    assert not (world.folder / "results").exists()


def test_filters_leave_a_smaller_grid(world: World) -> None:
    report, _ = world.start(kernels=["f*", "third"])
    assert list(cells(report)) == ["first", "third"]
    with pytest.raises(UsageError, match="no kernel matches"):
        world.start(kernels=["fourth"])


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


BROKEN = CompileError(
    "x.bpf.c does not compile", log="x.bpf.c:6:6: error: unused variable 'x'\n  int x;\n1 error generated."
)


def with_a_broken_case(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside `case` there is one that does not compile."""
    shutil.copytree(world.folder / "bpf/case", world.folder / "bpf/broken")

    def build(self: Supplies, cases: Sequence[WrittenCase], arch: object) -> Built:
        return Built(cases=compiled(cases), faults={case.id: BROKEN for case in cases if case.id == "broken"})

    monkeypatch.setattr(Supplies, "build", build)


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


def test_an_unbuilt_case_wins_over_an_unexpected_one_and_a_lost_one_over_both(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_broken_case(world, monkeypatch)
    world.play["second"] = crashed
    report, _ = world.start()
    assert report.run.exit_code == EXIT_USAGE
    monkeypatch.setattr(rows, "run_kernel", lambda plan, cases, *, boot, known: unreachable())
    report, _ = world.start()
    assert report.run.exit_code == EXIT_HARNESS
    assert report.cell("first", "broken").outcome.stage == Stage.BUILD, "whatever befell its kernel"


def unreachable() -> KernelFacts:
    raise FetchError("the mirror is gone")


def test_a_kernel_file_that_is_gone_when_its_turn_comes_is_the_users(world: World) -> None:
    def gone(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        raise KernelFileError("vmlinuz: there is no such file")

    world.play["second"] = gone
    report, _ = world.start()
    assert (report.cell("second", "case").verdict, report.run.exit_code) == (Verdict.ERROR, EXIT_USAGE)


def test_a_mistake_in_a_case_is_told_once_before_any_guest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said = 'bpf/case/case.yaml:3: target.attach[0]: target.bpf.c has no program "x"'
    monkeypatch.setattr(Supplies, "build", lambda self, cases, arch: Built(mistakes=(said,)))
    with pytest.raises(ConfigError) as caught:
        world.start()
    assert str(caught.value) == said
    assert (world.run, (world.folder / "results").exists()) == ([], False)


def test_the_users_own_mistakes_are_told_before_anything_starts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.folder / "vmlinuz").write_bytes(b"#!/bin/sh\n")
    with pytest.raises(KernelFileError, match="is not a kernel"):
        world.start()

    def no_qemu(arch: object) -> str:
        raise MissingToolError("no QEMU")

    monkeypatch.setattr(prepared_run, "qemu_version", no_qemu)
    with pytest.raises(MissingToolError):
        world.start()
    assert world.run == []
    assert not (world.folder / "results").exists()


def test_the_cache_is_kept_within_its_size_but_what_was_used_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(world.folder / "cache")

    def make(folder: Path) -> dict[str, Any]:
        (folder / "file").write_bytes(os.urandom(100_000))
        return {}

    old, used = cache.entry("kernels", "old", make), cache.entry("kernels", "used", make)
    for entry in (old, used):
        os.utime(entry.path, (1, 1))

    def use(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        cache.entry("kernels", "used", make)
        return good(plan, cases)

    world.play["first"] = use
    monkeypatch.setenv("BPFMATRIX_CACHE_GIB", "0.0000001")
    world.start()
    assert not old.path.exists()
    assert used.path.exists()


# --- small things -----------------------------------------------------------------------------------------------------


def test_the_hosts_name_is_nobodys_business() -> None:
    facts = host_facts()
    assert set(facts) == {"kernel", "machine", "cpus", "python"}
    name = socket.gethostname()
    assert name not in facts.values()
    assert all(isinstance(value, str) and value for value in facts.values())


def plan_of(world: World, **kernel: Any) -> tuple[Matrix, Plan[UnbuiltCase]]:
    entry = {"name": "k", "arch": "x86_64", "source": "path", "image": "vmlinuz"}
    world.write_matrix(
        defaults={"memory": 300}, kernels=[{**entry, "name": f"k{n}"} for n in range(7)] + [{**entry, **kernel}]
    )
    return load_plan(Options(project=world.project))


@pytest.mark.parametrize(
    ("cores", "memory", "jobs"),
    [
        (4, 100_000, 4),
        (64, 100_000, 8),
        (64, 2500, 5),
        (64, 100, 1),
        (1, 100_000, 1),
    ],
)
def test_as_many_guests_as_cores_and_memory_allow(
    cores: int, memory: int, jobs: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    monkeypatch.setattr(prepared_run, "available_memory_mib", lambda: memory)
    assert auto_jobs(*plan_of(world)) == jobs


def test_the_largest_guest_decides_how_many_fit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.setattr(prepared_run, "available_memory_mib", lambda: 5000)
    assert auto_jobs(*plan_of(world, memory=2000)) == 2


def test_a_number_in_the_matrix_counts_and_one_on_the_command_line_more(world: World) -> None:
    world.write_matrix(defaults={"jobs": 5})
    assert auto_jobs(*load_plan(Options(project=world.project))) == 5
    assert world.start(jobs=2)[0].run.jobs == 2


def test_the_available_memory_is_read() -> None:
    assert 0 < available_memory_mib() < 2**30
