"""What the tests of mutants share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unit_samples import sample_case

from harness.model.results import Verdict
from harness.mutants.known import FILE, load_equivalents
from harness.mutants.model import Fate, Judged, Kind, Mutant

CASE = sample_case()


def mutant(name: str = "attach fexit: left out", kind: Kind = Kind.STEPS) -> Mutant:
    return Mutant(case=CASE, kind=kind, name=name)


def judged(fate: Fate, *, name: str = "attach fexit: left out", kind: Kind = Kind.STEPS) -> Judged:
    verdict = {Fate.KILLED: Verdict.FAIL, Fate.NOT_RUN: Verdict.NOT_RUN}.get(fate, Verdict.PASS)
    return Judged(
        mutant=mutant(name, kind), kernel="6.12-x86_64", expected=Verdict.PASS, fate=fate, verdict=verdict, why="so"
    )


def entries(folder: Path, text: str) -> tuple[Any, ...]:
    (folder / FILE).write_text(f"equivalent:\n{text}")
    return load_equivalents(folder)


ENTRY = '- {cases: ["*"], mutants: ["attach *: left out"], reason: "nothing could tell"}\n'
