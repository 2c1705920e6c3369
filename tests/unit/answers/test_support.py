from __future__ import annotations

from collections.abc import Mapping

from answers_samples import cell, kernel, part, report

from harness.answers.support import State, Statement, range_of, support, works_on
from harness.model.results import Report

VERSIONS = {"5.10-x86_64": "5.10.249-1", "6.1-x86_64": "6.1.176-1", "6.12-x86_64": "6.12.107-1", "7.3-x86_64": "7.3-1"}


def of(words: Mapping[str, str], *, versions: Mapping[str, str] = VERSIONS, **more: str) -> Report:
    """A report of one case, by row."""
    rows = {name: kernel(name, versions[name]) for name in words}
    return report({name: {"seed": word} for name, word in words.items()}, kernels=rows, **more)


def stretches(statement: Statement) -> list[tuple[State, str]]:
    return [(each.state, range_of(each.builds)) for each in statement.stretches]


def test_neighbours_with_the_same_answer_are_one_stretch() -> None:
    (found,) = support([of(dict(zip(VERSIONS, ("fail", "pass", "xpass", "pass"), strict=True)))]).statements
    assert stretches(found) == [(State.FAILS, "5.10.249"), (State.WORKS, "6.1.176 to 7.3")]
    assert (found.count(State.WORKS), found.tried) == (3, 4)


def test_ways_to_fail_are_apart() -> None:
    (found,) = support([of(dict(zip(VERSIONS, ("fail", "xfail", "other", "pass"), strict=True)))]).statements
    assert stretches(found) == [
        (State.FAILS, "5.10.249 to 6.1.176"),
        (State.FAILS, "6.12.107"),
        (State.WORKS, "7.3"),
    ]


def test_a_hole_is_a_hole_between_two_that_work() -> None:
    (found,) = support([of(dict(zip(VERSIONS, ("pass", "lost", "not-run", "pass"), strict=True)))]).statements
    assert stretches(found) == [
        (State.WORKS, "5.10.249"),
        (State.UNKNOWN, "6.1.176 to 6.12.107"),
        (State.WORKS, "7.3"),
    ]
    assert found.tried == 2


def test_a_kernel_of_another_report_is_a_hole_too() -> None:
    reports = [of({"5.10-x86_64": "pass", "7.3-x86_64": "pass"}), report({"6.1-x86_64": {"other": "pass"}})]
    seed = support(reports).statements[0]
    assert [state for state, _ in stretches(seed)] == [State.WORKS, State.UNKNOWN, State.WORKS]


def test_reports_fill_each_others_holes_and_their_order_does_not_matter() -> None:
    one, two = of({"5.10-x86_64": "lost", "6.1-x86_64": "pass"}), of({"5.10-x86_64": "pass"})
    for reports in ([one, two], [two, one]):
        assert stretches(support(reports).statements[0]) == [(State.WORKS, "5.10.249 to 6.1.176")]


def test_two_answers_for_one_build_are_shown_as_both() -> None:
    found = support([of({"6.1-x86_64": "pass"}), of({"6.1-x86_64": "fail"}, name="20260102T000000Z")])
    assert stretches(found.statements[0]) == [(State.DIFFERS, "6.1.176")]
    assert works_on(found)[0] == ()


def test_another_build_of_the_same_row_is_another_kernel() -> None:
    found = support([of({"6.1-x86_64": "fail"}), of({"6.1-x86_64": "pass"}, versions={"6.1-x86_64": "6.1.191-1"})])
    assert stretches(found.statements[0]) == [(State.FAILS, "6.1.176"), (State.WORKS, "6.1.191")]


def test_architectures_and_distributions_are_apart() -> None:
    rows = {
        "6.1-x86_64": kernel("6.1-x86_64"),
        "6.1-arm64": kernel("6.1-arm64"),
        "own": kernel("own", arch="x86_64", distribution="ubuntu"),
    }
    made = report({name: {"seed": "pass"} for name in rows}, kernels=rows)
    assert [(each.arch, each.distribution) for each in support([made]).statements] == [
        ("arm64", "debian"),
        ("x86_64", "debian"),
        ("x86_64", "ubuntu"),
    ]


def test_sub_results_have_statements_of_their_own() -> None:
    made = cell("6.1-x86_64", "object", "fail", parts=(part("one", "pass"), part("two", "fail")))
    found = support([report({"6.1-x86_64": {"object": made}})]).statements
    assert [(each.part, each.count(State.WORKS)) for each in found] == [("", 0), ("one", 1), ("two", 0)]


def test_what_means_nothing_is_neither_good_nor_bad() -> None:
    found = support([of({"5.10-x86_64": "nothing", "6.1-x86_64": "pass"})])
    assert stretches(found.statements[0])[0] == (State.NOTHING, "5.10.249")
    good, tried = works_on(found)
    assert (len(good), len(tried)) == (1, 1)


def test_a_kernel_counts_where_everything_works() -> None:
    made = report({"6.1-x86_64": {"a": "pass", "b": "fail"}, "6.12-x86_64": {"a": "pass", "b": "pass"}})
    good, tried = works_on(support([made]))
    assert ([build.name for build in good], len(tried)) == (["6.12-x86_64"], 2)
    good, tried = works_on(support([made], cases=frozenset({"a"})))
    assert (len(good), len(tried)) == (2, 2)


def test_no_report_makes_no_statement() -> None:
    assert support([]).statements == ()
