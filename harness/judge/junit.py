"""The JUnit files that a command has written, as sub-results of its cell. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.facts.records import CaseRecord
from harness.judge.parts import summary_of
from harness.model.results import Difference, DifferenceKind, Outcome, OutcomeKind, PartResult, Stage, Verdict
from harness.scenario.case import COLLECT, Case, step_names

MOST_PARTS = 20_000
"""How many sub-results a cell may have."""
MOST_CHARACTERS = 20_000
"""How much of a test's own text is kept."""


class JunitError(ValueError):
    """A file is no JUnit file: why, as a sentence."""


def parts_of_files(files: Mapping[str, str]) -> tuple[PartResult, ...]:
    """Return the test cases in JUnit files (path -> text) as sub-results, in order; raise JunitError.

    A part is called by its class and name, as `class.name`, or by its name alone; the same tests always have the same
    names. A second one of a name has `#2` behind it.
    """
    found: list[PartResult] = []
    counts: dict[str, int] = {}
    for path, text in files.items():
        for case in _test_cases(path, text):
            if len(found) == MOST_PARTS:
                raise JunitError(f"there are more than {MOST_PARTS} test cases")
            name = _name(case)
            counts[name] = number = counts.get(name, 0) + 1
            found.append(_part(name if number == 1 else f"{name}#{number}", case))
    return tuple(found)


def with_test_cases(case: Case, record: CaseRecord, outcome: Outcome) -> tuple[Outcome, tuple[PartResult, ...]]:
    """Return an outcome with what the JUnit files say, and the test cases in them as sub-results.

    A command that ended well is not green where a test case failed, where there is no test case, or where a file is no
    JUnit file. An outcome that is no complete answer stays as it is.
    """
    index = next((number for number, step in enumerate(case.steps) if step.op == COLLECT), None)
    if index is None or outcome.kind not in (OutcomeKind.WORKS, OutcomeKind.MISBEHAVES):
        return outcome, ()
    step, name = case.steps[index], step_names(case.steps)[index]
    report = next((each for each in record.steps if each["op"] == COLLECT), {})
    parts, wrong = tuple[PartResult, ...](), ""
    try:
        parts = parts_of_files(record.files)
    except JunitError as error:
        wrong = str(error)
    if not wrong and report.get("left_out"):
        wrong = f"too large or too many to be read: {', '.join(map(str, report['left_out'][:5]))}"
    elif not wrong and not parts:
        there = "has a test case" if record.files else "is there"
        wrong = f"no file {there} that matches {step.args.get('pattern')}"
    failed = sum(part.outcome.kind == OutcomeKind.MISBEHAVES for part in parts)
    if outcome.kind == OutcomeKind.WORKS and not wrong and not failed:
        return replace(outcome, reason=summary_of(parts)), parts
    text = wrong or summary_of(parts)
    if outcome.kind == OutcomeKind.MISBEHAVES:
        return replace(outcome, reason=f"{outcome.reason}; {text}"), parts
    found = Difference(step=name, stage=step.stage, kind=DifferenceKind.TESTS, text=text, seen=failed)
    return replace(
        outcome, kind=OutcomeKind.MISBEHAVES, reason=text, stage=step.stage, differences=(*outcome.differences, found)
    ), parts


def _test_cases(path: str, text: str) -> Iterator[ET.Element]:
    # Nothing that writes JUnit needs a document type; entities, which could grow without bounds, come only in one.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise JunitError(f"{path} has a document type, which a JUnit file has no use for")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise JunitError(f"{path} is not XML: {error}") from error
    if root.tag.rpartition("}")[2] not in ("testsuites", "testsuite"):
        raise JunitError(f"{path} is no JUnit file: it begins with <{root.tag}>, not <testsuites> or <testsuite>")
    return (element for element in root.iter() if element.tag.rpartition("}")[2] == "testcase")


def _name(case: ET.Element) -> str:
    """Return what a test case is called: without spaces, as the names of parts are."""
    name, group = case.get("name") or "unnamed", case.get("classname") or ""
    whole = name if not group or name.startswith(f"{group}.") else f"{group}.{name}"
    return "_".join(whole.split()) or "unnamed"


def _part(name: str, case: ET.Element) -> PartResult:
    seconds = _seconds(case.get("time"))
    for child in case:
        kind = child.tag.rpartition("}")[2]
        said = " ".join((child.get("message") or (child.text or "").strip().split("\n", 1)[0]).split())[:1000]
        if kind == "skipped":
            reason = f"skipped: {said}" if said else "skipped"
            outcome = Outcome(kind=OutcomeKind.NOT_APPLICABLE, reason=reason, seconds=seconds)
            return PartResult(name=name, outcome=outcome, verdict=Verdict.NOT_APPLICABLE, verdict_reason=reason)
        if kind in ("failure", "error"):
            reason = f"{kind}: {said}" if said else kind
            output = "\n".join(text.strip() for text in (child.text or "", *_written(case)) if text.strip())
            outcome = Outcome(
                kind=OutcomeKind.MISBEHAVES,
                reason=reason,
                stage=Stage.TRIGGER,
                seconds=seconds,
                output=output[-MOST_CHARACTERS:],
            )
            return PartResult(name=name, outcome=outcome, verdict=Verdict.FAIL, verdict_reason=reason)
    outcome = Outcome(kind=OutcomeKind.WORKS, reason="passed", seconds=seconds)
    return PartResult(name=name, outcome=outcome, verdict=Verdict.PASS, verdict_reason="passed")


def _written(case: ET.Element) -> Iterator[str]:
    return (child.text or "" for child in case if child.tag.rpartition("}")[2] in ("system-out", "system-err"))


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float((text or "").replace(",", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e9 else None
