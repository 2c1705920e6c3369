"""report.html: golden, one page by itself, and nothing from a guest acting as markup."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import assume, given
from hypothesis import strategies as st
from pages_samples import Page, html_shape, markdown_shape, one_of_each, worded
from reports_golden import check
from reports_sample import CASES, NASTY, nasty_report
from reports_strategies import HOSTILE, UNHURRIED, reports

from harness.model.phases import Phase
from harness.model.results import Report
from harness.reports import html, markdown
from harness.reports.text import clean

ALLOWED = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "main",
    "section",
    "article",
    "h1",
    "h2",
    "h3",
    "h4",
    "p",
    "b",
    "span",
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "a",
    "ul",
    "li",
    "dl",
    "dt",
    "dd",
    "details",
    "summary",
    "pre",
}


def test_golden_html() -> None:
    check("report.html", html.render(nasty_report()))


def test_html_is_one_balanced_page_without_script_and_other_files() -> None:
    page = Page(html.render(nasty_report()))
    assert page.open == []
    assert set(page.tags) <= ALLOWED
    assert not {name for name in page.attributes if name.startswith("on")}
    assert "src" not in page.attributes
    assert "url(" not in html.render(nasty_report())
    assert "@import" not in html.render(nasty_report())
    assert "<script>alert(1)</script>" in page.text


def test_every_cell_of_the_html_grid_links_to_its_detail() -> None:
    page = Page(html.render(nasty_report()))
    assert len(page.links) == 10
    assert len(set(page.ids)) == len(page.ids)
    assert {unquote(link.removeprefix("#")) for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)


@UNHURRIED
@given(HOSTILE)
def test_no_text_changes_the_shape_of_html(text: str) -> None:
    # No guest gives phases their names, and a known one is shown.
    assume(clean(text).strip() and text not in tuple(Phase))
    report = one_of_each()
    assert html_shape(html.render(worded(report, text))) == html_shape(html.render(worded(report, "x")))


@UNHURRIED
@given(reports(HOSTILE))
def test_any_report_becomes_pages(report: Report) -> None:
    markdown.render(report).encode()
    page = Page(html.render(report))
    assert set(page.tags) <= ALLOWED
    assert page.open == []


@UNHURRIED
@given(st.just(NASTY))
def test_the_shape_test_sees_markup(text: str) -> None:
    assert markdown_shape(f"# {text}\n") != markdown_shape("# x\n")
    assert html_shape(f"<p>{text}</p>") != html_shape("<p>x</p>")
    assert len(CASES) == 2
