"""A plan has a case once, however many architectures it is the same on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import sample_case

from harness.facts.run import RunPlan, shared_cases

SAME, OTHER = sample_case(id="same"), sample_case(id="other")
ON_ARM = sample_case(id="other", title="with another object")


def plan(**keys: Any) -> RunPlan:
    fixed: dict[str, Any] = {"id": "r", "started": "s", "version": "0", "command": "c", "host": {}, "accel": "auto"}
    return RunPlan(**fixed, jobs=1, rows=(), **keys)


def test_a_case_that_is_another_on_another_architecture_is_there_twice() -> None:
    cases, cases_of = shared_cases({"x86_64": [SAME, OTHER], "arm64": [ON_ARM, SAME]})
    assert cases == (SAME, OTHER, ON_ARM)
    assert cases_of == {"x86_64": (0, 1), "arm64": (2, 0)}


@given(st.dictionaries(st.sampled_from(["x86_64", "arm64", "s390x"]), st.permutations([SAME, OTHER, ON_ARM])))
def test_each_architecture_gets_its_own_in_the_order_of_the_grid(by_arch: dict[str, list[Any]]) -> None:
    cases, cases_of = shared_cases(by_arch)
    found = plan(cases=cases, cases_of=cases_of)
    assert {arch: found.cases_on(arch) for arch in by_arch} == by_arch
    assert len(set(map(id, cases))) == len(cases)


def test_an_architecture_that_was_not_planned_has_no_cases() -> None:
    with pytest.raises(KeyError):
        plan(cases=(SAME,), cases_of={"x86_64": (0,)}).cases_on("arm64")
