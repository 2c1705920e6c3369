"""What the triggers of a case can say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.config.triggers import (
    Address,
    CallTrigger,
    ExecTrigger,
    Reference,
    RunTrigger,
    TcpConnectTrigger,
    Trigger,
    UdpTrigger,
)

TRIGGER: TypeAdapter[Any] = TypeAdapter(Trigger)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.7"])
def test_an_address_is_one_of_either_kind(address: str) -> None:
    assert TypeAdapter(Address).validate_python(address) == address


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:80", "127.1", "", "::1/64"])
def test_a_name_or_half_an_address_is_none(address: str) -> None:
    with pytest.raises(ValidationError, match="expected an IP address"):
        TypeAdapter(Address).validate_python(address)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"kind": "tcp-connect"}, TcpConnectTrigger),
        ({"kind": "run", "program": "target.main"}, RunTrigger),
        ({"kind": "call", "name": "getpgid"}, CallTrigger),
        ({"kind": "call", "name": "openat"}, CallTrigger),
        ({"kind": "exec", "command": "/bin/true"}, ExecTrigger),
        ({"kind": "udp"}, UdpTrigger),
    ],
)
def test_its_kind_says_which_trigger_it_is(written: dict[str, str], kind: type) -> None:
    assert isinstance(TRIGGER.validate_python(written), kind)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"kind": "tcpp"}, {"kind": "call", "name": "forkk"}, {"kind": "run"}, {}, {"kind": "exec"}),
        *({"kind": "exec", "command": []}, {"kind": "exec", "command": "true", "exit": 256}),
        *({"kind": "exec", "command": "true", "exit": "some"}, {"kind": "open", "path": "relative"}),
        *({"kind": "open", "mode": "close"}, {"kind": "udp", "to": "localhost"}, {"kind": "udp", "bytes": 70_000}),
        *({"kind": "tcp", "port": 65536}, {"kind": "tcp", "count": 0}, {"kind": "ping", "arrive": "some"}),
        *({"kind": "ping", "to-namespace": "one"}, {"kind": "udp", "from-namespace": "a/b"}),
        *({"kind": "signal"}, {"kind": "signal", "number": 0}, {"kind": "signal", "number": "SIGNONE"}),
        *({"kind": "workload", "pieces": ["everything"]}, {"kind": "mkdir", "path": "/ends/in/"}),
    ],
)
def test_what_no_trigger_is(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TRIGGER.validate_python(wrong)


@pytest.mark.parametrize("wrong", ["main", "target.", ".main", "target.main.x", "Target.main"])
def test_a_program_is_given_with_its_object(wrong: str) -> None:
    assert TypeAdapter(Reference).validate_python("target.main") == "target.main"
    with pytest.raises(ValidationError):
        TypeAdapter(Reference).validate_python(wrong)


def made(**written: Any) -> Any:
    return TRIGGER.validate_python(written)


def test_what_the_agent_gets_and_what_must_come() -> None:
    run = made(kind="run", program="target.main", retval=3)
    assert (run.args()["program"], "retval" in run.args(), run.must()) == ("target.main", False, {"retval": 3})
    started = made(kind="exec", command="a 'b c'", env={"N": 1})
    assert started.args() == {"kind": "exec", "command": ["a", "b c"], "env": {"N": "1"}, "deadline": 10.0}
    assert started.must() == {"exit": 0}
    assert made(kind="exec", command="a", exit="any").must() == {"exit": None}
    assert (made(kind="fork", exit=3).args(), made(kind="fork", exit=3).must()) == (
        {"kind": "fork", "exit": 3},
        {"exit": 3},
    )


@pytest.mark.parametrize(("arrive", "must"), [("all", 5), ("none", 0), ("any", None), (2, 2)])
def test_how_many_must_arrive(arrive: Any, must: int | None) -> None:
    trigger = made(kind="tcp", count=5, arrive=arrive)
    assert (trigger.must(), trigger.args()["arrive"]) == ({"arrived": must}, must)


def test_signals_are_given_by_name_or_number() -> None:
    assert made(kind="signal", number="SIGUSR1").number == made(kind="signal", number=10).number == 10
    assert made(kind="signal", number="SIGKILL", to="child").number == 9
    for number in ("SIGKILL", "SIGSTOP", 9, 19):
        with pytest.raises(ValidationError, match="send it `to: child`"):
            made(kind="signal", number=number)


def test_the_namespaces_that_it_names() -> None:
    assert made(kind="udp", **{"from-namespace": "a", "to-namespace": "b"}).namespaces() == {
        "from-namespace": "a",
        "to-namespace": "b",
    }
    assert made(kind="ping", **{"from-namespace": "a"}).namespaces() == {"from-namespace": "a"}
    assert made(kind="tcp").namespaces() == made(kind="fork").namespaces() == {}
