"""What a search makes of what guests gave: whose record it is, and which survivors are explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mutants_samples import ENTRY, entries, judged

from harness.facts.records import CaseRecord, Ending
from harness.model.results import OutcomeKind
from harness.mutants.model import Fate
from harness.mutants.search import explained, own_record


def test_a_record_of_another_id_names_the_step_of_the_case() -> None:
    ending = Ending(kind=OutcomeKind.CRASHED, reason="", step=("case~7", 3))
    assert own_record(CaseRecord(ending=ending), "case") == CaseRecord(ending=replace(ending, step=("case", 3)))


def test_a_survivor_that_is_explained_is_equivalent_and_no_other(tmp_path: Path) -> None:
    known = entries(tmp_path, ENTRY)
    found = explained(
        [judged(Fate.SURVIVED), judged(Fate.KILLED), judged(Fate.SURVIVED, name="detach fexit: left out")], known
    )
    assert [each.fate for each in found] == [Fate.EQUIVALENT, Fate.KILLED, Fate.SURVIVED]
    assert found[0].why == "nothing could tell"
