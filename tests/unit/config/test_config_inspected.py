"""What a case can say of records, variables, maps and lines, and how its mistakes are named."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.config.inspected import RecordsLook, Value
from harness.config.steps import Observation

VALUES: TypeAdapter[Any] = TypeAdapter(Value)


@pytest.mark.parametrize("value", [1, -1, True, "text", [1, "a"], {"a": {"b": [1]}}, {"at-least": 1}, "$trigger-pid"])
def test_values_that_can_be_given(value: Any) -> None:
    assert VALUES.validate_python(value) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "expected a number"),
        (None, "expected a number"),
        ({}, "expected a number"),
        ({1: 2}, "expected a number"),
        ({"at-least": "x"}, "take a number each"),
        ({"at-least": 1, "a": 2}, "take a number each"),
        ([None], "expected a number"),
        ("$pid", r"\$pid is not known"),
    ],
)
def test_values_that_cannot(value: Any, text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        VALUES.validate_python(value)


@pytest.mark.parametrize("keys", [{}, {"exactly": [], "none": []}, {"record": "event"}])
def test_one_way_of_comparing_is_chosen(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give one of exactly, at-least, any-order, none"):
        RecordsLook.model_validate(keys)


def test_how_much_is_told_with_its_patterns() -> None:
    assert RecordsLook.model_validate({"any-order": [{"a": 1}]}).compared() == ("any-order", ({"a": 1},))
    assert RecordsLook.model_validate({"at-least": 3}).compared() == ("at-least", 3)
    assert RecordsLook.model_validate({"exactly": 0}).compared() == ("exactly", 0)


def test_the_trace_of_an_observation_is_its_patterns() -> None:
    assert Observation().traced() is None
    for trace in ([{"kind": "target"}], {"at-least": [{"kind": "target"}]}):
        patterns = Observation.model_validate({"trace": trace}).traced()
        assert patterns is not None
        assert [pattern.kind for pattern in patterns] == ["target"]


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"records": {"rb": [{"a": None}]}}, ("records", "rb", "list", 0, "a")),
        ({"records": {"rb": {"exactly": [], "of-trigger": 1}}}, ("records", "rb", "mapping", "of-trigger")),
        ({"printk": [1]}, ("printk", "list", 0)),
        ({"trace": {"none": [{"kind": "A B"}]}}, ("trace", "mapping", "none", 0, "kind")),
    ],
)
def test_a_mistake_is_named_where_it_is(keys: dict[str, Any], place: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        Observation.model_validate(keys)
    assert [error["loc"] for error in caught.value.errors()] == [place]
