"""report.json: everything a run found, for programs. docs/report-json.md describes each key.

The schema is stable: keys may be added, none changes its meaning or is deleted. `render` writes it, `parse` reads
it back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError
from harness.model.results import Report
from harness.reports import grid
from harness.reports.bounded import bounded
from harness.reports.document import SCHEMA, ReportDocument, document_of, first_key, keys_of, report_of, validator
from harness.reports.text import bound, one_line, without_surrogates

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError

LONGEST_TEXT = 64_000
"""Characters of one string in report.json; of a longer one the head and the tail are kept."""

MOST_ITEMS = 1_000
"""Entries of one list of lines or events in report.json."""

_EXPECTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a string",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
}
"""What was expected, by pydantic's name of the error."""


def limited(report: Report) -> Report:
    """Return `report` as report.json carries it: the whole grid, bounded, without lone surrogates.

    `parse(render(report)) == limited(report)`, and a Report that is within the limits is not changed.
    """
    string = partial(bound, limit=LONGEST_TEXT, each=without_surrogates)
    return bounded(grid.completed(report), string=string, items=MOST_ITEMS)


def render(report: Report) -> str:
    """Return report.json for `report`: ASCII only, the same text for the same Report."""
    report = limited(report)
    verdicts = {str(verdict): count for verdict, count in grid.counts(report).items()}
    document = document_of(report, verdicts=verdicts)
    return json.dumps(document, default=keys_of, indent=2, allow_nan=False) + "\n"


def parse(text: str | bytes, *, name: str = "report.json", evidence: bool = True) -> Report:
    """Return the Report that `text`, the content of a report.json, describes.

    Keys that this version does not know are passed over. `name` stands for the file in messages. Without `evidence`
    cells have no logs, events and expectations, which takes half the time. Raises ConfigError where `text` is no JSON,
    has another schema number, or misses something that schema 1 has.
    """
    from pydantic_core import ValidationError  # noqa: PLC0415  who writes a report does not need it

    try:
        content = text if isinstance(text, bytes) else text.encode()
        found: ReportDocument = validator(evidence=evidence).validate_json(content)
    except (ValidationError, UnicodeEncodeError) as error:
        raise ConfigError(f"{name}: {_explained(text, error)}") from error
    if found.schema != SCHEMA:
        raise ConfigError(f"{name}: {_other_schema(found.schema)}")
    return report_of(found, evidence=evidence)


def _other_schema(schema: int) -> str:
    return (
        f"schema {schema} was found, and this bpfmatrix reads schema {SCHEMA} only. "
        "Read the file with the bpfmatrix that wrote it, or run the matrix again."
    )


def _explained(text: str | bytes, error: ValidationError | UnicodeEncodeError) -> str:
    """Return what is wrong with a text that is no report, where, and what to do."""
    try:
        found = json.loads(text)
        details = error.errors() if not isinstance(error, UnicodeEncodeError) else []
    except (ValueError, RecursionError):
        details = []
    if not details or details[0]["type"] == "json_invalid":
        return "this is not JSON. The file is damaged or was cut short; run the matrix again to get a new one."
    schema = found.get("schema") if isinstance(found, dict) else None
    if isinstance(schema, int) and not isinstance(schema, bool) and schema != SCHEMA:
        return _other_schema(schema)
    place, value = _place(found, details[0]["loc"])
    if details[0]["type"] == "missing":
        del details[1:]
    # Each type of a union says what it expected.
    expected = dict.fromkeys(_expected(each) for each in details if _place(found, each["loc"])[0] == place)
    return (
        f"{place or 'the document'}: expected {' or '.join(expected)}, "
        f"found {one_line(json.dumps(value), limit=80)}. The file is damaged or was not "
        "written by bpfmatrix; run the matrix again to get a new one."
    )


def _place(value: Any, loc: Sequence[int | str]) -> tuple[str, Any]:
    """Return the place that pydantic names as the document has it, `cells[0].log`, and what is there.

    A key that is missing, and pydantic's name of a type of a union, are no places of the document.
    """
    place = ""
    for step in loc:
        if isinstance(step, int) and isinstance(value, list) and step < len(value):
            place, value = f"{place}[{step}]", value[step]
        elif isinstance(value, dict) and step in value:
            place, value = f"{place}.{step}" if place else str(step), value[str(step)]
        else:
            break
    return place, value


def _expected(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return f"an object with the key {error['loc'][-1]}"
    if kind == "dataclass_type":
        return f"an object with the key {first_key(context['class_name'])}"
    if kind == "enum":
        return f"one of {str(context['expected']).replace(' or ', ', ')}".replace("'", "")
    return _EXPECTED.get(kind, error["msg"])
