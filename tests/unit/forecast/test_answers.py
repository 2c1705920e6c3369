"""What findings come to: the heaviest counts, and each subject is named once."""

from __future__ import annotations

import pytest

from harness.forecast.answers import Answer, Finding, ProgramForecast, Weight, without_repeats


def finding(weight: Weight, subject: str = "it") -> Finding:
    return Finding(weight=weight, subject=subject, text=str(weight))


@pytest.mark.parametrize(
    ("weights", "answer"),
    [
        ([], Answer.FOUND),
        ([Weight.TESTED, Weight.CHANGED], Answer.FOUND),
        ([Weight.NOT_SHOWN, Weight.TESTED], Answer.NOT_SHOWN),
        ([Weight.NOT_SHOWN, Weight.MODULE], Answer.NEEDS_MODULE),
        ([Weight.MODULE, Weight.MISSING, Weight.NOT_SHOWN], Answer.MISSING),
    ],
)
def test_the_heaviest_finding_counts(weights: list[Weight], answer: Answer) -> None:
    found = tuple(finding(weight) for weight in weights)
    assert ProgramForecast(program="it", findings=found).answer is answer


def test_of_a_subject_the_heaviest_finding_is_kept_where_the_first_was() -> None:
    found = [finding(Weight.TESTED, "a"), finding(Weight.CHANGED, "b"), finding(Weight.MISSING, "a")]
    assert without_repeats(found) == (found[2], found[1])
