"""The grid on a terminal: each kernel and case is there, by architecture, in whatever width."""

from __future__ import annotations

import io

import pytest
from answers_samples import report as sample
from rich.console import Console
from test_terminal import cell, console, report

from harness.model.results import Verdict
from harness.screen.grid import STYLES, WIDE, print_grid, summary, verdict_text


def test_every_verdict_has_a_style() -> None:
    assert set(STYLES) == set(Verdict)


@pytest.mark.parametrize(
    ("verdicts", "text"),
    [
        ([], ""),
        ([Verdict.PASS], "pass"),
        ([Verdict.PASS, Verdict.PASS], "2 pass"),
        ([Verdict.FAIL, Verdict.PASS, Verdict.XFAIL, Verdict.PASS], "2 pass, 1 xfail, 1 fail"),
    ],
)
def test_a_summary(verdicts: list[Verdict], text: str) -> None:
    cells = [cell(verdict) for verdict in verdicts]
    assert summary(cells) == text
    assert verdict_text(cells).plain.split() == text.replace(",", "").split()


def test_the_grid_names_every_kernel_with_every_case() -> None:
    shown, out = console()
    grid = [cell(Verdict.PASS, case="a"), cell(Verdict.XFAIL, case="b"), cell(Verdict.FAIL, kernel="6.12", case="a")]
    grid.append(cell(Verdict.ERROR, kernel="6.12", case="b"))
    print_grid(report(*grid), console=shown)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert lines == [
        ["kernel", "release", "a", "b"],
        ["6.1", "6.1.0", "pass", "xfail"],
        ["6.12", "6.1.0", "fail", "error"],
    ]


def test_a_wide_grid_counts() -> None:
    shown, out = console()
    print_grid(report(*[cell(Verdict.PASS, case=f"c{number}") for number in range(WIDE + 1)]), console=shown)
    assert out.getvalue().splitlines()[1].split() == ["6.1", "6.1.0", str(WIDE + 1), "pass"]


def in_width(width: int, *, cases: int = 3) -> list[str]:
    out = io.StringIO()
    words = ("pass", "fail", "xfail")
    of_row = {f"case-{number}": words[number % 3] for number in range(cases)}
    made = sample(dict.fromkeys(("5.10-x86_64", "6.1-x86_64", "6.1-arm64"), of_row))
    print_grid(made, console=Console(file=out, force_terminal=True, color_system=None, width=width, highlight=False))
    return out.getvalue().splitlines()


def test_several_architectures_have_a_heading_each() -> None:
    assert [line.split()[0] for line in in_width(100)] == [
        *("kernel", "x86_64", "5.10-x86_64", "6.1-x86_64", "arm64", "6.1-arm64"),
    ]


@pytest.mark.parametrize("cases", [1, 3, 20])
@pytest.mark.parametrize("width", [24, 40, 60, 80])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(width: int, cases: int) -> None:
    lines = in_width(width, cases=cases)
    assert max(map(len, lines)) <= width
    assert [line for line in lines if line != line.rstrip()] == []
    text = " ".join(lines)
    for word in ("5.10-x86_64", "6.1-arm64", "pass"):
        assert word in text


def test_a_narrow_terminal_first_does_without_the_releases_then_has_a_line_for_each_cell() -> None:
    assert in_width(100)[0].split() == ["kernel", "release", "case-0", "case-1", "case-2"]
    assert in_width(40)[0].split() == ["kernel", "case-0", "case-1", "case-2"]
    assert in_width(30)[:4] == ["x86_64", "5.10-x86_64", "  case-0: pass", "  case-1: fail"]
