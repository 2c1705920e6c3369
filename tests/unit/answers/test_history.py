from __future__ import annotations

from dataclasses import replace

from answers_samples import cell, kernel, part, report

from harness.answers.history import Answer, answers_of, history, unlike
from harness.answers.seen import Place
from harness.model.results import Report

ROW, NEWER = "6.1-x86_64", "6.12-x86_64"


def night(day: int, word: str, version: str = "6.1.176-1", *, row: str = ROW, inputs: str = "") -> Report:
    made = kernel(row, version, inputs={"kernel": inputs} if inputs else {})
    return report({row: {"seed": word}}, kernels={row: made}, name=f"202601{day:02}T000000Z")


def answers(*reports: Report) -> list[Answer]:
    return [answer for each in reports for answer in answers_of(each)]


def dates(*reports: Report) -> list[tuple[str, str]]:
    return [(step.before.run[6:8], step.after.run[6:8]) for step in history(answers(*reports)).by_date]


def versions(*reports: Report) -> list[tuple[str, str]]:
    found = history(answers(*reports)).by_version
    return [(step.before.build.shown, step.after.build.shown) for step in found]


def test_a_change_is_between_the_last_run_of_before_and_the_first_of_after() -> None:
    nights = [night(1, "pass"), night(2, "pass"), night(3, "fail"), night(4, "fail"), night(5, "pass")]
    assert dates(*nights) == [("02", "03"), ("04", "05")]
    assert dates(*reversed(nights)) == [("02", "03"), ("04", "05")]


def test_a_night_without_an_answer_changes_nothing() -> None:
    assert dates(night(1, "pass"), night(2, "lost"), night(3, "pass")) == []
    assert dates(night(1, "pass"), night(2, "lost"), night(3, "fail")) == [("01", "03")]


def test_a_rule_alone_is_no_change() -> None:
    assert dates(night(1, "fail"), night(2, "xfail")) == []


def test_a_run_counts_once() -> None:
    one, two = night(1, "pass"), night(2, "fail")
    assert len(history(answers(one, two, two, one)).by_date) == 1


def test_builds_are_neighbours_by_their_versions_whatever_the_dates() -> None:
    reports = [
        night(1, "pass", "6.1.10-1"),
        night(2, "fail", "6.1.9-1"),
        night(3, "fail", "6.12.3-1", row=NEWER),
        night(4, "fail", "5.10.249-1", row="5.10-x86_64"),
    ]
    assert versions(*reports) == [("6.1.9", "6.1.10"), ("6.1.10", "6.12.3")]


def test_a_builds_last_answer_counts() -> None:
    assert versions(night(1, "fail", "6.1.9-1"), night(2, "pass", "6.1.9-1"), night(3, "pass", "6.1.10-1")) == []


def test_distributions_have_no_common_order() -> None:
    one = report({ROW: {"seed": "pass"}}, kernels={ROW: kernel(ROW, distribution="ubuntu")})
    two = report({NEWER: {"seed": "fail"}}, name="20260102T000000Z")
    assert versions(one, two) == []


def test_different_answers_for_the_same_inputs_are_a_defect() -> None:
    nights = [night(1, "pass", inputs="a"), night(2, "fail", inputs="a"), night(3, "fail", inputs="b")]
    (defect,) = history(answers(*nights)).defects
    assert [answer.run[6:8] for answer in defect.answers] == ["01", "02"]
    assert not history(answers(night(1, "pass", inputs="a"), night(2, "fail", inputs="b"))).defects
    assert not history(answers(night(1, "pass", inputs="a"), night(2, "lost", inputs="a"))).defects


def test_reports_that_do_not_say_their_inputs_have_no_defects() -> None:
    assert not history(answers(night(1, "pass"), night(2, "fail"))).defects


def test_sub_results_have_a_history_of_their_own() -> None:
    def of(word: str, name: str) -> Report:
        return report({ROW: {"object": cell(ROW, "object", "pass", parts=(part("one", word),))}}, name=name)

    (step,) = history(answers(of("pass", "20260101T000000Z"), of("fail", "20260102T000000Z"))).by_date
    assert step.after.place == Place(kernel=ROW, case="object", part="one")


def test_runs_of_the_same_thing_must_say_the_same() -> None:
    assert unlike([night(1, "pass"), night(2, "pass"), night(3, "pass")]) == ()
    ((place, seen),) = unlike([night(1, "pass"), night(2, "fail"), night(3, "pass")])
    assert (place, [each.verdict for each in seen]) == (Place(kernel=ROW, case="seed"), ["pass", "fail", "pass"])


def test_an_answer_that_is_lost_once_is_a_difference() -> None:
    assert len(unlike([night(1, "pass"), night(2, "lost")])) == 1


def test_a_cell_that_one_run_does_not_have_is_a_difference() -> None:
    one = night(1, "pass")
    assert len(unlike([one, replace(one, cells=())])) == 1


def test_rows_of_one_kernel_with_something_else_beside_it_have_histories_of_their_own() -> None:
    def night(name: str, old: str, new: str) -> Report:
        rows = ("5.10-x86_64+libbpf-0.3", "6.1-x86_64+libbpf-0.3", "5.10-x86_64+libbpf-1.5", "6.1-x86_64+libbpf-1.5")
        words = dict(zip(rows, (old, old, new, new), strict=True))
        return report({row: {"seed": word} for row, word in words.items()}, name=name)

    found = history([*answers_of(night("20260101T000000Z", "fail", "pass"))])
    assert (found.by_version, found.by_date) == ((), ())


def test_nothing_has_no_history() -> None:
    assert history([]) == history(answers_of(report({})))
