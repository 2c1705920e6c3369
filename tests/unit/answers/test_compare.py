from __future__ import annotations

from dataclasses import replace

import pytest
from answers_samples import EXPECTED, WORKS, cell, kernel, part, report

from harness.answers.compare import ChangeKind, Comparison, CostWord, compare
from harness.answers.seen import Place
from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, UsageError
from harness.model.results import Mark, OutcomeKind, OverBudget, Report, Verdict

ROW, CASE = "6.1-x86_64", "seed"
LATER = "20260102T000000Z"


def compared(before: str, now: str, **more: bool) -> Comparison:
    return compare(report({ROW: {CASE: before}}), report({ROW: {CASE: now}}, name=LATER), **more)


def kind_of(before: str, now: str) -> ChangeKind | None:
    found = compared(before, now).changes
    return found[0].kind if found else None


@pytest.mark.parametrize(
    ("before", "now", "kind", "code"),
    [
        ("pass", "pass", None, EXIT_OK),
        ("fail", "fail", None, EXIT_OK),
        ("pass", "fail", ChangeKind.REGRESSION, EXIT_UNEXPECTED),
        ("nothing", "fail", ChangeKind.REGRESSION, EXIT_UNEXPECTED),
        ("xfail", "other", ChangeKind.REGRESSION, EXIT_UNEXPECTED),
        ("answered", "unruled", ChangeKind.REGRESSION, EXIT_UNEXPECTED),
        ("unruled", "answered", ChangeKind.ANSWER, EXIT_OK),
        ("fail", "other", ChangeKind.REASON, EXIT_OK),
        ("xpass", "fail", ChangeKind.REGRESSION, EXIT_UNEXPECTED),
        ("fail", "pass", ChangeKind.FIXED, EXIT_OK),
        ("other", "xfail", ChangeKind.FIXED, EXIT_OK),
        ("pass", "xfail", ChangeKind.ANSWER, EXIT_OK),
        ("xfail", "xpass", ChangeKind.SURPRISE, EXIT_OK),
        ("xfail", "fail", ChangeKind.EXPECTATION, EXIT_OK),
        ("fail", "xfail", ChangeKind.EXPECTATION, EXIT_OK),
        ("xpass", "pass", ChangeKind.EXPECTATION, EXIT_OK),
        ("pass", "lost", ChangeKind.UNANSWERED, EXIT_HARNESS),
        ("fail", "not-run", ChangeKind.UNANSWERED, EXIT_HARNESS),
        ("lost", "not-run", None, EXIT_OK),
        ("lost", "fail", ChangeKind.FIRST_FAILURE, EXIT_OK),
        ("not-run", "pass", ChangeKind.ANSWERED, EXIT_OK),
        ("pass", "nothing", ChangeKind.GONE, EXIT_UNEXPECTED),
        ("nothing", "pass", ChangeKind.ANSWER, EXIT_OK),
    ],
)
def test_what_becomes_of_a_cell(before: str, now: str, kind: ChangeKind | None, code: int) -> None:
    assert kind_of(before, now) is kind
    assert compared(before, now).exit_code == code


def test_an_answer_that_was_lost_wins_over_a_regression() -> None:
    before = report({ROW: {"a": "pass", "b": "pass"}})
    now = report({ROW: {"a": "fail", "b": "lost"}}, name=LATER)
    assert compare(before, now).exit_code == EXIT_HARNESS


def test_what_is_not_tried_any_more_is_not_green() -> None:
    before = report({ROW: {"a": "pass", "b": "pass"}, "6.12-x86_64": {"a": "pass", "b": "pass"}})
    now = report({ROW: {"a": "pass"}}, name=LATER)
    found = compare(before, now)
    assert [change.place.kernel for change in found.of_kind(ChangeKind.GONE)] == [ROW, "6.12-x86_64", "6.12-x86_64"]
    assert (found.gone_kernels, found.gone_cases, found.exit_code) == (("6.12-x86_64",), ("b",), EXIT_UNEXPECTED)
    assert compare(before, now, common=True).exit_code == EXIT_OK


def test_what_had_no_answer_cannot_be_gone() -> None:
    before = report({ROW: {"a": "pass", "b": "lost"}})
    assert not compare(before, report({ROW: {"a": "pass"}}, name=LATER)).changes


def test_what_is_new_is_no_regression() -> None:
    now = report({ROW: {"a": "pass", "b": "fail"}}, name=LATER)
    found = compare(report({ROW: {"a": "pass"}}), now)
    assert [(change.kind, change.base) for change in found.changes] == [(ChangeKind.NEW, None)]
    assert (found.new_cases, found.exit_code) == (("b",), EXIT_OK)


