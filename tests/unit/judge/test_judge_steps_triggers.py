"""What triggers report, compared with what a case says must come of them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from harness.config.triggers import Trigger
from harness.facts.records import CaseRecord
from harness.judge.outcome import outcome_of
from harness.model.results import DifferenceKind, Outcome, OutcomeKind, Stage
from harness.mutants.expectations import step_mutants_of
from harness.mutants.steps import pretended
from harness.scenario.case import AgentStep, Case
from harness.scenario.single_steps import triggering

ENDED: dict[str, Any] = {"exit": 0, "signal": None, "timed_out": False, "bytes": 0, "cut": 0, "child": 7}
CASE_END: dict[str, Any] = {
    "complete": True,
    "signal": None,
    "timed_out": False,
    "seconds": 0.1,
    "kernel_log": [],
    "left": [],
}


def step_of(**written: Any) -> AgentStep:
    return triggering(TypeAdapter(Trigger).validate_python(written), phase="observe")


def outcome(step: AgentStep, *, output: str = "", **report: Any) -> Outcome:
    case = Case(id="it", title="it", steps=(step,))
    line = {"index": 0, "stage": "trigger", "op": "trigger", "what": step.what, "phase": step.phase, "ok": True}
    lines = ({"text": output, "cut": 0},) if output else ()
    end = {**CASE_END, "kernel_log_lost": 0}
    return outcome_of(case, CaseRecord(steps=({**line, **report},), output=lines, end=end))


@pytest.mark.parametrize(
    ("written", "end", "seen", "text"),
    [
        ({"command": "./my-test -v"}, {"exit": 3}, 3, "my-test ended with exit code 3: what it wrote"),
        ({"command": "a", "exit": 3}, {}, 0, "a ended with exit code 0, and must with exit code 3"),
        ({"command": "a", "exit": "any"}, {"exit": None, "signal": "SIGSEGV"}, "SIGSEGV", "a was killed by SIGSEGV"),
        ({"command": "a", "deadline": 2}, {"timed_out": True}, "deadline", "a did not end within its deadline of 2 s"),
    ],
)
def test_a_program_that_ends_otherwise_is_red(written: dict[str, Any], end: Any, seen: Any, text: str) -> None:
    found = outcome(step_of(kind="exec", **written), output="what it wrote", **(ENDED | end))
    assert (found.kind, found.stage) == (OutcomeKind.MISBEHAVES, Stage.TRIGGER)
    (difference,) = found.differences
    assert (difference.step, difference.kind, difference.seen) == ("trigger exec", DifferenceKind.EXIT, seen)
    assert text in difference.text
    assert found.output == "what it wrote"


def test_what_a_program_of_a_trigger_lacks_is_brought_by_the_keys_that_a_case_has() -> None:
    found = outcome(
        step_of(kind="exec", command="./it"), output="it: line 2: bpftool: not found", **(ENDED | {"exit": 127})
    )
    (difference,) = found.differences
    assert "the command bpftool is not in the guest: name it in `files:`, or give one that" in difference.text
    assert "packages" not in difference.text


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ({"kind": "exec", "command": "a"}, {}),
        ({"kind": "exec", "command": "a", "exit": 3}, {"exit": 3}),
        ({"kind": "exec", "command": "a", "exit": "any"}, {"exit": 9}),
        ({"kind": "fork", "exit": 4}, {"exit": 4}),
    ],
)
def test_one_that_ends_as_it_must_is_green(written: dict[str, Any], end: dict[str, Any]) -> None:
    assert outcome(step_of(**written), **{**ENDED, **end}).kind == OutcomeKind.WORKS


def test_a_child_that_was_killed_is_red() -> None:
    found = outcome(step_of(kind="fork"), **{**ENDED, "exit": None, "signal": "SIGKILL"})
    assert "the child was killed by SIGKILL" in found.reason


def test_what_does_not_arrive_is_red_and_says_why() -> None:
    step = step_of(kind="udp", to="192.0.2.2", count=3, **{"from-namespace": "one", "to-namespace": "two"})
    found = outcome(step, arrived=1, of=3, why="EPERM")
    assert found.kind == OutcomeKind.MISBEHAVES
    (difference,) = found.differences
    assert (difference.kind, difference.seen) == (DifferenceKind.ARRIVED, 1)
    assert difference.text == (
        "of 3 x udp to 192.0.2.2 from the namespace one in the namespace two 3 must arrive, but 1 did (EPERM)"
    )
    assert outcome(step, arrived=3, of=3).kind == OutcomeKind.WORKS


@pytest.mark.parametrize(("arrive", "arrived", "works"), [("none", 0, True), ("none", 1, False), ("any", 0, True)])
def test_what_must_not_arrive_or_may(arrive: str, arrived: int, works: bool) -> None:
    found = outcome(step_of(kind="ping", arrive=arrive), arrived=arrived, of=1)
    assert (found.kind == OutcomeKind.WORKS) is works


def test_a_mistake_of_the_case_is_no_refusal_of_the_kernel() -> None:
    detail = "./none is not in the guest"
    step = step_of(kind="exec", command="./none")
    found = outcome(step, ok=False, refused=False, mistake=True, errno=2, errno_name="ENOENT", detail=detail)
    assert (found.kind, found.stage, found.wrong_input) == (OutcomeKind.LOST, Stage.TRIGGER, True)
    assert found.reason == (
        "the trigger exec could not be made: ./none is not in the guest: name it in `files:`, or give one that the "
        "guest has"
    )
    refused = outcome(step, ok=False, refused=False, errno=1, errno_name="EPERM", detail="PermissionError: ...")
    assert refused.kind == OutcomeKind.REFUSED


def test_what_this_kernel_lacks_makes_it_not_applicable() -> None:
    unmet = {"cause": "module", "name": "ipv6", "value": None, "errno_name": "EAFNOSUPPORT", "missing": True}
    found = outcome(step_of(kind="udp", to="::1"), ok=False, refused=True, errno=97, precondition=unmet)
    assert (found.kind, found.ours) == (OutcomeKind.NOT_APPLICABLE, True)
    assert found.reason.startswith("the trigger udp needs ipv6, which this kernel does not have")


WRITTEN: list[dict[str, Any]] = [
    {"kind": "exec", "command": "a", "exit": 3},
    {"kind": "exec", "command": "a", "exit": "any"},
    {"kind": "fork", "exit": 1},
    {"kind": "udp", "count": 2},
    {"kind": "tcp", "arrive": "none"},
    {"kind": "ping", "arrive": "any"},
    {"kind": "signal", "number": 10},
    {"kind": "open"},
    {"kind": "workload"},
]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_mutant_that_leaves_it_out_pretends_what_must_come(written: dict[str, Any]) -> None:
    step = step_of(**written)
    assert outcome(step, **pretended(step)).kind == OutcomeKind.WORKS


@pytest.mark.parametrize("written", WRITTEN)
def test_a_mutant_of_what_must_come_is_red(written: dict[str, Any]) -> None:
    step = step_of(**written)
    mutants = dict(step_mutants_of(step))
    assert bool(mutants) is (step.arrived is not None or (step.waits and step.exit is not None))
    for mutant in mutants.values():
        assert outcome(mutant, **pretended(step)).kind == OutcomeKind.MISBEHAVES
