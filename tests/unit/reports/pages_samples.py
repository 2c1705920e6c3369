"""What the tests of pages share: what a reader of Markdown or HTML makes of a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import escape
from reports_sample import nasty_report

from harness.model.results import Report
from harness.reports.bounded import bounded
from harness.reports.packing import Packs, unpacked

VOID = {"col", "meta", "link", "br", "hr", "img", "input"}


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
        self.inert: dict[str, str] = {}
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.policy = ""
        self._inert = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        of = dict(attrs)
        if of.get("http-equiv") == "Content-Security-Policy":
            self.policy = of["content"] or ""
        self._inert = (of["id"] or "") if tag == "script" and "type" in of else ""
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._inert and self.open[-1] == "script":
            self.inert[self._inert] = self.inert.get(self._inert, "") + data
        elif self.open and self.open[-1] in ("script", "style"):
            (self.scripts if self.open[-1] == "script" else self.styles).append(data)
        elif self.open:
            self.text += data

    @property
    def packs(self) -> Packs:
        """The packs of its evidence."""
        own = [text for name, text in self.inert.items() if re.fullmatch(r"pack-\d+", name)]
        return Packs(shared=self.inert["pack-shared"], packs=tuple(own))

    @property
    def evidence(self) -> list[list[Any]]:
        """The evidence, unpacked: of each kernel what is known of itself, then of its cells."""
        return unpacked(self.packs)


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
    """Return what a reader sees of a page, and can open in it; Markdown as it is."""
    if not text.startswith("<!doctype"):
        return text
    page = Page(text)
    return "\n".join([page.text, *leaves(page.evidence)])


def leaves(value: Any) -> Iterator[str]:
    """Yield the texts in some lists and dictionaries."""
    if isinstance(value, str):
        yield value
    else:
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)


def readable(text: str) -> str:
    """Return a page without its script and style, its packs as JSON: how they are compressed depends on the machine."""
    page = Page(text)
    for long, short in ((page.scripts[0], "..."), (page.styles[0], "..."), (page.policy, "...")):
        text = text.replace(escape(long) if long == page.policy else long, short)
    for kernel, (pack, opened) in enumerate(zip(page.packs.packs, page.evidence, strict=True)):
        text = text.replace(f'id="pack-{kernel}">{pack}<', f'id="pack-{kernel}">{json.dumps(opened, indent=1)}<')
    return text.replace(page.packs.shared, "...")


def worded(report: Report, text: str) -> Report:
    """Return `report` with `text` in place of every text that a guest, a package or a user can write."""
    return bounded(report, string=lambda _: text, items=10)


def one_of_each() -> Report:
    """Return two kernels of the nasty Report, among whose cells is a passing one and one of most else."""
    report = nasty_report()
    return replace(report, kernels=report.kernels[:2], cells=report.cells[:4])
