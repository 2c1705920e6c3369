"""Guests that are restored from snapshots: the same answers as booted ones, and nothing of one run in the next."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, guests, until

from harness.config.case import WrittenCase
from harness.config.case_folders import load_cases
from harness.config.matrix import Matrix, load_matrix
from harness.errors import GuestConnectionError
from harness.facts.kernel import KernelFacts
from harness.guest.boot import connected
from harness.guest.parcel import PARCELS, job_parcel
from harness.guest.snapshots import GREETED, READY, STANDBY, Snapshots
from harness.guest.starting import Starter
from harness.host.cache import Cache
from harness.judge.cells import cells as cells_of
from harness.model.architectures import ARCHITECTURES
from harness.model.results import CellResult, Start
from harness.qemu.accel import qemu_version
from harness.run.one_kernel import run_kernel
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.keys import make_keys
from harness.supply.project import Project
from harness.supply.supplies import Supplies
from harness.supply.unbuilt import yaml_cases

pytestmark = pytest.mark.vm

KERNEL, SERIAL, FOREIGN, BIG_ENDIAN = "6.12-x86_64", "7.1-x86_64", "6.12-arm64", "6.12-s390x"
WORKS, REFUSED, ALONE = "kprobe-fentry-fexit", "refuse-missing-function", "lockdown-confidentiality"
CASES = (WORKS, REFUSED, ALONE)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The committed matrix, the user's cache for what is fetched, and a folder of its own for snapshots."""

    matrix: Matrix
    supplies: Supplies
    cases: Sequence[WrittenCase]
    folder: Path

    def plan(self, name: str, cases: Sequence[WrittenCase], *, folder: str) -> tuple[GuestPlan, tuple[Case, ...]]:
        """Return a plan for a kernel of the matrix, with keys and a folder of its own, and the cases for it."""
        kernel = next(kernel for kernel in self.matrix.kernels if kernel.name == name)
        built = self.supplies.build_all(yaml_cases(cases), ARCHITECTURES[kernel.arch])

        plan = self.supplies.guest(
            kernel, self.cases, keys=make_keys(), folder=self.folder / folder, objects=built.files
        )
        return plan, tuple(built.cases[case.id] for case in cases)

    def snapshots(self, name: str) -> Snapshots:
        arch = next(ARCHITECTURES[kernel.arch] for kernel in self.matrix.kernels if kernel.name == name)
        return Snapshots(Cache(self.folder / "cache"), qemu_version=qemu_version(arch))

    def rams(self) -> dict[Path, str]:
        """Return the hashes of the memory files, by path."""
        paths = (self.folder / "cache").glob("snapshots/*/ram")
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def run(
        self, name: str, wanted: Sequence[str], *, warm: bool, folder: str
    ) -> tuple[KernelFacts, dict[str, CellResult]]:
        """Run cases on a kernel; return what came of it, and its cells by case."""
        plan, cases = self.plan(name, [case for case in self.cases if case.id in wanted], folder=folder)
        run = run_kernel(plan, cases, boot=Starter(self.snapshots(name) if warm else None))
        return run, {cell.case: cell for cell in cells_of(run, cases)}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    matrix = load_matrix(ROOT / "matrix.yaml")
    project = Project(matrix_file=ROOT / "matrix.yaml")
    return Bench(
        matrix=matrix,
        supplies=Supplies(project, matrix, cache=Cache()),
        cases=[case for case in load_cases(project.matrix_file, matrix.cases) if case.id in CASES],
        folder=tmp_path_factory.mktemp("snapshots"),
    )


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The same cases on the same kernel: booted, restored from a snapshot made just now, restored from one there."""

    cold: dict[str, CellResult]
    first: dict[str, CellResult]
    second: dict[str, CellResult]
    notices: list[str]
    boots: list[int]
    seconds: dict[str, float]
    rams_before: dict[Path, str]
    rams_after: dict[Path, str]


@pytest.fixture(scope="module")
def runs(bench: Bench) -> Runs:
    cold, cold_cells = bench.run(KERNEL, CASES, warm=False, folder="cold")
    first, first_cells = bench.run(KERNEL, CASES, warm=True, folder="first")
    before = bench.rams()
    second, second_cells = bench.run(KERNEL, CASES, warm=True, folder="second")
    return Runs(
        cold=cold_cells,
        first=first_cells,
        second=second_cells,
        notices=[note for run in (cold, first, second) for note in (*run.notices, *run.problems)],
        boots=[cold.boots, first.boots, second.boots],
        seconds=dict(second.seconds),
        rams_before=before,
        rams_after=bench.rams(),
    )


def said(cell: CellResult) -> dict[str, Any]:
    """What a cell says that must not depend on how its guest was started."""
    outcome = cell.outcome
    return {
        "outcome": (outcome.kind, outcome.stage, outcome.errno, outcome.refusal, outcome.reason),
        "verdict": cell.verdict,
        "events": [(event["kind"], event.get("side"), event["phase"], event["retval"]) for event in outcome.events],
        "splats": outcome.splats,
    }


@pytest.mark.parametrize("case", CASES)
def test_restored_guests_give_the_answers_of_booted_ones(runs: Runs, case: str) -> None:
    wanted = said(runs.cold[case])
    assert said(runs.first[case]) == wanted
    assert said(runs.second[case]) == wanted


def test_the_answers_are_not_all_the_same(runs: Runs) -> None:
    """Else the comparison above would say little."""
    assert [str(runs.cold[case].outcome.kind) for case in (WORKS, REFUSED)] == ["works", "refused"]
    assert runs.cold[WORKS].outcome.events
    assert runs.boots == [2, 2, 2], "one case has a guest of its own"


def test_every_cell_says_how_its_guest_was_started(runs: Runs) -> None:
    for cells, start in ((runs.cold, Start.COLD), (runs.first, Start.WARM), (runs.second, Start.WARM)):
        assert {cell.start for cell in cells.values()} == {start}
    assert runs.notices == []


def test_what_restored_guests_do_to_their_memory_stays_theirs(runs: Runs) -> None:
    assert len(runs.rams_before) == 2, "one a command line"
    assert runs.rams_after == runs.rams_before


@contextlib.contextmanager
def guest(bench: Bench, name: str, *, folder: str) -> Iterator[tuple[GuestPlan, Any]]:
    plan, _ = bench.plan(name, [], folder=folder)
    with bench.snapshots(name).restored(plan) as qemu, connected(plan, qemu) as connection:
        yield plan, connection


def asked(connection: Any, command: str, folder: Path) -> list[str]:
    lines = connection.lines(command, errors=folder / "errors", timeout=lambda: 20.0)
    return [line.decode() for line in lines]


ENTROPY = "head -c 32 /dev/urandom | sha256sum"


@pytest.mark.parametrize("name", [KERNEL, pytest.param(SERIAL, marks=pytest.mark.nightly)])
def test_every_restored_guest_is_one_of_its_own(bench: Bench, name: str, tmp_path: Path) -> None:
    """Keys, random numbers and the time are its run's; the memory that it started with is not."""
    found = []
    rams: dict[Path, str] = {}
    for number in range(2):
        with guest(bench, name, folder=f"own-{name}-{number}") as (plan, connection):
            before = time.time()
            (date,) = asked(connection, "date +%s", tmp_path)
            after = time.time()
            assert before - 3 < int(date) < after + 2, "the clock is right, not the snapshot's"
            (entropy,) = asked(connection, ENTROPY, tmp_path)
            uptime, *_ = asked(connection, "cat /proc/uptime", tmp_path)
            mark = asked(connection, "cat /root/mark 2>/dev/null; echo here >/root/mark", tmp_path)
            assert mark == [], "what another run has written"
            # connect() has compared the host key with the plan's own.
            found.append((plan.keys.host_key_file, entropy, float(uptime.split()[0])))
        rams = rams or bench.rams()
        time.sleep(3)  # longer than a clock may be wrong
    (one_key, one_entropy, one_uptime), (other_key, other_entropy, other_uptime) = found
    assert one_key != other_key
    assert one_entropy != other_entropy
    assert abs(one_uptime - other_uptime) < 15, "both went on from the same moment"
    assert bench.rams() == rams


