"""What is known of a refused step, and what a condition asks of it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model.evidence import Condition, Evidence, evidence_of, row, when

STEP: dict[str, Any] = {
    "op": "load",
    "errno_name": "EINVAL",
    "log": "R1 is odd",
    "detail": "libbpf: prog 'f': failed",
    "asked": {"type": "tracing", "type_known": False},
    "debug": ["libbpf: more", 5],
}


def test_a_step_of_the_agent_is_evidence() -> None:
    assert evidence_of(STEP) == Evidence(
        op="load",
        errno="EINVAL",
        log="R1 is odd",
        said="libbpf: prog 'f': failed",
        asked={"type": "tracing", "type_known": False},
        debug=("libbpf: more", "5"),
    )


@pytest.mark.parametrize("nothing", [{}, {"errno_name": None, "log": None, "detail": None}, {"asked": 1, "debug": "x"}])
def test_a_step_of_an_older_agent_says_less(nothing: dict[str, Any]) -> None:
    assert evidence_of({"op": "load", **nothing}) == Evidence(op="load")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition(), True),
        (when("attach load"), True),
        (when("attach"), False),
        (when("load", "EPERM EINVAL"), True),
        (when("", "EPERM"), False),
        (when(text="odd"), True),
        (when(text=r"prog '\w': failed$"), True),
        (when(text="even"), False),
        (when(log="R1"), True),
        (when(log="prog"), False),
        (when(silent=True), False),
        (when(type="tracing"), True),
        (when(type="trac"), False),
        (when(type="tracing|lsm", type_known="False"), True),
        (when(type_known="True"), False),
        (when(map_type=".*"), False),
        (when("load", "EINVAL", "odd", log="odd", type="tracing"), True),
        (when("load", "EINVAL", "odd", log="odd", type="lsm"), False),
    ],
)
def test_all_that_a_condition_says_must_hold(condition: Condition, holds: bool) -> None:
    assert condition.holds(evidence_of(STEP)) is holds


def test_libbpf_is_silent_where_no_message_is_its_own() -> None:
    failed = evidence_of({**STEP, "detail": "Invalid argument"})
    assert failed.silent and when(silent=True).holds(failed)
    assert failed.text == "R1 is odd\nInvalid argument"


def test_a_row_of_a_table_needs_no_names_of_columns() -> None:
    made = row("a-name", when("load"), "the_function()", "do this")
    assert (made.name, made.condition, made.place, made.advice) == ("a-name", when("load"), "the_function()", "do this")
