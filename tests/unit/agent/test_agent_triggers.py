"""The triggers, with real connections."""

from __future__ import annotations

import json
import socket
from typing import get_args

import pytest
from agent_samples import Played

from harness.agent.case_state import CaseState
from harness.agent.triggers import TRIGGERS, trigger_tcp_connect
from harness.config.triggers import Trigger


def addresses() -> list[str]:
    found = ["127.0.0.1"]
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        found.append("::1")
    except OSError:
        pass  # this host has no IPv6
    return found


@pytest.mark.parametrize("address", addresses())
def test_a_connection_over_the_loopback_and_both_its_ends(address: str) -> None:
    ends = trigger_tcp_connect(CaseState(Played(), {}), {"address": address})["ends"]
    assert set(ends) == {"client", "server"}
    assert [ends["client"][0], ends["server"][0]] == [address, address]
    assert ends["client"][1] != ends["server"][1]
    assert all(0 < end[1] < 65536 for end in ends.values())
    assert trigger_tcp_connect(CaseState(Played(), {}), {"address": address})["ends"] != ends
    json.dumps(ends)


def test_an_address_that_is_not_there_fails_as_an_os_error() -> None:
    with pytest.raises(OSError, match=r"."):
        trigger_tcp_connect(CaseState(Played(), {}), {"address": "192.0.2.1"})


def test_every_kind_that_a_case_can_name_is_one_of_the_agents() -> None:
    kinds = {get_args(each.model_fields["kind"].annotation)[0] for each in get_args(get_args(Trigger)[0])}
    assert set(TRIGGERS) == kinds