@pytest.mark.parametrize("name", [KERNEL, SERIAL, pytest.param(BIG_ENDIAN, marks=pytest.mark.nightly)])
def test_a_restored_guest_has_the_agent_and_nobody_is_connected_but_we(bench: Bench, name: str, tmp_path: Path) -> None:
    """The agent was pushed over a connection of its own, before the snapshot; that is over."""
    bench.snapshots(name).obtain(bench.plan(name, [], folder=f"made-{name}")[0])
    with guest(bench, name, folder=f"alone-{name}") as (_, connection):
        (processes,) = asked(connection, "pidof dropbear", tmp_path)
        assert len(processes.split()) == 2, "the one that listens, and ours"
        assert asked(connection, "ls /usr/lib/bpfmatrix", tmp_path) == ["guest_service.pyc"], "it came by SFTP alone"
        plan, _ = bench.plan(name, [], folder="empty-job")
        connection.push(job_parcel(plan, [], agent=False), PARCELS, seconds=20)
        lines = asked(connection, "cat /run/bpfmatrix/out", tmp_path)
    assert [json.loads(line)["type"] for line in lines] == ["hello", "done"]
    console = (bench.folder / f"alone-{name}" / "console.log").read_text()
    assert GREETED in console
    assert READY not in console and STANDBY not in console, "the snapshot was made before it was ready"


