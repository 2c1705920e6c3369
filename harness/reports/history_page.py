"""What became of cells over many runs, as a reader sees it: text lines, Markdown, and JSON for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.answers.history import Answer, Defect, History, Step
from harness.answers.seen import Place, seen_in
from harness.model.results import Report
from harness.reports import wording
from harness.reports.grid import plural
from harness.reports.markdown import escape

SCHEMA = 1


def shown_in(report: Report) -> Mapping[Place, str]:
    """Return what each place of a report has seen, in few words."""
    return {place: f"{seen.verdict}: {wording.brief(seen.outcome)}" for place, seen in seen_in(report).items()}


def headline(history: History) -> str:
    """Return how many runs there are, and what they come to."""
    if not history.runs:
        return "No run has an answer."
    first, last = history.runs[0][0][:10], history.runs[-1][0][:10]
    return (
        f"{plural(len(history.runs), 'run')}, {first} to {last}: {plural(len(history.by_date), 'change')} from one run "
        f"to the next, {plural(len(history.by_version), 'change')} from one build to the next, "
        f"{plural(len(history.defects), 'defect')} (different answers for the same inputs)."
    )


def date_line(step: Step) -> str:
    """Return a change from one run to the next: last seen so, first seen so, and on which builds."""
    before, after = step.before, step.after
    then = "the same build" if before.build.identity == after.build.identity else after.build.exact
    until, since = before.started[:10], after.started[:10]
    return (
        f"{after.place.what} on {after.place.kernel}: {before.shown} until {until} ({before.build.exact}), "
        f"{after.shown} from {since} ({then})"
    )


def version_line(step: Step) -> str:
    """Return a change from one build to the next; who reads it knows the last good and the first bad one."""
    before, after = step.before, step.after
    where = f"{after.build.arch}, {after.build.distribution or 'no known distribution'}"
    return (
        f"{after.place.what} ({where}): {before.shown} on {before.build.shown}{_mark(before)}, "
        f"{after.shown} on {after.build.shown}{_mark(after)}"
    )


def _mark(answer: Answer) -> str:
    return "" if answer.build.exact == answer.build.shown else f" ({answer.build.exact})"


def defect_line(defect: Defect) -> str:
    """Return what different answers there were for the same inputs, and in which runs."""
    said = "; ".join(f"{answer.shown} in {answer.run}" for answer in defect.answers)
    return f"{defect.place.what} on {defect.place.kernel}: {said}"


def markdown(history: History) -> str:
    """Return a history as Markdown; nothing that a guest wrote acts as markup in it."""
    blocks = ["# History", escape(headline(history))]
    sections = (
        ("Defects: different answers for the same inputs", [defect_line(each) for each in history.defects]),
        ("By date", [date_line(each) for each in history.by_date]),
        ("By version", [version_line(each) for each in history.by_version]),
    )
    for title, lines in sections:
        if lines:
            blocks += [f"## {title}", "\n".join(f"- {escape(line)}" for line in lines)]
    return "\n\n".join(blocks) + "\n"


def as_json(history: History) -> str:
    """Return a history as JSON; `schema` says in which form."""
    document = {
        "schema": SCHEMA,
        "runs": [{"id": run, "started": started} for started, run in history.runs],
        "defects": [
            {**_place(defect.place), "answers": [_answer(answer) for answer in defect.answers]}
            for defect in history.defects
        ],
        "by_date": [_step(each) for each in history.by_date],
        "by_version": [_step(each) for each in history.by_version],
    }
    return json.dumps(document, indent=2) + "\n"


def _step(step: Step) -> dict[str, Any]:
    return {**_place(step.after.place), "before": _answer(step.before), "after": _answer(step.after)}


def _place(place: Place) -> dict[str, str]:
    return {"kernel": place.kernel, "case": place.case, "part": place.part}


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "run": answer.run,
        "started": answer.started,
        "kernel": answer.place.kernel,
        "version": answer.build.shown,
        "package": answer.build.exact,
        "verdict": str(answer.verdict),
        "works": answer.works,
        "seen": answer.shown,
    }
