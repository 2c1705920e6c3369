"""What models of files that users write have in common.

Keys of several words have dashes, and unknown keys are refused. Markers inside `Annotated` (`Expects`, `OneOf`) carry
the words that error messages use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from harness.config.reading.yaml_source import Loc


@dataclass(frozen=True)
class Expects:
    """The text behind "expected ..." in the errors of a field, where its type alone does not say enough."""

    text: str


@dataclass(frozen=True)
class OneOf:
    """Restricts text to `values`. `others` maps names that people confuse to what they may mean."""

    values: tuple[str, ...]
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    in_schema: bool = True

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = handler(schema)
        if self.in_schema:
            json_schema["enum"] = list(self.values)
        return json_schema

    def _check(self, value: str) -> str:
        if value not in self.values:
            raise PydanticCustomError("not_one_of", _TEMPLATES["not_one_of"])
        return value


_CORE_ERRORS = frozenset(get_args(core_schema.ErrorType))
_TEMPLATES = {
    "problem": "{text}",
    "unexpected": "expected {text}",
    "not_one_of": "not one of the known values",
}


def problem(text: str) -> PydanticCustomError:
    """Return an error whose message is `text` as it stands: what is wrong, and what to do."""
    return PydanticCustomError("problem", _TEMPLATES["problem"], {"text": text})


def unexpected(text: str) -> PydanticCustomError:
    """Return an error that is shown as "expected <text>, got <the value>"."""
    return PydanticCustomError("unexpected", _TEMPLATES["unexpected"], {"text": text})


class Model(BaseModel):
    """Base of all models: frozen, unknown keys refused, keys written with dashes."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: name.replace("_", "-"),
        allow_inf_nan=False,
        regex_engine="rust-regex",
        defer_build=True,  # few of them are validated by themselves, and a file that is read needs but its own
    )
    wishes: ClassVar[Mapping[str, str]] = {}
    """Keys that are tried and not known, with what to write instead: what follows "unknown key; " in the message."""


class CheckedModel(Model):
    """A model with rules between its keys; they are reported beside the errors of the single fields."""

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Yield (place inside this mapping, what is wrong) for `data` as written, not yet validated."""
        raise NotImplementedError

    @model_validator(mode="wrap")
    @classmethod
    def _with_problems(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        found = (
            [InitErrorDetails(type=problem(text), loc=loc, input=data) for loc, text in cls.problems(data)]
            if isinstance(data, Mapping)
            else []
        )
        try:
            value = handler(data)
        except ValidationError as error:
            found = [_again(details) for details in error.errors(include_url=False)] + found
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return value


def _again(details: Any) -> InitErrorDetails:
    """Turn an error that was reported into one that can be raised with others."""
    kind, context = details["type"], details.get("ctx", {})
    if kind not in _CORE_ERRORS:
        template = _TEMPLATES.get(kind, "{message}")
        kind = PydanticCustomError(kind, template, {"message": details["msg"], **context})
    return InitErrorDetails(type=kind, loc=details["loc"], input=details["input"], ctx=context)


T = TypeVar("T", bound=BaseModel)


def frozen_copy(model: type[T], value: BaseModel, **more: Any) -> T:
    """Return a `model` with the fields of the already valid `value`, and `more` in their place or besides."""
    fields = {name: getattr(value, name) for name in type(value).model_fields}
    return model.model_construct(**{**fields, **more})
