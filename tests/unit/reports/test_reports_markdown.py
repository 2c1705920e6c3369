"""report.md: golden, its grid and details, and nothing from a guest acting as markup."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import assume, given
from markdown_it import MarkdownIt
from pages_samples import markdown_shape, one_of_each, worded
from reports_golden import check
from reports_sample import FLAGSHIP, ODD, kernel, nasty_report, quiet_report
from reports_strategies import HOSTILE, UNHURRIED

from harness.model.phases import Phase
from harness.model.results import Verdict
from harness.reports import markdown
from harness.reports.markdown import escape, fence
from harness.reports.text import clean


def test_golden_markdown() -> None:
    check("report.md", markdown.render(nasty_report()))


def test_golden_quiet_markdown() -> None:
    check("quiet.md", markdown.render(quiet_report()))


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
        "| **6.12** | ? answered | ↑ xpass |\n"
        "| **7.3** | ! error | – not-run |\n"
        "| **arm32** | · not-applicable | ✓ pass |\n"
    ) in text


def test_markdown_tells_each_cell_but_the_plain_passes() -> None:
    headings = re.findall(r"^### \S (\S+): (\S+) × (\S+)$", markdown.render(nasty_report()), re.MULTILINE)
    assert headings == [
        ("fail", "6.1", ODD),
        ("xpass", "6.12", ODD),
        ("error", "7.3", FLAGSHIP),
        ("not-run", "7.3", ODD),
        ("answered", "6.12", FLAGSHIP),
        ("xfail", "5.10", ODD),
        ("known-bug", "6.1", FLAGSHIP),
        ("not-applicable", "arm32", FLAGSHIP),
        ("pass", "arm32", ODD),
    ]


def test_a_name_in_a_summary_is_html_and_not_markdown() -> None:
    report = quiet_report()
    report = replace(report, kernels=(kernel("a_|<b>"),), cells=(replace(report.cells[0], kernel="a_|<b>"),))
    assert "<summary>a_|&lt;b&gt; × kprobe-fentry-fexit</summary>" in markdown.render(report)


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


@UNHURRIED
@given(HOSTILE)
def test_no_text_changes_the_shape_of_markdown(text: str) -> None:
    # No guest gives phases their names, and a known one is shown.
    assume(clean(text).strip() and text not in tuple(Phase))
    report = one_of_each()
    assert markdown_shape(markdown.render(worded(report, text))) == markdown_shape(markdown.render(worded(report, "x")))
