"""What a scenario reads: which steps it makes of that. What they read is for test_vm_scenario.py."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from harness.agent.scenario_base import Mistake, check_place
from harness.agent.scenario_objects import Object
from harness.agent.scenario_reading import Globals, Map, Records


class Played:
    """Plays what runs a scenario: it notes the steps, and says that each has read 7."""

    release = machine = folder = ""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str, dict[str, Any]]] = []
        self.given: list[Any] = []

    def step(self, stage: str, op: str, what: str = "", **args: Any) -> dict[str, Any]:
        self.steps.append((f"{stage} {op}", what, args))
        return {"xdp": "native"}

    def named(self, file: str) -> tuple[str, str]:
        return file, file

    def programs(self, owner: str) -> list[str]:
        return ["packet"]

    def maps(self, owner: str) -> list[str]:
        return ["numbers"]

    def made(self, kind: str) -> list[str]:
        return {"device": ["a"], "link": ["first"]}.get(kind, [])

    def seen(self) -> Any:
        return 7

    def refusing(self, errnos: tuple[str, ...], **more: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def waiting(self, value: Any) -> None:
        self.given.append(value)


def test_looks_are_observations_and_changes_are_triggers() -> None:
    runner = Played()
    numbers, variables = Map(runner, "target", "numbers"), Globals(runner, "target")
    records: Any = Records(runner, "target", "events", "").read(count=2)
    assert (numbers.get(1), variables["seen"], records) == (7, 7, 7)
    numbers.put(1, 2)
    variables["seen"] = 3
    assert [stage for stage, _, _ in runner.steps] == [
        *("observe read-records", "observe read-map", "observe read-global"),
        *("trigger write-map", "trigger write-global"),
    ]
    assert runner.given == [(1,), (1, 2), 3]


def test_a_program_is_attached_to_a_place_and_a_link_says_how_it_runs() -> None:
    runner = Played()
    link = Object(runner, "target").attach("packet", to={"device": "a", "mode": "native"}, link="l")
    assert (link.name, link.xdp) == ("l", "native")
    place = {"device": "a", "mode": "native"}
    assert runner.steps == [
        ("attach-target attach", "l", {"object": "target", "program": "packet", "link": "l", "place": place})
    ]
    Object(runner, "target").attach("packet", to=("f", "g"))
    assert runner.steps[-1][2]["to"] == ["f", "g"]
    link.pin("/sys/fs/bpf/l")
    link.update(Object(runner, "other"), "packet")
    Object(runner, "other").pin("numbers", "/sys/fs/bpf/n")
    assert [step[2] for step in runner.steps[-3:]] == [
        {"link": "l", "path": "/sys/fs/bpf/l"},
        {"link": "l", "object": "other", "program": "packet"},
        {"object": "other", "map": "numbers", "path": "/sys/fs/bpf/n"},
    ]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"device": "b"}, "the case's setup makes no device b"),
        ({"device": "a", "flags": []}, "a place that is a device has no key flags"),
        ({"device": "a", "cgroup": "one"}, "a place has one of the keys"),
        ({"mode": "native"}, "a place has one of the keys"),
        ({"device": "a", "after": "second"}, "there is no link second"),
        ({"namespace": "other"}, "the case's setup makes no namespace other"),
    ],
)
def test_a_place_that_is_not_made_is_a_mistake(place: dict[str, Any], message: str) -> None:
    with pytest.raises(Mistake, match=message):
        check_place(place, Played().made)


def test_a_place_that_is_made_is_none() -> None:
    check_place({"device": "a", "before": "first"}, Played().made)
    check_place({"device": "lo"}, Played().made)
