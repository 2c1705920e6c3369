"""`since` and `fixed` of a rule: which kernels it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from config_samples import CASE, write_case

from harness.config.case_folders import load_case
from harness.config.rules import Rule
from harness.judge.expectation import choose
from harness.model.results import Expectation
from harness.scenario.expected import expectation_of

FIX = ("6.1.191", "6.12.5", "6.13")


def rule(**keys: Any) -> Expectation:
    return expectation_of(Rule.model_validate({"outcome": "works", "reason": "because", **keys}))


def test_since_covers_those_that_have_it_and_fixed_those_that_have_it_not() -> None:
    rules = (
        rule(since=["6.1.4", "6.2"], fixed=list(FIX), reason="between"),
        rule(fixed=list(FIX), reason="before"),
        rule(since=list(FIX), reason="after"),
    )
    chosen = {
        version: choose(rules, arch="x86_64", version=version).reason
        for version in ("6.1.3", "6.1.4", "6.1.190", "6.1.191", "6.6.1", "6.12.4", "6.12.5", "6.13", "5.10.200")
    }
    assert chosen == {
        "6.1.3": "before",
        "6.1.4": "between",
        "6.1.190": "between",
        "6.1.191": "after",
        "6.6.1": "between",
        "6.12.4": "between",
        "6.12.5": "after",
        "6.13": "after",
        "5.10.200": "before",
    }


@pytest.mark.parametrize("wrong", [{"arch": ["arm64"]}, {"version": ">=6.2"}, {"since": ["6.2"]}, {"fixed": ["6.1"]}])
def test_all_that_a_rule_says_of_kernels_must_hold(wrong: dict[str, Any]) -> None:
    right = {"arch": ["x86_64"], "version": "<6.2", "since": ["6.1"], "fixed": ["6.1.191", "6.13"]}
    assert choose([rule(**right)], arch="x86_64", version="6.1.5").version == "<6.2"
    assert choose([rule(**right | wrong)], arch="x86_64", version="6.1.5").version == ""


def test_releases_need_no_quotes(tmp_path: Path) -> None:
    own = "expect:\n  - {outcome: works, since: [6.9.4, 6.10], fixed: [7.20], reason: a}\n"
    (read,) = load_case(write_case(tmp_path / "a", CASE.partition("expect:")[0] + own)).expect
    assert (read.since, read.fixed) == (("6.9.4", "6.10"), ("7.20",))


def test_the_rule_s_kernels_reach_the_expectation() -> None:
    chosen = choose(
        [rule(arch=["x86_64"], version="<7", since=["6.2"], fixed=["6.9.4", "6.10"])], arch="x86_64", version="6.3"
    )
    assert (chosen.arch, chosen.version) == (("x86_64",), "<7")
    assert (chosen.since, chosen.fixed) == (("6.2",), ("6.9.4", "6.10"))
