"""A report within bounds: lists, depth, numbers, names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reports_sample import nasty_report, quiet_report

from harness.reports.bounded import bounded
from harness.reports.text import clean


def test_bounded_cuts_lists_and_leaves_a_mark() -> None:
    report = nasty_report()
    first = report.cells[0]
    many = tuple({"kind": str(n)} for n in range(1000))
    lines = tuple(str(n) for n in range(1000))
    nested: list[object] = []
    for _ in range(500):
        nested = [nested]
    outcome = replace(
        first.outcome, events=(*many, {"kind": "last", "nest": nested}), console_tail=lines, seconds=float("nan")
    )
    kernel = replace(
        report.kernels[0],
        environment={str(n): n for n in range(1000)},
        seconds={"boot": float("inf")},
    )
    report = replace(report, kernels=(kernel,), cells=(replace(first, outcome=outcome),))
    cut = bounded(report, string=str, items=10)
    assert [event["kind"] for event in cut.cells[0].outcome.events] == [
        *"012", "[... 992 events cut ...]", *(str(n) for n in range(995, 1000)), "last",
    ]  # fmt: skip
    assert "nested too deep" in str(cut.cells[0].outcome.events[-1])
    assert cut.cells[0].outcome.console_tail[3] == "[... 991 lines cut ...]"
    assert len(cut.cells[0].outcome.console_tail) == 10
    assert len(cut.kernels[0].environment) == 10
    assert cut.cells[0].outcome.seconds == 0
    assert cut.kernels[0].seconds == {"boot": 0}
    assert bounded(cut, string=str, items=10) == cut


def test_bounded_makes_what_json_cannot_say_into_text() -> None:
    report = nasty_report()
    odd: dict[Any, Any] = {"nan": float("nan"), "big": 2**64, "small": 2**64 - 1, "bytes": b"x", 3: (1, 2)}
    kernel = replace(report.kernels[0], environment=odd)
    cut = bounded(replace(report, kernels=(kernel,)), string=str, items=100)
    assert cut.kernels[0].environment == {
        "nan": "nan", "big": "0x10000000000000000", "small": 2**64 - 1, "bytes": "b'x'", "3": [1, 2],
    }  # fmt: skip


def test_names_that_become_alike_stay_apart() -> None:
    report = quiet_report()
    names = ["a", "a\x1b[0m", "a.2"]
    cells = tuple(replace(report.cells[0], kernel=name, verdict_reason=name) for name in names)
    report = replace(report, kernels=tuple(replace(report.kernels[0], name=name) for name in names), cells=cells)
    cut = bounded(report, string=clean, items=10)
    assert [kernel.name for kernel in cut.kernels] == ["a", "a.2", "a.2.2"]
    assert [cell.kernel for cell in cut.cells] == ["a", "a.2", "a.2.2"]
    assert bounded(cut, string=clean, items=10) == cut
