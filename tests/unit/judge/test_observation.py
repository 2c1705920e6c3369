from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.steps import Observation
from harness.judge import observation
from harness.judge.observation import UNKNOWN, describe, field_of, known, side_of
from harness.model.results import Difference, DifferenceKind, Stage
from harness.scenario.case import Look
from harness.scenario.expected import look_of

ENDS = {"client": ["127.0.0.1", 48642], "server": ["127.0.0.1", 49815]}
CLIENT = {"saddr": "127.0.0.1", "sport": 48642, "daddr": "127.0.0.1", "dport": 49815}
LISTENER = {"saddr": "127.0.0.1", "sport": 49815, "daddr": "0.0.0.0", "dport": 0}


def event(kind: str, side: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"time_ns": 1, "kind": kind, "family": 2, **side, "retval": None, **changes}


def look(keys: dict[str, Any]) -> Look:
    return look_of(Observation.model_validate(keys))


def differences(wanted: Look, events: list[dict[str, Any]], ends: dict[str, Any]) -> list[str]:
    return [each.text for each in observation.differences(wanted, events, ends, step="observe", stage=Stage.OBSERVE)]


def trace_differences(wanted: Look, events: list[dict[str, Any]]) -> list[str]:
    found = observation.trace_differences(wanted, events, step="look-1", stage=Stage.OBSERVE)
    return [sentence for each in found for sentence in each.text.split("; ")]


SEEN = [
    event("fentry", CLIENT),
    event("kprobe", CLIENT),
    event("fexit", CLIENT, retval=0),
    event("kprobe", LISTENER),
]
WANTED = look(
    {
        "client": [{"kind": "fentry"}, {"kind": "kprobe"}, {"kind": "fexit", "retval": 0}],
        "listener": [{"kind": "kprobe"}],
    }
)


@pytest.mark.parametrize(
    ("changes", "side"),
    [
        ({}, "client"),
        ({"saddr": "10.0.2.15"}, None),
        ({"daddr": "10.0.2.2"}, None),
        ({"sport": 22}, None),
        ({"sport": 49815, "dport": 48642}, None),
        ({"sport": 49815, "dport": 0, "daddr": "0.0.0.0"}, "listener"),
        ({"sport": 49815, "dport": 0, "saddr": "10.0.2.15"}, None),
        ({"sport": 48642, "dport": 0}, None),
    ],
)
def test_the_side_is_told_by_addresses_and_ports(changes: dict[str, Any], side: str | None) -> None:
    assert side_of(event("kprobe", {**CLIENT, **changes}), ENDS) == side


def test_the_same_over_ipv6() -> None:
    ends = {"client": ["::1", 40000], "server": ["::1", 41000]}
    assert side_of({"saddr": "::1", "sport": 40000, "daddr": "::1", "dport": 41000}, ends) == "client"
    assert side_of({"saddr": "::1", "sport": 41000, "daddr": "::", "dport": 0}, ends) == "listener"
    assert side_of({"saddr": "127.0.0.1", "sport": 40000, "daddr": "127.0.0.1", "dport": 41000}, ends) is None


def test_what_must_be_seen_has_no_differences() -> None:
    assert differences(WANTED, SEEN, ENDS) == []


def test_the_sides_may_interleave() -> None:
    # The accepting side runs in a softirq within the connecting side's own tcp_connect().
    for order in itertools.permutations(range(4)):
        if [index for index in order if index != 3] == [0, 1, 2]:
            assert differences(WANTED, [SEEN[index] for index in order], ENDS) == []


@pytest.mark.parametrize("index", range(len(SEEN)))
def test_a_missing_event_is_a_difference(index: int) -> None:
    found = differences(WANTED, SEEN[:index] + SEEN[index + 1 :], ENDS)
    assert len(found) == 1
    assert "must be seen, but" in found[0]


@pytest.mark.parametrize("index", range(len(SEEN)))
def test_an_event_too_many_is_a_difference(index: int) -> None:
    assert len(differences(WANTED, [*SEEN, SEEN[index]], ENDS)) == 1


