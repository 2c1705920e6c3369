"""Medians, spreads, ratios of pairs, slopes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bench.statistics import line, ratios, spread

TIMES = st.floats(min_value=0.001, max_value=10_000.0)


def test_a_spread() -> None:
    found = spread([3.0, 1.0, 2.0, 5.0, 4.0])
    assert found is not None
    assert (found.min, found.q1, found.median, found.q3, found.max) == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert found.samples == (3.0, 1.0, 2.0, 5.0, 4.0), "the samples keep their order"


def test_quartiles_are_interpolated_between_samples() -> None:
    found = spread([1.0, 2.0, 3.0, 6.0])
    assert found is not None
    assert (found.q1, found.median, found.q3) == (1.75, 2.5, 3.75)


def test_one_sample_is_all_of_its_spread() -> None:
    found = spread([1.5])
    assert found is not None
    assert found.document() == {"median": 1.5, "min": 1.5, "q1": 1.5, "q3": 1.5, "max": 1.5, "samples": [1.5]}


def test_nothing_has_no_spread_no_ratio_and_no_line() -> None:
    assert spread([]) is None
    assert ratios([], [1.0]) is None
    assert line([]) is None


@given(st.lists(TIMES, min_size=1, max_size=20))
def test_a_spread_is_in_order(samples: list[float]) -> None:
    found = spread(samples)
    assert found is not None
    assert found.min <= found.q1 <= found.median <= found.q3 <= found.max


def test_a_ratio_is_that_of_neighbours_and_not_of_medians() -> None:
    # The host was three times slower in the second round: the pairs do not notice.
    found = ratios([4.0, 12.0, 4.2], [2.0, 6.0, 2.0])
    assert found is not None
    assert found.samples == (2.0, 2.0, 2.1)
    assert found.median == 2.0


def test_a_pair_without_its_other_half_or_a_divisor_is_left_out() -> None:
    found = ratios([1.0, 2.0, 3.0], [2.0, 0.0])
    assert found is not None
    assert found.samples == (0.5,)


def test_a_line_has_least_squares() -> None:
    exact = line([(1, 1.5), (10, 6.0), (30, 16.0)])
    assert exact is not None
    assert (exact.slope, exact.intercept) == (0.5, 1.0)
    bent = line([(0, 0.0), (1, 0.0), (2, 3.0)])
    assert bent is not None
    assert (bent.slope, bent.intercept) == (1.5, -0.5)


@pytest.mark.parametrize("points", [[(1.0, 1.0)], [(1.0, 1.0), (1.0, 2.0)]])
def test_points_above_one_another_have_no_line(points: list[tuple[float, float]]) -> None:
    assert line(points) is None
