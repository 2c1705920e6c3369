"""JSON Schema of the files that users write; editors complete with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from harness.config.case import CaseFile
from harness.config.check import CheckFile
from harness.config.matrix import Matrix
from harness.config.rules import ExpectationsFile

MATRIX_SCHEMA_FILE = "matrix.schema.json"
CASE_SCHEMA_FILE = "case.schema.json"
CHECK_SCHEMA_FILE = "check.schema.json"
EXPECTATIONS_SCHEMA_FILE = "expectations.schema.json"


class _Generator(GenerateJsonSchema):
    """pydantic's generator without a title for every field: it only repeats the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        """An optional key is left out, never empty."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        """A default of None is no value to write."""
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def generate(self, schema: CoreSchema, mode: Any = "validation") -> dict[str, Any]:
        return {"$schema": self.schema_dialect, **super().generate(schema, mode=mode)}


def matrix_schema() -> str:
    """Return the JSON Schema of matrix.yaml as text that ends with a newline."""
    return _schema(Matrix, "matrix.yaml of bpfmatrix")


def case_schema() -> str:
    """Return the JSON Schema of case.yaml as text that ends with a newline."""
    return _schema(CaseFile, "case.yaml of bpfmatrix")


def check_schema() -> str:
    """Return the JSON Schema of check.yaml as text that ends with a newline."""
    return _schema(CheckFile, "check.yaml of bpfmatrix")


def expectations_schema() -> str:
    """Return the JSON Schema of expectations.yaml as text that ends with a newline."""
    return _schema(ExpectationsFile, "expectations.yaml of bpfmatrix")


SCHEMAS = {
    MATRIX_SCHEMA_FILE: matrix_schema,
    CASE_SCHEMA_FILE: case_schema,
    CHECK_SCHEMA_FILE: check_schema,
    EXPECTATIONS_SCHEMA_FILE: expectations_schema,
}


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write all schemas into `folder` and return their paths."""
    written = []
    for name, schema in SCHEMAS.items():
        path = folder / name
        path.write_text(schema(), encoding="utf-8")
        written.append(path)
    return tuple(written)


def _schema(model: type[BaseModel], title: str) -> str:
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator, mode="validation")
    return json.dumps({**schema, "title": title}, indent=2, ensure_ascii=False) + "\n"
