from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from answers_samples import cell, kernel, report
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.model.architectures import ARCHITECTURES
from harness.run.sharding import CASE_SECONDS, Part, Recorded, RowCost, costs, recorded, split


def row(name: str, guest: int, *cases: int, arch: str = "x86_64") -> RowCost:
    return RowCost(name=name, arch=arch, guest=guest, cases={f"c{number}": each for number, each in enumerate(cases)})


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[RowCost], int, str]:
    cases = draw(st.integers(1, 6))
    times = st.integers(1, 10_000)
    rows = [
        row(
            f"r{number}",
            draw(times),
            *(draw(times) for _ in range(cases)),
            arch=draw(st.sampled_from([*ARCHITECTURES])),
        )
        for number in range(draw(st.integers(1, 8)))
    ]
    by = draw(st.sampled_from(["", "arch"]))
    return rows, draw(st.integers(len({each.arch for each in rows}) if by else 1, 12)), by


@given(plans())
def test_each_cell_is_in_exactly_one_shard(plan: tuple[list[RowCost], int, str]) -> None:
    rows, count, by = plan
    parts = split(rows, count, by=by)
    assert len(parts) == count
    found = Counter((name, case) for part in parts for name in part.rows for case in part.cases)
    assert found == Counter((each.name, case) for each in rows for case in each.cases)
    arches = {each.name: each.arch for each in rows}
    for part in parts:
        assert bool(part.rows) == bool(part.cases) == bool(part.cost)
        assert not by or len({arches[name] for name in part.rows}) <= 1
        # What has not all cases is one row alone: then a shard is a grid.
        assert len(part.cases) in (0, len(rows[0].cases)) or len(part.rows) == 1


@given(plans())
def test_the_longest_shard_is_never_longer_than_with_whole_rows_alone(plan: tuple[list[RowCost], int, str]) -> None:
    rows, count, _ = plan
    longest = max(part.cost for part in split(rows, count))
    loads = [0] * count
    for each in sorted(rows, key=lambda each: -each.whole):
        loads[loads.index(min(loads))] += each.whole
    assert longest <= max(loads)


def test_whole_rows_stay_together_and_in_order() -> None:
    rows = [row("a", 1, 1, 1), row("b", 1, 3, 1), row("c", 1, 1, 1), row("d", 1, 2, 1)]
    assert split(rows, 2) == (
        Part(rows=("a", "d"), cases=("c0", "c1"), cost=7),
        Part(rows=("b", "c"), cases=("c0", "c1"), cost=8),
    )


def test_one_row_that_is_more_than_a_share_is_split_by_its_cases() -> None:
    rows = [row("a", 10, 50, 40, 30, 20), row("b", 10, 1, 1, 1, 1)]
    parts = split(rows, 3)
    assert parts == (
        Part(rows=("a",), cases=("c0", "c3"), cost=80),
        Part(rows=("a",), cases=("c1", "c2"), cost=80),
        Part(rows=("b",), cases=("c0", "c1", "c2", "c3"), cost=14),
    )


def test_a_row_is_not_split_where_its_guests_start_costs_more_than_that_gains() -> None:
    parts = split([row("a", 1000, 1)], 3)
    assert [part.cost for part in parts] == [1001, 0, 0]
    assert parts[1:] == (Part(), Part())


def test_more_shards_than_cells_are_empty() -> None:
    parts = split([row("a", 1, 5, 5)], 4)
    assert [part.cases for part in parts] == [("c0",), ("c1",), (), ()]


def test_each_architecture_has_shards_of_its_own_as_many_as_its_time_asks_for() -> None:
    rows = [row("a", 1, 10), row("b", 1, 10), row("c", 1, 10, arch="arm64"), row("d", 1, 10)]
    parts = split(rows, 4, by="arch")
    assert [part.rows for part in parts] == [("a",), ("b",), ("d",), ("c",)]
    with pytest.raises(UsageError, match="at least 2"):
        split(rows, 1, by="arch")


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_a_number_of_shards_that_cannot_be(count: int) -> None:
    with pytest.raises(UsageError, match="1 to 1000"):
        split([row("a", 1, 1)], count)


