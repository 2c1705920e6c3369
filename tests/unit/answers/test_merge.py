from __future__ import annotations

from dataclasses import replace

import pytest
from answers_samples import kernel, report

from harness.answers.merge import merge
from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, UsageError
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
