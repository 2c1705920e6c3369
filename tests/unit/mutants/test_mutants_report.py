"""What the command says of a search, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from mutants_samples import judged

from harness.mutants.model import Fate, Kind
from harness.mutants.report import Found, as_json, exit_code, headline, markdown


@pytest.mark.parametrize(
    ("fates", "stale_ones", "code"),
    [
        ([Fate.KILLED, Fate.EQUIVALENT, Fate.VOID], (), 0),
        ([Fate.KILLED, Fate.SURVIVED], (), 1),
        ([Fate.KILLED], ("*: load *",), 1),
        ([Fate.SURVIVED, Fate.NOT_RUN], (), 3),
    ],
)
def test_the_exit_code(fates: Sequence[Fate], stale_ones: Sequence[str], code: int) -> None:
    found = Found(judged=[judged(fate) for fate in fates], stale=stale_ones)
    assert exit_code(found) == code == json.loads(as_json(found))["exit_code"]


def test_the_report_counts_mutants_in_guests_and_on_transcripts_apart() -> None:
    found = Found(
        judged=[
            judged(Fate.KILLED),
            judged(Fate.VOID, kind=Kind.PROGRAMS),
            judged(Fate.SURVIVED, kind=Kind.PROGRAMS, name="target.target: emits nothing"),
            judged(Fate.KILLED, kind=Kind.EXPECTATIONS),
        ]
    )
    assert headline(found) == (
        "2 mutants in guests: 1 killed, 1 survived (1 more could not be loaded); 1 mutants on transcripts: 1 killed"
    )
    assert "target.target: emits nothing" in markdown(found)
    assert len(json.loads(as_json(found))["mutants"]) == 4
