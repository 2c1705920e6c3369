from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from answers_samples import kernel, report

from harness.answers.explain import command_again
from harness.answers.merge import merge
from harness.answers.seen import Place
from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, UsageError
from harness.model.results import Fault, KernelResult, Report, Verdict
from harness.model.shards import Shard
from harness.reports.grid import completed

ROW, OTHER, LATER = "6.1-x86_64", "6.12-x86_64", "20260102T000000Z"


def test_shards_are_one_report() -> None:
    one, two = report({ROW: {"a": "pass"}}, seconds=3.0), report({OTHER: {"a": "fail"}}, name=LATER, seconds=5.0)
    found = merge([one, two])
    assert [kernel.name for kernel in found.kernels] == [ROW, OTHER]
    assert [(cell.kernel, cell.verdict) for cell in found.cells] == [(ROW, "pass"), (OTHER, "fail")]
    assert (found.run.seconds, found.run.complete, found.run.exit_code) == (5.0, True, EXIT_UNEXPECTED)
    assert "merged of 20260101T000000Z, 20260102T000000Z" in found.run.notices


def test_a_row_in_two_shards_is_one_row() -> None:
    one = report({ROW: {"a": "pass"}}, kernels={ROW: kernel(ROW, boots=1, seconds={"boot": 1.0}, problems=("p",))})
    two = report(
        {ROW: {"b": "pass"}}, kernels={ROW: kernel(ROW, boots=2, seconds={"boot": 2.0}, memory=9.0)}, name=LATER
    )
    (row,) = merge([one, two]).kernels
    assert (row.boots, row.seconds, row.memory, row.problems) == (3, {"boot": 3.0}, 9.0, ("p",))


def test_a_row_that_one_shard_did_not_reach_is_what_the_other_says() -> None:
    one = report({ROW: {"a": "lost"}}, kernels={ROW: kernel(ROW, release="", package=None)})
    two = report({ROW: {"b": "pass"}}, name=LATER)
    (row,) = merge([one, two]).kernels
    assert row.package is not None


def test_the_same_cell_twice_is_an_error() -> None:
    one, two = report({ROW: {"a": "pass"}}), report({ROW: {"a": "fail"}}, name=LATER)
    with pytest.raises(UsageError, match=rf"{ROW} x a.*--last-wins"):
        merge([one, two])
    found = merge([one, two], last_wins=True)
    assert [cell.verdict for cell in found.cells] == ["fail"]


def test_a_cell_that_no_shard_has_is_never_green() -> None:
    found = merge([report({ROW: {"a": "pass"}}), report({OTHER: {"b": "pass"}}, name=LATER)])
    assert len(found.cells) == 2
    assert len(completed(found).cells) == 4


def test_a_shard_that_is_not_complete_makes_all_of_it_not_complete() -> None:
    found = merge([report({ROW: {"a": "pass"}}), report({OTHER: {"a": "pass"}}, name=LATER, complete=False)])
    assert (found.run.complete, found.run.exit_code) == (False, EXIT_HARNESS)
    whole = merge([report({ROW: {"a": "pass"}}), report({OTHER: {"a": "pass"}}, name=LATER)])
    assert whole.run.exit_code == EXIT_OK


def test_one_run_is_not_merged() -> None:
    with pytest.raises(UsageError, match="at least two"):
        merge([report({ROW: {"a": "pass"}})])


def test_accelerators_of_all_are_named() -> None:
    one, two = report({ROW: {"a": "pass"}}), report({OTHER: {"a": "pass"}}, name=LATER)
    two = replace(two, run=replace(two.run, accel="kvm"))
    assert merge([one, two]).run.accel == "tcg, kvm"


ROWS = {"5.10-x86_64": "x86_64", ROW: "x86_64", OTHER: "x86_64"}
CASES = {"a": "case a", "b": "case b"}


def shard(
    index: int,
    cells: Mapping[str, Mapping[str, str]],
    *,
    count: int = 3,
    kernels: Mapping[str, KernelResult] | None = None,
    **changes: Any,
) -> Report:
    """The report of one shard of a run of `ROWS` and `CASES`."""
    known: dict[str, Any] = {"plan": "p", "lock": "l", "rows": ROWS, "cases": CASES}
    return report(
        cells,
        name=f"2026010{index}T000000Z",
        kernels=kernels,
        command=f"bpfmatrix matrix --arch all --shard {index}/{count} --cold",
        shard=Shard(index=index, count=count, **(known | changes)),
    )


ONE = shard(1, {OTHER: {"a": "pass", "b": "pass"}})
TWO = shard(2, {"5.10-x86_64": {"b": "xfail"}, ROW: {"b": "fail"}})
THREE = shard(3, {"5.10-x86_64": {"a": "xfail"}, ROW: {"a": "pass"}})


