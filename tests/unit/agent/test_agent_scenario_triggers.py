"""What a scenario can make happen: each method gives the agent what a trigger of that kind needs."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from harness.agent.scenario_triggers import Triggers
from harness.agent.triggers import TRIGGERS
from harness.config.triggers import Trigger

ENDED = {"exit": None, "signal": "SIGSEGV", "timed_out": False, "child": 7}
REPORT: dict[str, Any] = {**ENDED, "arrived": 3, "pieces": ["files"], "retval": 2}
CALLED: dict[str, dict[str, Any]] = {
    # kind: what a case says for the same as the method called with these
    "exec": {"command": ["./it", "x"]},
    "fork": {"exit": 3},
    "signal": {"number": 10, "to": "child"},
    "open": {"path": "/tmp/x", "mode": "write", "bytes": 4},
    "rename": {"path": "/tmp/x", "to": "/tmp/y"},
    "unlink": {"path": "/tmp/x"},
    "mkdir": {"path": "/tmp/x"},
    "mount": {"type": "tmpfs", "at": "/tmp/x"},
    "udp": {"to": "::1", "port": 7, "count": 3, "from-namespace": "a", "to-namespace": "b"},
    "tcp": {"to": "127.0.0.2", "bytes": 9},
    "ping": {"count": 2, "from-namespace": "a"},
    "workload": {"pieces": ["files", "tcp"]},
}


class Runner:
    """Notes the steps that it is given."""

    release = machine = folder = ""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def step(self, stage: str, op: str, what: str = "", **args: Any) -> dict[str, Any]:
        assert (stage, op, what) == ("trigger", "trigger", args["kind"])
        self.given = args
        return REPORT


def made(kind: str, **keys: Any) -> tuple[dict[str, Any], Any]:
    runner = Runner()
    keys = {key.replace("-", "_"): value for key, value in keys.items()}
    if kind == "signal":
        keys["child"] = keys.pop("to") == "child"
    pieces = keys.pop("pieces", ())
    found = getattr(Triggers(runner), kind)(*pieces, **keys)  # type: ignore[arg-type]
    return runner.given, found


@pytest.mark.parametrize("kind", CALLED)
def test_the_agent_gets_the_same_keys_as_of_a_case(kind: str) -> None:
    written = TypeAdapter[Any](Trigger).validate_python({"kind": kind, **CALLED[kind]}).args()
    given, _ = made(kind, **CALLED[kind])
    assert given.keys() == written.keys()
    differing = {key for key in written if (given[key] or None) != (written[key] or None)}
    assert differing <= {"arrive"}


def test_every_kind_has_its_method() -> None:
    others = {"tcp-connect": "tcp_connect", "read-iterator": "read_iterator", "run": "run", "call": "call"}
    assert {*CALLED, *others} == set(TRIGGERS) == {_kind(each) for each in get_args(get_args(Trigger)[0])}
    assert all(hasattr(Triggers, name) for name in [*CALLED, *others.values()])


def _kind(model: Any) -> str:
    return str(get_args(model.model_fields["kind"].annotation)[0])


def test_what_comes_of_it_is_returned() -> None:
    ended = made("exec", command=["./it"])[1]
    assert (ended.exit, ended.signal, ended.timed_out, ended.pid) == (None, "SIGSEGV", False, 7)
    assert [made(kind)[1] for kind in ("udp", "tcp", "ping")] == [3, 3, 3]
    assert made("workload")[1] == ["files"]
    assert made("open")[1] is None