def test_only_architectures_can_be_common() -> None:
    with pytest.raises(UsageError, match='--by takes arch; got "kernel"'):
        split([row("a", 1, 1)], 1, by="kernel")


OLD, NEW = "20260101T000000Z", "20260102T000000Z"


def of_run(name: str, *, total: float, boots: int, isolated: bool = False) -> Recorded:
    found = report({"k": {"a": "pass", "b": "pass"}}, name=name)
    cells = tuple(
        replace(each, outcome=replace(each.outcome, seconds=2.0), isolated=isolated and each.case == "b")
        for each in found.cells
    )
    kernels = (kernel("k", boots=boots, seconds={"fetch": 100.0, "total": total + 100.0}),)
    return recorded([replace(found, cells=cells, kernels=kernels)])


def test_what_a_run_took_is_its_guests_start_and_its_cases() -> None:
    assert of_run(OLD, total=7.0, boots=1) == Recorded(
        guests={"k": 3.0}, cases={("k", "a"): 2.0, ("k", "b"): 2.0}, arches={"k": "x86_64"}
    )


def test_a_case_with_a_guest_of_its_own_costs_that_guest_too() -> None:
    found = of_run(OLD, total=10.0, boots=2, isolated=True)
    assert found.guests == {"k": 3.0}
    assert found.cases == {("k", "a"): 2.0, ("k", "b"): 5.0}


def test_the_newest_run_counts_whatever_their_order_is() -> None:
    reports = [
        report(
            {"k": {"a": cell("k", "a", "pass", outcome=replace(cell("k", "a", "pass").outcome, seconds=seconds))}},
            name=name,
            kernels={"k": kernel("k", boots=1, seconds={"total": seconds + 1.0})},
        )
        for name, seconds in ((OLD, 1.0), (NEW, 3.0))
    ]
    for order in (reports, reports[::-1]):
        assert recorded(order).cases == {("k", "a"): 3.0}


def test_a_row_that_did_not_run_says_nothing() -> None:
    assert recorded([report({"k": {"a": "lost"}})]) == Recorded()


def test_without_a_record_the_table_of_architectures_counts() -> None:
    (found,) = costs({"k": "ppc64le"}, ["a", "b"], Recorded())
    assert found.guest == ARCHITECTURES["ppc64le"].guest_seconds * 1000
    assert found.cases == dict.fromkeys("ab", CASE_SECONDS * 1000)
    assert not found.recorded
    assert ARCHITECTURES["ppc64le"].guest_seconds > ARCHITECTURES["x86_64"].guest_seconds


def test_what_is_not_known_takes_what_the_known_of_its_architecture_take() -> None:
    known = Recorded(
        guests={"k": 4.0, "l": 6.0},
        cases={("k", "a"): 1.0, ("l", "a"): 3.0, ("l", "b"): 5.0},
        arches={"k": "x86_64", "l": "x86_64"},
    )
    own, new, other = costs({"k": "x86_64", "m": "x86_64", "n": "s390x"}, ["a", "b", "c"], known)
    assert (own.guest, own.cases, own.recorded) == (4000, {"a": 1000, "b": 5000, "c": 3000}, True)
    assert (new.guest, new.cases, new.recorded) == (5000, {"a": 2000, "b": 5000, "c": 3000}, False)
    assert other.guest == ARCHITECTURES["s390x"].guest_seconds * 1000


def test_the_same_plan_is_split_the_same_way_each_time() -> None:
    some = random.Random(17)
    rows = [row(f"r{number}", *(some.randrange(1, 999) for _ in range(9))) for number in range(40)]
    assert split(rows, 7) == split(list(rows), 7)
