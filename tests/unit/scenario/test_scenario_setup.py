"""The steps that make what a case's setup declares, and the modules that these need."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from harness.config.setup import Thing
from harness.model.results import Stage
from harness.scenario.setup import making, modules_of

THINGS: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"make": "namespace", "name": "other"}, "namespace other", ""),
    ({"make": "veth", "name": "a", "peer": "b", "peer-address": "192.0.2.2/24"}, "veth a", "veth"),
    ({"make": "dummy", "name": "d", "up": False}, "dummy d", "dummy"),
    ({"make": "qdisc", "kind": "clsact", "device": "a"}, "qdisc clsact a", "sch_ingress"),
    ({"make": "qdisc", "kind": "fq", "device": "b"}, "qdisc fq b", "sch_fq"),
    ({"make": "cgroup", "name": "one/inner"}, "cgroup one/inner", ""),
    ({"make": "mount", "type": "tmpfs", "at": "/mnt/x"}, "mount /mnt/x", "tmpfs"),
)


def thing(data: dict[str, Any]) -> Thing:
    found: Thing = TypeAdapter(Thing).validate_python(data)
    return found


@pytest.mark.parametrize(("data", "what", "module"), THINGS)
def test_a_thing_is_made_by_a_step_and_perhaps_a_module(data: dict[str, Any], what: str, module: str) -> None:
    (step,) = making([thing(data)])
    assert (step.stage, step.op, step.what) == (Stage.OPEN, "make", what)
    made = {key.replace("-", "_"): [value] if key.endswith("address") else value for key, value in data.items()}
    defaults = {key: step.args["thing"][key] for key in step.args["thing"].keys() - made.keys()}
    assert step.args["thing"] == {**made, **defaults}
    assert modules_of([thing(data)]) == ((module,) if module else ())


def test_things_are_made_in_their_order_and_a_module_is_named_once() -> None:
    things = [thing(data) for data, _, _ in (*THINGS, ({"make": "qdisc", "kind": "ingress", "device": "b"}, "", ""))]
    assert [step.what for step in making(things)][:2] == ["namespace other", "veth a"]
    assert modules_of(things) == ("veth", "dummy", "sch_ingress", "sch_fq", "tmpfs")
