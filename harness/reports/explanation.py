"""The failures of a run by their cause, as a reader sees them: Markdown, and JSON for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.answers.explain import Cause, Explanation, Party
from harness.reports import wording
from harness.reports.grid import plural
from harness.reports.markdown import escape
from harness.reports.text import one_line

SCHEMA = 1
MOST_NAMED = 12
"""Rows or cases that a cause names; more are counted."""

WHOLE = 2000
"""Characters of a cause's reason: no message of ours is longer, what a program said may be."""


def headline(explanation: Explanation) -> str:
    """Return how many causes there are, and of whom."""
    if not explanation.causes and not explanation.problems:
        return "Nothing failed: every cell has an answer, and came out as its case expects."
    counts = [(party, [cause for cause in explanation.causes if cause.party is party]) for party in Party]
    found = ", ".join(
        f"{party}: {plural(len(causes), 'cause')} ({sum(len(cause.places) for cause in causes)} results)"
        for party, causes in counts
        if causes
    )
    problems = plural(len(explanation.problems), "problem of a row") if explanation.problems else ""
    return "; ".join(text for text in (found, problems) if text) + "."


def lines_of(cause: Cause) -> tuple[tuple[str, str], ...]:
    """Return what is said of one cause, each with its label: what, where, the reason, the line, how to see it."""
    seen = cause.seen
    found = (
        ("What", named(cause.what)),
        ("Where", named(cause.kernels)),
        ("Happened", f"{seen.verdict}: {wording.brief(seen.outcome)}"),
        ("Why", one_line(seen.reason or seen.outcome.reason, limit=WHOLE)),
        ("Log", one_line(cause.line) if cause.line and cause.line not in seen.reason else ""),
        ("Advice", one_line(seen.outcome.advice)),
        ("Again", cause.again),
    )
    return tuple((label, text) for label, text in found if text)


def named(names: Sequence[str]) -> str:
    """Return some names as one line; of many the first ones and how many more."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def markdown(explanation: Explanation) -> str:
    """Return the failures as Markdown; nothing that a guest wrote acts as markup in it."""
    blocks = [f"# Failures of {escape(explanation.report.run.id)}", escape(headline(explanation))]
    for party in Party:
        own = [cause for cause in explanation.causes if cause.party is party]
        if own:
            blocks.append(f"## {party[0].upper()}{party[1:]}")
        for cause in own:
            items = [
                f"  - **{label}:** " + (f"`{text}`" if label == "Again" and "`" not in text else escape(text))
                for label, text in lines_of(cause)
            ]
            blocks.append("\n".join([f"- {plural(len(cause.places), 'result')} of one cause", *items]))
    if explanation.problems:
        blocks.append("## Problems of rows that no cell carries")
        blocks.append("\n".join(f"- {escape(kernel)}: {escape(text)}" for kernel, text in explanation.problems))
    return "\n\n".join(blocks) + "\n"


def as_json(explanation: Explanation) -> str:
    """Return the failures as JSON, whole; `schema` says in which form."""
    return json.dumps(document(explanation), indent=2) + "\n"


def document(explanation: Explanation) -> dict[str, Any]:
    """Return the failures as JSON has them."""
    return {
        "schema": SCHEMA,
        "run": explanation.report.run.id,
        "causes": [
            {
                "party": cause.party.name.lower(),
                "results": [{"kernel": place.kernel, "case": place.case, "part": place.part} for place in cause.places],
                "verdict": str(cause.seen.verdict),
                "outcome": wording.brief(cause.seen.outcome),
                "class": cause.seen.outcome.refusal,
                "reason": one_line(cause.seen.reason or cause.seen.outcome.reason),
                "line": one_line(cause.line),
                "again": cause.again,
            }
            for cause in explanation.causes
        ],
        "problems": [{"kernel": kernel, "problem": one_line(text)} for kernel, text in explanation.problems],
    }
