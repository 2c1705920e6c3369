"""Recorded runs, read once more."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit_samples import ROOT

from harness.errors import UsageError
from harness.model.results import OutcomeKind
from harness.mutants.transcripts import read_run, records_of

GOLDEN = (ROOT / "tests/unit/golden/agent-6.1.jsonl").read_bytes().splitlines()


def test_transcripts_of_several_guests_follow_each_other_in_one_file() -> None:
    (case,) = records_of(GOLDEN, "")
    renamed = [line.replace(case.encode(), b"another") for line in GOLDEN]
    assert list(records_of([*GOLDEN, *renamed], "")) == [case, "another"]


def test_a_guest_that_died_has_the_end_that_its_console_tells() -> None:
    (case,) = records_of(GOLDEN, "")
    end = next(index for index, line in enumerate(GOLDEN) if b'"case-end"' in line)
    console = "\n".join(
        [
            "bpfmatrix: greeted",
            f"bpfmatrix: step {case} 0",
            f"bpfmatrix: step {case} 5",
            "Kernel panic - not syncing: in this one",
            "bpfmatrix: greeted",
            "Kernel panic - not syncing: in the next",
        ]
    )
    ending = records_of(GOLDEN[:end], console)[case].ending
    assert ending is not None
    assert (ending.kind, ending.step) == (OutcomeKind.CRASHED, (case, 5))
    assert "in this one" in ending.reason


def test_a_folder_that_is_no_run_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--transcripts takes the folder of a run"):
        read_run(tmp_path)
