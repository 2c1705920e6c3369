"""What a mutant is, and what became of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.facts.records import CaseRecord
from harness.model.results import Expectation, OutcomeKind, Verdict
from harness.scenario.case import Case

GREEN = frozenset({Verdict.PASS, Verdict.XFAIL, Verdict.KNOWN_BUG, Verdict.NOT_APPLICABLE})
"""The verdicts of cells in which mutants are looked for."""
RED = frozenset({Verdict.FAIL, Verdict.XPASS, Verdict.ERROR})
"""The verdicts that kill a mutant. `answered` is neither: nothing is expected there, so no mutant can be noticed."""


class Kind(StrEnum):
    """What a mutant changes."""

    STEPS = "steps"
    PROGRAMS = "programs"
    EXPECTATIONS = "expectations"


IN_GUESTS = (Kind.STEPS, Kind.PROGRAMS)
"""The kinds of mutants that run in guests; the others are judged on recorded transcripts."""


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    """The cell turned red."""
    SURVIVED = "survived"
    """The cell stayed as it was, and nobody has said why."""
    EQUIVALENT = "equivalent"
    """The cell stayed as it was, and mutants.yaml says why nothing could show it."""
    VOID = "void"
    """No mutant: the kernel refuses the changed program, so nothing was tried."""
    NOT_RUN = "not-run"
    """Its guest gave no answer, or another than the case by itself has."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one case.

    `name` says in a few words what is changed, the same in every run. In guests: `changes` are keys of the job's steps
    that are set, by the step's index; `objects` are patched objects, by file name; `settings` are keys of the job's
    case that are set; `cmdline` is the kernel's command line, or None to leave it. On transcripts: `changed` is the
    case that the record is judged by, or `expected` what a rule says.
    """

    case: Case
    kind: Kind
    name: str
    changes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    objects: Mapping[str, bytes] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    cmdline: str | None = None
    changed: Case | None = None
    expected: Expectation | None = None

    def __str__(self) -> str:
        return f"{self.case.id}: {self.name}"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A mutant, the kernel it was judged on, and what came of it. `why` is a sentence."""

    mutant: Mutant
    kernel: str
    expected: Verdict
    fate: Fate
    verdict: Verdict
    why: str


def fate_of(mutant: Mutant, *, verdict: Verdict, record: CaseRecord, steps: int) -> Fate:
    """Return what became of a mutant before anyone explains it.

    `verdict` is that of the mutant, `record` what its guest reported, `steps` how many steps the case by itself gets
    to. A program that the kernel does not load was not tried: that says something of the verifier, nothing of the
    case. Neither does a guest that fell silent.
    """
    if verdict not in RED:
        return Fate.SURVIVED if verdict in GREEN else Fate.NOT_RUN
    last = record.steps[-1] if record.steps else {}
    refused = not last.get("ok", True) and last.get("op") in ("load", "load-raw")
    if mutant.kind == Kind.PROGRAMS and refused and len(record.steps) < steps:
        return Fate.VOID
    silent = record.ending is not None and record.ending.kind == OutcomeKind.LOST
    return Fate.NOT_RUN if verdict == Verdict.ERROR and silent else Fate.KILLED
