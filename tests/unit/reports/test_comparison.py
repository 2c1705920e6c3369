from __future__ import annotations

import json
from dataclasses import replace

from answers_samples import WORKS, cell, kernel, report
from pages_samples import markdown_shape
from reports_sample import NASTY, nasty_report

from harness.answers.compare import ChangeKind, Comparison, compare
from harness.model.results import Verdict
from harness.reports import comparison
from harness.reports.json_report import parse, render

OLD, ROW, LATER = "5.10-x86_64", "6.1-x86_64", "20260102T000000Z"


def found() -> Comparison:
    before = report(
        {OLD: {"a": "pass", "b": "fail", "c": "pass"}, ROW: {"a": "pass", "b": "pass", "c": "pass"}},
        kernels={ROW: kernel(ROW, "6.1.176-1")},
    )
    now = report(
        {OLD: {"a": "fail", "b": "pass", "d": "pass"}, ROW: {"a": "fail", "b": "lost", "d": "pass"}},
        kernels={ROW: kernel(ROW, "6.1.180-1")},
        name=LATER,
    )
    return compare(before, now)


def test_rows_with_the_same_change_are_one_line() -> None:
    first = comparison.lines_of(found())[0]
    assert (first.kind, first.what, first.kernels) == (ChangeKind.REGRESSION, "a", (OLD, ROW))
    assert first.before == "pass: works"
    assert first.after == "fail: refused at load-tracer with EINVAL (attach-target)"
    assert first.reason == "the verifier said no"


def test_what_is_worse_comes_first() -> None:
    assert [line.kind for line in comparison.lines_of(found())] == [
        ChangeKind.REGRESSION,
        ChangeKind.UNANSWERED,
        ChangeKind.FIXED,
    ]


def test_a_row_or_case_that_one_run_alone_has_is_said_once() -> None:
    assert comparison.only_in_one(found()) == (
        "cases that only the new run has (1): d",
        "cases that only the earlier run has (1): c",
    )


def test_a_cell_alone_that_is_gone_is_said_by_itself_unless_only_what_is_common_counts() -> None:
    before = report({OLD: {"a": "pass", "b": "pass"}, ROW: {"a": "pass", "b": "pass"}})
    now = report({OLD: {"a": "pass"}, ROW: {"a": "pass", "b": "pass"}}, name=LATER)
    assert [line.kind for line in comparison.lines_of(compare(before, now))] == [ChangeKind.GONE]
    assert not comparison.lines_of(compare(before, now, common=True))


def test_the_headline_says_how_much_and_what_the_exit_code_means() -> None:
    assert comparison.headline(found()) == (
        "new failure: 2, no answer any more: 1, gone: 2, fixed: 1, new: 2; as before: 0. "
        "Exit code 3: something has no answer any more."
    )
    same = compare(report({ROW: {"a": "pass"}}), report({ROW: {"a": "pass"}}, name=LATER))
    assert comparison.headline(same) == "nothing changed; as before: 1. Exit code 0: nothing became worse."


def test_the_page_names_what_changed_and_the_packages() -> None:
    page = comparison.markdown(found())
    assert "## New failures" in page
    assert "| linux-image 6.1.176-1 | linux-image 6.1.180-1 |" in page
    assert "Cases that only the earlier run has (1): c" in page


def test_a_cost_that_is_stable_is_not_on_the_page() -> None:
    def costing(count: int, name: str) -> Comparison:
        before = report({ROW: {"a": cell(ROW, "a", "pass", outcome=replace(WORKS, measured={"stack": 100}))}})
        outcome = replace(WORKS, measured={"stack": count})
        return compare(before, report({ROW: {"a": cell(ROW, "a", "pass", outcome=outcome)}}, name=name))

    assert "## Costs" not in comparison.markdown(costing(104, LATER))
    assert "| stack | 100 | 150 | +50%, significant |" in comparison.markdown(costing(150, LATER))


def test_no_text_of_a_guest_is_markup() -> None:
    before = nasty_report()
    cells = tuple(replace(cell, verdict=Verdict.FAIL, verdict_reason=NASTY) for cell in before.cells)
    now = replace(before, run=replace(before.run, id="later"), cells=cells)
    shape = markdown_shape(comparison.markdown(compare(before, now)))
    assert not {"html_inline", "html_block", "link_open", "fence", "code_inline", "em_open"} & set(shape)


def test_a_long_table_is_cut_and_says_so() -> None:
    many = {f"case{number}": "pass" for number in range(comparison.MOST_ROWS + 5)}
    failing = dict.fromkeys(many, "fail")
    page = comparison.markdown(compare(report({ROW: many}), report({ROW: failing}, name=LATER)))
    assert "... and 5 more lines; the JSON has all." in page


def test_the_json_has_all_of_it() -> None:
    document = json.loads(comparison.as_json(found()))
    assert (document["schema"], document["exit_code"], document["counts"]["new failure"]) == (1, 3, 2)
    assert document["base"]["id"] == "20260101T000000Z"
    first = document["changes"][0]
    assert (first["kind"], first["kernel"], first["before"]["verdict"], first["now"]["verdict"]) == (
        "new failure",
        OLD,
        "pass",
        "fail",
    )
    assert document["gone_cases"] == ["c"]
    assert len(document["changes"]) == sum(count for kind, count in document["counts"].items() if kind != "as before")


def test_what_is_read_without_evidence_is_compared_alike() -> None:
    before, now = nasty_report(), replace(nasty_report(), run=replace(nasty_report().run, id="later"))
    cells = tuple(replace(each, verdict=Verdict.FAIL) for each in now.cells)
    texts = [render(before), render(replace(now, cells=cells))]
    found = [
        comparison.as_json(compare(*(parse(text, evidence=evidence) for text in texts))) for evidence in (True, False)
    ]
    assert found[0] == found[1]
    assert '"kind": "expectation changed"' in found[0]
