"""The form of the committed cases: what they share is written once, and every line can be read at a glance."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from harness.config.case import SHARED_FOLDER
from harness.config.case_folders import load_cases
from harness.config.matrix import load_matrix
from harness.config.steps import LoadStep
from harness.scenario.carriers import OWN
from harness.supply.names import TRACE

ROOT = Path(__file__).parents[3]
BPF = ROOT / "bpf"
SCHEMA_LINE = "# yaml-language-server: $schema=../../docs/case.schema.json"
FILES = sorted(BPF.glob("*/case.yaml"))


def test_no_two_sources_are_the_same() -> None:
    found: dict[str, list[str]] = {}
    for path in sorted(BPF.rglob("*.[ch]")):
        found.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), []).append(str(path.relative_to(BPF)))
    assert [same for same in found.values() if len(same) > 1] == [], "put it into bpf/shared once, and let both name it"


def test_a_shared_source_is_named_by_several_cases_or_objects() -> None:
    cases = load_cases(ROOT / "matrix.yaml", load_matrix(ROOT / "matrix.yaml").cases)
    named = [file for case in cases for file in case.files.values()]
    shared = [f"{SHARED_FOLDER}/{path.name}" for path in (BPF / SHARED_FOLDER).iterdir()]
    assert shared
    assert [file for file in shared if named.count(file) < 2] == []


@pytest.mark.parametrize("path", [*FILES, *BPF.glob("*.yaml")], ids=lambda path: path.relative_to(BPF).as_posix())
def test_no_line_is_too_long(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{number}: {line}" for number, line in enumerate(lines, start=1) if len(line) > 120] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_an_editor_knows_the_schema(path: Path) -> None:
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first == SCHEMA_LINE
    assert SCHEMA_LINE not in rest
    assert (path.parent / SCHEMA_LINE.partition("=")[2]).resolve().is_file()


def test_no_case_shares_the_trace_by_hand() -> None:
    cases = load_cases(ROOT / "matrix.yaml", load_matrix(ROOT / "matrix.yaml").cases)
    named = {case.id: set(case.tracer.shared_maps) for case in cases if case.tracer is not None}
    for case in cases:
        shares = [step.share.items() for step in case.steps if isinstance(step, LoadStep)]
        named.setdefault(case.id, set()).update(name for share in shares for name, of in share if of != OWN)
    assert {name: maps & set(TRACE) for name, maps in named.items() if maps & set(TRACE)} == {}, "that is so by itself"
