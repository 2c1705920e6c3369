from __future__ import annotations

from harness.model.budgets import CALLED, MEASURE_OF, Most, joined
from harness.model.measures import INSTRUCTIONS, JITED, MEASURES


def test_ones_own_budget_comes_before_that_of_all_measure_by_measure() -> None:
    general = {INSTRUCTIONS: Most(percent=85.0), JITED: Most(number=1)}
    assert joined(general, {JITED: Most(number=2)}) == {INSTRUCTIONS: Most(percent=85.0), JITED: Most(number=2)}
    assert joined(general, {}) == general


def test_each_measure_that_has_a_budget_is_one_and_has_a_name() -> None:
    assert set(MEASURE_OF.values()) == set(CALLED) <= set(MEASURES)
