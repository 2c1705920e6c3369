from __future__ import annotations

import json

from answers_samples import kernel, report
from pages_samples import markdown_shape
from reports_sample import nasty_report

from harness.answers.history import History, answers_of, history
from harness.model.results import Report
from harness.reports import history_page

ROW, NEWER = "6.1-x86_64", "6.12-x86_64"


def of(*reports: Report) -> History:
    return history(answer for each in reports for answer in answers_of(each, shown=history_page.shown_in(each)))


def found() -> History:
    same = {"kernel": "x"}
    one = report({ROW: {"a": "pass"}}, kernels={ROW: kernel(ROW, "6.1.10-1", inputs=same)})
    two = report({ROW: {"a": "fail"}}, kernels={ROW: kernel(ROW, "6.1.10-1", inputs=same)}, name="20260102T000000Z")
    three = report({NEWER: {"a": "pass"}}, kernels={NEWER: kernel(NEWER, "6.12.3-1")}, name="20260103T000000Z")
    return of(one, two, three)


REFUSED = "fail: refused at load-tracer with EINVAL (attach-target)"


def test_the_headline_counts() -> None:
    assert history_page.headline(found()) == (
        "3 runs, 2026-01-01 to 2026-01-03: 1 change from one run to the next, 1 change from one build to the next, "
        "1 defect (different answers for the same inputs)."
    )
    assert history_page.headline(of()) == "No run has an answer."


def test_a_change_by_date_says_on_which_builds() -> None:
    assert history_page.date_line(found().by_date[0]) == (
        f"a on {ROW}: pass: works until 2026-01-01 (6.1.10-1), {REFUSED} from 2026-01-02 (the same build)"
    )


def test_a_change_by_version_says_the_two_neighbours() -> None:
    assert history_page.version_line(found().by_version[0]) == (
        f"a (x86_64, debian): {REFUSED} on 6.1.10 (6.1.10-1), pass: works on 6.12.3 (6.12.3-1)"
    )


def test_a_defect_says_which_runs() -> None:
    assert history_page.defect_line(found().defects[0]) == (
        f"a on {ROW}: pass: works in 20260101T000000Z; {REFUSED} in 20260102T000000Z"
    )


def test_the_page_has_defects_first() -> None:
    page = history_page.markdown(found())
    assert page.index("## Defects") < page.index("## By date") < page.index("## By version")


def test_no_text_of_a_guest_is_markup() -> None:
    shape = markdown_shape(history_page.markdown(of(nasty_report())))
    assert not {"html_inline", "html_block", "link_open", "fence"} & set(shape)


def test_the_json_has_all_of_it() -> None:
    document = json.loads(history_page.as_json(found()))
    assert [len(document[key]) for key in ("runs", "defects", "by_date", "by_version")] == [3, 1, 1, 1]
    assert document["by_date"][0]["after"]["works"] is False
