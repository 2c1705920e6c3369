"""What became of a mutant."""

from __future__ import annotations

from typing import Any

import pytest
from mutants_samples import mutant

from harness.facts.records import CaseRecord, Ending
from harness.model.results import OutcomeKind, Verdict
from harness.mutants.model import Fate, Kind, fate_of


def step(op: str, *, ok: bool) -> dict[str, Any]:
    return {"op": op, "ok": ok, "stage": "load-tracer"}


@pytest.mark.parametrize(
    ("kind", "verdict", "record", "fate"),
    [
        (Kind.STEPS, Verdict.FAIL, CaseRecord(steps=(step("load", ok=False),)), Fate.KILLED),
        (Kind.STEPS, Verdict.XPASS, CaseRecord(), Fate.KILLED),
        (Kind.PROGRAMS, Verdict.PASS, CaseRecord(), Fate.SURVIVED),
        (Kind.PROGRAMS, Verdict.XFAIL, CaseRecord(), Fate.SURVIVED),
        (Kind.PROGRAMS, Verdict.KNOWN_BUG, CaseRecord(), Fate.SURVIVED),
        # A program that the verifier does not take was not tried ...
        (Kind.PROGRAMS, Verdict.FAIL, CaseRecord(steps=(step("load", ok=False),)), Fate.VOID),
        # ... unless the case by itself comes no further.
        (
            Kind.PROGRAMS,
            Verdict.FAIL,
            CaseRecord(steps=(*[step("open", ok=True)] * 9, step("load", ok=False))),
            Fate.KILLED,
        ),
        # A guest that died in another step is an answer; one that fell silent is none.
        (Kind.STEPS, Verdict.FAIL, CaseRecord(ending=Ending(kind=OutcomeKind.CRASHED, reason="")), Fate.KILLED),
        (Kind.STEPS, Verdict.ERROR, CaseRecord(ending=Ending(kind=OutcomeKind.LOST, reason="")), Fate.NOT_RUN),
        (Kind.STEPS, Verdict.NOT_RUN, CaseRecord(), Fate.NOT_RUN),
    ],
)
def test_what_became_of_a_mutant(kind: Kind, verdict: Verdict, record: CaseRecord, fate: Fate) -> None:
    assert fate_of(mutant(kind=kind), verdict=verdict, record=record, steps=10) == fate
