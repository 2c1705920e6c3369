"""The JSON Schemas: committed as generated, and never stricter than the loader."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_samples import CASE, CHECK, EXPECTATIONS, MATRIX, USES
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from test_config_matrix import damaged

from harness.config.case import CaseFile
from harness.config.check import CheckFile
from harness.config.matrix import Matrix
from harness.config.rules import ExpectationsFile
from harness.config.schema import SCHEMAS as WRITTEN
from harness.config.schema import case_schema, check_schema, expectations_schema, matrix_schema, write_schemas

DOCS = Path(__file__).parents[3] / "docs"
GOLDEN = Path(__file__).parent / "golden"
jsonschema: Any = importlib.import_module("jsonschema")  # it comes without types
SCHEMAS = {
    "matrix": json.loads(matrix_schema()),
    "case": json.loads(case_schema()),
    "expectations": json.loads(expectations_schema()),
    "check": json.loads(check_schema()),
}
MODELS: dict[str, type[BaseModel]] = {
    "matrix": Matrix,
    "case": CaseFile,
    "expectations": ExpectationsFile,
    "check": CheckFile,
}


def accepts(kind: str, data: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMAS[kind]).is_valid(data))


@pytest.mark.parametrize("name", WRITTEN)
def test_the_committed_schema_is_the_generated_one(name: str) -> None:
    path = DOCS / name
    assert path.is_file() and path.read_text(encoding="utf-8") == WRITTEN[name](), (
        f"docs/{name} is not what the models say: run `invoke schema`"
    )


@pytest.mark.parametrize("kind", SCHEMAS)
def test_schemas_are_schemas(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind])


def test_write_schemas(tmp_path: Path) -> None:
    written = write_schemas(tmp_path)
    assert [path.name for path in written] == [
        "matrix.schema.json",
        "case.schema.json",
        "check.schema.json",
        "expectations.schema.json",
    ]
    assert written[0].read_text(encoding="utf-8") == matrix_schema()


def test_samples_fit_their_schemas() -> None:
    assert accepts("matrix", yaml.safe_load(MATRIX))
    assert accepts("case", yaml.safe_load(CASE))
    assert accepts("case", yaml.safe_load(USES))
    assert accepts("expectations", yaml.safe_load(EXPECTATIONS))
    assert accepts("check", yaml.safe_load(CHECK))


def fields(schema: Any, path: str) -> list[tuple[str, Any]]:
    found = [(f"{path}.{key}", value) for key, value in schema.get("properties", {}).items()]
    for name, part in schema.get("$defs", {}).items():
        found += fields(part, f"{path}/{name}")
    return found


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_is_described_and_written_as_users_write_it(kind: str) -> None:
    keys = fields(SCHEMAS[kind], kind)
    assert len(keys) > (8 if kind == "expectations" else 15)
    assert [path for path, schema in keys if not schema.get("description")] == []
    assert [path for path, _ in keys if "_" in path.rpartition(".")[2]] == []
    assert '"null"' not in json.dumps(SCHEMAS[kind])


# What the loader refuses and the schema has no words for.
ONLY_THE_LOADER = {
    "case-message",
    "case-missing-files",
    "case-objects-without-steps",
    "case-observe-without-events",
    "case-trigger-address",
    "case-use-unfit",
    "case-use-unknown",
    "matrix-known-splats-pattern",
}


@pytest.mark.parametrize("bad", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_schema_refuses_bad_input_too(bad: Path) -> None:
    try:
        data = yaml.safe_load(bad.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        return  # nothing that a schema could be compared with
    assert accepts(bad.stem.partition("-")[0], data) is (bad.stem in ONLY_THE_LOADER)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("matrix", MATRIX), ("case", CASE), ("case", USES), ("expectations", EXPECTATIONS), ("check", CHECK)],
)
@given(more=st.data())
def test_the_schema_is_never_stricter_than_the_loader(kind: str, text: str, more: st.DataObject) -> None:
    data = more.draw(damaged(text))
    try:
        MODELS[kind].model_validate(data)
    except ValidationError:
        return
    if "None" not in repr(data):  # a null passes the model; the loader refuses it before
        assert accepts(kind, data)
