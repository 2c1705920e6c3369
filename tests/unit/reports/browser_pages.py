"""What the tests of report.html in a browser share: an open page, and what can be seen on it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, Request


class Opened:
    """A page that is open, what it complained of, and what it asked the network for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def go(self, address: str, *, script: bool = True) -> None:
        """Open an address, and wait until the page's script has run."""
        self.page.goto(address)
        if script:
            self.page.wait_for_selector("html[data-ready]", state="attached")

    def cell(self, kernel: str, case: str) -> Locator:
        """Return the cell of a kernel and a case, whose names have no signs that an address cannot have."""
        return self.page.locator(f"td[id='{kernel}/{case}']")

    def opens(self, place: str) -> Locator:
        """Wait until the panel shows the evidence of a place, and return it."""
        panel = self.page.locator(f"#panel[data-place='{place}']")
        panel.wait_for()
        return panel

    def shown_rows(self) -> list[str]:
        """Return the names of the rows that are shown."""
        return self._texts("#grid tr.item > th")

    def shown_columns(self) -> list[str]:
        """Return the names of the columns that are shown, without those of folded groups."""
        return self._texts("#grid thead th.up:not(.sum)")

    def _texts(self, selector: str) -> list[str]:
        found = self.page.locator(selector).filter(visible=True)
        return [text.strip() for text in found.all_text_contents()]

    def focused(self) -> Any:
        """Return the kernel and the case of the cell that has the focus, null where none has."""
        return self.page.evaluate(
            """() => {
                const index = JSON.parse(document.getElementById("index").textContent);
                const place = document.activeElement.place;
                return place ? [index.kernels[place.kernel].name, index.cases[place.case].name] : null;
            }"""
        )
