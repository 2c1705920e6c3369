"""How many guests run at once."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from played_world import World, make_world

from harness.config.matrix import Matrix
from harness.run import prepared as prepared_run
from harness.run.options import Options
from harness.run.plan import Plan
from harness.run.prepared import auto_jobs, load_plan
from harness.scenario.case import Case
from harness.scenario.from_command import Command, case_of
from harness.supply.pushed import NOTHING, Pushed, PushedFile
from harness.supply.supplies import Built
from harness.supply.unbuilt import UnbuiltCase


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


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


def test_what_a_case_wants_and_brings_counts_as_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.setattr(prepared_run, "available_memory_mib", lambda: 5000)
    matrix, plan = plan_of(world)
    case = case_of(Command(argv=("true",)), id="it", title="it")
    large = Pushed(files=(PushedFile(path="/root/large", mode=0o100644, size=300 * 2**20),))

    def jobs(case: Case, pushed: Pushed = NOTHING) -> int:
        return auto_jobs(matrix, plan, {"x86_64": Built(cases={"it": case}, pushed={"it": pushed})})

    assert (jobs(case), jobs(replace(case, memory=2000)), jobs(replace(case, memory=100))) == (8, 2, 8)
    assert (jobs(case, large), jobs(replace(case, memory=2000), large)) == (3, 1)


def test_a_number_in_the_matrix_counts_and_one_on_the_command_line_more(world: World) -> None:
    world.write_matrix(defaults={"jobs": 5})
    assert auto_jobs(*load_plan(Options(project=world.project))) == 5
    assert world.start(jobs=2)[0].run.jobs == 2
