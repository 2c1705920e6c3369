"""What a file says of survivors: which are explained, and which entries mean none any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutants_samples import ENTRY, entries, judged
from unit_samples import ROOT

from harness.config.case_folders import load_cases
from harness.config.matrix import load_matrix
from harness.errors import ConfigError
from harness.mutants.command import equivalents_of
from harness.mutants.known import FILE, stale
from harness.mutants.model import Fate


def test_what_is_said_of_no_survivor_is_stale_unless_its_case_was_not_tried_there(tmp_path: Path) -> None:
    known = entries(tmp_path, ENTRY)
    assert stale(known, [judged(Fate.EQUIVALENT)]) == []
    assert stale(known, [judged(Fate.KILLED)]) == ["*: attach *: left out"]
    other = entries(tmp_path, ENTRY.replace('"*"', '"another-case"', 1))
    assert stale(other, [judged(Fate.KILLED)]) == []
    elsewhere = entries(tmp_path, ENTRY.replace("mutants:", 'kernels: ["6.1-*"], mutants:'))
    assert stale(elsewhere, [judged(Fate.KILLED)]) == []


def test_each_pattern_of_an_entry_must_mean_a_survivor(tmp_path: Path) -> None:
    known = entries(tmp_path, ENTRY.replace('["attach *: left out"]', '["attach *: left out", "load *"]'))
    assert stale(known, [judged(Fate.EQUIVALENT)]) == ["*: load *"]


@pytest.mark.parametrize("text", ["- {cases: [x], mutants: [y]}\n", "- {case: x, mutants: [y], reason: z}\n", "x: 1\n"])
def test_a_mistake_in_the_file_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=FILE):
        entries(tmp_path, text)


def test_the_committed_file_can_be_read() -> None:
    matrix = load_matrix(ROOT / "matrix.yaml")
    cases = load_cases(ROOT / "matrix.yaml", matrix.cases)
    ids = {case.id for case in cases}
    for entry in equivalents_of(cases):
        assert all(name in ids or set(name) & set("*?[") for name in entry.cases), f"{entry.cases}: no such case"
