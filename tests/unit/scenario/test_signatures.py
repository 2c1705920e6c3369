"""The signatures of a case's rules: the names of steps, and a kernel that dies."""

from __future__ import annotations

from typing import Any

from unit_samples import sample_case

from harness.config.rules import Rule
from harness.scenario.signatures import signature_problems


def rule(**keys: Any) -> Rule:
    return Rule.model_validate({"reason": "r", "source": "s", **keys})


def test_a_signature_names_steps_that_the_case_has() -> None:
    bug = {"outcome": "misbehaves", "stage": "observe"}
    good = rule(
        **bug, differences=[{"step": "observe", "client": []}, {"step": "attach fexit_tcp_connect", "refused": "EBUSY"}]
    )
    assert list(signature_problems(sample_case(expect=[good]))) == []
    typo = rule(**bug, differences=[{"step": "atach fexit_tcp_connect", "refused": "EBUSY"}])
    (problem,) = signature_problems(sample_case(expect=[typo]))
    assert '"atach fexit_tcp_connect"' in problem
    assert "attach fexit_tcp_connect" in problem.split("its steps")[0], "did you mean"


def test_a_case_that_may_kill_its_kernel_is_isolated() -> None:
    dies = rule(outcome="crashed", stage="trigger", step="trigger tcp-connect", panic="BUG: ")
    (problem,) = signature_problems(sample_case(expect=[dies]))
    assert "isolated: true" in problem
    assert list(signature_problems(sample_case(expect=[dies], isolated=True))) == []