def test_the_same_run_twice_is_refused() -> None:
    one = report({ROW: {CASE: "pass"}})
    with pytest.raises(UsageError, match="both are the run 20260101T000000Z"):
        compare(one, one)
    with pytest.raises(UsageError, match="both are the run"):
        compare(one, replace(one, run=replace(one.run, seconds=2.0)))


def test_runs_without_a_common_cell_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no row and case in common.*such as seed.*such as other"):
        compare(report({ROW: {CASE: "pass"}}), report({ROW: {"other": "pass"}}, name=LATER))


def test_a_kernel_that_is_another_one_is_named() -> None:
    before = report({ROW: {CASE: "pass"}}, kernels={ROW: kernel(ROW, "6.1.176-1")})
    now = report({ROW: {CASE: "pass"}}, kernels={ROW: kernel(ROW, "6.1.180-1")}, name=LATER)
    (change,) = compare(before, now).kernels
    assert change.changed["package"] == ("linux-image 6.1.176-1", "linux-image 6.1.180-1")
    assert "libbpf" not in change.changed


def test_a_row_that_did_not_run_is_no_other_kernel() -> None:
    before = report({ROW: {CASE: "pass"}})
    now = report({ROW: {CASE: "lost"}}, kernels={ROW: kernel(ROW, release="", package=None)}, name=LATER)
    assert not compare(before, now).kernels


def of_parts(word: str, **parts: str) -> Report:
    made = cell(ROW, CASE, word, parts=tuple(part(name, each) for name, each in parts.items()))
    return report({ROW: {CASE: made}}, name=LATER if word != "pass" else "20260101T000000Z")


def test_a_sub_result_stands_for_its_cell() -> None:
    found = compare(of_parts("pass", one="pass", two="pass"), of_parts("fail", one="pass", two="fail"))
    assert [change.place for change in found.changes] == [Place(kernel=ROW, case=CASE, part="two")]


def test_a_cell_without_an_answer_speaks_for_its_sub_results() -> None:
    before = of_parts("pass", one="pass", two="pass")
    found = compare(before, report({ROW: {CASE: "lost"}}, name=LATER))
    assert [(change.place.part, change.kind) for change in found.changes] == [("", ChangeKind.UNANSWERED)]
    assert (found.exit_code, found.same) == (EXIT_HARNESS, 0)


def test_a_sub_result_that_an_answer_does_not_have_any_more_is_gone() -> None:
    before = of_parts("pass", one="pass", two="pass")
    now = report({ROW: {CASE: cell(ROW, CASE, "pass", parts=(part("one", "pass"),))}}, name=LATER)
    found = compare(before, now)
    assert [(each.place.part, each.kind) for each in found.changes] == [("two", ChangeKind.GONE)]
    assert found.exit_code == EXIT_UNEXPECTED


def test_what_does_not_run_any_more_is_another_answer() -> None:
    idle = replace(WORKS, mark=Mark.DID_NOT_RUN)
    now = report({ROW: {CASE: cell(ROW, CASE, "pass", outcome=idle)}}, name=LATER)
    found = compare(report({ROW: {CASE: "pass"}}), now)
    assert [change.kind for change in found.changes] == [ChangeKind.ANSWER]


def test_numbers_in_a_death_are_no_difference() -> None:
    def dying(line: str, name: str) -> Report:
        outcome = replace(WORKS, kind=OutcomeKind.CRASHED, crash=line, step="attach", reason=line)
        made = cell(ROW, CASE, "fail", outcome=outcome, verdict=Verdict.FAIL, expectation=EXPECTED)
        return report({ROW: {CASE: made}}, name=name)

    first = dying("BUG: unable to handle page fault for address: ffffffffc0401234", "20260101T000000Z")
    again = dying("BUG: unable to handle page fault for address: ffffffffc0809999", LATER)
    other = dying("kernel BUG at kernel/bpf/trampoline.c:123!", LATER)
    assert not compare(first, again).changes
    assert [change.kind for change in compare(first, other).changes] == [ChangeKind.REASON]


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [
        (1000, 1049, CostWord.STABLE),
        (1000, 1050, CostWord.ATTENTION),
        (1000, 1199, CostWord.ATTENTION),
        (1000, 1200, CostWord.SIGNIFICANT),
        (1000, 700, CostWord.SIGNIFICANT),
        (0, 1, CostWord.SIGNIFICANT),
    ],
)
def test_a_cost_changes_by_a_word(before: int, now: int, word: CostWord) -> None:
    def costing(count: int, name: str) -> Report:
        outcome = replace(WORKS, measured={"verified-instructions": count, "runs": count})
        return report({ROW: {CASE: cell(ROW, CASE, "pass", outcome=outcome)}}, name=name)

    found = compare(costing(before, "20260101T000000Z"), costing(now, LATER))
    assert [(cost.measure, cost.word) for cost in found.costs] == [("verified-instructions", word)]
    assert found.exit_code == EXIT_OK


