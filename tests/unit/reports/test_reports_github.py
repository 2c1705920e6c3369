"""What GitHub Actions shows of a run: its commands cannot be forged, and its limits are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from answers_samples import REFUSED, cell, report
from hypothesis import given
from hypothesis import strategies as st

from harness.answers.compare import Comparison, compare
from harness.answers.explain import Cause, explain
from harness.model.results import Report, Verdict
from harness.reports.github import (
    LARGEST_COMMENT,
    LARGEST_SUMMARY,
    MOST_ANNOTATIONS,
    Annotation,
    Spot,
    command,
    comment,
    cut,
    failures,
    has_changed,
    summary,
    warning,
)

GOOD = report({"6.1-x86_64": {"one": "pass"}, "6.12-x86_64": {"one": "pass"}})
BAD = report({"6.1-x86_64": {"one": "fail"}, "6.12-x86_64": {"one": "pass"}})


def explained(of: Report) -> list[Annotation]:
    return list(failures(explain(of, program="bpfmatrix"), where=lambda _: Spot(file="bpf/one/case.yaml", line=7)))


def test_an_annotation_is_beside_the_line_that_is_meant() -> None:
    (found,) = explained(BAD)
    assert found.title == "fail: one on 6.1-x86_64"
    assert command(found).startswith(
        "::error file=bpf/one/case.yaml,line=7,title=fail%3A one on 6.1-x86_64::What: one%0A"
    )
    assert "bpfmatrix matrix --kernel 6.1-x86_64 --case one" in found.text


def test_what_is_all_as_expected_has_none() -> None:
    assert explained(GOOD) == []


@pytest.mark.parametrize(
    ("title", "text", "line"),
    [
        ("a:b,c%", "x", "::error title=a%3Ab%2Cc%25::x"),
        ("t", "50%\n::error::forged\r\n", "::error title=t::50%25%0A::error::forged%0A"),
        ("t\n::stop-commands::x", "", "::error title=t %3A%3Astop-commands%3A%3Ax::"),
    ],
)
def test_what_a_guest_writes_is_no_command(title: str, text: str, line: str) -> None:
    assert command(Annotation(title=title, text=text)) == line


@given(st.text(), st.text(), st.text(min_size=1))
def test_one_annotation_is_one_line(title: str, text: str, file: str) -> None:
    made = command(Annotation(title=title, text=text, spot=Spot(file=file, line=1)))
    assert len(made.splitlines()) == 1 or not {"\n", "\r"} & set(made)
    properties, _, _ = made.removeprefix("::error ").partition("::")
    assert [each.partition("=")[0] for each in properties.split(",")][:2] == ["file", "line"]


def test_a_warning_is_one_line() -> None:
    assert warning("no\nfile %") == "::warning title=bpfmatrix::no%0Afile %25"


def many(count: int) -> Report:
    """A run with so many different causes."""
    return report(
        {
            "6.1-x86_64": {
                f"c{number}": cell(
                    "6.1-x86_64",
                    f"c{number}",
                    "fail",
                    outcome=replace(REFUSED, refusal=f"class-{number}", log=f"cause {'x' * number}"),
                )
                for number in range(count)
            }
        }
    )


def test_more_than_github_shows_are_counted_in_the_last() -> None:
    assert len(explained(many(MOST_ANNOTATIONS))) == MOST_ANNOTATIONS
    found = explained(many(MOST_ANNOTATIONS + 5))
    assert len(found) == MOST_ANNOTATIONS
    assert "6 more causes" in found[-1].text
    assert found[-1].spot is None


def test_what_a_kernel_did_comes_before_what_the_harness_did() -> None:
    mixed = report({"6.1-x86_64": {"a": "lost", "b": "fail"}, "6.12-x86_64": {"a": "lost", "b": "pass"}})
    assert [each.title.partition(":")[0] for each in explained(mixed)] == [str(Verdict.FAIL), str(Verdict.ERROR)]


def test_rows_of_one_cause_are_one_annotation() -> None:
    both = report({"6.1-x86_64": {"one": "fail"}, "6.12-x86_64": {"one": "fail"}})
    assert [each.title for each in explained(both)] == ["fail: one on 6.1-x86_64 and 1 more row"]


def test_problems_of_rows_are_annotations_too() -> None:
    row = replace(GOOD.kernels[0], problems=("no console",))
    (found,) = explained(replace(GOOD, kernels=(row, *GOOD.kernels[1:])))
    assert (found.title, found.text, found.spot) == ("6.1-x86_64", "no console", None)


def test_where_finds_each_cause_by_itself() -> None:
    asked: list[str] = []

    def where(cause: Cause) -> None:
        asked.append(cause.places[0].case)

    failures(explain(report({"6.1-x86_64": {"a": "fail", "b": "other"}}), program="b"), where=where)
    assert sorted(asked) == ["a", "b"]


# --- the summary ---------------------------------------------------------------------------------------------------


def test_the_summary_says_first_what_changed() -> None:
    made = summary("# bpfmatrix run\n", comparison=changed(GOOD, BAD), notes=["no base"])
    assert made.startswith("> **Notice:** no base\n\n# 2026")
    assert made.index("New failures") < made.index("# bpfmatrix run")


def test_a_summary_is_cut_where_a_block_ends() -> None:
    block = "### a cell\n\n```text\nlog\n\nmore\n```\n\n"
    made = summary(block * 30_000)
    assert len(made.encode()) <= LARGEST_SUMMARY
    assert made.count("```") % 2 == 0
    assert "**Cut here:" in made.splitlines()[-1]


def test_a_fence_that_is_cut_is_closed() -> None:
    made = cut("````text\n" + "x\n" * 1000, most=1000, what="it")
    assert made.startswith("````text\nx\n")
    assert "\n````\n" in made
    assert len(made) <= 1000


def test_what_folds_is_closed() -> None:
    made = cut("<details>\n" + "x\n" * 1000, most=1000, what="it")
    assert "</details>" in made


@given(
    st.lists(st.sampled_from(["text", "", "```", "````text", "````", "<details>", "</details>", "ä" * 30])), st.data()
)
def test_what_is_cut_is_never_too_long(lines: list[str], data: st.DataObject) -> None:
    text = "\n".join(lines * 20)
    most = data.draw(st.integers(min_value=500, max_value=3000))
    made = cut(text, most=most, what="it")
    assert made == text if len(text.encode()) <= most else len(made.encode()) <= most


def test_a_small_text_is_whole() -> None:
    assert cut("a\n", most=2, what="it") == "a\n"


# --- the comment ---------------------------------------------------------------------------------------------------


def changed(base: Report, head: Report, *, common: bool = False) -> Comparison:
    return compare(base, replace(head, run=replace(head.run, id="20260202T000000Z")), common=common)


def test_a_comment_says_what_became_worse() -> None:
    made = comment(changed(GOOD, BAD))
    assert "New failures" in made
    assert "6.1-x86\\_64" in made or "6.1-x86_64" in made


def test_nothing_changed_is_no_comment() -> None:
    assert comment(changed(GOOD, GOOD)) == ""
    newer = replace(GOOD.kernels[0], release="other")
    machine = replace(GOOD, kernels=(newer, *GOOD.kernels[1:]))
    assert not has_changed(changed(GOOD, machine)), "another kernel that answers the same"


def test_cells_beside_a_selection_are_no_change() -> None:
    part = report({"6.1-x86_64": {"one": "pass"}})
    assert comment(changed(GOOD, part, common=True)) == ""
    assert comment(changed(GOOD, part)) != ""


def test_nobody_is_notified_by_a_name_in_a_log() -> None:
    said = cell("6.1-x86_64", "one", "fail", verdict_reason="thanks to @somebody")
    made = comment(changed(GOOD, report({"6.1-x86_64": {"one": said}, "6.12-x86_64": {"one": "pass"}})))
    assert "somebody" in made
    assert "@somebody" not in made


def test_a_comment_fits() -> None:
    rows = {f"6.{number}-x86_64": {"c" * 300: "fail"} for number in range(900)}
    was = {row: dict.fromkeys(cases, "pass") for row, cases in rows.items()}
    assert 1000 < len(comment(changed(report(was), report(rows)))) < LARGEST_COMMENT
