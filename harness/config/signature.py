"""How a rule describes a known bug: the step and stage, the kernel's text, and the exact differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, Strict

from harness.config.base import ErrnoName, Line, Symbol
from harness.config.inspected import Value
from harness.config.reading.models import CheckedModel, Expects
from harness.config.reading.yaml_source import Loc
from harness.config.steps import EventPattern
from harness.model.results import DifferenceKind, ExpectedDifference

StepName = Annotated[
    Line,
    Expects(
        'the name of a step of the case, such as "attach fexit", "trigger run #2", or of a look, such as "observe"'
    ),
]
SignalName = Annotated[str, Field(pattern=r"^SIG[A-Z0-9]+$"), Expects('the name of a signal, such as "SIGSEGV"')]
_SIDES = ("client", "listener", "trace")
_SEEN = (*_SIDES, "retval", "fields", "accepted", "refused", "exit", "arrived", "output", "inspected")


class DifferenceRule(CheckedModel):
    """What one step shows otherwise than the case says; all that the step shows as the case says is left out."""

    step: StepName = Field(
        description='The step: its `do` and what it concerns ("attach fexit", "tail-call entry", "info fentry", '
        '"trigger run", "load tracer"), the second with the same name with " #2" behind it; a look by its phase '
        "(observe, control; look-1, look-2, ... where the case spells out its steps)."
    )
    client: tuple[EventPattern, ...] | None = Field(
        default=None, description="The events of the connecting side that come instead, all of them in order."
    )
    listener: tuple[EventPattern, ...] | None = Field(
        default=None, description="The events of the accepting side that come instead, all of them in order."
    )
    trace: tuple[EventPattern, ...] | None = Field(
        default=None, description="The records of the trace map that come instead, all of them in order."
    )
    retval: Annotated[int, Strict()] | None = Field(default=None, description="What the test run returns instead.")
    fields: Mapping[Symbol, Annotated[int, Strict()]] | None = Field(
        default=None, description="Fields of the kernel's info, and the values that they have instead."
    )
    accepted: Literal[True] | None = Field(
        default=None, description="The kernel accepts what the case says it must refuse."
    )
    holds: Literal[False] | None = Field(
        default=None, description="false: the expectation of a scenario.py, the step `expect REASON`, does not hold."
    )
    refused: ErrnoName | None = Field(
        default=None,
        description="The errno with which the kernel refuses what the case says it must accept (the case "
        "ends there), or what it must refuse with another errno.",
    )

    exit: Annotated[int, Strict(), Field(ge=0, le=255)] | SignalName | Literal["deadline"] | None = Field(
        default=None,
        description="How the command, or the process of a trigger, ends instead: its exit code, the name of the "
        "signal that kills it, or `deadline`.",
    )
    arrived: Annotated[int, Strict(), Field(ge=0)] | None = Field(
        default=None, description="How many packets or connections of the trigger arrive instead."
    )
    output: Literal[False] | None = Field(
        default=None, description="false: nothing in the command's output matches the case's `expect-output`."
    )

    inspected: Mapping[Line, Value] | None = Field(
        default=None,
        description='What is found instead beside events, by kind and name: "global hits", "map seen", "runs on_open", '
        '"records rb" and "printk" (lists).',
    )

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Something must differ."""
        if not any(key in data for key in (*_SEEN, "holds")):
            yield (), f"says of no difference what is seen instead; give one of {', '.join(_SEEN)} or holds"

    def expected(self) -> Iterator[ExpectedDifference]:
        """Yield what this says as the judge compares it."""
        for side in _SIDES:
            patterns: tuple[EventPattern, ...] | None = getattr(self, side)
            if patterns is not None:
                seen = tuple(event_keys(pattern) for pattern in patterns for _ in range(pattern.times))
                yield ExpectedDifference(step=self.step, kind=DifferenceKind.EVENTS, of=side, seen=seen)
        if self.retval is not None:
            yield ExpectedDifference(step=self.step, kind=DifferenceKind.RETVAL, seen=self.retval)
        for field, value in (self.fields or {}).items():
            yield ExpectedDifference(step=self.step, kind=DifferenceKind.FIELD, of=field, seen=value)
        for of, value in (self.inspected or {}).items():
            yield ExpectedDifference(step=self.step, kind=DifferenceKind.INSPECTED, of=of, seen=value)
        if self.accepted:
            yield ExpectedDifference(step=self.step, kind=DifferenceKind.ACCEPTED)
        if self.exit is not None:
            yield ExpectedDifference(step=self.step, kind=DifferenceKind.EXIT, seen=self.exit)
        if self.arrived is not None:
            yield ExpectedDifference(step=self.step, kind=DifferenceKind.ARRIVED, seen=self.arrived)
        if self.output is False:
            yield ExpectedDifference(step=self.step, kind=DifferenceKind.OUTPUT)
        if self.holds is False:
            yield ExpectedDifference(step=self.step, kind=DifferenceKind.EXPECTATION)
        if self.refused is not None:
            yield ExpectedDifference(step=self.step, kind=DifferenceKind.REFUSED, seen=self.refused)


def event_keys(pattern: EventPattern) -> dict[str, Any]:
    """Return the keys of an event that a pattern fixes, with their values."""
    keys = {"kind": pattern.kind, "retval": pattern.retval, "value": pattern.value}
    return {key: value for key, value in keys.items() if value is not None}
