"""report.html in a browser: what axe finds in both themes and at both widths, and the switch of the theme."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from browser_pages import Opened
from browser_reports import CASES, mixed_report
from playwright.sync_api import expect

pytest_plugins = ("browser_fixtures",)
Open = Callable[..., Opened]


@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("cases", [CASES, CASES[:4]])
def test_axe_finds_nothing(opened: Open, cases: tuple[str, ...], dark: bool, width: int) -> None:
    page = opened(mixed_report(cases), dark=dark, width=width)
    found = Axe().run(page.page)
    assert found.violations_count == 0, found.generate_report()
    page.cell("6.12-x86_64", "kprobe-two").click()
    page.opens("6.12-x86_64/kprobe-two")
    found = Axe().run(page.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [1400, 420])
def test_nothing_but_the_grid_and_tables_is_wider_than_the_page(opened: Open, width: int) -> None:
    page = opened(mixed_report(), width=width)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    page.cell("6.12-x86_64", "kprobe-two").click()
    page.opens("6.12-x86_64/kprobe-two")
    assert page.page.evaluate("document.getElementById('panel').scrollWidth") <= width


def test_the_theme_is_the_systems_until_another_is_chosen(opened: Open) -> None:
    page = opened(mixed_report(), dark=True)
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.page.evaluate(background)
    button = page.page.get_by_role("button", name="Theme")
    expect(button).to_have_text("Theme: system")
    button.click()
    expect(button).to_have_text("Theme: light")
    assert page.page.evaluate(background) != dark
    page.page.reload()
    expect(button).to_have_text("Theme: light")
    button.click()
    expect(button).to_have_text("Theme: dark")
    assert page.page.evaluate(background) == dark
    page.page.evaluate("localStorage.clear()")
