"""The parts of a cell side by side: what each answered, and what is measured of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.model.measures import INSTRUCTIONS, JITED, PEAK_STATES, RUNS, STACK, TOTAL_STATES
from harness.model.results import UNEXPECTED, Mark, Outcome, OutcomeKind, PartResult, Stage, Verdict
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
MARKS = {Mark.DID_NOT_RUN: "did not run", Mark.NOT_COUNTED: "not counted", Mark.NOT_MEASURED: "not measured"}
AFTER_ATTACHING = (Stage.TRIGGER, Stage.OBSERVE, Stage.DETACH)
"""The stages that come only once all is attached."""
MOST_NAMED = 6
"""How many parts a line names."""
_OF_LIBBPF = re.compile(r"; libbpf: (prog '[^']*': failed to load: -\d+|failed to load object '[^']*')")
"""What libbpf says after why a load failed: that it failed."""
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


class Line(NamedTuple):
    """What somebody must look at; `advice` is what to do about it, "" where nothing must be done or nobody knows."""

    text: str
    verdict: Verdict
    advice: str = ""


def lines_of(parts: Sequence[PartResult]) -> list[Line]:
    """Return a line for each thing that somebody must look at: of which parts, and what.

    Those are the ones that did not get attached, that have a mark, or that did not do what was expected. The same of
    several parts is one line, even where it has their names in it.
    """
    alike: dict[tuple[str, Verdict], list[PartResult]] = {}
    for part in parts:
        if not is_attached(part) or part.outcome.mark is not None or part.verdict is not Verdict.PASS:
            alike.setdefault((_bare(_said(part.outcome), part.name), part.verdict), []).append(part)
    every = "all of them" if len(parts) > 1 and len(alike) == 1 else ""
    return [
        Line(
            f"{(every if len(them) == len(parts) else '') or _names(them)}: {verdict}: {_said(them[0].outcome)}",
            verdict,
            them[0].outcome.advice if verdict in UNEXPECTED else "",
        )
        for (_, verdict), them in alike.items()
    ]


def _said(outcome: Outcome) -> str:
    if outcome.over_budget:
        return f"{answer(outcome)}, over budget: {'; '.join(each.text for each in outcome.over_budget)}"
    if outcome.mark is not None:
        return outcome.mark_reason
    cause = _OF_LIBBPF.sub("", deciding_line(outcome.log) or outcome.reason)
    return f"{answer(outcome)}: {cause}" if cause else answer(outcome)


def _bare(said: str, name: str) -> str:
    return re.sub(rf"\b{re.escape(name)}\b", "\0", said)


def _names(parts: Sequence[PartResult]) -> str:
    """Return the names of some parts; what is so of programs is so of all of them together, which needs no saying."""
    names = [part.name for part in parts if part.about] or [part.name for part in parts]
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