def test_shards_come_in_the_order_of_the_whole_run() -> None:
    found = merge([THREE, ONE, TWO])
    assert [each.name for each in found.kernels] == list(ROWS)
    assert found.cases == tuple(CASES.items())
    assert [(cell.kernel, cell.case) for cell in found.cells] == [(row, case) for row in ROWS for case in CASES]
    assert completed(found) == found
    assert (found.run.shard, found.run.complete, found.run.exit_code) == (None, True, EXIT_UNEXPECTED)


def test_what_is_merged_of_shards_has_the_command_of_the_whole_run() -> None:
    found = merge([ONE, TWO, THREE])
    assert found.run.command == "bpfmatrix matrix --arch all --cold"
    again = command_again(found, Place(kernel=ROW, case="b"), program="bpfmatrix")
    assert again == f"bpfmatrix matrix --kernel {ROW} --case b --cold"


def test_what_comes_behind_two_dashes_is_not_the_choice_of_a_shard() -> None:
    run = "bpfmatrix exec --shard=1/1 -- t --shard 2/2"
    one = replace(ONE, run=replace(ONE.run, command=run, shard=replace(ONE.run.shard or fail(), count=1)))
    assert merge([one]).run.command == "bpfmatrix exec -- t --shard 2/2"


def fail() -> Shard:
    raise AssertionError


def test_a_missing_shard_is_an_error_that_names_it() -> None:
    with pytest.raises(UsageError, match=r"^the shards 2/3 of this run are missing.*--partial"):
        merge([ONE, THREE])
    with pytest.raises(UsageError, match=r"^the shards 1/3, 3/3 of this run are missing"):
        merge([TWO])


def test_a_part_of_the_shards_is_never_green() -> None:
    found = merge([ONE, THREE], partial=True)
    assert [(cell.kernel, cell.case) for cell in found.cells] == [(row, case) for row in ROWS for case in CASES]
    missing = found.cell(ROW, "b")
    assert (missing.verdict, missing.outcome.fault) == (Verdict.NOT_RUN, Fault.ENDED)
    assert (missing.title, missing.verdict_reason) == ("case b", "its shard is missing: 2/3")
    assert (found.run.complete, found.run.exit_code) == (False, EXIT_HARNESS)
    assert "the shards 2/3 are missing" in found.run.notices
    (_, *rest) = merge([ONE], partial=True).kernels
    assert [each.arch for each in rest] == ["x86_64", "x86_64"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"plan": "q"}, r"20260102T000000Z \(shard 2/3\) is of another plan than shard 1/3"),
        ({"lock": "m"}, r"20260102T000000Z \(shard 2/3\) was run with another matrix.lock than shard 1/3"),
    ],
)
def test_shards_of_different_runs_are_refused(other: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        merge([ONE, shard(2, {ROW: {"b": "fail"}}, **other), THREE], partial=True, last_wins=True)


def test_a_shard_is_not_merged_with_what_is_none() -> None:
    whole = report({ROW: {"a": "pass"}}, name="20260109T000000Z")
    with pytest.raises(UsageError, match="20260109T000000Z is no shard"):
        merge([ONE, TWO, THREE, whole])


def test_the_same_shard_twice_is_as_any_cell_twice() -> None:
    again = replace(TWO, run=replace(TWO.run, id=LATER + "-2"))
    with pytest.raises(UsageError, match="--last-wins"):
        merge([ONE, TWO, again, THREE])
    assert merge([ONE, TWO, again, THREE], last_wins=True).cell(ROW, "b").verdict is Verdict.FAIL


def test_a_row_of_two_builds_in_two_shards_is_refused() -> None:
    newer = shard(3, {"5.10-x86_64": {"a": "xfail"}, ROW: {"a": "pass"}}, kernels={ROW: kernel(ROW, "6.1.9-1")})
    with pytest.raises(UsageError, match=f"{ROW} is 6.1.1-1 and 6.1.9-1 in two shards"):
        merge([ONE, TWO, newer])


def test_shards_that_different_agents_ran_are_refused() -> None:
    rows = {ROW: "x86_64", OTHER: "x86_64"}
    one, two = (
        shard(
            index,
            {name: {"a": "pass", "b": "pass"}},
            count=2,
            rows=rows,
            kernels={name: kernel(name, inputs={"agent": agent})},
        )
        for index, name, agent in ((1, ROW, "x"), (2, OTHER, "x"))
    )
    assert merge([one, two]).run.exit_code == EXIT_OK
    other = replace(two, kernels=(kernel(OTHER, inputs={"agent": "y"}),))
    with pytest.raises(UsageError, match="20260101T000000Z and 20260102T000000Z were run by different versions"):
        merge([one, other])


def test_an_empty_shard_is_one_of_them() -> None:
    rows = {ROW: "x86_64"}
    full = shard(1, {ROW: {"a": "pass", "b": "pass"}}, count=2, rows=rows)
    empty = shard(2, {}, count=2, rows=rows)
    assert merge([full, empty]).cells == full.cells
    with pytest.raises(UsageError, match="2/2"):
        merge([full])
