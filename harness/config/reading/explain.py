"""Say what is wrong with a file: one line per error, each with file, line, key and what was expected.

pydantic reports places that mix the user's keys with its own (union tags, names of union members). The
models' types are walked beside each place, so that only the user's keys remain, and so that the keys and
values that are known there can be named.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, Discriminator, RootModel, Tag, ValidationError
from pydantic.fields import FieldInfo

from harness.config.reading.models import Expects, OneOf
from harness.config.reading.yaml_source import Loc, Positions, dotted, load, quoted
from harness.errors import ConfigError
from harness.host.paths import shown

M = TypeVar("M", bound=BaseModel)

MOST_CHOICES = 40
"""Of more values than so many only the nearest is named."""
_MAPPING = "a mapping (lines of `key: value`)"
_LONGEST_VALUE = 60


def read(path: Path, model: type[M], *, context: Any = None, spelled: Collection[str] = ()) -> tuple[M, Positions]:
    """Read the YAML file `path` as a `model`; `context` goes to the model's validators.

    `spelled` names keys whose lists keep numbers with a point as text (`load`).

    Returns the model and the positions of its keys. Raises ConfigError that lists every error.
    """
    data, positions = load(path, spelled=spelled)
    problems = [(loc, f"{dotted(loc)}: the value is empty; give one or remove the key") for loc in _nulls(data)]
    empty = {loc for loc, _ in problems}
    try:
        value = model.model_validate(data, context=context)
    except ValidationError as error:
        problems += [
            (loc, text)
            for loc, text in _problems(error, positions=positions, model=model, data=data)
            if loc not in empty
        ]
    if problems:
        raise ConfigError(problems_text(problems, path=path, positions=positions))
    return value, positions


def explain(error: ValidationError, *, path: Path, positions: Positions, model: type[BaseModel], data: Any) -> str:
    """Return one line per error of `error`, which validating `data` of file `path` as `model` raised."""
    return problems_text(_problems(error, positions=positions, model=model, data=data), path=path, positions=positions)


def problems_text(problems: Iterable[tuple[Loc, str]], *, path: Path, positions: Positions) -> str:
    """Return `problems` (place, message) as lines `file:line: message` in the order of the file."""
    placed = sorted(((positions.line(loc), text) for loc, text in problems), key=lambda item: item[0])
    return "\n".join(f"{shown(path)}:{line}: {text}" for line, text in placed)


def did_you_mean(word: str, known: Iterable[str], others: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return `; did you mean "x"?` for the nearest of `known`, or "" where none is near.

    `others` maps names that are used elsewhere to those that they may mean here.
    """
    choices = list(known)
    folded = {choice.lower(): choice for choice in choices}
    elsewhere = {name.lower(): names for name, names in (others or {}).items()}
    lower = word.lower()
    if lower in elsewhere:
        near = list(elsewhere[lower])
    else:
        near = [folded[match] for match in difflib.get_close_matches(lower, list(folded), n=1)]
        near = near or [choice for choice in choices if lower and choice.lower().startswith(lower)][:3]
    return f"; did you mean {' or '.join(map(quoted, near))}?" if near else ""


