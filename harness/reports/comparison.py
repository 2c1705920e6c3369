"""A comparison of two runs as a reader sees it: Markdown, and JSON for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.answers.compare import Change, ChangeKind, Comparison, CostChange, CostWord
from harness.answers.seen import Seen
from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED
from harness.model.results import RunInfo
from harness.reports import wording
from harness.reports.grid import plural
from harness.reports.markdown import escape
from harness.reports.text import one_line

SCHEMA = 1
MOST_ROWS = 200
"""Rows of one table in Markdown: what is more is counted, and is in the JSON."""

LONGEST_REASON = 300
"""Characters of one reason."""

TITLES: Mapping[ChangeKind, str] = {
    ChangeKind.REGRESSION: "New failures",
    ChangeKind.UNANSWERED: "No answer any more",
    ChangeKind.GONE: "Gone: tried before, and not any more",
    ChangeKind.REASON: "Wrong as before, but otherwise",
    ChangeKind.SURPRISE: "Works, though its rule says that it does not",
    ChangeKind.FIRST_FAILURE: "Wrong, and the earlier run had no answer",
    ChangeKind.ANSWER: "Another answer, as its rule expects",
    ChangeKind.EXPECTATION: "Only the expectation changed",
    ChangeKind.FIXED: "Fixed",
    ChangeKind.ANSWERED: "Answered now",
    ChangeKind.NEW: "New",
}
"""The headings, in the order of a page: what somebody must look at comes first."""

_MEANINGS = {
    EXIT_OK: "nothing became worse",
    EXIT_UNEXPECTED: "something became worse, or is not tried any more",
    EXIT_HARNESS: "something has no answer any more",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """Some changes that are the same but for their rows: what changed, on which rows, from what, to what."""

    kind: ChangeKind
    what: str
    kernels: tuple[str, ...]
    before: str
    after: str
    reason: str


def lines_of(comparison: Comparison) -> tuple[Line, ...]:
    """Return the changes of a comparison in the order of `TITLES`, rows of the same change together.

    What is gone or new with its whole row or case is not among them: `only_in_one` says that once.
    """
    found: dict[tuple[str, ...], list[Change]] = {}
    for kind in TITLES:
        for change in _single(comparison, kind):
            key = (kind, change.place.what, _state(change.base), _state(change.head), _reason(change))
            found.setdefault(key, []).append(change)
    return tuple(
        Line(
            kind=ChangeKind(kind),
            what=what,
            kernels=tuple(change.place.kernel for change in changes),
            before=before,
            after=after,
            reason=reason,
        )
        for (kind, what, before, after, reason), changes in found.items()
    )


def _single(comparison: Comparison, kind: ChangeKind) -> tuple[Change, ...]:
    """Return the changes of a kind that have to be said one by one."""
    changes = comparison.of_kind(kind)
    if kind not in (ChangeKind.GONE, ChangeKind.NEW):
        return changes
    if comparison.common:
        return ()
    rows = {*comparison.gone_kernels, *comparison.new_kernels}
    cases = {*comparison.gone_cases, *comparison.new_cases}
    return tuple(each for each in changes if each.place.kernel not in rows and each.place.case not in cases)


def only_in_one(comparison: Comparison) -> tuple[str, ...]:
    """Return a line for the rows, and one for the cases, that only one of the runs has; none where there are none."""
    found = {
        "rows that only the new run has": comparison.new_kernels,
        "rows that only the earlier run has": comparison.gone_kernels,
        "cases that only the new run has": comparison.new_cases,
        "cases that only the earlier run has": comparison.gone_cases,
    }
    return tuple(f"{title} ({len(names)}): {_bounded(names)}" for title, names in found.items() if names)


def headline(comparison: Comparison) -> str:
    """Return what changed, in one or two sentences: how many of each kind, and what the exit code means."""
    counts = [(title, len(comparison.of_kind(kind))) for kind, title in TITLES.items()]
    changed = ", ".join(
        f"{kind.value}: {count}" for (kind, _), (_, count) in zip(TITLES.items(), counts, strict=True) if count
    )
    code = comparison.exit_code
    said = changed or "nothing changed"
    return f"{said}; as before: {comparison.same}. Exit code {code}: {_MEANINGS[code]}."


def markdown(comparison: Comparison) -> str:
    """Return a comparison as Markdown, bounded; nothing that a guest wrote acts as markup in it."""
    blocks = [
        f"# {escape(comparison.head.id)} compared with {escape(comparison.base.id)}",
        f"**{escape(headline(comparison))}**",
        *(f"- {escape(note)}" for note in comparison.notes),
    ]
    lines = lines_of(comparison)
    for kind, title in TITLES.items():
        own = [line for line in lines if line.kind is kind]
        if own:
            rows = [(line.what, ", ".join(line.kernels), line.before, line.after, line.reason) for line in own]
            blocks += [f"## {title}", _table(("what", "where", "before", "now", "why"), rows)]
    if comparison.kernels:
        others = [
            (each.kernel, what, before, after)
            for each in comparison.kernels
            for what, (before, after) in each.changed.items()
            if what != "file" or "package" not in each.changed
        ]
        blocks += ["## Rows that are not what they were", _table(("row", "what", "before", "now"), others)]
    blocks += [escape(line).capitalize() for line in only_in_one(comparison)]
    costs = [each for each in comparison.costs if each.word is not CostWord.STABLE]
    if costs:
        changed = [_cost_row(each) for each in sorted(costs, key=lambda each: -abs(each.ratio))]
        blocks += ["## Costs", _table(("what", "where", "measure", "before", "now", "change"), changed)]
    return "\n\n".join(blocks) + "\n"


def _bounded(names: tuple[str, ...], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _cost_row(cost: CostChange) -> tuple[str, ...]:
    return (
        cost.what,
        cost.place.kernel,
        cost.measure,
        str(cost.base),
        str(cost.head),
        cost_change(cost),
    )


def cost_change(cost: CostChange) -> str:
    """Return how a cost changed, and how near it is to the kernel's limit: `+30%, significant, 86.1% of the limit`."""
    share = "" if cost.share is None else f", {cost.share:.1%} of the limit"
    return f"{cost.ratio:+.0%}, {cost.word}{share}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    every = list(rows)
    text = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    text += [f"| {' | '.join(escape(value) for value in row)} |" for row in every[:MOST_ROWS]]
    if len(every) > MOST_ROWS:
        text += ["", f"... and {plural(len(every) - MOST_ROWS, 'more line')}; the JSON has all."]
    return "\n".join(text)


