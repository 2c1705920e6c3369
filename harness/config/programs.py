"""What models say of programs that are started: their words, variables, exit codes, signals."""

from __future__ import annotations

import shlex
from typing import Annotated

from pydantic import BeforeValidator, Field, Strict, WithJsonSchema

from harness.config.reading.models import Expects, problem

_WORDS = 'a command with its arguments, such as "./my-test -v", or a list of such words'


def _as_words(value: object) -> object:
    """Return a command that is one text as its words, taken apart as a shell does; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise problem(f"cannot be taken apart into words: {error}") from error


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Words = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_words),
    Field(min_length=1),
    Expects(_WORDS),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}),
]
VariableName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), Expects("the name of a variable (letters, digits, _)")
]
VariableValue = Annotated[
    str, BeforeValidator(_as_text), Expects("text or a number"), WithJsonSchema({"type": ["string", "number"]})
]
ExitCode = Annotated[int, Strict(), Field(ge=0, le=255)]
