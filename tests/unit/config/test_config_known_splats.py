"""`known-splats` of a matrix: which entries can be read, and what the judge gets of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.config.known_splats import KnownSplatEntry
from harness.model.known_splats import KnownSplat

KEYS = {"pattern": "x[.]c:1", "reason": "its own", "link": "https://example.org/1", "expires": "2027-01-31"}


def entry(**changes: Any) -> KnownSplatEntry:
    return KnownSplatEntry.model_validate({**KEYS, **changes})


def test_the_judge_gets_what_is_written() -> None:
    said = entry(arch=["x86_64"], version=">=6.8")
    assert said.value() == KnownSplat(
        pattern="x[.]c:1",
        arch=("x86_64",),
        version=">=6.8",
        reason="its own",
        link="https://example.org/1",
        expires=date(2027, 1, 31),
    )
    assert (entry().value().arch, entry().value().version) == (None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pattern": "a|"}, "matches every splat, as it matches empty text"),
        ({"pattern": ".*"}, "matches every splat, as it matches empty text"),
        ({"pattern": "("}, "not a regular expression that Python can read"),
        ({"expires": "2027-02-29"}, "a day as YYYY-MM-DD"),
        ({"expires": "31.1.2027"}, "a day as YYYY-MM-DD"),
        ({"expires": "2027-1-31"}, "a day as YYYY-MM-DD"),
        ({"expires": "20270131"}, "a day as YYYY-MM-DD"),
        ({"expires": "2027-W04-7"}, "a day as YYYY-MM-DD"),
        ({"expires": 20270131}, "a day as YYYY-MM-DD"),
        ({"link": "ftp://example.org"}, "link"),
        ({"arch": []}, "arch"),
        ({"until": "2027-01-31"}, "until"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        entry(**changes)


@pytest.mark.parametrize("key", ["pattern", "reason", "link", "expires"])
def test_an_entry_is_for_a_reason_and_for_a_time(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        KnownSplatEntry.model_validate({name: value for name, value in KEYS.items() if name != key})


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_day_can_be_written(day: date) -> None:
    assert entry(expires=day.isoformat()).expires == day
