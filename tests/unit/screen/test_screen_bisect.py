from __future__ import annotations

from dataclasses import replace

from answers_samples import NEWER, bisected, report
from test_terminal import console

from harness.answers.bisection import Boundary, Is
from harness.answers.seen import seen_in
from harness.screen.bisect import print_bisected


def test_both_neighbours_the_changes_and_how_to_see_them_again() -> None:
    screen, out = console()
    seen = next(iter(seen_in(report({"r": {"a": "fail"}})).values()))
    found = bisected("", NEWER)
    found = replace(found, tried={**found.tried, 1: replace(found.tried[1], seen=seen)})
    print_bisected(found, console=screen)
    assert out.getvalue().splitlines() == [
        "before: 6.1.1-1 is good: - (results)",
        "after: 6.1.2-1 is bad: refused at load-tracer with EINVAL (attach-target) (results)",
        "2 of 7 new lines of the changelog may be the cause:",
        "  - bpf: Prevent tailcall infinite loop caused by freplace",
        "  - bpf: Fix a leak",
        "both again: ./run bisect --kernel 6.1-x86_64 --case freplace-loop --good 6.1.1-1 --bad 6.1.2-1",
    ]


def test_what_decides_nothing_and_missing_changelogs_are_said() -> None:
    screen, out = console()
    found = bisected("", "")
    middle = replace(found.tried[0], version="6.1.1-2", is_=Is.NEITHER)
    found = replace(
        found,
        tried={0: replace(found.tried[0], is_=Is.BAD), 1: middle, 2: replace(found.tried[1], is_=Is.GOOD)},
        found=Boundary(before=0, after=2, between=(1,)),
    )
    print_bisected(found, console=screen)
    lines = out.getvalue().splitlines()
    assert "builds between them that decide nothing: 6.1.1-2 (neither)" in lines
    assert "their packages have no changelogs that differ" in lines
    assert lines[-1].endswith("--good 6.1.2-1 --bad 6.1.1-1")
