"""What models of files have in common: their keys, rules between keys beside the errors of fields, and copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from harness.config.reading.models import CheckedModel, Model, OneOf, frozen_copy, problem, unexpected


class Thing(Model):
    """A model with a key of two words, in which only some colours are known."""

    two_words: int = 0
    colour: Annotated[str, OneOf(("red", "blue"), {"crimson": ("red",)})] = "red"


class Pair(CheckedModel):
    """A model whose numbers must rise."""

    low: Annotated[int, Field(ge=0)]
    high: int

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[tuple[int | str, ...], str]]:
        if isinstance(data.get("low"), int) and isinstance(data.get("high"), int) and data["low"] > data["high"]:
            yield ("high",), "must not be below low"


def errors_of(model: type[Model], data: Any) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return [(error["loc"], error["msg"]) for error in caught.value.errors()]


def test_keys_have_dashes_and_others_are_refused() -> None:
    assert Thing.model_validate({"two-words": 2}).two_words == 2
    assert [place for place, _ in errors_of(Thing, {"two_words": 2, "x": 1})] == [("two_words",), ("x",)]


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Thing().two_words = 3  # type: ignore[misc]


def test_one_of_some_words_and_no_other() -> None:
    assert Thing(colour="blue").colour == "blue"
    assert errors_of(Thing, {"colour": "crimson"}) == [(("colour",), "not one of the known values")]
    assert Thing.model_json_schema()["properties"]["colour"]["enum"] == ["red", "blue"]
    assert "enum" not in TypeAdapter(Annotated[str, OneOf(("red",), in_schema=False)]).json_schema()


def test_what_is_wrong_between_keys_is_reported_beside_what_is_wrong_with_each() -> None:
    assert Pair.model_validate({"low": 1, "high": 1}) == Pair(low=1, high=1)
    assert errors_of(Pair, {"low": 2, "high": 1}) == [(("high",), "must not be below low")]
    both = errors_of(Pair, {"low": -1, "high": -2})
    assert [place for place, _ in both] == [("low",), ("high",)]
    assert errors_of(Pair, {"low": 2, "high": 1, "x": 1})[-1] == (("high",), "must not be below low")
    assert errors_of(Pair, 5)[0][0] == (), "what is no mapping has no rules between keys"


def test_a_problem_is_shown_as_it_stands_and_what_is_unexpected_with_what_was() -> None:
    assert problem("this {is} wrong").message() == "this {is} wrong"
    assert unexpected("a day").message() == "expected a day"


def test_a_copy_has_the_same_fields_and_more() -> None:
    class Larger(Thing):
        name: str

    made = frozen_copy(Larger, Thing.model_validate({"two-words": 4, "colour": "blue"}), name="n", colour="red")
    assert (type(made), made.two_words, made.colour, made.name) == (Larger, 4, "red", "n")
