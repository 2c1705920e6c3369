"""Triggers that are packets, over the loopback of this machine; other namespaces are for real guests to show."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from agent_samples import Played

from harness.agent import triggers_network
from harness.agent.case_state import CaseState
from harness.agent.refusal import Refused
from harness.agent.triggers_network import checksum, family_of, trigger_ping, trigger_tcp, trigger_udp

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root")


def step(**changes: Any) -> dict[str, Any]:
    usual = {"to": "127.0.0.1", "port": 0, "bytes": 16, "count": 1, "arrive": 1}
    return {**usual, "from_namespace": None, "to_namespace": None, **changes}


def state() -> CaseState:
    return CaseState(Played(), {})


@pytest.mark.parametrize(("count", "size"), [(1, 0), (3, 1200), (200, 1000)])
def test_all_datagrams_arrive(count: int, size: int) -> None:
    found = trigger_udp(state(), step(count=count, bytes=size, arrive=count))
    assert found == {"arrived": count, "of": count}


@pytest.mark.parametrize("size", [0, 16, 3_000_000])
def test_over_each_connection_bytes_go_both_ways(size: int) -> None:
    """More than any buffer has room for: what is sent is received meanwhile."""
    assert trigger_tcp(state(), step(count=2, bytes=size, arrive=2)) == {"arrived": 2, "of": 2}


def test_a_port_can_be_used_again_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for trigger in (trigger_tcp, trigger_tcp, trigger_udp, trigger_udp):
        assert trigger(state(), step(port=port))["arrived"] == 1


@ROOT
def test_echo_requests_are_answered() -> None:
    assert trigger_ping(state(), step(count=2, arrive=2)) == {"arrived": 2, "of": 2}


def test_where_nothing_must_arrive_an_address_may_be_anybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers_network, "DOUBT", 0.01)
    found = trigger_udp(state(), step(to="192.0.2.77", arrive=0))
    assert found["arrived"] == 0
    wrong = trigger_udp(state(), step(to="192.0.2.77"))
    assert wrong["mistake"]
    assert wrong["detail"] == "192.0.2.77 is no address of the case's network namespace"


def test_a_namespace_that_is_not_there_is_the_cases_mistake() -> None:
    for trigger in (trigger_udp, trigger_tcp, trigger_ping):
        found = trigger(state(), step(from_namespace="no-such-namespace"))
        assert found["mistake"]
        assert "there is no network namespace no-such-namespace" in found["detail"]


def test_a_family_that_the_kernel_has_not_is_what_the_trigger_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> socket.socket:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(Refused) as caught:
        trigger_udp(state(), step(to="::1"))
    assert (caught.value.module, caught.value.number) == ("ipv6", 97)


def test_checksums_and_families() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D  # the example of RFC 1071, complemented
    assert checksum(b"\xff") == 0x00FF
    assert (family_of("::1"), family_of("10.0.0.1")) == (socket.AF_INET6, socket.AF_INET)
