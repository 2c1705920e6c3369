"""The key `budget`: what it takes, and what is said of what it does not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.budget import BudgetKeys
from harness.config.check import load_check
from harness.errors import ConfigError
from harness.model.budgets import Most
from harness.model.measures import INSTRUCTIONS, JITED, PEAK_STATES


def test_a_budget_has_numbers_and_a_share_of_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "check.yaml"
    path.write_text("budget: {max-insns: 85%, max-states: 900, max-jited-size: 4096}\n")
    assert load_check(path)[0].budget.value() == {
        INSTRUCTIONS: Most(percent=85.0),
        PEAK_STATES: Most(number=900),
        JITED: Most(number=4096),
    }
    assert BudgetKeys.model_validate({"max-insns": 7}).value() == {INSTRUCTIONS: Most(number=7)}
    assert BudgetKeys.model_validate({"max-insns": "0.5%"}).value() == {INSTRUCTIONS: Most(percent=0.5)}
    assert BudgetKeys().value() == {}


@pytest.mark.parametrize("value", ["101%", "-1%", "85 %", "%", "85", "a lot", "85.5", "0", "-3", "true", "[1]", "1.5"])
def test_what_is_no_number_of_instructions_is_refused_with_its_line(value: str, tmp_path: Path) -> None:
    path = tmp_path / "check.yaml"
    path.write_text(f"programs: [a]\nbudget:\n  max-insns: {value if value[0] in '[-0123456789t' else repr(value)}\n")
    with pytest.raises(
        ConfigError, match=r"check\.yaml:3: budget\.max-insns: expected a number of instructions of"
    ) as e:
        if value == "85":
            path.write_text("programs: [a]\nbudget:\n  max-insns: '85'\n")
        load_check(path)
    assert '"85%"' in str(e.value)


@pytest.mark.parametrize("key", ["max-states", "max-jited-size"])
def test_only_instructions_have_a_share(key: str, tmp_path: Path) -> None:
    path = tmp_path / "check.yaml"
    path.write_text(f"budget:\n  {key}: 85%\n")
    with pytest.raises(ConfigError, match=rf"check\.yaml:2: budget\.{key}: .*limit of instructions alone"):
        load_check(path)


def test_a_budget_that_is_written_at_the_top_is_shown_its_place(tmp_path: Path) -> None:
    path = tmp_path / "check.yaml"
    path.write_text("max-insns: 85%\n")
    with pytest.raises(ConfigError, match=r"check\.yaml:1: max-insns: .*`budget: \{max-insns: 85%\}`"):
        load_check(path)
