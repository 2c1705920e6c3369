"""Reference pages of schemas: every key of every object is there, in a reader's words, and nothing breaks a table."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from unit_samples import ROOT

from harness.site.schema_pages import code, page, type_text

SCHEMAS = sorted(path.name for path in (ROOT / "docs").glob("*.schema.json"))
DEFS: dict[str, Any] = {
    "Row": {"type": "object", "properties": {"name": {"type": "string"}}, "description": "A row."},
    "Colour": {"enum": ["red", "green"], "type": "string", "description": "Which colour."},
}


def of(*, required: tuple[str, ...] = (), **keys: Any) -> str:
    schema = {"type": "object", "properties": keys, "required": list(required), "$defs": DEFS}
    return page(schema, title="x.yaml", about="What it is.")


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["string", "integer"]}, "text or number"),
        ({"type": "integer", "minimum": 1, "maximum": 64}, "number (at least 1, at most 64)"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "string", "pattern": "^a|b$"}, "text (matches <code>^a&#124;b$</code>)"),
        ({"const": "debian"}, "<code>debian</code>"),
        ({"enum": ["a", 1, True]}, "one of <code>a</code>, <code>1</code>, <code>true</code>"),
        ({"$ref": "#/$defs/Row"}, "[Row](#row)"),
        ({"$ref": "#/$defs/Colour"}, "one of <code>red</code>, <code>green</code>"),
        ({"type": "array", "items": {"$ref": "#/$defs/Row"}}, "list of [Row](#row)"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"anyOf": [{"type": "string"}, {"required": ["x"]}]}, "text"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "mapping of names to number"),
        ({"type": "object", "patternProperties": {"^a": {"type": "string"}}}, "mapping of names to text"),
        ({"type": "object", "properties": {"a": {}, "b": {}}}, "mapping with <code>a</code>, <code>b</code>"),
        ({"type": "object", "additionalProperties": True}, "mapping"),
        ({}, "anything"),
    ],
)
def test_a_type_in_words(schema: dict[str, Any], text: str) -> None:
    assert type_text(schema, DEFS) == text


def test_a_key_has_its_type_default_and_meaning() -> None:
    made = of(
        jobs={"type": "integer", "default": 2, "description": "How many,\n at `once | twice`."},
        row={"$ref": "#/$defs/Row"},
        colour={"$ref": "#/$defs/Colour"},
        required=("row",),
    )
    assert "| <code>jobs</code> | number | <code>2</code> | How many, at <code>once &#124; twice</code>. |" in made
    assert "| <code>row</code> (needed) | [Row](#row) |  |  |" in made
    assert "| <code>colour</code> | one of <code>red</code>, <code>green</code> |  | Which colour. |" in made
    assert "## Row\n\nA row.\n" in made
    assert "## Colour" not in made


def test_rules_between_keys_are_sentences() -> None:
    made = page(
        {
            "properties": {"a": {}, "b": {}},
            "allOf": [
                {
                    "if": {"properties": {"outcome": {"const": "works"}}},
                    "then": {
                        "allOf": [{"not": {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}}, {"required": ["c"]}]
                    },
                }
            ],
            "dependentRequired": {"a": ["b"]},
            "oneOf": [{"required": ["a"]}, {"required": ["b", "c"]}],
        },
        title="t",
        about="",
    )
    has, needs = "has no <code>a</code>, <code>b</code>", "needs <code>c</code>"
    assert f"- With <code>outcome: works</code>: {has}; {needs}." in made
    assert "- <code>a</code> needs <code>b</code>." in made
    assert "- Exactly one of: <code>a</code>; <code>b</code> with <code>c</code>." in made


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_of_every_object_is_on_the_page(name: str) -> None:
    schema = json.loads((ROOT / "docs" / name).read_text())
    made = page(schema, title=name, about="")
    objects = {"": schema, **{key: value for key, value in schema["$defs"].items() if value.get("properties")}}
    for which, each in objects.items():
        part = made if not which else made[made.index(f"\n## {which}\n") :]
        for key in each.get("properties", {}):
            assert f"| {code(key)}" in part, (which, key)


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_text_breaks_a_table_and_every_link_has_its_title(name: str) -> None:
    made = page(json.loads((ROOT / "docs" / name).read_text()), title=name, about="")
    rows = [line for line in made.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {5}
    titles = {title.lower() for title in re.findall(r"^## (.*)$", made, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]*)\)", made)) <= titles
