"""The order of measuring, and what a peer's failure costs. Guests and processes are played."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bench_sample import report

from harness.bench import measure
from harness.bench.measure import QUICK_COUNTS, Bench, Wanted, choose_kernel
from harness.bench.samples import Sizes
from harness.bench.virtme import Virtme
from harness.config.matrix import DebianKernel, Kernel, load_matrix
from harness.errors import BenchError, MirrorError, UsageError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.model.results import Report, Start
from harness.qemu.accel import Accel
from harness.run.options import Options
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.keys import make_keys
from harness.supply.kernels.debian import DebianSource
from harness.supply.project import Project

ROOT = Path(__file__).resolve().parents[3]
KEYS = make_keys()


class Played:
    """Notes the guests and processes that a bench wants, and runs none. `snapshots`: one is made in every run."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.snapshots = False

    def guest(self, kernel: Kernel) -> GuestPlan:
        return GuestPlan(
            kernel=None,  # type: ignore[arg-type]
            settings=kernel.settings(load_matrix(ROOT / "matrix.yaml").defaults),
            accel="tcg",
            base=Path(),
            keys=KEYS,
            objects={},
            folder=Path(),
        )

    def accel(self, guest: GuestPlan) -> Accel:
        return Accel("tcg", "played")

    def floor(self, guest: GuestPlan, *, shipped: bool = False) -> float:
        self.done.append("floor shipped" if shipped else "floor")
        return 2.0

    def snapshot_made_since(self, begun: float) -> bool:
        return self.snapshots

    def sizes(self, kernels: Sequence[Kernel]) -> Sizes:
        return Sizes(image=len(kernels), image_downloaded=None, kernels=())

    def report(
        self, project: Project, kernels: Sequence[str], cases: Sequence[str], *, start: Start, jobs: int = 1
    ) -> tuple[Report, float]:
        self.done.append(f"{start} {len(kernels)}x{len(cases)} /{jobs}")
        found = report(start=start, kernels=len(kernels), cases=len(cases))
        return found, found.run.seconds + 0.5


@pytest.fixture
def runner() -> Played:
    return Played()


def bench(runner: Played, folder: Path, monkeypatch: pytest.MonkeyPatch, **wanted: Any) -> Bench:
    monkeypatch.setattr(measure, "find_virtme", lambda: (None, "not there"))
    monkeypatch.setattr(measure, "qemu_version", lambda _arch: "7.2")
    project = Project(matrix_file=ROOT / "matrix.yaml")
    usual: dict[str, Any] = {"kernel": "6.1-x86_64", "rounds": 2, "matrix_kernels": None, "counts": QUICK_COUNTS}
    asked = Wanted(options=Options(project=project), **{**usual, **wanted})
    return Bench(asked, cache=Cache(folder / "cache"), scratch=folder, say=lambda line: None, runner=runner)


def test_things_are_measured_in_turns(runner: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = bench(runner, tmp_path, monkeypatch, matrix_kernels="6.1*-x86_64").run()
    count = len(found.matrix.kernels) if found.matrix else 0
    assert count > 1
    assert runner.done == [
        *("cold 1x1 /1", "warm 1x1 /1"),  # these do not count
        *("floor", "cold 1x1 /1", "warm 1x1 /1", "floor shipped") * 2,
        # of each simple case; the first builds the objects
        *("warm 1x10 /1", *("warm 1x1 /1", "warm 1x10 /1") * 2) * len(measure.SIMPLE),
        f"warm {count}x1 /1",  # makes the snapshots
        *(f"cold {count}x1 /1", f"cold {count}x1 /2", f"warm {count}x1 /1", f"warm {count}x1 /2") * 2,
    ]
    assert [len(samples) for samples in (found.floor, found.floor_shipped, found.cold, found.warm)] == [2] * 4


def test_without_the_matrix_and_a_peer_the_rest_is_measured(
    runner: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bench(runner, tmp_path, monkeypatch).run()
    assert (found.matrix, found.virtme) == (None, None)
    assert found.notes["virtme_ng_over_cold"] == found.notes["virtme_ng_over_warm"] == "not there"
    assert "left out" in found.notes["jobs2_over_ideal"]
    assert [case.case for case in found.added] == ["subprog-global", "xdp"]


def test_a_matrix_without_the_simple_cases_is_measured_without_them(
    runner: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "SIMPLE", ("xdp", "no-such-case"))
    found = bench(runner, tmp_path, monkeypatch).run()
    assert [case.case for case in found.added] == ["xdp"]
    assert found.notes["added_case"] == "the matrix has no case no-such-case"


@pytest.mark.parametrize("error", [MirrorError("no mirror"), BenchError("no answer")])
def test_a_peer_that_fails_costs_nothing_else(
    error: Exception, runner: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_source: DebianSource, _kernel: Any) -> Any:
        raise error

    measuring = bench(runner, tmp_path, monkeypatch)
    monkeypatch.setattr(measure, "find_virtme", lambda: (Virtme(program=Path("vng"), version="1.42"), ""))
    monkeypatch.setattr(measure, "host_architecture", lambda: ARCHITECTURES["x86_64"])
    monkeypatch.setattr(DebianSource, "pin", fail)
    found = measuring.run()
    assert found.virtme is None
    assert found.notes["virtme_ng_over_cold"] == str(error)
    assert len(found.cold) == 2


def test_a_snapshot_made_in_a_warm_run_is_noted(
    runner: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.snapshots = True
    found = bench(runner, tmp_path, monkeypatch).run()
    assert "snapshot was made" in found.warm[0].notes[0]
    assert found.cold[0].notes == ()


def test_a_kernel_that_the_matrix_does_not_have(
    runner: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r'no kernel "2\.4"'):
        bench(runner, tmp_path, monkeypatch, kernel="2.4")


def debian(name: str) -> Kernel:
    keys = {"name": name, "arch": name.rpartition("-")[2], "source": "debian", "suite": "bookworm", "package": "p"}
    return DebianKernel.model_validate(keys)


@pytest.mark.parametrize(
    ("names", "host", "chosen"),
    [
        (["5.10-x86_64", "6.1-arm64", "6.1-x86_64"], "x86_64", "6.1-x86_64"),
        (["5.10-x86_64", "6.1-arm64", "6.1-x86_64"], "arm64", "6.1-arm64"),
        (["5.10-x86_64", "6.12-x86_64"], "x86_64", "5.10-x86_64"),
        (["6.12-x86_64", "6.1-arm64"], "x86_64", "6.12-x86_64"),
        (["6.1-arm64"], "x86_64", "6.1-arm64"),
        (["6.12-arm64"], None, "6.12-arm64"),
    ],
)
def test_the_kernel_that_is_measured_by_default(names: list[str], host: str | None, chosen: str) -> None:
    kernels = [debian(name) for name in names]
    assert choose_kernel(kernels, host=None if host is None else ARCHITECTURES[host]).name == chosen
