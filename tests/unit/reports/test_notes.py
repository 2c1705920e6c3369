"""The notes of a release: what they say, and that they fit into what GitHub takes."""

from __future__ import annotations

import pytest
from answers_samples import report

from harness.answers.support import support
from harness.reports.notes import BEGIN, END, LONGEST, render

REPORT = report({"6.1-x86_64": {"seed": "pass", "late": "fail"}, "6.12-x86_64": {"seed": "pass", "late": "pass"}})
LARGE = report({f"6.{row}-x86_64": {f"case-{case}": "pass" for case in range(150)} for row in range(40)})


def test_they_have_the_grid_and_the_statement_between_their_marks() -> None:
    text = render(REPORT, support([REPORT]))
    assert text.startswith(f"{BEGIN}\n")
    assert text.endswith(f"\n{END}\n")
    assert "| x86\\_64 |" in text or "| x86_64 |" in text
    assert "| late | 1 of 2 |" in text
    assert "4 cells (2 kernels × 2 cases): 3 pass, 1 fail" in text
    assert "Of 2 cases, 1 was seen to work on every kernel that answered, of 1 architecture" in text


def test_all_of_a_large_run_fits() -> None:
    text = render(LARGE, support([LARGE]))
    assert len(text) <= LONGEST
    assert "Too long for here" not in text


@pytest.mark.parametrize(("limit", "left_out"), [(20_000, ["report.html"]), (1_500, ["report.html", "support.md"])])
def test_what_does_not_fit_is_left_to_the_files(limit: int, left_out: list[str]) -> None:
    text = render(LARGE, support([LARGE]), limit=limit)
    assert len(text) <= limit
    assert [name for name in ("report.html", "support.md") if f"Too long for here: see `{name}`" in text] == left_out
    assert text.endswith(f"{END}\n")


def test_no_text_of_a_case_ends_the_marked_part() -> None:
    strange = report({"6.1-x86_64": {END: "fail"}})
    assert render(strange, support([strange])).count(END) == 1
