"""A browser for the tests of report.html: Debian's chromium, one for each process of the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser_pages import Opened
from playwright.sync_api import Browser, expect, sync_playwright

from harness.model.results import Report
from harness.reports import html

PATIENCE = 300_000
"""Milliseconds that a test waits for what must come: a busy machine must not turn one red."""
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Root in a container has neither a sandbox nor much of /dev/shm.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        yield (browser := playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments))
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Return what opens a report as a page from its file; in the end nothing of it may have complained."""
    pages: list[Opened] = []

    def open_(
        report: Report, *, fragment: str = "", script: bool = True, dark: bool = False, width: int = 1400
    ) -> Opened:
        path = tmp_path / f"report-{len(pages)}.html"
        path.write_text(html.render(report), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE)
        page = Opened(context.new_page())
        pages.append(page)
        page.go(f"{path.as_uri()}{fragment and '#'}{fragment}", script=script)
        return page

    yield open_
    for page in pages:
        assert page.complaints == []
        page.page.context.close()
