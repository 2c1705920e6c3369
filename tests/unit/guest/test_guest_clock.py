"""A guest's clock compared with the host's."""

from __future__ import annotations

import pytest

from harness.guest.clock import same_rate, speed_problem, uptime_problem, uptime_said


def test_the_second_is_that_of_the_last_line_that_is_whole() -> None:
    """A line may be half there; and on s390x one may be there twice."""
    line = "bpfmatrix: ready"
    assert uptime_said("", line) is None
    assert uptime_said(f"{line} at 1", line) is None
    assert uptime_said(f"{line} at 1.5", line) is None, "more digits may follow"
    assert uptime_said(f"noise {line} at 1.500 s\n", line) == 1.5
    assert uptime_said(f"{line} at 1.500 s\n{line} at 2.500 s\n{line} at 3", line) == 2.5
    assert uptime_said("bpfmatrix: standing by at 1.500 s\n", line) is None


@pytest.mark.parametrize(
    ("guest", "host", "wrong"),
    [
        (0.5, 0.5, False),
        (0.26, 0.5, False),
        (0.99, 0.5, False),
        (0.24, 0.5, True),
        (1.01, 0.5, True),
        (0.5 / 35, 0.5, True),  # seen on 5.10
        (0.5 * 35, 0.5, True),
        (5.0, 0.09, False),  # too short to say anything
    ],
)
def test_a_clock_that_is_wrong_is_told_from_a_busy_host(guest: float, host: float, wrong: bool) -> None:
    assert bool(speed_problem(guest=guest, host=host)) == wrong


@pytest.mark.parametrize(
    ("uptime", "elapsed", "wrong"), [(2.0, 2.5, False), (0.1, 9.0, False), (6.1, 2.5, True), (70.0, 2.0, True)]
)
def test_a_guest_is_not_older_than_its_qemu(uptime: float, elapsed: float, wrong: bool) -> None:
    assert bool(uptime_problem(uptime=uptime, elapsed=elapsed)) == wrong


@pytest.mark.parametrize(
    ("known", "now", "same"),
    [
        (2_596_138, 2_596_140, True),
        (2_596_138, 2_570_177, False),
        (2_596_138, 3_000_000, False),
        (None, 1, True),
        (1, None, True),
    ],
)
def test_a_guest_may_go_by_a_counter_of_nearly_the_same_rate(known: int | None, now: int | None, same: bool) -> None:
    assert same_rate(known, now) == same
