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
    text = "before\n<!-- grid: begin -->\nold\n<!-- grid: end -->\nafter\n"
    once = page.insert(text, "new")
    assert once == "before\n<!-- grid: begin -->\nnew\n<!-- grid: end -->\nafter\n"
    assert page.insert(once, "new") == once


def test_parts_of_a_page_have_marks_of_their_own() -> None:
    places = "\n".join(mark for part in (page.GRID, page.BENCH) for mark in page.marks(part))
    both = page.insert(page.insert(places, "grid"), r"\1 bench", part=page.BENCH)
    assert both.splitlines() == [
        "<!-- grid: begin -->", "grid", "<!-- grid: end -->",
        "<!-- bench: begin -->", r"\1 bench", "<!-- bench: end -->",
    ]  # fmt: skip


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(UsageError, match="no place for the grid"):
        page.insert("nothing", "grid")
    with pytest.raises(UsageError, match="no place for the bench"):
        page.insert("\n".join(page.marks(page.GRID)), "table", part=page.BENCH)


def test_a_large_grid_begins_with_counts_and_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    report = quiet_report()
    assert "<details>" not in page.render(report)
    monkeypatch.setattr(page, "FOLD_ABOVE", 0)
    text = page.render(report)
    assert text.index("| kernel |") < text.index("<details><summary>")
    for kernel in report.kernels:
        assert f"| {kernel.name} |" in text
    assert text.count("<details>") == text.count("</details>") == len({kernel.arch for kernel in report.kernels})
