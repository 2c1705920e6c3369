"""What both pages show, whichever form they have."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from pages_samples import Page, html_text
from reports_sample import nasty_report, quiet_report

from harness.model.results import Outcome, OutcomeKind, PartResult, Report, Verdict
from harness.reports import html, markdown, view


@pytest.mark.parametrize("render", [markdown.render, html.render])
def test_both_pages_say_it_all(render: Any) -> None:
    text = html_text(render(nasty_report()))
    for said in [
        "omething came out otherwise than expected.",
        "Exit code 1",
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
        "before 6.7",
    ]:
        assert said in text, said
    for verdict in Verdict:
        assert str(verdict) in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)


@pytest.mark.parametrize("render", [markdown.render, html.render])
def test_an_allowed_splat_is_shown_with_its_reason_and_link_though_the_cell_passed(render: Any) -> None:
    text = html_text(render(nasty_report()))
    said = "Passed, with an allowed splat" if render is markdown.render else "Allowed splat"
    assert said in text
    assert "BUG: KASAN: a report that is known (2 times): not the case" in text
    assert "[https://example.org/report/1], allowed until 2027-01-31" in text.replace("\\", "")
    assert "The kernel's log" in text
    assert said not in html_text(render(quiet_report()))


def test_an_empty_grid_says_so() -> None:
    empty = replace(quiet_report(), kernels=(), cells=())
    assert "The grid is empty" in markdown.render(empty)
    assert "The grid is empty" in html.render(empty)


def consoles_shown(report: Report, name: str, tail: tuple[str, ...]) -> list[str]:
    kernels = tuple(replace(k, console_tail=tail, problems=()) if k.name == name else k for k in report.kernels)
    return [problem.kernel for problem in view.build(replace(report, kernels=kernels)).summary.problems]


def test_the_console_of_a_kernel_is_shown_where_it_tells_something_new() -> None:
    report = nasty_report()
    crash = report.cells[4].outcome.console_tail
    assert consoles_shown(report, "6.12", ("another line",)) == ["6.1", "6.12"]
    assert consoles_shown(report, "6.12", crash) == ["6.1"]
    assert consoles_shown(report, "7.3", ("lost",)) == ["6.1", "7.3"]
    assert consoles_shown(report, "5.10", ("reboot: Power down",)) == ["6.1"]
    assert consoles_shown(report, "6.1", ("reboot: Power down",)) == []


def test_parts_are_shown_under_their_cell() -> None:
    cell = quiet_report().cells[0]
    part = PartResult(name="prog-a", outcome=cell.outcome, verdict=Verdict.PASS, verdict_reason="works")
    refused = Outcome(kind=OutcomeKind.REFUSED, reason="no such helper", log="R1 is odd")
    failed = PartResult(name="prog-b", outcome=refused, verdict=Verdict.FAIL, verdict_reason="expected to work")
    passing = markdown.render(replace(quiet_report(), cells=(replace(cell, parts=(part,)),)))
    assert passing.count("part prog-a") == 1
    report = replace(quiet_report(), cells=(replace(cell, verdict=Verdict.FAIL, parts=(part, failed)),))
    failing = markdown.render(report)
    own = failing[failing.index("part prog-b") :]
    assert "part prog-a" not in own and "no such helper" in own and "R1 is odd" in own
    ((_, evidence),) = Page(html.render(report)).evidence
    assert [each["name"] for each in evidence["parts"]] == ["prog-a", "prog-b"]
    assert ["The verifier's log", "R1 is odd", "0"] in evidence["parts"][1]["blocks"]
