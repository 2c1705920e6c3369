from __future__ import annotations

import json

from answers_samples import report
from pages_samples import markdown_shape
from reports_sample import nasty_report

from harness.answers.explain import Explanation, explain
from harness.reports import explanation

OLD, ROW = "5.10-x86_64", "6.1-x86_64"


def found() -> Explanation:
    made = report({OLD: {"a": "fail", "b": "lost"}, ROW: {"a": "fail", "b": "pass"}})
    return explain(made, program="bpfmatrix")


def test_the_headline_counts_causes_by_whose_they_are() -> None:
    assert explanation.headline(found()) == "the kernel's: 1 cause (2 results), the harness's: 1 cause (1 results)."
    fine = explain(report({ROW: {"a": "pass"}}), program="bpfmatrix")
    assert explanation.headline(fine).startswith("Nothing failed")


def test_a_cause_says_what_where_why_and_how_to_see_it() -> None:
    assert explanation.lines_of(found().causes[0]) == (
        ("What", "a"),
        ("Where", "5.10-x86_64, 6.1-x86_64"),
        ("Happened", "fail: refused at load-tracer with EINVAL (attach-target)"),
        ("Why", "the verifier said no"),
        ("Again", "bpfmatrix matrix --kernel 5.10-x86_64 --case a"),
    )


def test_many_names_are_counted() -> None:
    assert explanation.named([str(number) for number in range(14)]).endswith("11 and 2 more")


def test_the_page_has_a_part_for_each_party() -> None:
    page = explanation.markdown(found())
    assert page.index("## The kernel's") < page.index("## The harness's")
    assert "`bpfmatrix matrix --kernel 5.10-x86_64 --case a`" in page


def test_no_text_of_a_guest_is_markup() -> None:
    shape = markdown_shape(explanation.markdown(explain(nasty_report(), program="bpfmatrix")))
    assert not {"html_inline", "html_block", "link_open", "fence"} & set(shape)


def test_the_json_has_all_of_it() -> None:
    document = json.loads(explanation.as_json(found()))
    assert [(cause["party"], len(cause["results"])) for cause in document["causes"]] == [("kernel", 2), ("harness", 1)]
    assert document["causes"][0]["class"] == "attach-target"
