"""report.html: golden, one page by itself, small, and nothing from a guest acting as markup."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pages_large import large_report
from pages_samples import Page, html_shape, html_text, markdown_shape, one_of_each, readable, worded
from reports_golden import check
from reports_sample import CASES, NASTY, nasty_report, quiet_report, report_of_cells
from reports_strategies import HOSTILE, UNHURRIED, reports

from harness.model.phases import Phase
from harness.model.results import Report
from harness.reports import assets, html, markdown
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
    *("script", "noscript", "aside", "form", "label", "input", "button", "select", "option", "colgroup", "col"),
}


def test_golden_html() -> None:
    check("report.html", readable(html.render(nasty_report())))


def test_html_is_one_balanced_page_with_no_script_but_ours_and_no_other_file() -> None:
    text = html.render(nasty_report())
    page = Page(text)
    assert page.open == []
    assert set(page.tags) <= ALLOWED
    assert not {name for name in page.attributes if name.startswith("on")}
    assert "src" not in page.attributes and "style" not in page.attributes
    assert page.scripts == [assets.script()] and page.styles == [assets.style()]
    assert page.policy == assets.policy()
    assert "url(" not in text and "@import" not in text and "https://example.org" not in page.links
    assert "<script>alert(1)</script>" in html_text(text)


def test_every_cell_has_its_evidence_in_the_pack_of_its_kernel_in_the_order_of_the_index() -> None:
    page = Page(html.render(nasty_report()))
    index = json.loads(page.inert["index"])
    assert [kernel["name"] for kernel in index["kernels"]] == ["5.10", "6.1", "6.12", "7.3", "arm32"]
    for kernel, cells, (own, *evidence) in zip(index["kernels"], index["cells"], page.evidence, strict=True):
        assert ["Kernel", kernel["name"]] in own["facts"]
        assert len(evidence) == len(cells) == len(index["cases"]) == len(CASES)
        for case, cell in zip(index["cases"], evidence, strict=True):
            assert cell["again"] == f"bpfmatrix matrix --kernel {kernel['name']} --case {case['name']}"


def test_each_failure_is_said_first_once_for_its_cause_with_links_to_its_cells() -> None:
    page = Page(html.render(nasty_report()))
    index = json.loads(page.inert["index"])
    places = {f"{kernel['slug']}/{case['slug']}" for kernel in index["kernels"] for case in index["cases"]}
    links = [link.removeprefix("#") for link in page.links if "/" in link]
    assert links == ["6.1/odd-words", "6.1/odd-words", "6.12/odd-words", "7.3/kprobe-fentry-fexit", "7.3/odd-words"]
    assert set(links) <= places
    assert len(set(page.ids)) == len(page.ids)
    text = page.text
    assert text.index("What failed") < text.index("Grid") < text.index("How it ran")
    assert "What failed" not in Page(html.render(quiet_report())).text


def test_of_many_causes_and_places_the_first_are_said() -> None:
    report = nasty_report()
    cell = report.cells[3]
    one = [
        replace(cell, case=f"case-{n}", parts=(), outcome=replace(cell.outcome, log=f"no {'z' * n}"))
        for n in range(html.MOST_CAUSES + 2)
    ]
    page = html.page_of(report_of_cells(report.kernels[1:2], one))
    assert (len(page.failures), page.more_failures) == (html.MOST_CAUSES, 2)
    same = [replace(cell, case=f"case-{n}", parts=()) for n in range(html.MOST_PLACES + 3)]
    (failure,) = html.page_of(report_of_cells(report.kernels[1:2], same)).failures
    assert (len(failure.links), failure.more) == (html.MOST_PLACES, 3)
    assert failure.links[0] == ("case-0", "6.1/case-0")
    assert failure.what == f"case-0, case-1, case-2, case-3 and {html.MOST_PLACES - 1} more on 6.1"


def test_a_link_says_what_tells_its_cell_from_the_others() -> None:
    report = nasty_report()
    cell = report.cells[3]
    places = [("5.10", "a"), ("6.1", "a"), ("6.1", "b")]

    def texts(*chosen: tuple[str, str]) -> list[str]:
        cells = [replace(cell, kernel=kernel, case=case, parts=()) for kernel, case in chosen]
        report_of = report_of_cells([each for each in report.kernels if each.name in {k for k, _ in chosen}], cells)
        missing = {"the run left no result for this cell"}
        failures = html.page_of(report_of).failures
        return [
            text
            for failure in failures
            if not missing & {said for _, said in failure.lines}
            for text, _ in failure.links
        ]

    assert texts(*places[:2]) == ["5.10", "6.1"]
    assert texts(*places[1:]) == ["a", "b"]
    assert texts(*places) == ["5.10 × a", "6.1 × a", "6.1 × b"]


def test_a_large_report_is_small() -> None:
    """100 kernels x 200 cases are under 5 MB (and a quarter of that in cells, however many a test can wait for)."""
    text = html.render(large_report(50, 100)).encode()
    assert len(text) < 5_000_000 / 4


@pytest.mark.nightly
def test_the_largest_report_is_small() -> None:
    assert len(html.render(large_report(100, 200)).encode()) < 5_000_000


@pytest.mark.parametrize(
    ("command", "program"),
    [("./run matrix", "./run"), ("", "bpfmatrix"), ("an 'open quotation", "bpfmatrix")],
)
def test_a_command_is_called_as_it_was(command: str, program: str) -> None:
    report = quiet_report()
    assert html.program_of(replace(report, run=replace(report.run, command=command))) == program


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
