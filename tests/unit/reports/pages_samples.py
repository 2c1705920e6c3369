"""What the tests of pages share: what a reader of Markdown or HTML makes of a text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from reports_sample import nasty_report

from harness.model.results import Report
from harness.reports.bounded import bounded

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """What a browser would make of a page: its tags, ids, links, and the text without style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def markdown_shape(text: str) -> list[str]:
    """Return the kinds of all tokens of a Markdown text, those inside lines too, but not the words."""
    found = []
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text):
        if token.type != "inline":
            found.append(token.type)
        found += [child.type for child in token.children or () if child.type not in {"text", "text_special"}]
    return found


def html_shape(text: str) -> list[str]:
    return Page(text).tags


def html_text(text: str) -> str:
    return Page(text).text if text.startswith("<!doctype") else text


def worded(report: Report, text: str) -> Report:
    """Return `report` with `text` in place of every text that a guest, a package or a user can write."""
    return bounded(report, string=lambda _: text, items=10)


def one_of_each() -> Report:
    """Return two kernels of the nasty Report, among whose cells is a passing one and one of most else."""
    report = nasty_report()
    return replace(report, kernels=report.kernels[:2], cells=report.cells[:4])
