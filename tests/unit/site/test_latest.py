"""The page of the latest published run: what it shows, with a run and without one."""

from __future__ import annotations

from answers_samples import cell, part, report

from harness.site.latest import WITHOUT, render

RUN = report({"6.1-x86_64": {"seed": "pass", "late": "fail"}})
TOOLS = report({"6.1-x86_64": {"tools": cell("6.1-x86_64", "tools", "fail", parts=(part("opensnoop", "fail"),))}})


def test_without_a_run_it_says_so_and_shows_the_grid_of_the_repository() -> None:
    made = render(None, [])
    assert WITHOUT in made
    assert "](matrix.svg)" in made
    assert "[As they were seen](debian-tools.md)" in made


def test_with_a_run_it_has_the_grid_the_statement_and_the_way_to_the_report() -> None:
    made = render(RUN, [])
    assert WITHOUT not in made
    assert "](latest/report.html)" in made
    assert "](latest/matrix.svg)" in made
    assert "2 cells (1 kernel × 2 cases): 1 pass, 1 fail" in made
    assert "## What was seen to work" in made
    assert "| seed | 1 of 1 |" in made


def test_the_tools_of_debian_have_a_table_of_their_own() -> None:
    disk = report(
        {"6.1-x86_64": {"tools": cell("6.1-x86_64", "tools", "pass", parts=(part("biotop", "pass"),))}},
        command="bpfmatrix exec --deadline 600 -- ./suite.py disk",
    )
    made = render(RUN, [TOOLS, disk])
    assert "](latest/tools-1/report.html)" in made
    assert "[Open the report: ./suite.py disk](latest/tools-2/report.html)" in made
    assert "| opensnoop |" in made
    assert "| biotop |" in made