def _state(seen: Seen | None) -> str:
    return "-" if seen is None else f"{seen.verdict}: {wording.brief(seen.outcome)}"


def _reason(change: Change) -> str:
    """Return why the new run says what it says, where somebody has to know it."""
    if change.head is None or change.kind in (ChangeKind.NEW, ChangeKind.FIXED, ChangeKind.ANSWERED):
        return ""
    return one_line(change.head.reason or change.head.outcome.reason, limit=LONGEST_REASON)


def as_json(comparison: Comparison) -> str:
    """Return a comparison as JSON, whole; `schema` says in which form."""
    return json.dumps(_document(comparison), indent=2) + "\n"


def _document(comparison: Comparison) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "base": _run(comparison.base),
        "head": _run(comparison.head),
        "exit_code": comparison.exit_code,
        "counts": {str(kind): len(comparison.of_kind(kind)) for kind in TITLES} | {"as before": comparison.same},
        "notes": list(comparison.notes),
        "changes": [
            {
                "kind": str(each.kind),
                "kernel": each.place.kernel,
                "case": each.place.case,
                "part": each.place.part,
                "before": _seen(each.base),
                "now": _seen(each.head),
            }
            for each in comparison.changes
        ],
        "costs": [
            {
                "kernel": each.place.kernel,
                "case": each.place.case,
                "part": each.place.part,
                "program": each.program,
                "measure": each.measure,
                "limit": each.limit,
                "before": each.base,
                "now": each.head,
                "word": str(each.word),
            }
            for each in comparison.costs
        ],
        "kernels": [
            {"kernel": each.kernel, "changed": {what: list(pair) for what, pair in each.changed.items()}}
            for each in comparison.kernels
        ],
        "new_kernels": list(comparison.new_kernels),
        "gone_kernels": list(comparison.gone_kernels),
        "new_cases": list(comparison.new_cases),
        "gone_cases": list(comparison.gone_cases),
    }


def _run(run: RunInfo) -> dict[str, Any]:
    return {"id": run.id, "started": run.started, "version": run.version, "complete": run.complete}


def _seen(seen: Seen | None) -> dict[str, str] | None:
    if seen is None:
        return None
    said = one_line(seen.reason or seen.outcome.reason)
    return {"verdict": str(seen.verdict), "outcome": wording.brief(seen.outcome), "reason": said}
