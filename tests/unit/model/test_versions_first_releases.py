"""Which kernels have a commit that came to some stable series earlier or later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.model.versions import kernel_version, parse_first_releases

FIX = ("6.1.191", "6.12.5", "6.13")


@pytest.mark.parametrize(
    ("version", "has_it"),
    [
        ("5.10.223", False),
        ("5.15.9999", False),
        ("6.0.19", False),
        ("6.1", False),
        ("6.1-rc1", False),
        ("6.1.0-50-cloud-amd64", False),
        ("6.1.176-1", False),
        ("6.1.190", False),
        ("6.1.191", True),
        ("6.1.192-1", True),
        ("6.2", False),
        ("6.6.200", False),
        ("6.11.11", False),
        ("6.12-rc7", False),
        ("6.12", False),
        ("6.12.4", False),
        ("6.12.5-1~bpo12+1", True),
        ("6.12.107+deb13-cloud-amd64", True),
        ("6.13-rc1", True),
        ("6.13~rc7-1~exp1", True),
        ("6.13", True),
        ("6.13.0", True),
        ("6.13.1", True),
        ("6.18.4", True),
        ("7.0", True),
        ("10.0", True),
    ],
)
def test_who_has_a_commit_with_backports(version: str, has_it: bool) -> None:
    assert parse_first_releases(FIX).covers(kernel_version(version)) is has_it
    assert parse_first_releases(FIX[::-1]).covers(kernel_version(version)) is has_it


@pytest.mark.parametrize(
    ("releases", "version", "has_it"),
    [
        # A commit of mainline alone is a plain bound.
        (("6.13",), "6.12.9999", False),
        (("6.13",), "6.13-rc1", True),
        # A fix that came in the midst of the newest series: the next one has it from its first candidate on.
        (("7.2.6", "7.3"), "7.2.5", False),
        (("7.2.6", "7.3"), "7.2.6", True),
        (("7.2.6", "7.3"), "7.3-rc1", True),
        # 6.10 is younger than 6.9, whatever YAML makes of it.
        (("6.9.4", "6.10"), "6.9.3", False),
        (("6.9.4", "6.10"), "6.10", True),
        (("6.9.4", "6.10"), "6.1.176", False),
    ],
)
def test_who_has_other_commits(releases: tuple[str, ...], version: str, has_it: bool) -> None:
    assert parse_first_releases(releases).covers(kernel_version(version)) is has_it


SERIES = st.tuples(st.integers(2, 9), st.integers(0, 30))


@st.composite
def commits(draw: st.DrawFn) -> tuple[tuple[int, int], dict[tuple[int, int], int]]:
    """Return the series of mainline's release, and the first stable number of each older series that has one."""
    mainline = draw(SERIES)
    older = SERIES.filter(lambda series: series < mainline)
    stable = draw(st.dictionaries(older, st.integers(1, 300), max_size=5)) if mainline > (2, 0) else {}
    return mainline, stable


@given(commit=commits(), other=SERIES, data=st.data())
def test_each_series_turns_exactly_once_and_where_it_is_said(
    commit: tuple[tuple[int, int], dict[tuple[int, int], int]], other: tuple[int, int], data: st.DataObject
) -> None:
    mainline, stable = commit
    entries = [f"{major}.{minor}.{number}" for (major, minor), number in stable.items()]
    entries.append("{}.{}".format(*mainline))
    releases = parse_first_releases(data.draw(st.permutations(entries)))
    for series in [mainline, other, *stable]:
        first = 0 if series >= mainline else stable.get(series)
        for number in (0, 1, *(stable.get(series, 1) + step for step in (-1, 0, 1)), 400):
            version = kernel_version("{}.{}.{}".format(*series, number))
            assert releases.covers(version) is (first is not None and number >= first)


@given(entries=st.lists(st.text("0123456789.rc-", max_size=8) | st.sampled_from(FIX), min_size=1, max_size=4))
def test_any_list_is_read_or_a_config_error(entries: list[str]) -> None:
    try:
        releases = parse_first_releases(entries)
    except ConfigError:
        return
    assert len(releases.stable) == len(entries) - 1
    assert all(releases.covers(kernel_version(entry)) for entry in entries)