def test_the_keys_of_one_run_do_not_open_the_guest_of_another(bench: Bench) -> None:
    plan, _ = bench.plan(KERNEL, [], folder="foreign-keys")
    other = replace(plan, keys=make_keys())
    with (
        bench.snapshots(KERNEL).restored(plan) as qemu,
        pytest.raises(GuestConnectionError, match="another host key"),
        connected(other, qemu),
    ):
        pass


@pytest.mark.parametrize("name", [KERNEL, pytest.param(FOREIGN, marks=pytest.mark.nightly)])
def test_a_restored_guest_may_say_much_on_its_console(bench: Bench, name: str, tmp_path: Path) -> None:
    """As a kernel does that dies."""
    with guest(bench, name, folder=f"talkative-{name}") as (plan, connection):
        asked(connection, "seq 2000 >/dev/console; stty -F /dev/console echo", tmp_path)
        with contextlib.suppress(GuestConnectionError):
            asked(connection, "poweroff -f", tmp_path)
        until(lambda: not guests(os.getpid()), seconds=20, what="the guest powers off")
    text = (plan.folder / "console.log").read_text()
    assert "\n1999\n2000\n" in text
    assert "reboot: Power down" in text


def test_a_kernel_without_a_network_card_is_restored_too(bench: Bench) -> None:
    run, cells = bench.run(SERIAL, [WORKS, REFUSED], warm=True, folder="serial")
    assert (run.notices, run.problems) == ((), ())
    assert {cell.start for cell in cells.values()} == {Start.WARM}
    assert [str(cells[case].verdict) for case in (WORKS, REFUSED)] == ["pass", "xfail"]


@pytest.mark.nightly
def test_another_architecture_is_restored_or_booted_with_a_notice(bench: Bench) -> None:
    cold, cold_cells = bench.run(FOREIGN, [WORKS, REFUSED], warm=False, folder="foreign-cold")
    warm, warm_cells = bench.run(FOREIGN, [WORKS, REFUSED], warm=True, folder="foreign-warm")
    assert (cold.notices, cold.problems, warm.problems) == ((), (), ())
    for case, cell in cold_cells.items():
        assert said(warm_cells[case]) == said(cell)
    starts = {cell.start for cell in warm_cells.values()}
    assert starts == ({Start.COLD} if warm.notices else {Start.WARM}), warm.notices


def test_no_snapshot_is_larger_than_what_the_guest_has_touched(bench: Bench, runs: Runs) -> None:
    for path in runs.rams_after:
        stat = path.stat()
        assert stat.st_size == bench.matrix.defaults.memory << 20
        assert stat.st_blocks * 512 < 150 << 20, "issue #5 allows 150 MB a kernel"
