"""Comparing what was found beside events with what a case says."""

# ruff: noqa: E501  (a table is read by its columns)

from __future__ import annotations

from typing import Any

import pytest

from harness.judge.inspected import come_as, fits, inspected_differences, member
from harness.model.results import DifferenceKind, Stage
from harness.scenario.case import Inspected


@pytest.mark.parametrize(
    ("pattern", "value", "wanted"),
    [
        (3, 3, True),
        (3, 4, False),
        ("$trigger-pid", 77, True),
        ("$trigger-pid", 78, False),
        ("$child-pid", 78, True),
        ("$child-pid", 77, False),
        ({"at-least": 3}, 3, True),
        ({"at-least": 3}, 2, False),
        ({"at-most": 3}, 4, False),
        ({"at-least": 1, "at-most": 3}, 2, True),
        ({"at-least": 1}, "text", False),
        ({"pid": 1}, {"pid": 1, "comm": "x"}, True),
        ({"pid": 1}, {"comm": "x"}, False),
        ({"places[1].port": 443}, {"places": [{}, {"port": 443}]}, True),
        ({"places[2].port": 443}, {"places": [{}, {"port": 443}]}, False),
        ([1, 2], [1, 2], True),
        ([1], [1, 2], False),
        ({"~": "^a+$"}, "aaa", True),
        ({"~": "^a+$"}, "b", False),
        (5, {"cpus": [2, 3]}, True),
        ([2, 3], {"cpus": [2, 3]}, True),
        ({"at-least": 6}, {"cpus": [2, 3]}, False),
        (5, {"cpus": [{"a": 5}]}, False),
        ("GREEN", "GREEN", True),
    ],
)
def test_a_value_fits_a_pattern(pattern: Any, value: Any, wanted: bool) -> None:
    assert fits(pattern, value, pids={"$trigger-pid": 77, "$child-pid": 78}) is wanted


def test_without_a_trigger_no_value_is_its_process() -> None:
    assert not fits("$trigger-pid", None)


@pytest.mark.parametrize(
    ("how", "patterns", "found", "wanted"),
    [
        ("exactly", [1, 2], [1, 2], True),
        ("exactly", [1, 2], [2, 1], False),
        ("exactly", [1], [1, 1], False),
        ("exactly", [], [], True),
        ("exactly", [], [1], False),
        ("at-least", [1, 2], [0, 1, 0, 2, 3], True),
        ("at-least", [1, 2], [2, 1], False),
        ("at-least", [1, 1], [1], False),
        ("any-order", [1, 2], [2, 1], True),
        ("any-order", [1, 2], [2, 1, 1], False),
        ("any-order", [{"at-least": 1}, 2], [2, 1], True),
        ("any-order", [{"at-least": 1}, 2], [1, 1], False),
        ("none", [1], [2, 3], True),
        ("none", [1], [2, 1], False),
    ],
)
def test_how_much_must_come(how: str, patterns: list[Any], found: list[Any], wanted: bool) -> None:
    assert come_as(how, patterns, found, fits) is wanted


def test_a_member_that_is_not_there_is_nothing() -> None:
    assert member({"a": {"b": [1]}}, "a.b[0]") == 1
    assert member({"a": {"b": [1]}}, "a.c.d") is None
    assert member({"a": 1}, "a[3]") is None


RECORDS = Inspected(kind="records", name="rb", wanted=({"pid": 1},))


def differences(one: Inspected, **answer: Any) -> Any:
    report = {"found": [answer], "trigger_pid": 77}
    return inspected_differences([one], report, step="observe", stage=Stage.OBSERVE)


def test_records_that_are_not_as_they_must_be_are_shown() -> None:
    (one,) = differences(RECORDS, records=[{"pid": 2, "comm": "cat"}], others=3, note="why")
    assert (one.kind, one.of, one.seen) == (DifferenceKind.INSPECTED, "records rb", [{"pid": 2, "comm": "cat"}])
    assert one.text == (
        'of the records of rb exactly {pid: 1} must come, but {pid: 2, comm: "cat"} came; 3 of other processes are '
        "left out (why)"
    )
    assert differences(RECORDS, records=[{"pid": 1}]) == []


def test_lost_records_are_no_answer_unless_enough_have_come() -> None:
    assert "2 records of rb were lost" in differences(RECORDS, records=[{"pid": 1}], lost=2)
    some = Inspected(kind="records", name="rb", how="at-least", wanted=({"pid": 1},))
    assert differences(some, records=[{"pid": 1}], lost=2) == []
    assert "were lost" in differences(some, records=[], lost=2)


@pytest.mark.parametrize(
    ("one", "answer", "text"),
    [
        (Inspected(kind="global", name="hits", wanted=(2,)), {"value": 1}, "the variable hits must be 2, but is 1"),
        (Inspected(kind="runs", name="p", wanted=(2,)), {"value": 1}, "the program p must have run 2, but ran 1"),
        (Inspected(kind="map", name="m", how="count", wanted=(2,)), {"entries": [[1, 1]]}, "the map m must have 2 ent"),
        (Inspected(kind="map", name="m", how="values", wanted=(("1", 2),)), {"entries": [[1, 3]]}, '"1" must be 2, but is 3'),
        (Inspected(kind="printk", name="", wanted=({"text": {"~": "^a"}},)), {"records": []}, "exactly /^a/ must come, but nothing"),
        (Inspected(kind="records", name="r", wanted=({}, {})), {"records": [{"a": 1}]}, "exactly 2 must come"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_sentence(one: Inspected, answer: dict[str, Any], text: str) -> None:
    (found,) = differences(one, **answer)
    assert text in found.text


def test_keys_are_compared_as_texts_or_as_structures() -> None:
    entries = [[{"a": 1, "b": 2}, {"port": 443}], ["cat", 1]]
    wanted = (({"a": 1}, {"port": 443}), ("cat", 1))
    assert differences(Inspected(kind="map", name="m", how="values", wanted=wanted), entries=entries) == []


def test_an_answer_of_other_things_is_none() -> None:
    assert inspected_differences([RECORDS], {"found": []}, step="observe", stage=Stage.OBSERVE) == (
        "the agent found 0 of 1 things that were looked at"
    )
