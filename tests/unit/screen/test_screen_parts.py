"""What a terminal shows of the programs of an object."""

from __future__ import annotations

from dataclasses import replace

from test_terminal import cell, console, report

from harness.model.results import Mark, Outcome, OutcomeKind, PartResult, Stage, Verdict
from harness.screen.parts import print_parts

WORKS = Outcome(kind=OutcomeKind.WORKS, reason="")
REFUSED = Outcome(
    kind=OutcomeKind.REFUSED,
    reason="",
    stage=Stage.LOAD_TARGET,
    errno=22,
    errno_name="EINVAL",
    log="no \x1b[2Jhelper\n",
    advice="Take another.",
)
PARTS = (
    PartResult(name="fine", outcome=WORKS, verdict=Verdict.PASS, verdict_reason="", about="xdp"),
    PartResult(
        name="idle",
        outcome=replace(WORKS, mark=Mark.DID_NOT_RUN, mark_reason="why"),
        verdict=Verdict.PASS,
        verdict_reason="",
        about="xdp",
    ),
    PartResult(name="newer", outcome=REFUSED, verdict=Verdict.FAIL, verdict_reason="", about="kprobe/x"),
)


def test_how_many_are_attached_and_which_are_not() -> None:
    screen, out = console()
    print_parts(report(replace(cell(Verdict.FAIL), parts=PARTS), cell(Verdict.ERROR, kernel="6.2")), console=screen)
    assert out.getvalue().splitlines() == [
        "6.1 a: 2 of 3 attached",
        "  idle: pass: why",
        "  newer: fail: refused at load-target: EINVAL (22): no \N{REPLACEMENT CHARACTER}[2Jhelper",
        "    Take another.",
        "6.2 a: error: why",
    ]


def test_what_to_do_is_said_once() -> None:
    screen, out = console()
    failed = replace(cell(Verdict.FAIL), parts=PARTS)
    print_parts(report(failed, replace(failed, kernel="6.2")), console=screen)
    assert out.getvalue().count("newer: fail") == 2
    assert out.getvalue().count("Take another.") == 1
