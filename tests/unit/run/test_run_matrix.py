"""Whole runs with guests that are played: which reports they leave, however they end."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from played_world import KERNELS, World, cells, crashed, good, make_world, unreachable, with_a_broken_case, written

from harness.answers.merge import merge
from harness.errors import (
    EXIT_HARNESS,
    EXIT_OK,
    EXIT_UNEXPECTED,
    EXIT_USAGE,
    ConfigError,
    KernelFileError,
    MissingToolError,
    UsageError,
)
from harness.facts.kernel import KernelFacts
from harness.host.cache import Cache
from harness.model.results import OutcomeKind, Stage, Verdict
from harness.reports.json_report import limited, parse
from harness.run import prepared as prepared_run
from harness.run import rows
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.supplies import Built, Supplies


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


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
    expired = "matrix.yaml: known-splats[0] (/x[.]c:1/: its own) expired after 2020-02-29 and counts no more"
    (notice,) = report.run.notices
    assert notice.startswith(expired)
    said = capsys.readouterr().out
    assert said.index(expired) < said.index("first"), "it stands before what came of the kernels"
    assert "(allowed until 2020-02-29, which is over" in said
    assert "expired after 2020-02-29" in (folder / "report.md").read_text()
    assert "expired after 2020-02-29" in (folder / "report.html").read_text()


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


def test_a_mistake_in_a_case_is_told_once_before_any_guest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said = 'bpf/case/case.yaml:3: target.attach[0]: target.bpf.c has no program "x"'
    monkeypatch.setattr(Supplies, "build", lambda self, cases, arch, clang=None: Built(mistakes=(said,)))
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


def test_the_shards_of_a_run_are_the_whole_run_cell_for_cell(world: World) -> None:
    world.play["second"] = crashed
    whole, _ = world.start()
    assert sorted(world.run) == sorted(KERNELS)
    world.run.clear()
    parts = [world.start(shard=(index, 5))[0] for index in range(1, 6)]
    assert sorted(world.run) == sorted(KERNELS), "each row in exactly one shard"
    found = merge(parts)
    assert found.cells == whole.cells
    assert found.cases == whole.cases
    assert [kernel.name for kernel in found.kernels] == [kernel.name for kernel in whole.kernels]
    assert (found.run.exit_code, found.run.complete) == (whole.run.exit_code, whole.run.complete)
    with pytest.raises(UsageError, match="the shards 2/5 of this run are missing"):
        merge([parts[0], *parts[2:]])


def test_an_empty_shard_has_an_empty_report_and_is_as_expected(world: World) -> None:
    report, folder = world.start(shard=(5, 5))
    assert world.run == []
    assert (report.kernels, report.cells, report.run.exit_code, report.run.complete) == ((), (), EXIT_OK, True)
    said = written(folder)["run"]["shard"]
    assert (said["index"], said["count"], list(said["rows"])) == (5, 5, list(KERNELS))
    assert "**Shard:** 5/5 of a run of 3 kernels and 1 case" in (folder / "report.md").read_text()
    assert parse((folder / "report.json").read_text()) == limited(report)


def test_a_shard_is_gone_on_with_as_what_it_is(world: World) -> None:
    first, folder = world.start(shard=(2, 2))
    again, _ = world.start(resume=folder)
    assert [kernel.name for kernel in again.kernels] == [kernel.name for kernel in first.kernels]
    assert again.run.shard == first.run.shard is not None
    with pytest.raises(UsageError, match=r"leave out .*--shard"):
        world.start(resume=folder, shard=(1, 2))
