from __future__ import annotations

import json
from collections.abc import Mapping

from answers_samples import cell, kernel, part, report

from harness.answers.support import State, Statement, range_of, support, works_on
from harness.model.results import Report, Verdict
from harness.reports.support_page import as_json, endpoint, markdown

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


AXES = ("6.1-x86_64+libbpf-0.3", "6.1-x86_64+libbpf-1.5+clang-19")


def test_rows_of_one_kernel_with_something_else_beside_it_are_no_contradiction() -> None:
    rows = {name: kernel(name, "6.1.176-1", arch="x86_64") for name in AXES}
    made = report({AXES[0]: {"seed": "fail"}, AXES[1]: {"seed": "pass"}}, kernels=rows)
    found = support([made])
    assert {each.axes: stretches(each) for each in found.statements} == {
        "libbpf-0.3": [(State.FAILS, "6.1.176")],
        "libbpf-1.5+clang-19": [(State.WORKS, "6.1.176")],
    }
    good, tried = works_on(found)
    assert (len(good), len(tried)) == (0, 1)  # one kernel, and it does not work with each


def test_rows_that_did_not_run_are_named_and_are_no_builds() -> None:
    nobody = kernel("7.3-x86_64", release="", version="", package=None)
    made = report({"6.1-x86_64": {"seed": "pass"}, "7.3-x86_64": {"seed": "not-run"}}, kernels={"7.3-x86_64": nobody})
    found = support([made])
    assert (found.unknown, [build.name for build in found.builds]) == (("7.3-x86_64",), ["6.1-x86_64"])
    assert "Not run, so that nobody knows which kernels they would be: 7.3-x86_64." in markdown(found)
    assert json.loads(as_json(found))["not_run"] == ["7.3-x86_64"]
    later = of({"7.3-x86_64": "pass"})
    assert support([made, later]).unknown == ()


def test_an_empty_report_says_nothing() -> None:
    found = support([report({})])
    assert (found.statements, found.builds, works_on(found)) == ((), (), ((), ()))
    assert "not seen on any kernel" in endpoint(found)


def test_an_outcome_that_is_none_is_a_hole_whatever_its_verdict_is() -> None:
    strange = cell("6.1-x86_64", "seed", "lost", verdict=Verdict.ANSWERED)
    found = support([report({"6.1-x86_64": {"seed": strange, "other": "pass"}})])
    assert [each.case for each in found.statements] == ["other"]


def test_the_same_report_twice_says_what_it_says_once() -> None:
    one = of(dict(zip(VERSIONS, ("fail", "lost", "pass", "pass"), strict=True)))
    assert support([one, one]) == support([one])
