"""Reference pages out of JSON Schemas: a table for each object, with types, defaults and descriptions. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

Schema = Mapping[str, Any]

_NAMES = {
    "string": "text",
    "integer": "number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
    "array": "list",
}
"""What a reader calls the types of JSON."""

_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "",
    "maxLength": "at most {} characters",
    "minItems": "",
    "maxItems": "at most {} entries",
}
"""How a limit is said; "" where it only says that a value is not empty."""

MOST_VALUES = 40
"""How many values of an enumeration are written out."""
LONGEST_PATTERN = 60
"""Characters of a pattern that a reader can still make sense of."""


def page(schema: Schema, *, title: str, about: str) -> str:
    """Return the page of a schema as Markdown: its own keys first, then each object that they lead to."""
    defs: Mapping[str, Schema] = schema.get("$defs", {})
    blocks = [f"# {title}", about, *_object(schema, defs)]
    for name in _reached(schema, defs):
        blocks += [f"## {name}", *_object(defs[name], defs)]
    return "\n\n".join(blocks) + "\n"


def _reached(schema: Schema, defs: Mapping[str, Schema]) -> list[str]:
    """Return the names of the objects that a schema leads to, in the order in which a reader meets them."""
    found: dict[str, None] = {}
    waiting = list(_refs({key: value for key, value in schema.items() if key != "$defs"}))
    while waiting:
        name = waiting.pop(0)
        if name in found or name not in defs:
            continue
        if _has_keys(defs[name]):
            found[name] = None
        waiting = [*_refs(defs[name]), *waiting] if not _has_keys(defs[name]) else [*waiting, *_refs(defs[name])]
    return list(found)


def _refs(node: Any) -> Iterator[str]:
    """Yield the names of the definitions that a part of a schema refers to."""
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield _name(node["$ref"])
        for key, value in node.items():
            if key != "discriminator":
                yield from _refs(value)
    elif isinstance(node, list):
        for each in node:
            yield from _refs(each)


def _name(ref: str) -> str:
    return ref.rpartition("/")[2]


def _has_keys(schema: Schema) -> bool:
    return bool(schema.get("properties") or schema.get("patternProperties"))


def _object(schema: Schema, defs: Mapping[str, Schema]) -> Iterator[str]:
    """Yield the blocks that describe an object: what it is, its keys, and the rules between them."""
    if schema.get("description"):
        yield _text(schema["description"])
    required = set(schema.get("required", ()))
    rows = [
        (
            f"{code(key)}{' (needed)' if key in required else ''}",
            type_text(value, defs),
            _default(value),
            _text(_resolved(value, defs).get("description", "")),
        )
        for key, value in schema.get("properties", {}).items()
    ]
    rows += [
        ("any other name", type_text(value, defs), "", _text(value.get("description", "")))
        for value in schema.get("patternProperties", {}).values()
    ]
    if rows:
        yield "\n".join(
            ["| key | type | default | meaning |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
        )
    rules = list(_rules(schema))
    if rules:
        yield "\n".join(f"- {rule}" for rule in rules)


def type_text(schema: Schema, defs: Mapping[str, Schema]) -> str:
    """Return what values a schema takes, in a reader's words, with links to the objects of the same page."""
    if "$ref" in schema:
        name = _name(schema["$ref"])
        known = defs.get(name, {})
        return f"[{name}](#{name.lower()})" if _has_keys(known) else type_text(known, defs)
    if "const" in schema:
        return _value(schema["const"])
    if "enum" in schema:
        return _values(schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return _either([type_text(each, defs) for each in schema[key] if _says_a_type(each)])
    if "allOf" in schema and "type" not in schema:
        return type_text(schema["allOf"][0], defs)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return _either([_of_kind(kind, schema, defs) for kind in kinds]) or "anything"


def _says_a_type(schema: Schema) -> bool:
    """Whether an alternative says what a value is, and not only which keys it needs."""
    return bool(schema.keys() - {"required", "not"})


def _of_kind(kind: str, schema: Schema, defs: Mapping[str, Schema]) -> str:
    if kind == "array":
        return f"list of {type_text(schema['items'], defs)}" if schema.get("items") else "list"
    if kind == "object":
        return _mapping(schema, defs)
    said = [text.format(schema[key]) for key, text in _LIMITS.items() if key in schema and text]
    pattern = schema.get("pattern", "")
    if pattern and len(pattern) <= LONGEST_PATTERN and kind == "string":
        said.append(f"matches {code(pattern)}")
    return _NAMES.get(kind, kind) + (f" ({', '.join(said)})" if said else "")


def _mapping(schema: Schema, defs: Mapping[str, Schema]) -> str:
    """Return what a mapping has: keys of its own, or any names with values of a type."""
    keys = schema.get("properties", {})
    if keys:
        return f"mapping with {', '.join(code(key) for key in keys)}"
    values = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
    return f"mapping of names to {type_text(values, defs)}" if isinstance(values, Mapping) and values else "mapping"


def _either(texts: Sequence[str]) -> str:
    *before, last = list(dict.fromkeys(texts)) or [""]
    return f"{', '.join(before)} or {last}" if before else last


def _values(values: Sequence[Any]) -> str:
    shown = ", ".join(_value(each) for each in values[:MOST_VALUES])
    return f"one of {shown}" + (", …" if len(values) > MOST_VALUES else "")


def _resolved(schema: Schema, defs: Mapping[str, Schema]) -> Schema:
    """Return a key's schema with the description of what it refers to, where it has none of its own."""
    if schema.get("description") or "$ref" not in schema:
        return schema
    known = defs.get(_name(schema["$ref"]), {})
    return {**schema, "description": "" if _has_keys(known) else known.get("description", "")}


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, Mapping):
        return "its own defaults"
    return _value(value)


def _rules(schema: Schema) -> Iterator[str]:
    """Yield the rules between the keys of an object as sentences."""
    for condition in schema.get("allOf", ()):
        when, then = condition.get("if", {}).get("properties", {}), condition.get("then", {})
        said = ", ".join(code(f"{key}: {value['const']}") for key, value in when.items() if "const" in value)
        if said and (rest := "; ".join(_then(then))):
            yield f"With {said}: {rest}."
    for key, needed in schema.get("dependentRequired", {}).items():
        yield f"{code(key)} needs {', '.join(code(each) for each in needed)}."
    choices = [each["required"] for each in schema.get("oneOf", ()) if "required" in each]
    if choices:
        yield f"Exactly one of: {'; '.join(' with '.join(code(key) for key in each) for each in choices)}."


def _then(then: Schema) -> Iterator[str]:
    for part in then.get("allOf", [then]):
        if "anyOf" in part:
            yield f"needs {_either([_keys(each) for each in part['anyOf']])}"
        if "required" in part:
            yield f"needs {_keys(part)}"
        if "not" in part:
            denied = part["not"].get("anyOf", [part["not"]])
            yield f"has no {', '.join(_keys(each) for each in denied)}"


def _keys(schema: Schema) -> str:
    return " and ".join(code(key) for key in schema.get("required", ()))


def _value(value: Any) -> str:
    return code(value if isinstance(value, str) else json.dumps(value))


def code(text: str) -> str:
    """Return a text as HTML's code, safe in a table's cell."""
    return f"<code>{escape(text, quote=False).replace('|', '&#124;')}</code>"


def _text(text: str) -> str:
    """Return a description on one line, its code in backticks as it is, safe in a table's cell."""
    parts = " ".join(text.split()).split("`")
    return "".join(
        code(part) if index % 2 and index < len(parts) - 1 else escape(part, quote=False).replace("|", "&#124;")
        for index, part in enumerate(parts)
    )
