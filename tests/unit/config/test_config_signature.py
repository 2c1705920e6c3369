"""How a rule describes what a step shows otherwise, as the judge compares it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.config.signature import DifferenceRule, event_keys
from harness.config.steps import EventPattern
from harness.model.results import DifferenceKind as Kind
from harness.model.results import ExpectedDifference


def expected(**keys: Any) -> list[ExpectedDifference]:
    return list(DifferenceRule.model_validate({"step": "observe", **keys}).expected())


def difference(kind: Kind, **keys: Any) -> ExpectedDifference:
    return ExpectedDifference(step="observe", kind=kind, **keys)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"client": []}, [difference(Kind.EVENTS, of="client", seen=())]),
        (
            {"trace": [{"kind": "fexit", "retval": 0, "times": 2}, {"kind": "target"}]},
            [
                difference(
                    Kind.EVENTS,
                    of="trace",
                    seen=({"kind": "fexit", "retval": 0}, {"kind": "fexit", "retval": 0}, {"kind": "target"}),
                )
            ],
        ),
        ({"retval": 0}, [difference(Kind.RETVAL, seen=0)]),
        (
            {"fields": {"type": 2, "id": 0}},
            [difference(Kind.FIELD, of="type", seen=2), difference(Kind.FIELD, of="id", seen=0)],
        ),
        ({"accepted": True}, [difference(Kind.ACCEPTED)]),
        ({"holds": False}, [difference(Kind.EXPECTATION)]),
        ({"refused": "EBUSY"}, [difference(Kind.REFUSED, seen="EBUSY")]),
        (
            {"listener": [{"kind": "kprobe"}], "retval": 1},
            [difference(Kind.EVENTS, of="listener", seen=({"kind": "kprobe"},)), difference(Kind.RETVAL, seen=1)],
        ),
    ],
)
def test_each_thing_that_is_seen_instead_is_a_difference(keys: dict[str, Any], found: list[ExpectedDifference]) -> None:
    assert expected(**keys) == found


def test_something_must_be_seen_instead() -> None:
    with pytest.raises(ValidationError, match="says of no difference what is seen instead; give one of client"):
        expected()
    with pytest.raises(ValidationError):
        expected(accepted=False)


def test_of_an_event_only_what_is_fixed_counts() -> None:
    assert event_keys(EventPattern(kind="fexit")) == {"kind": "fexit"}
    assert event_keys(EventPattern(kind="fexit", retval=0, value=3)) == {"kind": "fexit", "retval": 0, "value": 3}
