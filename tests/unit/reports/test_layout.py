"""The grid of report.html: groups of kernels, which side is which, and what a cell shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from browser_reports import CASES, KERNELS, MARKED, mixed_report
from reports_sample import ALLOWED, kernel, quiet_report

from harness.model.results import PartResult, Verdict
from harness.reports import layout


def test_kernels_are_in_groups_of_their_architecture_in_the_order_of_the_plan() -> None:
    report = mixed_report()
    found = layout.layout_of(replace(report, kernels=(*report.kernels[3:], *report.kernels[:3])))
    assert [(group.arch, len(group.kernels), group.plain) for group in found.groups] == [
        ("arm64", 2, False),
        ("riscv64", 2, True),
        ("x86_64", 3, False),
    ]
    assert found.labels == ("6.1", "6.12", "7.3", "7.4", "6.1", "6.12", "7.3")
    assert [each.name for each in found.kernels] == [*KERNELS[3:], *KERNELS[:3]]
    assert [each.verdict for each in layout.cells_of(found, found.groups[2], 1)] == [
        Verdict.PASS, Verdict.FAIL, Verdict.FAIL,
    ]  # fmt: skip
    assert found.cells[5][1].refusal == "context-not-known"


def test_a_family_is_a_distribution_or_many_builds_of_a_series() -> None:
    sweep = [kernel(f"s-{n}", version=f"6.1.{n}-1", distribution="debian") for n in range(layout.MANY)]
    others = [
        kernel("a", version="6.12.4-1", distribution="debian"),
        kernel("b", version="6.1.4", distribution="ubuntu"),
        kernel("c", version="", release="", distribution=""),
    ]
    assert layout.families_of([*sweep, *others]) == {
        **dict.fromkeys((each.name for each in sweep), "debian 6.1"),
        "a": "debian",
        "b": "ubuntu",
        "c": "",
    }
    few = layout.families_of([*sweep[1:], *others[:2]])
    assert [few[each] for each in ("s-1", "a", "b")] == ["debian", "debian", "ubuntu"]
    assert set(layout.families_of([*sweep[1:], others[0], others[2]]).values()) == {""}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("6.1-x86_64", "6.1"),
        ("6.1-x86_64+libbpf-1.5+clang-19", "6.1+libbpf-1.5+clang-19"),
        ("mine", "mine"),
        ("-x86_64", "-x86_64"),
    ],
)
def test_a_label_has_no_architecture(name: str, label: str) -> None:
    assert layout.label_of(kernel(name)) == label


def test_few_cases_are_columns_and_many_are_rows() -> None:
    few, many = layout.layout_of(mixed_report(CASES[:6])), layout.layout_of(mixed_report(CASES[:7]))
    assert (few.kernels_are_rows, many.kernels_are_rows) == (True, False)
    assert (few.width, many.width) == ("names-14", "names-14 few")
    assert layout.layout_of(mixed_report(("a" * 99, *CASES))).width == "names-38 few"


def test_few_kernels_have_wide_columns_and_many_have_not() -> None:
    found = mixed_report(CASES[:7])
    more = [replace(found.kernels[0], name=f"{n}-x86_64") for n in range(layout.FEW + 1)]
    widths = [layout.layout_of(replace(found, kernels=tuple(more[:count]))).width for count in (layout.FEW, len(more))]
    assert widths == ["names-14 few", "names-14"]


def test_a_cell_says_what_is_to_be_said_beside_its_verdict() -> None:
    cell = quiet_report().cells[0]
    assert layout.shown(cell).is_plain
    assert layout.noted(replace(cell, outcome=MARKED)) == "did not run"
    assert not layout.shown(replace(cell, outcome=MARKED)).is_plain
    part = PartResult(name="p", outcome=replace(MARKED, refusal="busy"), verdict=Verdict.PASS, verdict_reason="")
    with_part = replace(cell, outcome=ALLOWED, parts=(part,))
    assert layout.noted(with_part) == "did not run, allowed splat"
    assert layout.shown(with_part).refusal == "busy"
