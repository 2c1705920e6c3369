"""What a case says must be seen beside events, as steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT

from harness.config.case import WrittenCase
from harness.scenario.case import AgentStep, Inspected
from harness.scenario.from_yaml import compile_case
from harness.scenario.inspected import MAPS, VARIABLES, Names, root

NAMES = Names(
    objects=("target", "tracer"),
    of={
        "target": {"maps": ["rb", "both"], "variables": ["hits"]},
        "tracer": {"maps": ["own", "both"], "variables": ["level"]},
    },
)


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        (MAPS, "rb", ("target", "rb")),
        (MAPS, "own", ("tracer", "own")),
        (MAPS, "both", ("target", "both")),
        (MAPS, "tracer.both", ("tracer", "both")),
        (MAPS, "absent", ("target", "absent")),
        (MAPS, ".bss", ("target", ".bss")),
        (VARIABLES, "level.of[2]", ("tracer", "level.of[2]")),
        (VARIABLES, "target.hits", ("target", "hits")),
        (VARIABLES, "hits[1].x", ("target", "hits[1].x")),
    ],
)
def test_a_bare_name_is_that_of_the_first_object_that_has_it(kind: str, name: str, place: tuple[str, str]) -> None:
    assert NAMES.placed(kind, name) == place


def test_a_path_begins_with_its_variable() -> None:
    assert [root(path) for path in ("a", "a.b", "a[1].b")] == ["a", "a", "a"]


def steps(**observe: Any) -> tuple[AgentStep, ...]:
    keys = {"target": {"object": "p.bpf.c", "attach": ["p"]}, "trigger": {"kind": "call", "name": "nanosleep"}}
    written = WrittenCase.model_validate({"title": "t", **keys, "observe": observe, "id": "c", "folder": Path("/c")})
    return compile_case(written).steps


def test_records_are_listened_to_once_their_object_is_loaded() -> None:
    found = steps(records={"rb": {"at-least": [{"pid": 1}], "record": "struct event", "of-trigger": "pid"}})
    assert [step.op for step in found] == ["open", "load", "listen-records", "attach", "trigger", "inspect", "detach"]
    inspect = found[5]
    assert inspect.phase == "observe"
    assert inspect.args["items"] == [
        {
            **{"kind": "records", "object": "target", "map": "rb", "count": 1},
            **{"record": "struct event", "of_trigger": "pid"},
        }
    ]
    assert inspect.look is not None
    assert inspect.look.inspected == (Inspected(kind="records", name="rb", how="at-least", wanted=({"pid": 1},)),)


def test_lines_and_runs_are_prepared_before_all_else() -> None:
    found = steps(printk=["a"], runs={"p": 1})
    assert [step.op for step in found[:3]] == ["listen-printk", "enable-stats", "open"]


def test_a_number_stands_for_so_many_of_any_kind() -> None:
    look = steps(records={"rb": 2}, printk={"none": ["x"]}, maps={"m": {"at-least": 1}, "n": {"1": 2}})[-2].look
    assert look is not None
    assert look.inspected == (
        Inspected(kind="records", name="rb", wanted=({}, {})),
        Inspected(kind="printk", name="", how="none", wanted=({"text": {"~": "x"}},)),
        Inspected(kind="map", name="m", how="count", wanted=({"at-least": 1},)),
        Inspected(kind="map", name="n", how="values", wanted=(("1", 2),)),
    )


def test_the_trace_can_have_more_than_must_be_seen() -> None:
    (step,) = [step for step in steps(trace={"at-least": [{"kind": "target"}]}) if step.op == "read-trace"]
    assert step.look is not None
    assert (step.look.how, [event.kind for event in step.look.trace or ()]) == ("at-least", ["target"])


def test_variables_are_set_as_the_object_is_opened() -> None:
    written = ROOT / "tests/inputs/34-own-records"
    assert "rodata: {my_pid: $trigger-pid}" in (written / "case.yaml").read_text()
    keys = {"target": {"object": "p.bpf.c", "rodata": {"my_pid": "$trigger-pid"}}, "observe": {}}
    trigger = {"kind": "call", "name": "nanosleep"}
    case = WrittenCase.model_validate({"title": "t", **keys, "trigger": trigger, "id": "c", "folder": Path("/c")})
    assert compile_case(case).steps[0].args["rodata"] == {"my_pid": "$trigger-pid"}
