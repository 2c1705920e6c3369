"""The axes beside the kernels: which libbpf guests have, and which clang compiles the objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema

from harness.config.matrix_values import FilePath, Suite
from harness.config.reading.models import CheckedModel, Expects, problem
from harness.config.reading.yaml_source import Loc
from harness.errors import UsageError

DEFAULT = "default"
"""The word for what a row has where the matrix says nothing: the guest image's libbpf, the host's clang."""
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
AxisName = Annotated[
    str, Field(pattern=_NAME), Expects("a name of letters, digits, `.`, `_` and `-` that begins with a letter or digit")
]
_VERSION = r"^[1-9][0-9]*$"


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ClangVersion = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(pattern=_VERSION),
    Expects("the number of a release of clang, such as 19"),
]


class LibbpfChoice(CheckedModel):
    """One libbpf: that of a Debian suite, or a library of the user's own; the guest image's where it says neither."""

    name: AxisName | None = Field(
        default=None, description="What rows with it are called; without it the suite, or the file."
    )
    suite: Suite | None = Field(default=None, description="The Debian suite whose libbpf it is.")
    path: FilePath | None = Field(
        default=None, description="A libbpf.so of one's own; a relative path starts at the matrix file."
    )

    @property
    def label(self) -> str:
        """Its name in the names of rows, behind `libbpf-`."""
        return self.name or _plain(self.suite or (self.path.name if self.path else DEFAULT))

    @property
    def default(self) -> bool:
        """Whether it is the guest image's own."""
        return self.suite is None and self.path is None

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """One place that it comes from."""
        if "suite" in data and "path" in data:
            yield ("path",), 'not allowed beside "suite": it comes from one of them'


class ClangChoice(CheckedModel):
    """One clang: a release out of a Debian suite, or one of the user's own; the host's where it says neither."""

    name: AxisName | None = Field(
        default=None, description="What rows with it are called; without it the version, or the file."
    )
    version: ClangVersion | None = Field(
        default=None, description="The release, as in the name of its package (clang-19). It is not installed."
    )
    suite: Suite | None = Field(
        default=None, description="The Debian suite to take it from; without it the first of some that has it."
    )
    path: FilePath | None = Field(
        default=None, description="A clang of one's own; a relative path starts at the matrix file."
    )

    @property
    def label(self) -> str:
        """Its name in the names of rows, behind `clang-`."""
        return self.name or _plain(self.version or (self.path.name if self.path else DEFAULT))

    @property
    def default(self) -> bool:
        """Whether it is the host's own."""
        return self.version is None and self.path is None

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """One place that it comes from."""
        if "version" in data and "path" in data:
            yield ("path",), 'not allowed beside "version": it comes from one of them'
        if "suite" in data and "version" not in data:
            yield ("suite",), 'needs the key "version": which clang of the suite'


Choice = TypeVar("Choice", LibbpfChoice, ClangChoice)


def libbpf_of(value: Any) -> Any:
    """Return the keys of a libbpf that is given by one word: `default`, a suite, or a path; else what was given."""
    if not isinstance(value, str):
        return value
    if value == DEFAULT:
        return {}
    return {"path": value} if _is_path(value) else {"suite": value}


def clang_of(value: Any) -> Any:
    """Return the keys of a clang that is given by one word: `default`, a release, or a path; else what was given."""
    value = _as_text(value)
    if not isinstance(value, str):
        return value
    if value == DEFAULT:
        return {}
    return {"path": value} if _is_path(value) else {"version": value}


def absolute(words: Sequence[str], *, folder: Path) -> tuple[str, ...]:
    """Return words of a command line that mean the same in any folder: its paths start at `folder`."""
    return tuple(str((folder / Path(word).expanduser()).absolute()) if _is_path(word) else word for word in words)


def _is_path(word: str) -> bool:
    """Say whether a word is a file's path: suites may have slashes, but not at their beginning."""
    return word.startswith(("/", "./", "../", "~")) or word.endswith(".so") or ".so." in word


def _plain(word: str) -> str:
    return re.sub("[^A-Za-z0-9._-]", "-", word).lstrip("._-") or "own"


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _own_names(choices: tuple[Any, ...]) -> tuple[Any, ...]:
    labels = [choice.label for choice in choices]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise problem(f'two of them are called "{twice}"; give one of them another `name`')
    return choices


def _schema(words: Mapping[str, Any], name: str) -> WithJsonSchema:
    one = {"anyOf": [words, _OBJECTS[name]]}
    return WithJsonSchema({"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]})


_TEXT = {"type": "string", "minLength": 1}
_WORD = {"type": ["string", "integer"], "minLength": 1}
_OBJECTS: Mapping[str, Mapping[str, Any]] = {
    name: {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: _WORD if key == "version" else _TEXT for key in keys},
    }
    for name, keys in {"libbpf": ("name", "suite", "path"), "clang": ("name", "version", "suite", "path")}.items()
}
LibbpfAxis = Annotated[
    tuple[Annotated[LibbpfChoice, BeforeValidator(libbpf_of)], ...],
    BeforeValidator(_listed),
    Field(min_length=1),
    AfterValidator(_own_names),
    Expects("default, a suite, the path of a library, or a list of them"),
    _schema(_TEXT, "libbpf"),
]
ClangAxis = Annotated[
    tuple[Annotated[ClangChoice, BeforeValidator(clang_of)], ...],
    BeforeValidator(_listed),
    Field(min_length=1),
    AfterValidator(_own_names),
    Expects("default, the number of a release, the path of a clang, or a list of them"),
    _schema(_WORD, "clang"),
]


@dataclass(frozen=True, kw_only=True)
class Axis(Generic[Choice]):
    """One axis: its key in the matrix, how one word becomes a choice, and what such a word is."""

    name: str
    model: type[Choice]
    keys_of: Callable[[Any], Any]
    takes: str

    def chosen(self, words: Sequence[str], known: Sequence[Choice], *, folder: Path) -> tuple[Choice, ...]:
        """Return what a command line names: those of the matrix by their names, else what the word would be there.

        A path starts at `folder`. Raises UsageError where a word is none of these, or where two have one name.
        """
        found = []
        for word in words:
            own = next((each for each in known if each.label == word), None)
            try:
                found.append(own or self.model.model_validate(self.keys_of(word), context={"folder": folder}))
            except ValidationError as error:
                raise UsageError(f'--{self.name} takes {self.takes}; got "{word}"') from error
        labels = [each.label for each in found]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise UsageError(
                f"--{self.name}: two are called {', '.join(twice)}; leave out one, or name them in the matrix"
            )
        return tuple(found)


LIBBPF = Axis(name="libbpf", model=LibbpfChoice, keys_of=libbpf_of, takes="default, a suite, or the path of a library")
CLANG = Axis(
    name="clang", model=ClangChoice, keys_of=clang_of, takes="default, the number of a release, or the path of a clang"
)
