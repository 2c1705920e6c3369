from __future__ import annotations

from dataclasses import replace

import pytest
from answers_samples import LOST, REFUSED, WORKS, cell, part, report

from harness.answers.explain import (
    Party,
    command_again,
    deciding_line,
    explain,
    failed_grids,
    failed_places,
    runs_cases,
)
from harness.answers.seen import Place
from harness.model.results import (
    CellResult,
    Difference,
    DifferenceKind,
    Fault,
    Origin,
    Outcome,
    OutcomeKind,
    OverBudget,
    Report,
    Stage,
    Verdict,
)

OLD, ROW = "5.10-x86_64", "6.1-x86_64"


def explained(made: Report) -> list[tuple[Party, tuple[str, ...], tuple[str, ...]]]:
    return [(cause.party, cause.what, cause.kernels) for cause in explain(made, program="bpfmatrix").causes]


def test_what_is_as_expected_needs_no_explanation() -> None:
    made = report({ROW: {"a": "pass", "b": "xfail", "c": "nothing", "d": "answered"}})
    assert not explained(made)
    assert not failed_places(made)


def test_the_same_class_and_line_is_one_cause() -> None:
    made = report({OLD: {"a": "fail", "b": "fail"}, ROW: {"a": "fail", "b": "other"}})
    assert explained(made) == [(Party.KERNEL, ("a", "b"), (OLD, ROW)), (Party.KERNEL, ("b",), (ROW,))]
    assert failed_places(made) == ((OLD, "a"), (OLD, "b"), (ROW, "a"), (ROW, "b"))


def test_another_line_of_the_log_is_another_cause() -> None:
    first = cell(ROW, "a", "fail", outcome=replace(REFUSED, log="R1 type=ctx expected=fp\nprocessed 3 insns"))
    again = cell(ROW, "b", "fail", outcome=replace(REFUSED, log="R1 type=ctx expected=fp\nprocessed 99 insns"))
    other = cell(ROW, "c", "fail", outcome=replace(REFUSED, log="R2 !read_ok\nprocessed 3 insns"))
    assert [what for _, what, _ in explained(report({ROW: {"a": first, "b": again, "c": other}}))] == [
        ("a", "b"),
        ("c",),
    ]


@pytest.mark.parametrize(
    ("outcome", "party"),
    [
        (REFUSED, Party.KERNEL),
        (LOST, Party.HARNESS),
        (replace(LOST, fault=Fault.HOST), Party.HOST),
        (replace(LOST, fault=Fault.INPUT, wrong_input=True), Party.CASE),
        (replace(LOST, stage=Stage.BUILD, wrong_input=True), Party.CASE),
        (replace(REFUSED, origin=Origin.LIBBPF), Party.CASE),
        (replace(REFUSED, origin=Origin.LIBBPF_KERNEL), Party.KERNEL),
        (replace(LOST, fault=Fault.ENDED), Party.RUN),
        (Outcome(kind=OutcomeKind.NOT_RUN, reason="the run ended before it"), Party.RUN),
    ],
)
def test_whose_it_is(outcome: Outcome, party: Party) -> None:
    made = report({ROW: {"a": cell(ROW, "a", "fail", outcome=outcome)}})
    assert [cause.party for cause in explain(made, program="bpfmatrix").causes] == [party]


def test_the_kernels_come_first_and_of_these_what_hit_most() -> None:
    made = report({OLD: {"a": "lost", "b": "other", "c": "fail"}, ROW: {"a": "lost", "b": "pass", "c": "fail"}})
    assert [(party, len(kernels)) for party, _, kernels in explained(made)] == [
        (Party.KERNEL, 2),
        (Party.KERNEL, 1),
        (Party.HARNESS, 2),
    ]


def test_sub_results_stand_for_their_cell() -> None:
    made = cell(ROW, "object", "fail", parts=(part("one", "pass"), part("two", "fail"), part("three", "fail")))
    assert [what for _, what, _ in explained(report({ROW: {"object": made}}))] == [("object: two", "object: three")]


