"""report.md and report.html: the same content, nothing from a guest acting as markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reports_golden import check
from reports_sample import CASES, FLAGSHIP, NASTY, ODD, kernel, nasty_report, quiet_report
from reports_strategies import HOSTILE, UNHURRIED, reports

from harness.model.phases import Phase
from harness.model.results import Outcome, OutcomeKind, PartResult, Report, Verdict
from harness.reports import html, markdown, view
from harness.reports.bounded import bounded
from harness.reports.markdown import escape, fence
from harness.reports.text import clean

VOID = {"meta", "link", "br", "hr", "img", "input"}
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


def worded(report: Report, words: str) -> Report:
    """Return `report` with `words` in place of every text that a guest, a package or a user can write."""
    return bounded(report, string=lambda _: words, items=10)


def one_of_each() -> Report:
    """Return two kernels of the nasty Report, among whose cells is a passing one and one of most else."""
    report = nasty_report()
    return replace(report, kernels=report.kernels[:2], cells=report.cells[:4])


def test_golden_markdown() -> None:
    check("report.md", markdown.render(nasty_report()))


def test_golden_html() -> None:
    check("report.html", html.render(nasty_report()))


def test_golden_quiet_markdown() -> None:
    check("quiet.md", markdown.render(quiet_report()))


@pytest.mark.parametrize("render", [markdown.render, html.render])
def test_both_pages_say_it_all(render: Any) -> None:
    text = render(nasty_report())
    for said in [
        "Exit code 1: something came out otherwise than expected.",
        "package linux-image-6.12 (6.12.1-1) is gone from the mirror",
        "the run ended before its time; 1 cell did not run",
        "the guest did not power off in 10 s",
        "KVM opened, but its guest printed nothing in 5 s",
        "2026-01-31T23:59:59Z",
        "2 min 08 s",
        "7.2.19",
        "EACCES (524)",
        "load-tracer",
        "R1 invalid mem access",
        "characters cut",
        "Kernel panic - not syncing",
        "WARNING: CPU: 0 PID: 1 at kernel/bpf/trampoline.c:1",
        "reboot: ",
        "the boot deadline of 60 s passed while waiting for SSH",
        "[before 6.7]" if render is html.render else r"\[before 6.7\]",
    ]:
        assert said in text, said
    for verdict in Verdict:
        assert str(verdict) in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)


def test_the_lines_of_the_seed_are_in_markdown() -> None:
    text = markdown.render(quiet_report())
    assert "## What was seen" in text
    assert (
        "<details>\n<summary>6.1 × kprobe-fentry-fexit</summary>\n\n```text\n"
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fentry)\n"
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (kprobe)\n"
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fexit: 0)\n"
        "new tcp connection: 127.0.0.1:443 -> 0.0.0.0:0 (kprobe)\n"
        "with the tracers detached:\n"
        "new tcp connection: 127.0.0.1:40298 -> 127.0.0.1:443 (kprobe)\n"
        "```\n\n</details>\n"
    ) in text


def test_the_grid_of_markdown() -> None:
    text = markdown.render(nasty_report())
    assert (
        "| kernel | kprobe-fentry-fexit | odd-words |\n"
        "|---|---|---|\n"
        "| **5.10** | ✓ pass | ○ xfail |\n"
        "| **6.1** | △ known-bug | ✗ fail |\n"
        "| **6.12** | ✗ fail | ↑ xpass |\n"
        "| **7.3** | ! error | – not-run |\n"
        "| **arm32** | · not-applicable | ✓ pass |\n"
    ) in text


def test_markdown_tells_each_cell_but_the_plain_passes() -> None:
    headings = re.findall(r"^### \S (\S+): (\S+) × (\S+)$", markdown.render(nasty_report()), re.MULTILINE)
    assert headings == [
        ("fail", "6.1", ODD),
        ("fail", "6.12", FLAGSHIP),
        ("xpass", "6.12", ODD),
        ("error", "7.3", FLAGSHIP),
        ("not-run", "7.3", ODD),
        ("xfail", "5.10", ODD),
        ("known-bug", "6.1", FLAGSHIP),
        ("not-applicable", "arm32", FLAGSHIP),
        ("pass", "arm32", ODD),
    ]


@pytest.mark.parametrize("render", [markdown.render, html.render])
def test_an_allowed_splat_is_shown_with_its_reason_and_link_though_the_cell_passed(render: Any) -> None:
    text = html_text(render(nasty_report()))
    assert "Passed, with an allowed splat" in text
    assert "BUG: KASAN: a report that is known (2 times): not the case" in text
    assert "[https://example.org/report/1], allowed until 2027-01-31" in text.replace("\\", "")
    assert "The kernel's log" in text
    assert "Passed, with an allowed splat" not in render(quiet_report())


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


def test_a_name_in_a_summary_is_html_and_not_markdown() -> None:
    report = quiet_report()
    report = replace(report, kernels=(kernel("a_|<b>"),), cells=(replace(report.cells[0], kernel="a_|<b>"),))
    assert "<summary>a_|&lt;b&gt; × kprobe-fentry-fexit</summary>" in markdown.render(report)


def test_an_empty_grid_says_so() -> None:
    empty = replace(quiet_report(), kernels=(), cells=())
    assert "The grid is empty" in markdown.render(empty)
    assert "The grid is empty" in html.render(empty)


def test_many_cases_become_rows() -> None:
    cases = tuple((f"case-{n}", "title") for n in range(7))
    report = replace(quiet_report(), kernels=(kernel("6.1"), kernel("7.3")), cases=cases, cells=())
    assert "| case | 6.1 | 7.3 |\n|---|---|---|\n| **case-0** |" in markdown.render(report)


def test_markdown_of_many_failures_fits_a_job_summary() -> None:
    report = nasty_report()
    failing = replace(report.cells[1], verdict=Verdict.FAIL)
    cases = tuple((f"case-{n}", "title") for n in range(150))
    cells = tuple(replace(failing, kernel="6.1", case=case) for case, _ in cases)
    text = markdown.render(replace(report, kernels=(kernel("6.1"),), cases=cases, cells=cells))
    assert len(text.encode()) < 1024 * 1024
    assert text.count("characters cut") == 150


def consoles_shown(report: Report, name: str, tail: tuple[str, ...]) -> list[str]:
    kernels = tuple(replace(k, console_tail=tail, problems=()) if k.name == name else k for k in report.kernels)
    return [problem.kernel for problem in view.build(replace(report, kernels=kernels)).problems]


def test_the_console_of_a_kernel_is_shown_where_it_tells_something_new() -> None:
    report = nasty_report()
    crash = report.cells[4].outcome.console_tail
    assert consoles_shown(report, "6.12", ("another line",)) == ["6.1", "6.12"]
    assert consoles_shown(report, "6.12", crash) == ["6.1"]
    assert consoles_shown(report, "7.3", ("lost",)) == ["6.1", "7.3"]
    assert consoles_shown(report, "5.10", ("reboot: Power down",)) == ["6.1"]
    assert consoles_shown(report, "6.1", ("reboot: Power down",)) == []


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("6.1.0-51-cloud-amd64 x86_64", "6.1.0-51-cloud-amd64 x86_64"),
        ("_a_ b_", r"\_a\_ b\_"),
        ("a|b `c` *d* [e](f) #g ~h~ $i$ \\", r"a\|b \`c\` \*d\* \[e\](f) \#g \~h\~ \$i\$ " + "\\\\"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("two\nlines", "two lines"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_a_fence_is_longer_than_any_run_of_backticks_inside() -> None:
    assert fence("plain") == "```text\nplain\n```"
    assert fence("```\n`````\n") == "``````text\n```\n`````\n``````"


@UNHURRIED
@given(HOSTILE)
def test_escaped_text_reads_as_it_was_in_markdown(text: str) -> None:
    wanted = " ".join(clean(text).split())
    assume(wanted)
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    inline = parser.parse(f"**x** {escape(text)}\n")[1]
    read = "".join(child.content for child in inline.children or ())
    assert read == f"x {wanted}"
    cell = parser.parse(f"| a | b |\n|---|---|\n| {escape(text)} | y |\n")
    texts = ["".join(child.content for child in t.children or ()) for t in cell if t.type == "inline"]
    assert texts == ["a", "b", wanted, "y"]


@pytest.mark.parametrize("render", [markdown.render, html.render])
def test_parts_are_shown_under_their_cell(render: Any) -> None:
    cell = quiet_report().cells[0]
    part = PartResult(name="prog-a", outcome=cell.outcome, verdict=Verdict.PASS, verdict_reason="works")
    refused = Outcome(kind=OutcomeKind.REFUSED, reason="no such helper", log="R1 is odd")
    failed = PartResult(name="prog-b", outcome=refused, verdict=Verdict.FAIL, verdict_reason="expected to work")
    passing = render(replace(quiet_report(), cells=(replace(cell, parts=(part,)),)))
    assert passing.count("part prog-a") == 1
    failing = render(replace(quiet_report(), cells=(replace(cell, verdict=Verdict.FAIL, parts=(part, failed)),)))
    own = failing[failing.index("part prog-b") :]
    assert "part prog-a" not in own and "no such helper" in own and "R1 is odd" in own


@UNHURRIED
@given(HOSTILE)
def test_no_text_changes_the_shape_of_markdown(words: str) -> None:
    # No guest gives phases their names, and a known one is shown.
    assume(clean(words).strip() and words not in tuple(Phase))
    report = one_of_each()
    assert markdown_shape(markdown.render(worded(report, words))) == markdown_shape(
        markdown.render(worded(report, "x"))
    )


@UNHURRIED
@given(HOSTILE)
def test_no_text_changes_the_shape_of_html(words: str) -> None:
    # No guest gives phases their names, and a known one is shown.
    assume(clean(words).strip() and words not in tuple(Phase))
    report = one_of_each()
    assert html_shape(html.render(worded(report, words))) == html_shape(html.render(worded(report, "x")))


@UNHURRIED
@given(reports(HOSTILE))
def test_any_report_becomes_pages(report: Report) -> None:
    markdown.render(report).encode()
    page = Page(html.render(report))
    assert set(page.tags) <= ALLOWED
    assert page.open == []


@UNHURRIED
@given(st.just(NASTY))
def test_the_shape_test_sees_markup(words: str) -> None:
    assert markdown_shape(f"# {words}\n") != markdown_shape("# x\n")
    assert html_shape(f"<p>{words}</p>") != html_shape("<p>x</p>")
    assert len(CASES) == 2
