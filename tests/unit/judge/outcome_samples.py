"""Outcomes of real runs that a test has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unit_samples import (
    Line,
    changed,
    golden_lines,
    record_of,
    renumbered,
    sample_case,
)

from harness.judge.outcome import outcome_of
from harness.model.results import Expectation, Outcome, OutcomeKind

K = OutcomeKind


WORKS = Expectation(outcome=K.WORKS, reason="r")


Change = Callable[[Line], "Line | None"]


def outcome(change: Change = lambda line: line, **keys: Any) -> Outcome:
    return outcome_of(sample_case(**keys), record_of(changed(change)))


def at(index: int, **fields: Any) -> Change:
    """A change of the step with this index."""
    return lambda line: {**line, **fields} if line["type"] == "step" and line["index"] == index else line


def failing(index: int, **fields: Any) -> Change:
    """The step with this index fails, and the agent goes to the end of the case at once."""
    trouble = {"ok": False, "refused": True, "errno": 22, "errno_name": "EINVAL", "detail": "no", "log": "", **fields}

    def change(line: Line) -> Line | None:
        if line["type"] == "step" and line["index"] == index:
            return {**line, **trouble}
        if line["type"] == "event":
            return line if LOOKS[line["phase"]] < index else None
        return None if line["type"] == "step" and line["index"] > index else line

    return change


LOOKS = {line["phase"]: line["index"] for line in golden_lines() if line.get("op") == "observe"}
"""The index of the step that reports the events of a phase."""


def end(**fields: Any) -> Change:
    return lambda line: {**line, **fields} if line["type"] == "case-end" else line


def events(change: Change) -> Outcome:
    """The outcome with the events changed, and their counts made good."""
    lines = [line if line["type"] != "event" else change(line) for line in golden_lines()]
    return counted([line for line in lines if line is not None])


def counted(lines: Sequence[Line]) -> Outcome:
    made = []
    for line in renumbered(lines):
        if line.get("op") == "observe":
            count = sum(1 for other in lines if other["type"] == "event" and other["phase"] == line["phase"])
            line["events"] = count
        made.append(line)
    return outcome_of(sample_case(), record_of(made))