def test_problems_that_no_cell_carries_are_there() -> None:
    made = report({ROW: {"a": "pass"}})
    made = replace(made, kernels=(replace(made.kernels[0], problems=("BUG: at boot",)),))
    assert explain(made, program="bpfmatrix").problems == ((ROW, "BUG: at boot"),)


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (WORKS, ""),
        (
            replace(REFUSED, log="0: (b7) r0 = 0\nR0 leaks addr\nverification time 9 usec\nprocessed 2 insns\n"),
            "R0 leaks addr",
        ),
        (replace(REFUSED, crash="BUG: NULL pointer\nRIP: 0010\n", log="R0 leaks"), "BUG: NULL pointer"),
        (replace(REFUSED, counted_splats=("WARNING: at x\nmore",)), "WARNING: at x"),
        (replace(LOST, stage=Stage.BUILD, log="a.c:1:2: note: x\na.c:3:4: error: no\n"), "a.c:3:4: error: no"),
        (replace(LOST, console_tail=("first", "last")), "last"),
        (
            replace(
                WORKS,
                kind=OutcomeKind.MISBEHAVES,
                log="processed 2 insns",
                differences=(Difference(step="run", kind=DifferenceKind.RETVAL, text="returned 2, not 1"),),
            ),
            "returned 2, not 1",
        ),
    ],
)
def test_the_line_that_decides(outcome: Outcome, line: str) -> None:
    assert deciding_line(outcome) == line


@pytest.mark.parametrize(
    ("ran", "again"),
    [
        ("bpfmatrix", "bpfmatrix matrix --kernel 6.1-x86_64+clang-14 --case seed"),
        (
            "bpfmatrix matrix --arch all --case 'k*' --cold",
            "bpfmatrix matrix --kernel 6.1-x86_64+clang-14 --case seed --cold",
        ),
        ("bpfmatrix --suite tracing", "bpfmatrix matrix --kernel 6.1-x86_64+clang-14 --case seed --suite tracing"),
        ("bpfmatrix watch --case seed", "bpfmatrix matrix --kernel 6.1-x86_64+clang-14 --case seed"),
        (
            "bpfmatrix check my.bpf.o --kernel=6.* --jobs 2",
            "bpfmatrix check --kernel 6.1-x86_64+clang-14 --program on_exec my.bpf.o",
        ),
        (
            "bpfmatrix exec --kernel '6.*' --push a -- ./a --kernel x",
            "bpfmatrix exec --kernel 6.1-x86_64+clang-14 --push a -- ./a --kernel x",
        ),
    ],
)
def test_the_command_that_shows_one_again(ran: str, again: str) -> None:
    place = Place(kernel="6.1-x86_64+clang-14", case="seed", part="on_exec")
    assert command_again(report({ROW: {"seed": "fail"}}, command=ran), place, program="bpfmatrix") == again


def test_what_failed_is_some_grids_and_nothing_else() -> None:
    made = report(
        {
            "5.10": {"a": "fail", "b": "pass", "c": "lost"},
            "6.1": {"a": "pass", "b": "pass", "c": "pass"},
            "6.12": {"a": "not-run", "b": "pass", "c": "xpass"},
            "7.3": {"a": "pass", "b": "xpass", "c": "answered"},
        }
    )
    grids = failed_grids(made)
    assert grids == ((("5.10", "6.12"), ("a", "c")), (("7.3",), ("b",)))
    assert {(row, case) for rows, cases in grids for row in rows for case in cases} == set(failed_places(made))


@pytest.mark.parametrize(
    ("ran", "cases"),
    [
        ("bpfmatrix", True),
        ("bpfmatrix --cold", True),
        ("bpfmatrix check a.o", False),
        ("bpfmatrix exec -- true", False),
    ],
)
def test_whether_a_run_is_of_cases(ran: str, cases: bool) -> None:
    assert runs_cases(report({ROW: {"a": "pass"}}, command=ran)) is cases


def test_programs_that_exceed_their_budget_are_one_cause_with_the_number() -> None:
    def needing(row: str, count: int) -> CellResult:
        over = OverBudget(program="t.p", measure="peak-states", value=count, most=8, text=f"t.p has {count} states")
        outcome = replace(WORKS, over_budget=(over,))
        return cell(row, "seed", "pass", verdict=Verdict.FAIL, outcome=outcome, verdict_reason="over budget")

    made = report({"a": {"seed": needing("a", 9)}, "b": {"seed": needing("b", 12)}})
    (cause,) = explain(made, program="bpfmatrix").causes
    assert (cause.party, cause.kernels, cause.line) == (Party.KERNEL, ("a", "b"), "t.p has 9 states")
