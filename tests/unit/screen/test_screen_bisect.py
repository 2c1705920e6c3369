from __future__ import annotations

from dataclasses import replace

from answers_samples import NEWER, bisected, report
from test_terminal import console

from harness.answers.bisection import Boundary, Is
from harness.answers.commits import BisectedCommits, CommitTried
from harness.answers.seen import seen_in
from harness.screen.bisect import print_bisected, print_commits


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


def test_ends_that_nobody_named_are_neither_good_nor_bad() -> None:
    screen, out = console()
    print_bisected(replace(bisected("", NEWER), named=False), console=screen)
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["before: 6.1.1-1: - (results)", "after: 6.1.2-1: - (results)"]


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


def commits(*suspects: str, new: Is = Is.BAD, kernel: str = "") -> list[str]:
    """What is printed of a bisection over commits c0 to c3."""
    seen = next(iter(seen_in(report({"r": {"a": "fail"}})).values()))
    lost = next(iter(seen_in(report({"r": {"a": "lost"}})).values()))
    old = Is.GOOD if new is Is.BAD else Is.BAD
    shown, out = console()
    print_commits(
        BisectedCommits(
            clone="/my linux",
            kernel=kernel,
            case="a",
            old="c0",
            suspects=suspects,
            new=new,
            tried=(
                CommitTried(commit="c0", is_=old, seen=seen),
                CommitTried(commit="c3", is_=new, seen=seen),
                CommitTried(commit="c2", is_=Is.UNANSWERED, seen=lost),
                CommitTried(commit="c1", is_=old, seen=seen),
            ),
            subjects={f"c{number}": f"bpf: Change {number}\x1b[2J" for number in range(4)},
        ),
        console=shown,
    )
    return out.getvalue().splitlines()


def test_the_first_commit_is_named_with_its_subject_and_what_was_skipped() -> None:
    lines = commits("c3")
    assert lines[0] == "the first bad commit: c3 bpf: Change 3\N{REPLACEMENT CHARACTER}[2J"
    assert lines[1].startswith("skipped, no answer: c2 bpf: Change 2")
    assert lines[1].endswith(": the guest fell silent")
    assert lines[2] == "last: c1: refused at load-tracer with EINVAL (attach-target)"
    assert lines[4] == "what it changes: git -C '/my linux' show c3"
    assert lines[5].endswith("bisect --case a --commits '/my linux' --good c1 --bad c3")


def test_where_several_may_be_the_first_all_are_named() -> None:
    lines = commits("c3", "c2", new=Is.GOOD, kernel="mine")
    assert lines[0] == "the first good commit is one of these 2:"
    assert [line.split()[0] for line in lines[1:3]] == ["c3", "c2"]
    assert lines[-1].endswith("bisect --kernel mine --case a --commits '/my linux' --good c3 --bad c1")