INSNS = "verified-instructions"


def needing(count: int | None, name: str = LATER, *, over: bool = False, limit: int = 1_000_000) -> Report:
    """Return a report of a case whose program needs so many instructions (None: not measured)."""
    numbers = {INSNS: count, "instruction-limit": limit} if count is not None else None
    too_much = OverBudget(program="target.p", measure=INSNS, value=count or 0, most=1, text="too much")
    outcome = replace(WORKS, programs={"target.p": numbers} if numbers else {}, over_budget=(too_much,) if over else ())
    verdict = Verdict.FAIL if over else Verdict.PASS
    return report({ROW: {CASE: cell(ROW, CASE, "pass", outcome=outcome, verdict=verdict)}}, name=name)


BEFORE = "20260101T000000Z"


def test_each_program_of_a_case_has_its_cost_and_what_is_near_the_limit_is_significant() -> None:
    found = compare(needing(849_999, BEFORE), needing(850_000))
    (cost,) = found.costs
    assert (cost.program, cost.what, cost.limit, cost.share) == ("target.p", "seed: target.p", 1_000_000, 0.85)
    assert cost.word is CostWord.SIGNIFICANT
    assert compare(needing(849_998, BEFORE), needing(849_999)).costs[0].word is CostWord.STABLE
    assert compare(needing(860_000, BEFORE), needing(850_000)).costs[0].word is CostWord.STABLE  # fewer
    assert found.exit_code == EXIT_OK


@pytest.mark.parametrize(
    ("base", "head", "kind", "code"),
    [
        (needing(10, BEFORE), needing(20, over=True), ChangeKind.REGRESSION, EXIT_UNEXPECTED),
        (needing(20, BEFORE), needing(20, over=True), ChangeKind.EXPECTATION, EXIT_OK),
        (needing(None, BEFORE), needing(20, over=True), ChangeKind.EXPECTATION, EXIT_OK),
        (needing(20, BEFORE, over=True), needing(20), ChangeKind.EXPECTATION, EXIT_OK),
        (needing(20, BEFORE, over=True), needing(10), ChangeKind.FIXED, EXIT_OK),
        (needing(20, BEFORE, over=True), needing(30, over=True), None, EXIT_OK),
    ],
)
def test_what_exceeds_its_budget_is_a_regression_unless_only_the_budget_is_new(
    base: Report, head: Report, kind: ChangeKind | None, code: int
) -> None:
    found = compare(base, head)
    assert [change.kind for change in found.changes] == ([kind] if kind else [])
    assert found.exit_code == code


def test_a_part_that_exceeds_its_budget_is_one_change() -> None:
    def checked(count: int, name: str) -> Report:
        over = OverBudget(program="p", measure=INSNS, value=count, most=15, text="too much")
        outcome = replace(WORKS, measured={INSNS: count}, over_budget=(over,) if count > 15 else ())
        verdict = Verdict.FAIL if count > 15 else Verdict.PASS
        own = replace(part("p", "pass"), outcome=outcome, verdict=verdict)
        return report({ROW: {CASE: cell(ROW, CASE, "pass", verdict=verdict, parts=(own,))}}, name=name)

    found = compare(checked(10, BEFORE), checked(20, LATER))
    assert [(each.place.part, each.kind) for each in found.changes] == [("p", ChangeKind.REGRESSION)]
    assert found.exit_code == EXIT_UNEXPECTED


def test_a_budget_about_which_nothing_is_known_is_no_change_of_the_kernels_answer() -> None:
    unknown = replace(WORKS, mark=Mark.NOT_MEASURED, mark_reason="nobody knows")
    head = report({ROW: {CASE: cell(ROW, CASE, "pass", outcome=unknown)}}, name=LATER)
    assert compare(report({ROW: {CASE: "pass"}}), head).changes == ()


def test_what_limits_a_comparison_is_said() -> None:
    before = report({ROW: {CASE: "pass"}}, name=LATER, complete=False)
    found = compare(before, report({ROW: {CASE: "pass"}}, version="1.1"))
    assert len(found.notes) == 3
    assert "ended before its time" in found.notes[0]


@pytest.mark.parametrize(("base", "head"), [({}, {}), ({}, {ROW: {CASE: "pass"}}), ({ROW: {CASE: "pass"}}, {})])
def test_an_empty_report_cannot_be_compared(base: dict[str, dict[str, str]], head: dict[str, dict[str, str]]) -> None:
    with pytest.raises(UsageError, match="no row and case in common"):
        compare(report(dict(base)), report(dict(head), name=LATER))
