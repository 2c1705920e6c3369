"""The JSON Schema of report.json: committed as generated, right for every report, never stricter than `parse`."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from reports_sample import nasty_report, quiet_report
from reports_strategies import HOSTILE, UNHURRIED, reports
from unit_samples import ROOT

from harness.cli import commands
from harness.model.results import Report
from harness.reports.document import REPORT_SCHEMA_FILE, report_schema
from harness.reports.json_report import render

jsonschema: Any = importlib.import_module("jsonschema")  # it comes without types
COMMITTED = ROOT / "docs" / REPORT_SCHEMA_FILE
VALIDATOR = jsonschema.Draft202012Validator(json.loads(report_schema()))
TOOL = Path(sys.executable).parent / "check-jsonschema"


def test_the_committed_schema_is_the_generated_one() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == report_schema(), (
        f"docs/{REPORT_SCHEMA_FILE} is not what the types say: run `invoke schema`"
    )


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(VALIDATOR.schema)


def test_invoke_schema_writes_it(tmp_path: Path) -> None:
    commands.schema(tmp_path)
    assert (tmp_path / REPORT_SCHEMA_FILE).read_text(encoding="utf-8") == report_schema()


@pytest.mark.parametrize("report", [nasty_report(), quiet_report()], ids=["nasty", "quiet"])
def test_the_tool_that_the_document_names_accepts_a_report(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(render(report))
    done = subprocess.run(
        [TOOL, "--schemafile", COMMITTED, tmp_path / "report.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@UNHURRIED
@given(reports(HOSTILE))
def test_every_report_fits(report: Report) -> None:
    VALIDATOR.validate(json.loads(render(report)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], 2),
        (["run", "jobs"], "2"),
        (["run", "complete"], 1),
        (["kernels", 0, "package"], "x"),
        (["kernels", 0, "userland"], None),
        (["cells", 0, "verdict"], "green"),
        (["cells", 0, "events", 1], "x"),
        (["cells", 0, "parts"], [{"name": "x"}]),
        (["cells", 0, "expected", "errno"], "EINVAL"),
    ],
)
def test_what_parse_refuses_does_not_fit(path: list[Any], value: object) -> None:
    document = json.loads(render(quiet_report()))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(document)
