"""report.html in a browser: the grid, its filters and its keyboard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser_pages import Opened
from browser_reports import CASES, mixed_report
from playwright.sync_api import expect

pytest_plugins = ("browser_fixtures",)
Open = Callable[..., Opened]
FEW = (*CASES[1:3], *CASES[4:6])
"""So few cases that the kernels are the rows."""


def test_a_page_from_a_file_asks_for_nothing_else(opened: Open) -> None:
    page = opened(mixed_report())
    assert len(page.requests) == 1
    expect(page.page.locator("h1")).to_contain_text("Something came out otherwise than expected.")
    assert page.page.locator("#grid td:not(.sum)").count() == 7 * 8
    expect(page.page.locator(".counts")).to_contain_text("2 fail")
    expect(page.page.locator(".failure h3")).to_contain_text("fail kprobe-two: prog_not on 6.12-x86_64, 7.3-x86_64")


def test_an_architecture_and_cases_that_passed_everywhere_are_folded_until_somebody_wants_them(opened: Open) -> None:
    page = opened(mixed_report())
    assert page.shown_columns() == ["6.1", "6.12", "7.3", "6.1", "6.12"]
    group = page.page.locator("#grid").get_by_role("button", name="riscv64")
    assert group.get_attribute("aria-expanded") == "false"
    group.click()
    assert page.shown_columns() == ["6.1", "6.12", "7.3", "6.1", "6.12", "7.3", "7.4"]
    page.page.locator("#grid").get_by_role("button", name="x86_64").click()
    assert page.shown_columns() == ["6.1", "6.12", "7.3", "7.4"]
    sums = page.page.locator("#grid tbody td.sum").filter(visible=True)
    assert set(sums.evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")) == {
        "3 together: pass",
        "3 together: fail",
        "3 together: known-bug",
    }


@pytest.mark.parametrize("cases", [CASES, FEW])
def test_filters_leave_the_rows_and_columns_with_what_is_wanted(opened: Open, cases: tuple[str, ...]) -> None:
    page = opened(mixed_report(cases))
    verdicts = page.page.get_by_role("group", name="Verdicts")
    rows, columns = (page.shown_rows, page.shown_columns) if cases is CASES else (page.shown_columns, page.shown_rows)
    verdicts.get_by_role("button", name="fail").last.click()
    assert (rows(), columns()) == (["kprobe-two"], ["6.12", "7.3"])
    expect(page.page.locator("#shown")).to_have_text("2 cells: 1 case on 2 kernels")
    verdicts.get_by_role("button", name="known-bug").click()
    assert (sorted(rows()), columns()) == (["freplace-two", "kprobe-two"], ["6.1", "6.12", "7.3"])
    page.page.get_by_role("button", name="Show all").click()
    expect(page.page.locator("#shown")).to_have_text("")
    assert len(rows()) == len(cases)
    page.page.get_by_role("group", name="Architectures").get_by_role("button", name="riscv64").click()
    assert (len(rows()), columns()) == (len(cases), ["7.3", "7.4"])


def test_only_what_is_not_plain_has_marks_and_all_verdicts_but_pass(opened: Open) -> None:
    page = opened(mixed_report())
    page.page.get_by_label("only what is not plain").check()
    assert page.shown_rows() == ["kprobe-one", "kprobe-two", "kprobe-three", "freplace-two", "freplace-four"]
    assert page.shown_columns() == ["6.1", "6.12", "7.3", "6.1", "6.12"]
    expect(page.page.locator("#shown")).to_have_text("6 cells: 5 cases on 5 kernels")
    expect(page.cell("6.12-arm64", "freplace-four")).to_have_attribute("aria-label", "pass, did not run")


def test_classes_of_refusals_and_words_can_be_combined(opened: Open) -> None:
    page = opened(mixed_report())
    page.page.get_by_label("Class").select_option("context-not-known")
    assert (page.shown_rows(), page.shown_columns()) == (["kprobe-one", "kprobe-two"], ["6.12", "7.3", "6.1"])
    page.page.keyboard.press("/")
    page.page.keyboard.type("ARM64 kprobe")
    assert (page.shown_rows(), page.shown_columns()) == (["kprobe-one"], ["6.1"])
    page.page.keyboard.type(" nothing")
    expect(page.page.locator("#shown")).to_have_text("No cell is like that.")
    assert page.shown_rows() == []
    page.page.locator("#search").fill("tries kprobe-t")
    page.page.get_by_label("Class").select_option("any")
    assert page.shown_rows() == ["kprobe-two", "kprobe-three"]


def test_the_keyboard_goes_from_cell_to_cell_that_is_shown(opened: Open) -> None:
    page = opened(mixed_report())
    page.page.locator("#grid td[tabindex='0']").focus()
    press = page.page.keyboard.press
    assert page.focused() == ["6.1-x86_64", "kprobe-one"]
    press("ArrowLeft")
    assert page.focused() == ["6.1-x86_64", "kprobe-one"]
    press("ArrowRight")
    press("ArrowDown")
    assert page.focused() == ["6.12-x86_64", "kprobe-two"]
    press("End")
    assert page.focused() == ["6.12-arm64", "kprobe-two"]
    press("Control+Home")
    assert page.focused() == ["6.1-x86_64", "kprobe-one"]
    press("Control+End")
    assert page.focused() == ["6.12-arm64", "freplace-four"]
    press("ArrowUp")
    press("Enter")
    panel = page.opens("6.12-arm64/freplace-three")
    expect(panel.get_by_role("heading", level=2)).to_be_focused()
    press("Escape")
    expect(page.page.locator("#panel")).to_be_hidden()
    assert page.focused() == ["6.12-arm64", "freplace-three"]
    assert page.page.locator("#grid td[tabindex='0']").count() == 1


@pytest.mark.parametrize("cases", [CASES, FEW])
def test_heads_stay_in_sight(opened: Open, cases: tuple[str, ...]) -> None:
    page = opened(mixed_report(cases), width=420)
    page.page.set_viewport_size({"width": 420, "height": 420})
    page.page.evaluate("scroll = document.getElementById('grid-scroll'); scroll.scrollTo(60, 60)")
    box = page.page.locator("#grid-scroll").bounding_box()
    corner = page.page.locator("#grid .corner").bounding_box()
    name = page.page.locator("#grid tr.item > th").filter(visible=True).last.bounding_box()
    assert box and corner and name
    assert abs(corner["x"] - box["x"]) < 2 and abs(corner["y"] - box["y"]) < 2
    assert abs(name["x"] - box["x"]) < 2


def test_the_page_of_an_empty_grid_says_so(opened: Open) -> None:
    report = mixed_report(())
    expect(opened(report).page.locator("main")).to_contain_text("The grid is empty")


def test_without_a_script_the_grid_is_there_and_the_page_says_what_is_not(opened: Open) -> None:
    page = opened(mixed_report(), script=False)
    assert "Without JavaScript this page shows the grid" in page.page.locator("noscript").inner_text()
    assert len(page.shown_rows()) == 8 and len(page.shown_columns()) == 7
    expect(page.page.locator("#tools")).to_be_hidden()
    assert "kprobe-two" in page.page.locator(".failure").inner_text()