@dataclass(frozen=True)
class _Type:
    """A type as a field has it: the bare annotation, and what `Annotated` and `Field` add."""

    annotation: Any
    metadata: tuple[Any, ...] = ()
    discriminator: str | Discriminator | None = None

    @classmethod
    def of(cls, annotation: Any, metadata: Sequence[Any] = (), discriminator: Any = None) -> _Type:
        """Take `Annotated`, `Field`, `RootModel` and `| None` off `annotation`."""
        collected: list[Any] = []
        for item in metadata:
            if isinstance(item, FieldInfo):
                collected.extend(item.metadata)
                discriminator = item.discriminator or discriminator
            elif isinstance(item, Discriminator):
                discriminator = item
            else:
                collected.append(item)
        if isinstance(annotation, type) and issubclass(annotation, RootModel):
            return cls.of(annotation.model_fields["root"].annotation, collected)
        if get_origin(annotation) is Annotated:
            inner, *more = get_args(annotation)
            return cls.of(inner, [*more, *collected], discriminator)
        if get_origin(annotation) in (Union, UnionType):
            members = [member for member in get_args(annotation) if member is not NoneType]
            if len(members) == 1:
                return cls.of(members[0], collected, discriminator)
        return cls(annotation, tuple(collected), discriminator)

    @property
    def origin(self) -> Any:
        return get_origin(self.annotation) or self.annotation

    @property
    def model(self) -> type[BaseModel] | None:
        is_model = isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel)
        return self.annotation if is_model else None

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.origin, type) and issubclass(self.origin, Mapping)

    def marker(self, kind: type[Any]) -> Any:
        return next((item for item in self.metadata if isinstance(item, kind)), None)

    def tags(self) -> dict[str, type[BaseModel]]:
        """Return the members of a discriminated union by their tags; {} for other types."""
        if self.discriminator is None:
            return {}
        if isinstance(self.discriminator, Discriminator):
            return {
                item.tag: model for model, item in map(get_args, get_args(self.annotation)) if isinstance(item, Tag)
            }
        return {
            tag: member
            for member in get_args(self.annotation)
            for tag in get_args(member.model_fields[self.discriminator].annotation)
        }

    def choices(self) -> tuple[str, ...]:
        """Return the values that this type is limited to; () where they are not listed."""
        if one_of := self.marker(OneOf):
            return tuple(one_of.values)
        if get_origin(self.annotation) is Literal:
            return tuple(str(value) for value in get_args(self.annotation))
        if isinstance(self.annotation, type) and issubclass(self.annotation, Enum):
            return tuple(str(member.value) for member in self.annotation)
        if self.origin in (Union, UnionType):
            return tuple(choice for member in get_args(self.annotation) for choice in _Type.of(member).choices())
        return ()

    def takes_text(self) -> bool:
        """Whether a text could be right here, so that quoting a number may be what is missing."""
        if self.origin in (Union, UnionType):
            return any(_Type.of(member).takes_text() for member in get_args(self.annotation))
        return self.annotation in (str, Path) and self.marker(OneOf) is None

    def described(self) -> str:
        """Return what comes after "expected"."""
        if expects := self.marker(Expects):
            return str(expects.text)
        if (choices := self.choices()) and len(choices) <= MOST_CHOICES:
            return _one_of(choices)
        if self.annotation in (int, float):
            return _number_words("an integer" if self.annotation is int else "a number", self.metadata)
        if self.model or self.tags() or self.is_mapping:
            return _MAPPING
        if self.origin in (tuple, list):
            at_least = self.marker(annotated_types.MinLen)
            return f"a list of at least {at_least.min_length} item" if at_least else "a list (lines of `- item`)"
        return {str: "text", bool: "true or false", Path: "a path"}.get(self.annotation, "another value")


@dataclass(frozen=True)
class _Place:
    """Where an error is: the user's own way there, the type there, and the model around it."""

    loc: Loc
    kind: _Type
    parent: type[BaseModel] | None


def _find(loc: Loc, model: type[BaseModel], data: Any, *, ours: bool = False) -> _Place:
    """Walk `model` and `data` along pydantic's `loc`, and leave out what is not the user's.

    `ours` says that a rule of ours has named the place (`CheckedModel.problems`), and no member of a union is in it.
    """
    here: Loc = ()
    kind = _Type.of(model)
    parent: type[BaseModel] | None = None
    for position, item in enumerate(loc):
        if tags := kind.tags():
            if item in tags:  # pydantic names the chosen member here
                kind = _Type.of(tags[str(item)])
                continue
            kind = _Type.of(tags.get(str(_item(data, str(kind.discriminator))), object))
        if kind.model:
            parent = kind.model
            kind = _field_type(kind.model, str(item))
        elif kind.origin in (tuple, list) and isinstance(item, int):
            kind = _Type.of(get_args(kind.annotation)[0])
            if not isinstance(data, list):  # one value where a list is allowed as well
                continue
        elif kind.is_mapping:
            key, value = get_args(kind.annotation)
            if loc[position + 1 :] == ("[key]",):
                return _Place((*here, item), _Type.of(key), parent)
            kind = _Type.of(value)
        elif kind.annotation is not object:  # a member of a union: the union as a whole is what was expected
            if not ours or _item(data, item) is None:
                break
            kind = _Type.of(object)
        here = (*here, item)
        data = _item(data, item)
    return _Place(here, kind, parent)


