"""The grid in a page."""

from __future__ import annotations

import pytest
from reports_sample import quiet_report

from harness.errors import UsageError
from harness.reports import page
from harness.reports.grid import SYMBOLS


def test_every_cell_has_its_sign() -> None:
    report = quiet_report()
    text = page.render(report)
    signs = sum(text.count(f"| {sign} ") for sign in set(SYMBOLS.values()))
    assert signs == len(report.kernels) * len(report.cases)


def test_the_grid_replaces_the_one_before_and_nothing_else() -> None:
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    once = page.insert(text, "new")
    assert once == f"before\n{page.BEGIN}\nnew\n{page.END}\nafter\n"
    assert page.insert(once, "new") == once


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(UsageError, match="no place for the grid"):
        page.insert("nothing", "grid")


def test_a_large_grid_begins_with_counts_and_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    report = quiet_report()
    assert "<details>" not in page.render(report)
    monkeypatch.setattr(page, "FOLD_ABOVE", 0)
    text = page.render(report)
    assert text.index("| kernel |") < text.index("<details><summary>")
    for kernel in report.kernels:
        assert f"| {kernel.name} |" in text
    assert text.count("<details>") == text.count("</details>") == len({kernel.arch for kernel in report.kernels})
