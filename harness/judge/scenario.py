"""What a scenario did, as steps of a case, which the host knows from what the agent announced and reported. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.facts.records import CaseRecord
from harness.model.results import Difference, DifferenceKind, Origin, Stage
from harness.scenario.case import EXPECT, SCENARIO_END, AgentStep, Case

NOTHING_DONE = "did nothing: it made no step"
UNKNOWN_STEP = "step"
"""What stands for a step that was lost with its guest, between those that are known."""


def as_reported(case: Case, record: CaseRecord) -> tuple[Case, CaseRecord]:
    """Return a case that is a scenario with the steps that it announced, and its record without what it caught.

    A refusal that the scenario has caught is its own affair: such a step counts as one that succeeded. Of a guest that
    died, the step that was under way is taken from its console. Any other case is returned as it is.
    """
    if case.scenario is None:
        return case, record
    steps = [_step(announced) for announced in record.announced]
    ending = record.ending
    if ending is not None and ending.step is not None and ending.step[0] == case.id and ending.step[1] >= len(steps):
        stage, op, what = [*ending.announced.split(" ", 2), "", ""][:3]
        known = steps[-1].stage if steps else Stage.OPEN
        steps += [AgentStep(stage=known, op=UNKNOWN_STEP) for _ in range(ending.step[1] - len(steps))]
        steps.append(AgentStep(stage=Stage(stage) if stage in [*Stage] else known, op=op or UNKNOWN_STEP, what=what))
    uncaught = next((each.get("uncaught") for each in record.steps if each["op"] == SCENARIO_END), None)
    must = {each["index"] for each in record.announced if each.get("must_refuse")}
    reports = tuple(
        report
        if report.get("ok")
        or report["op"] in (EXPECT, SCENARIO_END)
        or report.get("index") in must
        or report.get("index") == uncaught
        else {**report, "ok": True}
        for report in record.steps
    )
    return replace(case, steps=tuple(steps)), replace(record, steps=reports)


def _step(announced: Mapping[str, Any]) -> AgentStep:
    return AgentStep(
        stage=Stage(announced["stage"]),
        op=announced["op"],
        what=announced["what"],
        args={"line": announced["line"]},
        refused=tuple(announced.get("must_refuse") or ()),
        message=announced.get("message"),
        origin=tuple(Origin(each) for each in announced.get("origin") or () if each in [*Origin]),
    )


def missed(case: Case, step: AgentStep, name: str, report: Mapping[str, Any]) -> Difference:
    """Return the difference that an expectation makes which does not hold."""
    shown = f": {report['detail']}" if report.get("detail") else ""
    text = f"{_place(case, step.args.get('line', 0))}: expected {step.what}{shown}"
    return Difference(step=name, stage=step.stage, kind=DifferenceKind.EXPECTATION, text=text)


def broken(case: Case, report: Mapping[str, Any]) -> str:
    """Return the sentence that says where a scenario ended, and why: an exception, or a name that is not there."""
    there = report.get("there") or []
    like = difflib.get_close_matches(str(report.get("unknown") or ""), there, n=1)
    near = f'; did you mean "{like[0]}"?' if like else ""
    known = f" (there are: {', '.join(there) or 'none'})" if report.get("unknown") else ""
    return f"{_place(case, report.get('line', 0))}: {report.get('detail', '')}{near}{known}"


def unfinished(case: Case, reports: Sequence[Mapping[str, Any]]) -> str:
    """Say why a scenario gave no complete answer, "" where it did: its process ended by itself, records were lost."""
    if case.scenario is None:
        return ""
    if not reports or reports[-1]["op"] != SCENARIO_END:
        return f"{case.scenario.file} ended its process by itself, before its function was over"
    lost = next((each for each in reports if each["op"] == "read-records" and each.get("lost")), None)
    if lost is not None:
        return f"{lost['lost']} records of {lost['what']} were lost: they came faster than they were read"
    return ""


def did_nothing(case: Case) -> str:
    """Say that a scenario that came to its end has tried nothing, "" where it has."""
    if case.scenario is None or len(case.steps) > 1:
        return ""
    return f"{case.scenario.file}: {NOTHING_DONE}"


def reason_of_scenario(steps: Sequence[AgentStep]) -> str:
    """Return what a scenario is said to have shown where all is as it must be."""
    count = sum(step.op == EXPECT for step in steps)
    held = {0: "it expects nothing beyond that", 1: "its expectation holds"}.get(
        count, f"its {count} expectations hold"
    )
    return f"the scenario came to its end, and {held}"


def _place(case: Case, line: int) -> str:
    file = case.scenario.file if case.scenario else ""
    return f"{file}:{line}" if line else file
