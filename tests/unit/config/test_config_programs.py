"""What models say of programs that are started."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.config.programs import ExitCode, VariableValue, Words

WORDS: TypeAdapter[Any] = TypeAdapter(Words)


@pytest.mark.parametrize(
    ("written", "words"),
    [("./it -v 'a b'", ("./it", "-v", "a b")), (["./it", "a b"], ("./it", "a b")), ("true", ("true",))],
)
def test_a_command_is_a_text_or_its_words(written: object, words: tuple[str, ...]) -> None:
    assert WORDS.validate_python(written) == words


@pytest.mark.parametrize("written", ["", [], "it 'a", 7])
def test_what_no_command_is(written: object) -> None:
    with pytest.raises(ValidationError):
        WORDS.validate_python(written)


def test_a_variable_may_be_a_number_and_an_exit_code_is_a_byte() -> None:
    assert TypeAdapter(VariableValue).validate_python(7) == "7"
    assert TypeAdapter(ExitCode).validate_python(255) == 255
    with pytest.raises(ValidationError):
        TypeAdapter(ExitCode).validate_python(256)
