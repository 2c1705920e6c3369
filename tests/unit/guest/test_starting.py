"""How a guest is started: from its snapshot, or by booting where that fails; and that the report says so."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from unit_samples import guest_plan, sample_case

from harness.errors import QemuError, SnapshotError
from harness.facts.session import SessionFacts
from harness.guest import starting
from harness.guest.boot import booted
from harness.guest.session import Starting
from harness.guest.snapshots import Snapshots
from harness.guest.starting import Starter
from harness.model.results import Start
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.pushed import PushedFile

DAMAGED = SnapshotError("6.1-x86_64: the snapshot was damaged on disk; it was removed")


class World:
    """Sessions that are played: what each of the guests that are started one after the other comes to."""

    def __init__(self) -> None:
        self.warm: list[SessionFacts | Exception] = []
        self.cold: list[SessionFacts | Exception] = []
        self.started: list[str] = []

    @contextlib.contextmanager
    def restored(self, plan: GuestPlan) -> Iterator[None]:
        yield

    def run_session(self, plan: GuestPlan, cases: Sequence[Case], *, start: Starting = booted) -> SessionFacts:
        cold = start is booted
        assert cold or start == cast(Starting, self.restored)
        self.started.append(f"{'cold' if cold else 'warm'} {plan.kernel.name}")
        result = (self.cold if cold else self.warm).pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def starter(self) -> Starter:
        return Starter(cast(Snapshots, self))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(starting, "run_session", world.run_session)
    return world


@pytest.fixture
def plan(tmp_path: Path) -> GuestPlan:
    return guest_plan(tmp_path)


def answered() -> SessionFacts:
    return SessionFacts(environment={"release": "6.1"})


CASES = [sample_case()]


def test_a_guest_is_restored(world: World, plan: GuestPlan) -> None:
    world.warm = [answered()]
    result = world.starter()(plan, CASES)
    assert (world.started, result.start, result.notices) == (["warm 6.1-x86_64"], Start.WARM, ())
    assert result.seconds == {}


def test_without_snapshots_every_guest_is_booted(world: World, plan: GuestPlan) -> None:
    world.cold = [answered(), answered()]
    starter = Starter(None)
    results = [starter(plan, CASES) for _ in range(2)]
    assert world.started == ["cold 6.1-x86_64"] * 2
    assert [(result.start, result.notices) for result in results] == [(Start.COLD, ())] * 2


def test_a_guest_of_which_no_snapshot_is_wanted_is_booted(world: World, tmp_path: Path) -> None:
    world.cold = [answered()]
    result = world.starter()(guest_plan(tmp_path, snapshots=False), CASES)
    assert (world.started, result.start, result.notices) == (["cold 6.1-x86_64"], Start.COLD, ())


def test_where_the_snapshot_fails_the_guest_is_booted_and_the_report_says_so(world: World, plan: GuestPlan) -> None:
    world.warm, world.cold = [DAMAGED], [answered()]
    result = world.starter()(plan, CASES)
    assert world.started == ["warm 6.1-x86_64", "cold 6.1-x86_64"]
    assert result.start == Start.COLD
    assert result.notices == (f"{DAMAGED}; the guest was booted instead",)
    assert list(result.seconds) == ["start"], "what the snapshot has cost is counted"


def test_what_failed_once_is_not_tried_again_for_that_kernel(world: World, plan: GuestPlan) -> None:
    other = replace(plan, kernel=replace(plan.kernel, name="6.12-x86_64"))
    world.warm, world.cold = [DAMAGED, answered()], [answered(), answered()]
    starter = world.starter()
    results = [starter(each, CASES) for each in (plan, plan, other)]
    assert world.started == ["warm 6.1-x86_64", "cold 6.1-x86_64", "cold 6.1-x86_64", "warm 6.12-x86_64"]
    assert [result.start for result in results] == [Start.COLD, Start.COLD, Start.WARM]
    assert [len(result.notices) for result in results] == [1, 0, 0], "it is told once"


def test_a_restored_guest_without_a_sign_of_life_says_nothing_of_its_kernel(world: World, plan: GuestPlan) -> None:
    world.warm, world.cold = [SessionFacts(), answered()], [answered(), answered()]
    starter = world.starter()
    result = starter(plan, CASES)
    assert (world.started, result.start) == (["warm 6.1-x86_64", "cold 6.1-x86_64"], Start.COLD)
    assert result.environment
    (notice,) = result.notices
    assert "6.1-x86_64" in notice and "gave no sign of life" in notice
    assert starter(plan, CASES).start == Start.COLD


def test_a_booted_guest_without_a_sign_of_life_is_its_kernels(world: World, plan: GuestPlan) -> None:
    world.warm, world.cold = [DAMAGED], [SessionFacts()]
    result = world.starter()(plan, CASES)
    assert (result.start, result.environment) == (Start.COLD, {})
    assert len(world.started) == 2, "whether it is booted once more is for the runner to say"


def test_a_guest_that_dies_in_a_case_is_not_started_again_here(world: World, plan: GuestPlan) -> None:
    died = replace(answered(), problems=("after a: the kernel died",))
    world.warm = [died]
    result = world.starter()(plan, CASES)
    assert result.start == Start.WARM
    assert result.problems == died.problems
    assert len(world.started) == 1


def test_a_qemu_that_does_not_start_at_all_is_the_callers(world: World, plan: GuestPlan) -> None:
    world.warm, world.cold = [DAMAGED], [QemuError("QEMU did not start")]
    with pytest.raises(QemuError, match="did not start"):
        world.starter()(plan, CASES)


def test_an_interrupted_run_boots_nothing_in_its_place(world: World, plan: GuestPlan) -> None:
    plan.stopping.set()
    world.warm = [DAMAGED]
    with pytest.raises(SnapshotError):
        world.starter()(plan, CASES)
    assert world.started == ["warm 6.1-x86_64"]


def test_a_guest_with_files_of_its_case_in_the_initramfs_is_booted(world: World, tmp_path: Path) -> None:
    """A snapshot of it would serve this one build of the files alone."""
    world.cold = [SessionFacts(environment={"release": "6.1"})]
    plan = guest_plan(tmp_path, files=(PushedFile(path="/root/large", mode=0o100644),))
    result = world.starter()(plan, [sample_case()])
    assert (world.started, result.start, result.notices) == (["cold 6.1-x86_64"], Start.COLD, ())