def test_a_wrong_order_is_a_difference_that_names_both_orders() -> None:
    (found,) = differences(WANTED, [SEEN[1], SEEN[0], *SEEN[2:]], ENDS)
    assert found == "on the client side fentry, kprobe, fexit must be seen, but kprobe, fentry, fexit came"


def test_nothing_at_all_is_a_difference_on_each_side() -> None:
    assert differences(WANTED, [], ENDS) == [
        "on the client side fentry, kprobe, fexit must be seen, but nothing came",
        "on the listener side kprobe must be seen, but nothing came",
    ]


@pytest.mark.parametrize("retval", [1, -1, None])
def test_a_wrong_return_value_is_a_difference(retval: int | None) -> None:
    (found,) = differences(WANTED, [*SEEN[:2], {**SEEN[2], "retval": retval}, SEEN[3]], ENDS)
    assert found == f"the fexit event on the client side must carry retval 0, but carries {retval}"


def test_an_event_of_the_port_but_not_the_addresses_is_a_difference() -> None:
    stray = event("kprobe", {**CLIENT, "daddr": "192.0.2.1"})
    (found,) = differences(WANTED, [*SEEN, stray], ENDS)
    assert "this connection's port, but not its addresses" in found
    assert "192.0.2.1:49815" in found


def test_a_side_that_is_left_out_is_not_looked_at_and_an_empty_one_is() -> None:
    only_client = look({"client": [{"kind": "kprobe"}]})
    assert differences(only_client, [event("kprobe", CLIENT), event("kprobe", LISTENER)], ENDS) == []
    silent = look({"listener": []})
    assert len(differences(silent, [event("kprobe", LISTENER)], ENDS)) == 1


def traced(*patterns: dict[str, Any]) -> Look:
    return look({"trace": patterns})


FEXITS: list[dict[str, Any]] = [{"kind": "fexit", "retval": 0}] * 3
LOOP = traced({"kind": "fentry"}, {"kind": "fexit", "retval": 0, "times": 3}, {"kind": "callee", "value": 7})
RECORDS: list[dict[str, Any]] = [
    {"kind": "fentry", "retval": None},
    *FEXITS,
    {"kind": "callee", "retval": None, "value": 7},
]


def test_a_trace_as_it_must_be_has_no_differences() -> None:
    assert trace_differences(LOOP, RECORDS) == []
    assert trace_differences(traced(), []) == []


@pytest.mark.parametrize(
    ("records", "came"),
    [
        (RECORDS[:-1], "fentry, fexit x 3"),
        ([RECORDS[0], *FEXITS[:2], RECORDS[-1]], "fentry, fexit x 2, callee"),
        ([RECORDS[0], *FEXITS, FEXITS[0], RECORDS[-1]], "fentry, fexit x 4, callee"),
        ([*FEXITS, RECORDS[0], RECORDS[-1]], "fexit x 3, fentry, callee"),
        ([FEXITS[0], RECORDS[0], *FEXITS[1:], RECORDS[-1]], "fexit, fentry, fexit x 2, callee"),
        ([], "nothing"),
    ],
)
def test_a_traces_order_and_its_numbers_count(records: list[dict[str, Any]], came: str) -> None:
    assert trace_differences(LOOP, records) == [f"in the trace fentry, fexit x 3, callee must be seen, but {came} came"]


@pytest.mark.parametrize(("times", "said"), [(4, False), (5, True)])
def test_of_a_busy_hook_it_is_said_how_less_can_be_asked_for(times: int, said: bool) -> None:
    wanted = traced({"kind": "fentry"})
    (text,) = trace_differences(wanted, [{"kind": "fentry"}] * times)
    assert ("(where others use the hook, too, say `trace: {at-least: [...]}`)" in text) == said
    (text,) = trace_differences(wanted, [{"kind": "fexit"}] * times)
    assert "at-least" not in text


def test_each_of_several_records_must_carry_the_return_value() -> None:
    records = [RECORDS[0], FEXITS[0], {"kind": "fexit", "retval": 1}, FEXITS[0], {"kind": "callee", "value": 8}]
    assert trace_differences(LOOP, records) == [
        "the fexit event in the trace must carry retval 0, but carries 1",
        "the callee event in the trace must carry value 7, but carries 8",
    ]


