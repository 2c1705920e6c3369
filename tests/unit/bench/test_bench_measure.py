"""The order of measuring, and what a peer's failure costs. Guests and processes are played."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bench_sample import report

from harness.bench import measure
from harness.bench.measure import QUICK_COUNTS, Bench, Wanted
from harness.bench.samples import Sizes
from harness.bench.virtme import Virtme
from harness.errors import BenchError, MirrorError, UsageError
from harness.host.cache import Cache
from harness.model.results import Report, Start
from harness.qemu.accel import Accel
from harness.supply.guest_plan import GuestPlan
from harness.supply.kernels.debian import DebianSource
from harness.supply.project import Project

ROOT = Path(__file__).resolve().parents[3]


class Played(Bench):
    """A bench whose guests and processes are noted and not run."""

    done: list[str]

    def _plan(self, kernel: Any) -> GuestPlan:
        return GuestPlan(
            kernel=None,  # type: ignore[arg-type]
            settings=kernel.settings(self._matrix.defaults),
            accel="tcg",
            base=Path(),
            keys=self._keys,
            objects={},
            folder=Path(),
        )

    def _accel(self, guest: GuestPlan) -> Accel:
        return Accel("tcg", "played")

    def _sizes(self, names: Sequence[str]) -> Sizes:
        return Sizes(image=0, image_downloaded=None, kernels=())

    def _report(
        self, project: Project, kernels: Sequence[str], cases: Sequence[str], *, start: Start, jobs: int = 1
    ) -> tuple[Report, float]:
        self.done.append(f"{start} {len(kernels)}x{len(cases)} /{jobs}")
        found = report(start=start, kernels=len(kernels), cases=len(cases))
        return found, found.run.seconds + 0.5


def played(folder: Path, monkeypatch: pytest.MonkeyPatch, **wanted: Any) -> Played:
    done: list[str] = []
    said: list[str] = []

    def floor(_plan: GuestPlan, *, shipped: bool = False) -> float:
        done.append("floor shipped" if shipped else "floor")
        return 2.0

    monkeypatch.setattr(measure, "floor", floor)
    monkeypatch.setattr(measure, "find_virtme", lambda: (None, "not there"))
    monkeypatch.setattr(measure, "qemu_version", lambda _arch: "7.2")
    project = Project(matrix_file=ROOT / "matrix.yaml")
    words: dict[str, Any] = {"kernel": "6.1-x86_64", "rounds": 2, "matrix_kernels": None, "counts": QUICK_COUNTS}
    bench = Played(
        Wanted(project=project, **{**words, **wanted}), cache=Cache(folder / "cache"), scratch=folder, say=said.append
    )
    bench.done = done
    return bench


def test_things_are_measured_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = played(tmp_path, monkeypatch, matrix_kernels="6.1*-x86_64")
    found = bench.run()
    count = len(found.matrix.kernels) if found.matrix else 0
    assert count > 1
    assert bench.done == [
        *("cold 1x1 /1", "warm 1x1 /1"),  # these do not count
        *("floor", "cold 1x1 /1", "warm 1x1 /1", "floor shipped") * 2,
        # of each simple case; the first builds the objects
        *("warm 1x10 /1", *("warm 1x1 /1", "warm 1x10 /1") * 2) * len(measure.SIMPLE),
        f"warm {count}x1 /1",  # makes the snapshots
        *(f"cold {count}x1 /1", f"cold {count}x1 /2", f"warm {count}x1 /1", f"warm {count}x1 /2") * 2,
    ]
    assert [len(samples) for samples in (found.floor, found.floor_shipped, found.cold, found.warm)] == [2] * 4


def test_without_the_matrix_and_a_peer_the_rest_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = played(tmp_path, monkeypatch).run()
    assert (found.matrix, found.virtme) == (None, None)
    assert found.notes["virtme_ng_over_cold"] == found.notes["virtme_ng_over_warm"] == "not there"
    assert "left out" in found.notes["jobs2_over_ideal"]
    assert [case.case for case in found.added] == ["subprog-global", "xdp"]


def test_a_matrix_without_the_simple_cases_is_measured_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "SIMPLE", ("xdp", "no-such-case"))
    found = played(tmp_path, monkeypatch).run()
    assert [case.case for case in found.added] == ["xdp"]
    assert found.notes["added_case"] == "the matrix has no case no-such-case"


@pytest.mark.parametrize("error", [MirrorError("no mirror"), BenchError("no answer")])
def test_a_peer_that_fails_costs_nothing_else(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = played(tmp_path, monkeypatch)

    def fail(_source: DebianSource, _kernel: Any) -> Any:
        raise error

    monkeypatch.setattr(measure, "find_virtme", lambda: (Virtme(program=Path("vng"), version="1.42"), ""))
    monkeypatch.setattr(measure, "host_architecture", lambda: bench._arch)
    monkeypatch.setattr(DebianSource, "pin", fail)
    found = bench.run()
    assert found.virtme is None
    assert found.notes["virtme_ng_over_cold"] == str(error)
    assert len(found.cold) == 2


def test_a_snapshot_made_in_a_warm_run_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = played(tmp_path, monkeypatch)
    monkeypatch.setattr(measure, "snapshot_made_since", lambda _cache, _begun: True)
    found = bench.run()
    assert "snapshot was made" in found.warm[0].notes[0]
    assert found.cold[0].notes == ()


def test_a_kernel_that_the_matrix_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r'no kernel "2\.4"'):
        played(tmp_path, monkeypatch, kernel="2.4")
