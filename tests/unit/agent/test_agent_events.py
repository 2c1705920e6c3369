"""What is made of the records of programs."""

from __future__ import annotations

import json
import socket
import struct
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent import events
from harness.agent.events import EVENT, TRACE, decode_event, decode_trace


def packed(order: str = "=", **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "time_ns": 2**63,
        "kind": 3,
        "flags": 3,
        "retval": -115,
        "family": 2,
        "sport": 48642,
        "dport": 22,
        "saddr": socket.inet_aton("127.0.0.1"),
        "daddr": socket.inet_aton("192.0.2.1"),
        **changes,
    }
    return struct.pack(f"{order}QIIqIHH16s16s", *fields.values())


DECODED = {
    "time_ns": 2**63,
    "kind": "fexit",
    "family": 2,
    "saddr": "127.0.0.1",
    "sport": 48642,
    "daddr": "192.0.2.1",
    "dport": 22,
    "retval": -115,
}


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_event_is_decoded_in_either_byte_order(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The agent takes the byte order of the machine that it runs on; here each is tried.
    assert EVENT.format == "=QIIqIHH16s16s"
    monkeypatch.setattr("harness.agent.events.EVENT", struct.Struct(EVENT.format.replace("=", order)))
    assert events.EVENT.size == 64
    assert decode_event(packed(order)) == DECODED


def test_the_machines_own_byte_order_is_taken() -> None:
    assert decode_event(packed("<" if sys.byteorder == "little" else ">")) == DECODED


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"flags": 2}, {"retval": None}),
        ({"kind": 1}, {"kind": "fentry"}),
        ({"kind": 2}, {"kind": "kprobe"}),
        ({"kind": 12}, {"kind": "fexit-3"}),
        ({"kind": 99}, {"kind": "kind-99"}),
        (
            {"family": 10, "saddr": socket.inet_pton(socket.AF_INET6, "::1"), "daddr": bytes(16)},
            {"family": 10, "saddr": "::1", "daddr": "::"},
        ),
        ({"family": 77, "saddr": b"\xff" * 16}, {"family": 77, "saddr": "ff" * 16, "daddr": "c0000201" + "00" * 12}),
    ],
)
def test_kinds_flags_and_families(changes: dict[str, Any], found: dict[str, Any]) -> None:
    assert decode_event(packed(**changes)) == {**DECODED, **found}


def test_without_a_connection_there_are_no_addresses() -> None:
    assert decode_event(packed(flags=1)) == {"time_ns": 2**63, "kind": "fexit", "retval": -115}


def test_perfs_padding_behind_a_record_does_no_harm() -> None:
    assert decode_event(packed() + bytes(4)) == DECODED


@given(st.binary(max_size=100))
def test_any_record_is_decoded_and_fits_into_a_line(record: bytes) -> None:
    event = decode_event(record)
    assert {"time_ns", "kind"} <= set(event)
    assert (event["kind"] == "undecodable") == (len(record) < 64)
    json.dumps(event)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_record_of_the_trace_is_decoded_in_either_byte_order(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TRACE.format == "=IIqQ"
    monkeypatch.setattr("harness.agent.events.TRACE", struct.Struct(TRACE.format.replace("=", order)))
    record = struct.pack(f"{order}IIqQ", 9, 0, -1, 2**63)
    assert decode_trace(record) == {"kind": "body", "retval": None}
    record = struct.pack(f"{order}IIqQ", 3, 1, -1, 2**63)
    assert decode_trace(record) == {"kind": "fexit", "retval": -1}
    record = struct.pack(f"{order}IIqQ", 99, 5, 7, 2**63)
    assert decode_trace(record) == {"kind": "kind-99", "retval": 7, "value": 2**63}
