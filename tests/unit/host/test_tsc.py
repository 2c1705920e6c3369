"""The rate of the host's counter: two readings of it, each as good as the best of many."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from harness.host.tsc import TRIES, begin, is_constant, rate, reading, tsc_khz


def clock(moments: Iterator[int]) -> int:
    return next(moments)


def test_of_many_readings_the_quickest_counts() -> None:
    """All but the seventh are interrupted between the clock and the counter."""
    moments = iter([each for n in range(TRIES) for each in (n * 1000, n * 1000 + (10 if n == 7 else 900))])
    counts = iter(range(TRIES))
    assert reading(lambda: next(counts), clock=lambda: clock(moments)) == (7005, 7)


@pytest.mark.parametrize(
    ("last", "khz"),
    [
        ((1_020_000_000, 51_923_760), 2_596_138),
        ((1_000_000_000, 52_922_760), None),
        ((1_020_000_000, 1000), None),
        ((1_020_000_000, 0), None),
    ],
    ids=["goes-on", "no-time-has-passed", "stands", "goes-back"],
)
def test_the_rate_between_two_readings(last: tuple[int, int], khz: int | None) -> None:
    assert rate((1_000_000_000, 1000), last) == khz


@pytest.mark.parametrize(
    ("cpuinfo", "constant"),
    [
        ("flags\t\t: fpu tsc constant_tsc\nflags\t\t: fpu constant_tsc tsc\n", True),
        ("flags\t\t: fpu tsc constant_tsc\nflags\t\t: fpu tsc\n", False),
        ("flags\t\t: fpu constant_tsc_not\n", False),
        ("", False),
    ],
)
def test_each_processor_must_count_at_one_rate(cpuinfo: str, constant: bool) -> None:
    assert is_constant(cpuinfo) == constant


def test_this_host_has_one_rate_or_none() -> None:
    first = begin()
    if os.uname().machine != "x86_64":
        assert first is None and tsc_khz() is None
    elif first is not None:
        found = tsc_khz()
        assert found is not None and 100_000 < found < 100_000_000
        assert tsc_khz() == found, "measured once"


def test_a_host_where_nothing_that_was_written_may_be_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    begin.cache_clear()
    tsc_khz.cache_clear()
    monkeypatch.setattr("mmap.mmap", refused)
    try:
        assert begin() is None
        assert tsc_khz() is None
    finally:
        begin.cache_clear()
        tsc_khz.cache_clear()
