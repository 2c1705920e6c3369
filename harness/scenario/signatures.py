"""Signatures of known bugs that cannot be those of their case. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.config.reading.explain import did_you_mean
from harness.config.reading.yaml_source import quoted
from harness.model.results import OutcomeKind
from harness.scenario.case import Case, step_names


def signature_problems(case: Case) -> Iterator[str]:
    """Yield what is wrong with the signatures of a case's rules: steps that it does not have, a crash not isolated."""
    names = step_names(case.steps)
    for rule in case.expect:
        if rule.outcome == OutcomeKind.CRASHED and not case.alone:
            yield (
                'a rule expects that the kernel dies ("crashed"), so the case needs "isolated: true": otherwise its '
                "death takes other cases along, and what the case showed before it is lost"
            )
        if case.scenario is not None:
            continue  # what steps it has, its run shows
        for name in [rule.step, *(difference.step for difference in rule.differences)]:
            if name and name not in names:
                yield (
                    f"a rule names the step {quoted(name)}, which the case does not have{did_you_mean(name, names)}; "
                    f"its steps: {', '.join(dict.fromkeys(names))}"
                )
