"""The order in which kernels are run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.matrix import PathKernel
from harness.model.results import KernelResult, Report, RunInfo
from harness.reports.json_report import render
from harness.run.schedule import LastRun, last_run, longest_first


def kernels(*names: str) -> list[PathKernel]:
    return [PathKernel(name=name, arch="x86_64", source="path", image=Path("vmlinuz")) for name in names]


def names(order: object) -> list[str]:
    return [kernel.name for kernel in order]  # type: ignore[attr-defined]


def test_the_longest_comes_first_and_what_is_not_known_before_it() -> None:
    found = longest_first(kernels("a", "b", "new", "c"), {"a": 1.0, "b": 3.0, "c": 2.0, "gone": 9.0})
    assert names(found) == ["new", "b", "c", "a"]


def test_without_times_the_order_is_the_matrixs() -> None:
    assert names(longest_first(kernels("c", "a", "b"), {})) == ["c", "a", "b"]


@given(st.dictionaries(st.sampled_from("abcde"), st.floats(min_value=0, allow_infinity=False)))
def test_no_kernel_is_lost_or_doubled(seconds: dict[str, float]) -> None:
    assert sorted(names(longest_first(kernels(*"abcde"), seconds))) == list("abcde")


def test_the_times_are_those_of_the_guests_in_the_last_run(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    run = RunInfo(
        id="x",
        started="x",
        version="x",
        command="x",
        accel="tcg",
        accel_reason="",
        seconds=40.0,
        host={},
        jobs=1,
        complete=True,
        exit_code=0,
    )
    kernels = (
        KernelResult(name="6.1", arch="x86_64", seconds={"fetch": 30.0, "total": 32.5}),
        KernelResult(name="unreached", arch="x86_64"),
    )
    report = Report(run=run, kernels=kernels, cases=(("a", "A"), ("b", "B")), cells=())
    (tmp_path / "latest" / "report.json").write_text(render(report))
    last = last_run(tmp_path)
    assert last == LastRun(seconds={"6.1": 2.5}, cases=frozenset("ab"))
    assert last.expected(["b", "a"]) == {"6.1": 2.5}
    for others in (["a"], ["a", "b", "c"], []):
        assert last.expected(others) == {}, "of other cases nothing is known"


@pytest.mark.parametrize("text", [None, "", "[]", '{"kernels": 3}', '{"kernels": [{"name": "x"}]}', '{"kernels": [7]}'])
def test_a_report_that_cannot_be_read_is_no_trouble(text: str | None, tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    if text is not None:
        (tmp_path / "latest" / "report.json").write_text(text)
    assert last_run(tmp_path) == LastRun()
