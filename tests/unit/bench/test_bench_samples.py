"""What a report says of where a run's time went."""

from __future__ import annotations

import pytest
from bench_sample import COLD, measurements, report, sample

from harness.bench.samples import PHASES, run_sample
from harness.model.results import OutcomeKind, Start


@pytest.mark.parametrize("start", list(Start))
def test_the_phases_add_up_to_the_process(start: Start) -> None:
    found = sample(start)
    assert sum(found.phases.values()) == pytest.approx(found.process)
    assert list(found.phases) == [phase for phase in PHASES if phase in found.phases]
    assert found.process == pytest.approx(found.run + 0.5)


def test_a_cold_boot_is_divided_where_init_starts() -> None:
    phases = sample(Start.COLD).phases
    assert phases["kernel"] == 0.25 + 1.5, "0.25 s until the guest's clock began, and its clock's 1.5 s"
    assert phases["userland"] == 2.0 - 1.75
    assert (phases["rest"], phases["process"]) == (0.0625, 0.5)


def test_a_warm_start_has_no_kernel_phase() -> None:
    phases = sample(Start.WARM).phases
    assert "kernel" not in phases
    assert phases["userland"] == 0.1875


@pytest.mark.parametrize("environment", [{}, {"init_uptime": None, "uptime": 2.5}, {"init_uptime": "x", "uptime": 2.5}])
def test_a_boot_that_cannot_be_divided_is_left_whole(environment: dict[str, object]) -> None:
    found = run_sample(report(environment=environment), process=4.0, start=Start.COLD)
    assert "kernel" not in found.phases
    assert found.phases["userland"] == COLD["boot"]


@pytest.mark.parametrize(("at_init", "at_hello", "kernel"), [("9", 9.5, 2.0), ("0", 9.5, 0.0)])
def test_a_guests_clock_that_goes_wrong_makes_no_negative_phase(at_init: str, at_hello: float, kernel: float) -> None:
    environment = {"init_uptime": at_init, "uptime": at_hello}
    phases = run_sample(report(environment=environment), process=4.0, start=Start.COLD).phases
    assert phases["kernel"] == kernel
    assert min(phases.values()) >= 0


def test_several_kernels_have_no_phases_but_a_sum_of_single_times() -> None:
    found = sample(Start.WARM, kernels=3, cases=2)
    assert found.phases == {}
    assert found.single == 3 * 1.0625
    assert found.guest == 3 * 2 * 0.0625
    assert found.memory == 144.0


def test_another_outcome_than_works_is_a_problem() -> None:
    found = sample(Start.WARM, outcome=OutcomeKind.REFUSED)
    assert found.problems == ("6.1-x86_64 x case-00: refused: as it was",)
    assert sample(Start.WARM).problems == ()


def test_a_run_that_is_another_than_was_asked_for_is_noted() -> None:
    found = run_sample(report(start=Start.COLD, boots=2), process=9.0, start=Start.WARM)
    assert found.notes == (
        "6.1-x86_64 x case-00: a warm start was asked for, but it was cold",
        "6.1-x86_64: it took 2 guests",
    )
    assert sample(Start.COLD).notes == ()


def test_no_run_is_forgotten() -> None:
    # 3 rounds of cold and warm, of both with virtme-ng, of 2 x 2 whole matrices, and of 3 numbers of two cases.
    assert len(list(measurements().samples())) == 3 * (2 + 2 + 4 + 2 * 3)