def _field_type(model: type[BaseModel], key: str) -> _Type:
    for name, info in model.model_fields.items():
        if (info.alias or name) == key:
            return _Type.of(info.annotation, info.metadata, info.discriminator)
    return _Type.of(object)  # an unknown key


def _item(data: Any, key: str | int) -> Any:
    try:
        return data[key]
    except (KeyError, IndexError, TypeError):
        return None


def _problems(
    error: ValidationError, *, positions: Positions, model: type[BaseModel], data: Any
) -> list[tuple[Loc, str]]:
    """Return (place, message) for every error; the members of a union give one message together."""
    found: dict[Loc, tuple[Loc, str]] = {}
    several: list[tuple[Loc, str]] = []
    for details in error.errors(include_url=False):
        if details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]:
            continue  # pydantic does not count items that are wrong themselves, and those are reported anyway
        place = _find(tuple(details["loc"]), model, data, ours=details["type"] == "problem")
        loc, text = _message(details, place, positions=positions)
        line = f"{dotted(loc)}: {text}" if loc else text
        if details["type"] == "problem":
            several.append((loc, line))
        else:
            found.setdefault(place.loc, (loc, line))
    return [*found.values(), *several]


def _message(details: Any, place: _Place, *, positions: Positions) -> tuple[Loc, str]:
    """Return the place to name and what to say of it."""
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    loc, expected = place.loc, place.kind
    if kind == "extra_forbidden":
        instead = getattr(place.parent, "wishes", {}).get(str(loc[-1]))
        if instead is not None:
            return loc, f"unknown key; {instead}"
        known = [info.alias or name for name, info in place.parent.model_fields.items()] if place.parent else []
        return loc, f"unknown key{did_you_mean(str(loc[-1]), known)} (known: {', '.join(known)})"
    if kind == "missing":
        return loc[:-1], f"the key {quoted(str(loc[-1]))} is missing; expected {expected.described()}"
    if kind == "problem":
        return loc, str(context["text"])
    if kind == "union_tag_not_found":
        name = str(expected.discriminator)
        return loc, f"the key {quoted(name)} is missing; expected {_one_of(tuple(expected.tags()))}"
    if kind == "union_tag_invalid":
        name = str(expected.discriminator)
        loc, value = (*loc, name), value[name]
        expected = _Type.of(Annotated[str, OneOf(tuple(expected.tags()))])
    wanted = str(context["text"]) if kind == "unexpected" else expected.described()
    hint = ""
    if isinstance(value, str):
        one_of = expected.marker(OneOf)
        hint = did_you_mean(value, expected.choices(), one_of.others if one_of else None)
    elif isinstance(value, (int, float)) and expected.takes_text():
        hint = f'; quote it: "{positions.text(loc) or value}"'
    return loc, f"expected {wanted}, got {_value(value, positions.text(loc))}{hint}"


def _one_of(choices: Sequence[str]) -> str:
    *first, last = map(quoted, choices)
    return f"{', '.join(first)} or {last}" if first else last


def _number_words(what: str, metadata: Iterable[Any]) -> str:
    """Return `what` with its bounds in words."""
    least = most = above = None
    for item in metadata:
        if isinstance(item, annotated_types.Ge):
            least = item.ge
        elif isinstance(item, annotated_types.Le):
            most = item.le
        elif isinstance(item, annotated_types.Gt):
            above = item.gt
    if least is not None and most is not None:
        return f"{what} from {least} to {most}"
    if least is not None:
        return f"{what} of at least {least}"
    if above is not None:
        return f"{what} greater than {above}"
    return what


def _value(value: Any, text: str | None) -> str:
    """Name a value that was found; `text` is how the file spells it."""
    spelling = str(value) if text is None else text
    if isinstance(value, str):
        short = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}..."
        return quoted(short)
    if isinstance(value, bool):
        return f"the boolean {spelling}"
    if isinstance(value, (int, float)):
        return f"the number {spelling}"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping"
    return "nothing"


def _nulls(data: Any, loc: Loc = ()) -> Iterator[Loc]:
    """Yield the places of values that were left empty."""
    if data is None:
        yield loc
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _nulls(value, (*loc, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _nulls(value, (*loc, index))
