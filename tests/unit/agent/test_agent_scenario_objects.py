"""Which steps an object and a link of a scenario become, and which names they refuse before there is a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.agent.scenario_base import Mistake
from harness.agent.scenario_objects import Link, Object

Step = tuple[str, str, str, dict[str, Any]]


class Runner:
    """Keeps the steps; objects have two programs and a map."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.devices: list[str] = []

    def made(self, _kind: str) -> list[str]:
        return self.devices

    def step(self, stage: str, op: str, what: str = "", **args: Any) -> dict[str, Any]:
        self.steps.append((stage, op, what, args))
        return {"info": {"id": 7}, "measured": {"stack": 8}, "xdp": "native"}

    def programs(self, _name: str) -> list[str]:
        return ["entry", "other"]

    def maps(self, _name: str) -> list[str]:
        return ["counts"]


@pytest.fixture
def runner() -> Runner:
    return Runner()


def opened(runner: Runner, name: str = "target") -> Object:
    return Object(runner, name)  # type: ignore[arg-type]


def test_an_object_is_the_target_until_it_traces_another(runner: Runner) -> None:
    target, tracer = opened(runner), opened(runner, "tracer")
    target.load()
    target.attach("entry")
    tracer.attach_to("entry", target, "other", "inside")
    tracer.load(unprivileged=True, stats=True)
    link = tracer.attach("entry", link="mine")
    assert [(stage, op, what) for stage, op, what, _ in runner.steps] == [
        ("load-target", "load", "target"),
        ("attach-target", "attach", "entry"),
        ("load-tracer", "set-attach-target", "entry"),
        ("load-tracer", "load", "tracer"),
        ("attach-tracer", "attach", "mine"),
    ]
    assert runner.steps[2][3]["target"] == "other" and runner.steps[2][3]["function"] == "inside"
    assert runner.steps[3][3] == {"object": "tracer", "unprivileged": True, "stats": True}
    assert (link.name, link.xdp) == ("mine", "native")


def test_where_a_program_goes(runner: Runner) -> None:
    target = opened(runner)
    target.attach("entry", to="vfs_read")
    target.attach("entry", to=("vfs_read", "vfs_write"))
    assert [step[3]["to"] for step in runner.steps] == ["vfs_read", ["vfs_read", "vfs_write"]]
    runner.devices.append("a")
    target.attach("entry", to={"device": "a", "mode": "native"})
    assert runner.steps[-1][3]["place"] == {"device": "a", "mode": "native"}


def test_maps_slots_and_pins(runner: Runner) -> None:
    target, other = opened(runner), opened(runner, "other")
    target.share_map("counts", other)
    target.fill_slot("counts", 3, "entry", other)
    target.empty_slot("counts", 3)
    target.pin("entry", "/sys/fs/bpf/p")
    target.pin("counts", "/sys/fs/bpf/m")
    shared, filled, emptied, program, map_ = (args for _, _, _, args in runner.steps)
    assert (shared["from_object"], shared["from_map"]) == ("other", "counts")
    assert (filled["program_object"], filled["program"], emptied["program"]) == ("other", "entry", "")
    assert (program["program"], map_["map"]) == ("entry", "counts")
    assert (target.info("entry"), target.measure("entry")) == ({"id": 7}, {"stack": 8})


def test_a_link(runner: Runner) -> None:
    target, link = opened(runner), Link(runner, "mine")  # type: ignore[arg-type]
    link.update(target, "other")
    link.update(target, "counts")
    link.pin("/sys/fs/bpf/l")
    link.detach()
    first, second, pinned, detached = runner.steps
    assert first[3] == {"link": "mine", "object": "target", "program": "other"}
    assert second[3] == {"link": "mine", "object": "target", "map": "counts"}
    assert (pinned[3]["path"], detached[:3]) == ("/sys/fs/bpf/l", ("detach", "detach", "mine"))
    assert link.info() == {"id": 7}


@pytest.mark.parametrize(
    "call",
    [
        lambda target: target.attach("entrie"),
        lambda target: target.attach_to("entry", target, "nothing"),
        lambda target: target.info("nothing"),
        lambda target: target.map("count"),
        lambda target: target.pin("nothing", "/sys/fs/bpf/p"),
        lambda target: target.attach_map("ops"),
        lambda target: target.fill_slot("slots", 0, "entry"),
        lambda target: target.attach("entry", to={"device": "none"}),
    ],
)
def test_a_name_that_is_not_there_is_a_mistake_and_no_step(call: Callable[[Object], object], runner: Runner) -> None:
    with pytest.raises(Mistake):
        call(opened(runner))
    assert not runner.steps
