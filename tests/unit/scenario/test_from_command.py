"""A command as a case."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from harness.model.results import Stage
from harness.scenario.case import Case, step_names
from harness.scenario.from_command import Command, case_of, id_of, started_as

COMMAND = Command(argv=("./build/my-test", "-v", "a b"), env={"A": "1"}, deadline=5.0, junit="out/*.xml")


def test_a_command_is_one_step_in_a_guest_of_its_own() -> None:
    case = case_of(Command(argv=("true",)), id="true", title="true")
    (step,) = case.steps
    assert case.alone
    assert step.job() == {
        "stage": "trigger",
        "op": "command",
        "what": "true",
        "argv": ["true"],
        "env": {},
        "cwd": "/root",
        "deadline": 60.0,
    }
    assert case.deadline is not None
    assert case.deadline > 60, "the agent ends the command before its case is ended"


def test_what_must_be_seen_stays_on_the_host() -> None:
    case = case_of(Command(argv=("true",), exit=3, output="x"), id="true", title="true")
    assert (case.steps[0].exit, case.steps[0].output) == (3, "x")
    assert not {"exit", "output"} & case.steps[0].job().keys()


def test_junit_files_are_brought_from_the_commands_folder() -> None:
    case = case_of(COMMAND, id="my-test", title="my-test", memory=512)
    assert step_names(case.steps) == ["command my-test", "collect junit"]
    assert (case.steps[1].stage, case.steps[1].args) == (Stage.OBSERVE, {"pattern": "/root/out/*.xml"})
    assert TypeAdapter(Case).validate_json(TypeAdapter(Case).dump_json(case)) == case


def test_how_it_is_started_may_differ_from_what_it_is_called() -> None:
    case = started_as(case_of(COMMAND, id="my-test", title="my-test"), ["ld.so", "./my-test"], {"A": "2", "B": "3"})
    assert case.steps[0].what == "my-test"
    assert case.steps[0].args["argv"] == ["ld.so", "./my-test"]
    assert case.steps[0].args["env"] == {"A": "1", "B": "3"}, "what was asked for counts"


@pytest.mark.parametrize(("name", "id"), [("my-test", "my-test"), ("My_Test.v2", "my-test-v2"), ("/", "command")])
def test_the_id_is_made_of_the_name(name: str, id: str) -> None:
    assert id_of(name) == id