def test_a_value_that_is_missing_is_a_difference_and_one_that_is_not_asked_for_is_none() -> None:
    (found,) = trace_differences(traced({"kind": "fentry", "value": 0}), [{"kind": "fentry", "retval": None}])
    assert found == "the fentry event in the trace must carry value 0, but carries None"
    assert trace_differences(traced({"kind": "fentry"}), [{"kind": "fentry", "retval": 3, "value": 9}]) == []


def test_an_empty_trace_must_be_empty() -> None:
    assert trace_differences(traced(), FEXITS) == ["in the trace nothing must be seen, but fexit x 3 came"]


def test_a_difference_carries_all_events_that_came() -> None:
    (found,) = observation.trace_differences(LOOP, FEXITS[:1], step="look-2", stage=Stage.OBSERVE)
    assert found == Difference(
        step="look-2",
        stage=Stage.OBSERVE,
        kind=DifferenceKind.EVENTS,
        of="trace",
        seen=({"kind": "fexit", "retval": 0, "value": None},),
        text="in the trace fentry, fexit x 3, callee must be seen, but fexit came",
    )


def test_a_difference_of_the_control_says_that_the_tracers_are_detached() -> None:
    (found,) = observation.trace_differences(traced(), FEXITS[:1], step="control", stage=Stage.DETACH)
    assert found.text.startswith("with the tracers detached, in the trace nothing must be seen")


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        ({"kind": "undecodable", "raw": "00ff"}, "undecodable 2 bytes 00ff"),
        ({"kind": "fexit", "retval": -22}, "fexit retval -22"),
        ({"kind": "kprobe", "saddr": "::1", "sport": 1, "daddr": "::", "dport": 0}, "kprobe ::1:1 -> :::0"),
    ],
)
def test_an_event_in_words(seen: dict[str, Any], text: str) -> None:
    assert describe(seen) == text


@given(
    st.lists(
        st.one_of(
            st.sampled_from(SEEN),
            st.dictionaries(
                st.sampled_from(["kind", "saddr", "sport", "daddr", "dport", "retval"]),
                st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2)),
            ),
        ),
        max_size=8,
    )
)
def test_only_the_wanted_events_have_no_differences(events: list[dict[str, Any]]) -> None:
    found = differences(WANTED, events, ENDS)
    client = [e for e in events if e in SEEN[:3]]
    right = len(events) == 4 and client == SEEN[:3] and SEEN[3] in events
    assert (found == []) == right


# --- what must be seen is a field of a program's info -----------------------------------------------------------------

REPORT = {"programs": {"target.main": {"jited_address": 0xFFFFFFFFC0001000, "run_cnt": 0}}}


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("target.main:jited_address", 0xFFFFFFFFC0001000),
        ("target.main:run_cnt", None),
        ("target.main:verified_insns", None),
        ("target.other:jited_address", None),
    ],
)
def test_a_field_that_is_zero_or_missing_is_unknown(reference: str, value: int | None) -> None:
    assert field_of(reference, REPORT) == value
    assert field_of(reference, {}) is None


def test_a_value_is_compared_with_the_field_that_it_names() -> None:
    wanted = traced({"kind": "fentry", "value": "target.main:jited_address"}, {"kind": "target"})
    seen: list[dict[str, Any]] = [
        {"kind": "fentry", "retval": None, "value": 0xFFFFFFFFC0001000},
        {"kind": "target", "retval": None},
    ]
    assert trace_differences(known(wanted, REPORT), seen) == []
    seen[0]["value"] = 0xFFFFFFFFC0001004
    (found,) = trace_differences(known(wanted, REPORT), seen)
    assert "must carry value 18446744072635813888, but carries 18446744072635813892" in found


@pytest.mark.parametrize("value", [None, 0, 1, UNKNOWN[:3]])
def test_no_event_carries_a_field_that_is_unknown(value: Any) -> None:
    wanted = traced({"kind": "fentry", "value": "target.main:run_cnt"})
    (found,) = trace_differences(known(wanted, REPORT), [{"kind": "fentry", "retval": None, "value": value}])
    assert f"must carry value {UNKNOWN}, but carries {value}" in found


def test_what_names_no_field_is_as_it_was() -> None:
    assert known(LOOP, REPORT) is LOOP
