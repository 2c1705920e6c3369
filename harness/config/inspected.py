"""What a case says must be seen beside events: records of one's own, variables, maps, printed lines, runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Strict, Tag, WithJsonSchema

from harness.config.reading.models import CheckedModel, Expects, Model, problem, unexpected
from harness.config.reading.yaml_source import Loc
from harness.model.listing import AT_LEAST, AT_MOST, CHILD_PID, TRIGGER_PID

_SIZES = frozenset({AT_LEAST, AT_MOST})
_VALUE = (
    "a number, true or false, a text (also for the name of an enumeration's member), a list, a mapping of members, or "
    "{at-least: N}, {at-most: N}"
)


def _check_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        if not value or not all(isinstance(key, str) for key in value):
            raise unexpected(_VALUE)
        if _SIZES & value.keys() and not (value.keys() <= _SIZES and all(map(_is_number, value.values()))):
            raise problem('"at-least" and "at-most" take a number each, and no other key may be beside them')
        for each in value.values():
            _check_value(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _check_value(each)
    elif isinstance(value, str) and value.startswith("$") and value not in (TRIGGER_PID, CHILD_PID):
        raise problem(f"{value} is not known: values of this kind are {TRIGGER_PID} and {CHILD_PID}")
    elif not isinstance(value, int | str):
        raise unexpected(_VALUE)
    return value


def _check_before(value: Any) -> Any:
    """Refuse what nobody knows before the load."""
    held = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for each in held:
        _check_before(each)
    if value == CHILD_PID:
        raise problem(
            f"{CHILD_PID} is not known before the trigger; only what is seen after it can be compared with it"
        )
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Value = Annotated[
    Any,
    AfterValidator(_check_value),
    Expects(_VALUE),
    WithJsonSchema({"type": ["integer", "string", "boolean", "array", "object"]}),
]
"""What a variable, or a member of a record, must be."""
FirstValue = Annotated[Value, AfterValidator(_check_before)]
"""What a variable is before the load."""
VariablePath = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])*$"),
    Expects('the name of a variable or a path in it, such as "hits", "limits.ports[2]" or "tracer.hits"'),
]
FieldPath = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])*$"),
    Expects('the name of a member or a path in it, such as "pid" or "addresses[1].port"'),
]
Place = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_.][A-Za-z0-9_.-]*$"),
    Expects('a name in an object, such as "events", or "tracer.events" where several objects have one'),
]
RecordPattern = Annotated[
    Mapping[FieldPath, Value], Expects('members of a record and what they must be, such as {comm: "cat"}')
]
PrintedPattern = Annotated[str, Field(min_length=1), Expects("a regular expression that a printed line must match")]
Count = Annotated[int, Strict(), Field(ge=0, le=4096)]
_TYPES = r"^(u8|u16|u32|u64|s8|s16|s32|s64|char|bool)(\[[0-9]{1,5}\])?$"
FieldType = Annotated[
    str, Field(pattern=_TYPES), Expects('a type: u8 to u64, s8 to s64, char, bool, or an array such as "char[16]"')
]
HOW = ("exactly", "at-least", "any-order", "none")


class HowMuch(CheckedModel):
    """How much of what must come: one of the keys `HOW`."""

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """One way of comparing must be chosen."""
        given = [key for key in HOW if key in data]
        if len(given) != 1:
            yield (), f"give one of {', '.join(HOW)}: what must come, and how much of it"

    def compared(self) -> tuple[str, Any]:
        """Return how records are compared (one of `HOW`), and with what."""
        return next((how, found) for how in HOW if (found := getattr(self, how.replace("-", "_"), None)) is not None)


_EXACTLY = "All that come, in this order, and no others; a number: so many."
_AT_LEAST = "These come in this order; others may come before, between and after them. A number: so many or more."
_ANY_ORDER = "All that come, in any order, and no others."
_NONE = "None of these comes."


class RecordsLook(HowMuch):
    """The records of a ring buffer or perf event array."""

    exactly: tuple[RecordPattern, ...] | Count | None = Field(default=None, description=_EXACTLY)
    at_least: tuple[RecordPattern, ...] | Count | None = Field(default=None, description=_AT_LEAST)
    any_order: tuple[RecordPattern, ...] | None = Field(default=None, description=_ANY_ORDER)
    none: tuple[RecordPattern, ...] | None = Field(default=None, description=_NONE)
    record: str | Mapping[FieldPath, FieldType] | None = Field(
        default=None,
        description="The structure of a record: its name in the object's BTF, or its members in their order with their "
        'types, such as {pid: u32, comm: "char[16]"}; without it the only structure of that size.',
    )
    of_trigger: FieldPath | None = Field(
        default=None,
        description="The member that has the process id: only records of the trigger's process are looked at.",
    )


class PrintedLook(HowMuch):
    """What bpf_printk() writes."""

    exactly: tuple[PrintedPattern, ...] | Count | None = Field(default=None, description=_EXACTLY)
    at_least: tuple[PrintedPattern, ...] | Count | None = Field(default=None, description=_AT_LEAST)
    any_order: tuple[PrintedPattern, ...] | None = Field(default=None, description=_ANY_ORDER)
    none: tuple[PrintedPattern, ...] | None = Field(default=None, description=_NONE)
    of_trigger: Annotated[bool, Strict()] = Field(
        default=False, description="Only lines that the trigger's own thread caused are looked at."
    )


class AtLeast(Model):
    """A number that may be larger."""

    at_least: Count = Field(description="So many or more.")


class MapEntry(Model):
    """One entry of a map, for keys that are no numbers or texts."""

    key: Value = Field(description="The key.")
    value: Value = Field(description="What its value must be.")


def form_of(value: Any) -> str:
    """Return in which form something is given: `list`, `number` or `mapping`; a value that is none is a list."""
    if isinstance(value, Mapping | HowMuch):
        return "mapping"
    return "number" if _is_number(value) else "list"


Records = Annotated[
    Annotated[tuple[RecordPattern, ...], Tag("list")]
    | Annotated[Count, Tag("number")]
    | Annotated[RecordsLook, Tag("mapping")],
    Discriminator(form_of),
    Expects("a list of records, how many, or a mapping with one of exactly, at-least, any-order, none"),
]
Printed = Annotated[
    Annotated[tuple[PrintedPattern, ...], Tag("list")]
    | Annotated[Count, Tag("number")]
    | Annotated[PrintedLook, Tag("mapping")],
    Discriminator(form_of),
    Expects(
        "a list of regular expressions, how many lines, or a mapping with one of exactly, at-least, any-order, none"
    ),
]
MapContents = Annotated[
    Count | AtLeast | tuple[MapEntry, ...] | Mapping[str, Value],
    Expects("how many entries, {at-least: N}, values by key, or a list of {key, value}"),
]
Runs = Annotated[Count | AtLeast, Expects("a number, or {at-least: N}")]
