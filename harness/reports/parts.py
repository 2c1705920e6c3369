"""The parts of a cell side by side: what each answered, and what is measured of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.model.measures import INSTRUCTIONS, JITED, PEAK_STATES, RUNS, STACK, TOTAL_STATES
from harness.model.results import Mark, Outcome, OutcomeKind, PartResult, Stage, Verdict
from harness.reports import wording
from harness.reports.grid import SYMBOLS

MEASURED = {
    INSTRUCTIONS: "instructions",
    TOTAL_STATES: "states",
    PEAK_STATES: "peak states",
    STACK: "stack",
    JITED: "JITed bytes",
    RUNS: "runs",
}
"""The columns of what is measured, in their order."""
MARKS = {Mark.DID_NOT_RUN: "did not run", Mark.NOT_COUNTED: "not counted"}
AFTER_ATTACHING = (Stage.TRIGGER, Stage.OBSERVE, Stage.DETACH)
"""The stages that come only once all is attached."""
NO_ANSWER = (OutcomeKind.LOST, OutcomeKind.NOT_RUN)
_TRAILER = ("processed ", "verification time", "stack depth", "-- END", "-- BEGIN", "mark_precise", "max_states")


@dataclass(frozen=True, kw_only=True)
class PartsTable:
    """A table of parts: its columns, and rows of as many texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def parts_table(parts: Sequence[PartResult]) -> PartsTable | None:
    """Return the parts as a table, without the columns that none of them has; None where only their names are left."""
    measured = [name for name in MEASURED if any(name in part.outcome.measured for part in parts)]
    about, marks = any(part.about for part in parts), any(part.outcome.mark for part in parts)
    if not measured and not about:
        return None
    columns = (
        *("part", *["section"] * about, "answer"),
        *(MEASURED[name] for name in measured),
        *["mark"] * marks,
    )
    rows = tuple(
        (
            *(part.name, *[part.about] * about, f"{SYMBOLS[part.verdict]} {part.verdict}: {answer(part.outcome)}"),
            *(_number(part.outcome.measured.get(name)) for name in measured),
            *[MARKS[part.outcome.mark] if part.outcome.mark else ""] * marks,
        )
        for part in parts
    )
    return PartsTable(columns=columns, rows=rows)


def answer(outcome: Outcome) -> str:
    """Return what the kernel did, in a few words: how, where, with which errno and of which class."""
    if outcome.kind is not OutcomeKind.REFUSED:
        return f"{outcome.kind} at {outcome.stage}" if outcome.stage else str(outcome.kind)
    of_class = f", {outcome.refusal}" if outcome.refusal else ""
    return f"refused at {outcome.stage}: {wording.errno(outcome) or 'no errno'}{of_class}"


def is_attached(part: PartResult) -> bool:
    """Say whether a part came as far as it can: what works does, and what misbehaves only once it is attached."""
    if part.outcome.kind is OutcomeKind.WORKS:
        return True
    return part.outcome.kind is OutcomeKind.MISBEHAVES and part.outcome.stage in AFTER_ATTACHING


def deciding_line(log: str) -> str:
    """Return the line of a verifier's log that says why: the last one that is no statistics, "" where there is none."""
    lines = [line.strip() for line in log.splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith(_TRAILER)), "")


def counted(parts: Sequence[PartResult]) -> tuple[int, int]:
    """Return how many programs are attached, and how many there are; the part of all of them together is none."""
    single = [part for part in parts if part.about]
    return sum(map(is_attached, single)), len(single)


def lines_of(parts: Sequence[PartResult]) -> list[tuple[str, Verdict]]:
    """Return a line for each part that somebody must look at, with its verdict.

    Those are the ones that did not get attached, that have a mark, or that did not do what was expected. Where none has
    an answer for the same reason, as where a guest does not boot, that is one line.
    """
    found: list[tuple[str, Verdict]] = []
    why = {(part.outcome.kind, part.outcome.reason) for part in parts}
    if len(parts) > 1 and len(why) == 1 and parts[0].outcome.kind in NO_ANSWER:
        verdict, outcome = parts[0].verdict, parts[0].outcome
        return [(f"all of them: {verdict}: {answer(outcome)}: {outcome.reason}", verdict)]
    for part in parts:
        outcome = part.outcome
        if is_attached(part) and outcome.mark is None and part.verdict is Verdict.PASS:
            continue
        said = outcome.mark_reason
        if outcome.mark is None:
            cause = deciding_line(outcome.log) or outcome.reason
            said = f"{answer(outcome)}: {cause}" if cause else answer(outcome)
        found.append((f"{part.name}: {part.verdict}: {said}", part.verdict))
    return found


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
