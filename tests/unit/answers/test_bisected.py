from __future__ import annotations

from answers_samples import NEWER, bisected


def test_lines_that_may_be_the_cause_come_with_those_of_the_case_first() -> None:
    assert bisected("", NEWER).changes() == (
        ("- bpf: Prevent tailcall infinite loop caused by freplace", "- bpf: Fix a leak"),
        7,
    )
    assert bisected("", NEWER).changes(("quota",))[0][-1] == "- bpf: Fix a leak"
    assert "- ext4: quota of mine" in bisected("", NEWER).changes(("quota",))[0]


def test_packages_without_changelogs_have_no_lines() -> None:
    assert bisected("", "").changes() == ((), 0)


def test_the_two_neighbours_have_names() -> None:
    found = bisected("", "")
    assert (found.before.version, found.after.version) == ("6.1.1-1", "6.1.2-1")
