"""report.json: everything a run found, for programs. docs/report-json.md describes each key.

The schema is stable: keys may be added, none changes its meaning or is deleted. `render` writes it, `parse` reads
it back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import Any, NoReturn, TypeVar

from harness.errors import ConfigError
from harness.model.results import (
    AllowedSplat,
    CellResult,
    Difference,
    DifferenceKind,
    Expectation,
    ExpectedDifference,
    KernelResult,
    Origin,
    Outcome,
    OutcomeKind,
    PackageInfo,
    Report,
    RunInfo,
    Stage,
    Start,
    Verdict,
)
from harness.reports import grid
from harness.reports.bounded import bounded
from harness.reports.text import bound, one_line, without_surrogates

SCHEMA = 1

LONGEST_TEXT = 64_000
"""Characters of one string in report.json; of a longer one the head and the tail are kept."""

MOST_ITEMS = 1_000
"""Entries of one list of lines or events in report.json."""

_Choice = TypeVar("_Choice", bound=StrEnum)
_Item = TypeVar("_Item")


def limited(report: Report) -> Report:
    """Return `report` as report.json carries it: the whole grid, bounded, without lone surrogates.

    `parse(render(report)) == limited(report)`, and a Report that is within the limits is not changed.
    """
    string = partial(bound, limit=LONGEST_TEXT, each=without_surrogates)
    return bounded(grid.completed(report), string=string, items=MOST_ITEMS)


def render(report: Report) -> str:
    """Return report.json for `report`: ASCII only, the same text for the same Report."""
    report = limited(report)
    verdicts = {str(verdict): count for verdict, count in grid.counts(report).items()}
    document = {
        "schema": SCHEMA,
        "run": asdict(report.run) | {"verdicts": verdicts},
        "kernels": [asdict(kernel) for kernel in report.kernels],
        "cases": [{"id": case, "title": title} for case, title in report.cases],
        "cells": [_cell(cell) for cell in report.cells],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _cell(cell: CellResult) -> dict[str, Any]:
    outcome = cell.outcome
    return {
        "kernel": cell.kernel,
        "case": cell.case,
        "title": cell.title,
        "outcome": outcome.kind,
        "verdict": cell.verdict,
        "verdict_reason": cell.verdict_reason,
        "stage": outcome.stage,
        "errno": outcome.errno,
        "errno_name": outcome.errno_name,
        "origin": outcome.origin,
        "refusal": outcome.refusal,
        "advice": outcome.advice,
        "asked": outcome.asked,
        "candidates": outcome.candidates,
        "reason": outcome.reason,
        "expected": asdict(cell.expectation),
        "log": outcome.log,
        "events": outcome.events,
        "splats": outcome.splats,
        "allowed_splats": [asdict(splat) for splat in outcome.allowed_splats],
        "counted_splats": outcome.counted_splats,
        "differences": [asdict(difference) for difference in outcome.differences],
        "step": outcome.step,
        "crash": outcome.crash,
        "reset": outcome.reset,
        "cause": outcome.cause,
        "cause_name": outcome.cause_name,
        "console_tail": outcome.console_tail,
        "seconds": outcome.seconds,
        "start": cell.start,
        "isolated": cell.isolated,
        "wrong_input": outcome.wrong_input,
    }


def parse(text: str, *, name: str = "report.json") -> Report:
    """Return the Report that `text`, the content of a report.json, describes.

    Keys that this version does not know are passed over. `name` stands for the file in messages. Raises
    ConfigError where `text` is no JSON, has another schema number, or misses something that schema 1 has.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{name}: this is not JSON. The file is damaged or was cut short; run the matrix again to get a new one."
        ) from error
    root = _Node(value=document, path="", file=name)
    schema = root.key("schema").integer()
    if schema != SCHEMA:
        raise ConfigError(
            f"{name}: schema {schema} was found, and this bpfmatrix reads schema {SCHEMA} only. "
            "Read the file with the bpfmatrix that wrote it, or run the matrix again."
        )
    return Report(
        run=_read_run(root.key("run")),
        kernels=root.key("kernels").each(_read_kernel),
        cases=root.key("cases").each(lambda case: (case.key("id").text(), case.key("title").text())),
        cells=root.key("cells").each(_read_cell),
    )


