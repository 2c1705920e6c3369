"""The exceptions that a scenario may meet say what it needs to know."""

from __future__ import annotations

from harness.agent.scenario_base import Mistake, StepRefused


def test_a_refusal_says_which_step_and_why() -> None:
    refused = StepRefused(3, "load target", "EINVAL", "no", "R1 !")
    assert str(refused) == "load target: EINVAL (no)"
    assert (refused.index, refused.errno, refused.detail, refused.log) == (3, "EINVAL", "no", "R1 !")


def test_a_mistake_knows_the_name_and_what_there_is() -> None:
    mistake = Mistake("target has no map x", "x", ("a", "b"))
    assert (str(mistake), mistake.name, mistake.there) == ("target has no map x", "x", ["a", "b"])
