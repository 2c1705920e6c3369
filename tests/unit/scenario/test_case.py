"""A case is a value: frozen, the same after a way through JSON, and made of nothing that knows YAML."""

from __future__ import annotations

import dataclasses
import json

import pytest
from pydantic import TypeAdapter
from unit_samples import ROOT, STEPS, sample_case, steps_case

from harness.config.case_folders import load_cases
from harness.config.matrix import load_matrix
from harness.model.architectures import ARCHITECTURES
from harness.model.budgets import Most
from harness.model.results import DifferenceKind, Expectation, ExpectedDifference, OutcomeKind
from harness.scenario.case import Case, Script, step_names
from harness.scenario.from_yaml import compile_case

ADAPTER = TypeAdapter(Case)
WRITTEN = load_cases(ROOT / "matrix.yaml", load_matrix(ROOT / "matrix.yaml").cases)


def again(case: Case) -> Case:
    return ADAPTER.validate_json(ADAPTER.dump_json(case))


def test_every_committed_case_is_the_same_after_a_way_through_json() -> None:
    assert len(WRITTEN) > 100
    for written in WRITTEN:
        for arch in ARCHITECTURES:
            case = compile_case(written.for_arch(arch))
            assert again(case) == case, written.id


def test_the_committed_cases_have_all_that_a_case_can_have() -> None:
    """Else the way through JSON would leave something out of which nobody knows."""
    cases = [compile_case(written) for written in WRITTEN]
    optional = {field.name for field in dataclasses.fields(Case)} - {
        "deadline",
        "kconfig",
        "scenario",
        "setup",
        "parts",
        "uncounted",
        "attachers",
        "require_run",
        "memory",
        "cpus",
        "btf",
        "shares",
        "budget",
    }
    assert {name for name in optional if any(getattr(case, name) for case in cases)} == optional
    steps = [step for case in cases for step in case.steps]
    assert all(
        any(getattr(step, name) for step in steps) for name in ("message", "refused", "retval", "look", "fields")
    )


BUDGET = {"verified-instructions": Most(percent=85.0), "peak-states": Most(number=9)}


@pytest.mark.parametrize("seen", [({"kind": "fexit", "retval": 1},), (), 7, "EBUSY", None])
def test_what_a_signature_names_keeps_its_type(seen: object) -> None:
    difference = ExpectedDifference(step="observe", kind=DifferenceKind.EVENTS, of="trace", seen=seen)  # type: ignore[arg-type]
    rule = Expectation(outcome=OutcomeKind.MISBEHAVES, reason="r", differences=(difference,))
    case = dataclasses.replace(
        sample_case(), expect=(rule,), deadline=2.5, kconfig={"CONFIG_HZ": (250, "n")}, budget=BUDGET
    )
    assert again(case) == case


def test_a_case_cannot_be_changed() -> None:
    for case in (sample_case(), steps_case()):
        for value in (case, case.steps[0], next(step.look for step in case.steps if step.look is not None)):
            with pytest.raises(dataclasses.FrozenInstanceError):
                value.title = "another"  # type: ignore[misc, union-attr]


def test_a_case_says_nothing_of_where_it_was_written() -> None:
    text = ADAPTER.dump_json(compile_case(WRITTEN[0])).decode()
    assert str(ROOT) not in text
    assert json.loads(text)["id"] == WRITTEN[0].id


def names(case: Case) -> list[str]:
    return step_names(case.steps)


def test_steps_are_named_by_what_they_do_and_looks_by_their_phase() -> None:
    usual = names(sample_case())
    assert usual[:4] == ["open target", "open tracer", "load target", "listen events"]
    assert [name for name in usual if name.startswith("trigger")] == ["trigger tcp-connect", "trigger tcp-connect #2"]
    assert [name for name in usual if name in ("observe", "control")] == ["observe", "control"]
    spelled = names(steps_case())
    assert {"look-1", "info fexit", "attach again", "trigger run"} <= set(spelled)


def test_step_names_are_unique_but_for_looks() -> None:
    spelled = names(steps_case(*STEPS[:2], *[STEPS[4], STEPS[6]] * 3, *STEPS[2:]))
    steps = [name for name in spelled if not name.startswith("look")]
    assert len(steps) == len(set(steps))
    assert {"trigger run #3", "info fexit #4"} <= set(steps)


def test_a_scenario_goes_through_json_and_back() -> None:
    case = Case(id="mine", title="t", scenario=Script(file="bpf/mine/scenario.py", source="def scenario(guest): ...\n"))
    adapter = TypeAdapter(Case)
    assert adapter.validate_json(adapter.dump_json(case)) == case