@dataclass(frozen=True, kw_only=True)
class _Node:
    """A value of the document, and where in which file it is."""

    value: Any
    path: str
    file: str

    def fail(self, expected: str) -> NoReturn:
        place = self.path or "the document"
        found = one_line(json.dumps(self.value), limit=80)
        raise ConfigError(
            f"{self.file}: {place}: expected {expected}, found {found}. The file is damaged or was not "
            "written by bpfmatrix; run the matrix again to get a new one."
        )

    def key(self, key: str, **missing: Any) -> _Node:
        """Return the value of `key`; `missing=VALUE` stands for a key that came to the schema later."""
        if isinstance(self.value, dict) and key not in self.value and missing:
            return self._inner(missing["missing"], f".{key}")
        if not isinstance(self.value, dict) or key not in self.value:
            self.fail(f"an object with the key {key}")
        return self._inner(self.value[key], f".{key}" if self.path else key)

    def _inner(self, value: Any, step: str) -> _Node:
        return _Node(value=value, path=f"{self.path}{step}", file=self.file)

    def each(self, read: Callable[[_Node], _Item]) -> tuple[_Item, ...]:
        if not isinstance(self.value, list):
            self.fail("a list")
        return tuple(read(self._inner(item, f"[{index}]")) for index, item in enumerate(self.value))

    def mapping(self, read: Callable[[_Node], _Item]) -> dict[str, _Item]:
        return {key: read(self.key(key)) for key in self.object()}

    def optional(self, read: Callable[[_Node], _Item]) -> _Item | None:
        return None if self.value is None else read(self)

    def object(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            self.fail("an object")
        return self.value

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.fail("a string")
        return self.value

    def texts(self) -> tuple[str, ...]:
        return self.each(_Node.text)

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            self.fail("true or false")
        return self.value

    def integer(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.fail("an integer")
        return self.value

    def number(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.fail("a number")
        if not math.isfinite(self.value):
            self.fail("a finite number")
        return self.value

    def choice(self, kind: type[_Choice]) -> _Choice:
        try:
            return kind(self.value)
        except ValueError:
            self.fail(f"one of {', '.join(kind)}")


def _read_run(node: _Node) -> RunInfo:
    return RunInfo(
        id=node.key("id").text(),
        started=node.key("started").text(),
        seconds=node.key("seconds").number(),
        version=node.key("version").text(),
        command=node.key("command").text(),
        host=node.key("host").mapping(_Node.text),
        accel=node.key("accel").text(),
        accel_reason=node.key("accel_reason").text(),
        jobs=node.key("jobs").integer(),
        complete=node.key("complete").truth(),
        exit_code=node.key("exit_code").integer(),
        notices=node.key("notices").texts(),
    )


def _read_package(node: _Node) -> PackageInfo:
    return PackageInfo(
        source=node.key("source").text(),
        name=node.key("name").text(),
        version=node.key("version").text(),
        sha256=node.key("sha256").text(),
        suite=node.key("suite").text(),
        notice=node.key("notice").text(),
    )


def _read_kernel(node: _Node) -> KernelResult:
    return KernelResult(
        name=node.key("name").text(),
        arch=node.key("arch").text(),
        release=node.key("release").text(),
        version=node.key("version").text(),
        accel=node.key("accel").text(),
        transport=node.key("transport").text(),
        qemu_version=node.key("qemu_version").text(),
        libbpf_version=node.key("libbpf_version").text(),
        package=node.key("package").optional(_read_package),
        seconds=node.key("seconds").mapping(_Node.number),
        environment=node.key("environment").object(),
        boots=node.key("boots").integer(),
        memory=node.key("memory", missing=0.0).number(),
        problems=node.key("problems").texts(),
        console_tail=node.key("console_tail").texts(),
        run=node.key("run", missing="").text(),
    )


def _origin(node: _Node) -> Origin:
    return node.choice(Origin)


def _read_expectation(node: _Node) -> Expectation:
    return Expectation(
        outcome=node.key("outcome").choice(OutcomeKind),
        reason=node.key("reason").text(),
        source=node.key("source").text(),
        stage=node.key("stage").optional(lambda stage: stage.choice(Stage)),
        errno=node.key("errno").texts(),
        origin=node.key("origin", missing=[]).each(_origin),
        refusal=node.key("refusal").text(),
        message=node.key("message").optional(_Node.text),
        known_bug=node.key("known_bug").truth(),
        arch=node.key("arch", missing=[]).texts(),
        version=node.key("version", missing="").text(),
        since=node.key("since", missing=[]).texts(),
        fixed=node.key("fixed", missing=[]).texts(),
        step=node.key("step", missing="").text(),
        splats=node.key("splats", missing=[]).texts(),
        differences=node.key("differences", missing=[]).each(_read_expected_difference),
        panic=node.key("panic", missing=[]).texts(),
        reset=node.key("reset", missing=False).truth(),
        cause=node.key("cause", missing="").text(),
        cause_name=node.key("cause_name", missing="").text(),
    )


def _read_expected_difference(node: _Node) -> ExpectedDifference:
    return ExpectedDifference(
        step=node.key("step").text(),
        kind=node.key("kind").choice(DifferenceKind),
        of=node.key("of").text(),
        seen=_read_seen(node.key("seen")),
    )


def _read_difference(node: _Node) -> Difference:
    return Difference(
        step=node.key("step").text(),
        kind=node.key("kind").choice(DifferenceKind),
        text=node.key("text").text(),
        stage=node.key("stage").optional(lambda stage: stage.choice(Stage)),
        of=node.key("of").text(),
        seen=_read_seen(node.key("seen")),
    )


def _read_seen(node: _Node) -> Any:
    return node.each(_Node.object) if isinstance(node.value, list) else node.value


def _read_allowed_splat(node: _Node) -> AllowedSplat:
    return AllowedSplat(
        line=node.key("line").text(),
        count=node.key("count").integer(),
        pattern=node.key("pattern").text(),
        reason=node.key("reason").text(),
        link=node.key("link").text(),
        expires=node.key("expires").text(),
    )


def _read_cell(node: _Node) -> CellResult:
    outcome = Outcome(
        kind=node.key("outcome").choice(OutcomeKind),
        reason=node.key("reason").text(),
        stage=node.key("stage").optional(lambda stage: stage.choice(Stage)),
        errno=node.key("errno").optional(_Node.integer),
        errno_name=node.key("errno_name").optional(_Node.text),
        origin=node.key("origin", missing=None).optional(_origin),
        refusal=node.key("refusal").text(),
        advice=node.key("advice").text(),
        asked=node.key("asked", missing={}).object(),
        candidates=node.key("candidates", missing=[]).texts(),
        log=node.key("log").text(),
        events=node.key("events").each(_Node.object),
        splats=node.key("splats").texts(),
        allowed_splats=node.key("allowed_splats", missing=[]).each(_read_allowed_splat),
        counted_splats=node.key("counted_splats", missing=[]).texts(),
        differences=node.key("differences", missing=[]).each(_read_difference),
        step=node.key("step", missing="").text(),
        crash=node.key("crash", missing="").text(),
        reset=node.key("reset", missing="").text(),
        cause=node.key("cause", missing="").text(),
        cause_name=node.key("cause_name", missing="").text(),
        console_tail=node.key("console_tail").texts(),
        seconds=node.key("seconds").optional(_Node.number),
        wrong_input=node.key("wrong_input", missing=False).truth(),
    )
    return CellResult(
        kernel=node.key("kernel").text(),
        case=node.key("case").text(),
        title=node.key("title").text(),
        outcome=outcome,
        expectation=_read_expectation(node.key("expected")),
        verdict=node.key("verdict").choice(Verdict),
        verdict_reason=node.key("verdict_reason").text(),
        start=node.key("start", missing=None).optional(lambda start: start.choice(Start)),
        isolated=node.key("isolated", missing=False).truth(),
    )
