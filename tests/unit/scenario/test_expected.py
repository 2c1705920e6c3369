"""What a case expects as a value: every key of a rule and of an observation arrives, and what is left out is empty."""

from __future__ import annotations

from typing import Any

import pytest

from harness.config.rules import Rule
from harness.config.steps import Observation
from harness.model.results import Expectation, OutcomeKind, Stage
from harness.scenario.case import ExpectedEvent, Look
from harness.scenario.expected import KNOWN_BUGS, expectation_of, look_of

WHY: dict[str, Any] = {"reason": "because", "source": "commit 1"}


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ({"outcome": "works"}, Expectation(outcome=OutcomeKind.WORKS, reason="because", source="commit 1")),
        (
            {"outcome": "refused", "stage": "load-target", "errno": "EINVAL", "message": "no", "arch": ["arm64"]},
            Expectation(
                outcome=OutcomeKind.REFUSED,
                reason="because",
                source="commit 1",
                stage=Stage.LOAD_TARGET,
                errno=("EINVAL",),
                message="no",
                arch=("arm64",),
            ),
        ),
    ],
    ids=["works", "refused"],
)
def test_a_rule_has_the_value_of_its_keys(keys: dict[str, Any], value: Expectation) -> None:
    assert expectation_of(Rule.model_validate({**WHY, **keys})) == value


def test_what_the_kernel_does_wrong_is_a_known_bug_and_a_refusal_is_none() -> None:
    assert {OutcomeKind.MISBEHAVES, OutcomeKind.CRASHED} == KNOWN_BUGS
    dies = {"outcome": "crashed", "stage": "trigger", "step": "trigger run", "panic": "Oops", "since": ["6.9"]}
    crashed = Rule.model_validate({**WHY, **dies})
    assert expectation_of(crashed).known_bug
    assert expectation_of(crashed).panic == ("Oops",)


def test_an_observation_says_nothing_of_what_it_does_not_name() -> None:
    written = Observation.model_validate({"trace": [{"kind": "target", "value": 3}], "client": []})
    event = ExpectedEvent(kind="target", retval=None, value=3, times=1)
    assert look_of(written) == Look(client=(), listener=None, trace=(event,))
