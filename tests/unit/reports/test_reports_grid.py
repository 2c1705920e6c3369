"""The shape of the grid, its counts, its exit code, its words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reports_sample import CASES, FLAGSHIP, ODD, PASSED, WORKS, cell, kernel, nasty_report, quiet_report

from harness.model.exit_codes import worst
from harness.model.results import OutcomeKind, PackageInfo, Report, Stage, Verdict
from harness.reports import grid


def with_verdict(verdict: Verdict) -> Report:
    report = quiet_report()
    return replace(report, cells=(replace(report.cells[0], verdict=verdict),))


def test_every_verdict_has_its_own_symbol_and_a_meaning() -> None:
    assert set(grid.SYMBOLS) == set(grid.MEANINGS) == set(Verdict)
    assert len(set(grid.SYMBOLS.values())) == len(Verdict)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.PASS, 0),
        (Verdict.XFAIL, 0),
        (Verdict.KNOWN_BUG, 0),
        (Verdict.NOT_APPLICABLE, 0),
        (Verdict.FAIL, 1),
        (Verdict.XPASS, 1),
        (Verdict.ERROR, 3),
        (Verdict.NOT_RUN, 3),
    ],
)
def test_exit_code_of_each_verdict(verdict: Verdict, code: int) -> None:
    assert grid.exit_code(with_verdict(verdict)) == code


def test_exit_code_of_problems_and_of_an_incomplete_run() -> None:
    quiet = quiet_report()
    problem = replace(quiet, kernels=(kernel("6.1", problems=("it did not power off",)),))
    broken_off = replace(quiet, run=replace(quiet.run, complete=False))
    both = replace(problem, run=broken_off.run)
    assert grid.exit_code(quiet) == 0
    assert grid.exit_code(problem) == 1
    assert grid.exit_code(broken_off) == 3
    assert grid.exit_code(both) == 3


def test_of_several_exit_codes_3_wins_then_2_then_1() -> None:
    quiet = quiet_report()
    passed = quiet.cells[0]
    fail = replace(passed, verdict=Verdict.FAIL, case=ODD)
    lost = replace(passed, verdict=Verdict.ERROR)
    wrong = replace(lost, outcome=replace(lost.outcome, wrong_input=True, stage=Stage.BUILD))
    for first, code in ((lost, 3), (wrong, 2), (passed, 1)):
        for cells in ((first, fail), (fail, first)):
            assert grid.exit_code(replace(quiet, cases=CASES, cells=cells)) == code
    assert grid.exit_code(replace(quiet, cases=CASES, cells=(wrong, replace(lost, case=ODD)))) == 3
    assert [worst(codes) for codes in ([0, 1, 2, 3], [2, 1], [1, 0], [0], [])] == [3, 2, 1, 0, 0]


def test_wrong_input_does_not_soften_a_verdict() -> None:
    quiet = quiet_report()
    fail = replace(quiet.cells[0], verdict=Verdict.FAIL)
    wrong = replace(fail, outcome=replace(fail.outcome, wrong_input=True))
    assert grid.exit_code(replace(quiet, cells=(wrong,))) == 1


def test_a_missing_cell_is_lost_and_never_green() -> None:
    report = replace(quiet_report(), cells=())
    whole = grid.completed(report)
    assert [(c.kernel, c.case, c.outcome.kind, c.verdict) for c in whole.cells] == [
        ("6.1", FLAGSHIP, OutcomeKind.LOST, Verdict.ERROR)
    ]
    assert grid.exit_code(report) == 3
    assert grid.counts(report)[Verdict.ERROR] == 1
    assert grid.table(report).rows[0].marks[0].verdict is Verdict.ERROR
    assert grid.completed(whole) is whole


def test_a_cell_of_an_unknown_kernel_or_case_gets_its_place() -> None:
    quiet = quiet_report()
    strange = cell("6.9", ODD, verdict=Verdict.FAIL, expectation=WORKS, outcome=PASSED, why="odd")
    report = replace(quiet, cells=(*quiet.cells, strange))
    assert [k.name for k in grid.completed(report).kernels] == ["6.1", "6.9"]
    assert grid.completed(report).cases == CASES
    assert [[m.verdict for m in row.marks] for row in grid.table(report).rows] == [
        [Verdict.PASS, Verdict.ERROR],
        [Verdict.ERROR, Verdict.FAIL],
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_cells_in_one_place_the_worse_is_shown(order: int) -> None:
    quiet = quiet_report()
    both = (quiet.cells[0], replace(quiet.cells[0], verdict=Verdict.FAIL))[::order]
    report = replace(quiet, cells=both)
    assert grid.table(report).rows[0].marks[0].verdict is Verdict.FAIL
    assert grid.exit_code(report) == 1


def test_counts_has_every_verdict() -> None:
    assert grid.counts(quiet_report()) == {v: int(v is Verdict.PASS) for v in Verdict}
    assert sum(grid.counts(nasty_report()).values()) == 10


def test_kernels_are_rows_up_to_six_cases_and_columns_beyond() -> None:
    quiet = quiet_report()
    kernels = (kernel("6.1"), kernel("7.3"))
    for number, corner in [(6, "kernel"), (7, "case")]:
        cases = tuple((f"case-{n}", "title") for n in range(number))
        table = grid.table(replace(quiet, kernels=kernels, cases=cases, cells=()))
        names, ids = ("6.1", "7.3"), tuple(case for case, _ in cases)
        rows, columns = (names, ids) if corner == "kernel" else (ids, names)
        assert table.corner == corner
        assert tuple(row.label for row in table.rows) == rows
        assert table.columns == columns
        assert all(len(row.marks) == len(columns) for row in table.rows)


def test_transposed_marks_are_those_of_their_cell() -> None:
    quiet = quiet_report()
    cases = tuple((f"case-{n}", "title") for n in range(7))
    bad = replace(quiet.cells[0], case="case-3", kernel="7.3", verdict=Verdict.FAIL)
    report = replace(quiet, kernels=(kernel("6.1"), kernel("7.3")), cases=cases, cells=(bad,))
    row = grid.table(report).rows[3]
    assert [mark.verdict for mark in row.marks] == [Verdict.ERROR, Verdict.FAIL]
    assert row.marks[1].anchor == "7.3/case-3"
    assert row.marks[1].symbol == grid.SYMBOLS[Verdict.FAIL]


def test_anchors_are_unique_and_plain() -> None:
    quiet = quiet_report()
    report = replace(quiet, kernels=(kernel("a b"), kernel("a-b"), kernel('"<é')), cells=())
    assert list(grid.anchors(report).values()) == [
        f"a-b/{FLAGSHIP}", f"a-b.2/{FLAGSHIP}", f"---/{FLAGSHIP}",
    ]  # fmt: skip


def test_a_slug_is_one_part_of_an_address() -> None:
    assert grid.slugs(["a/b", "a-b", "x.y_z", "a/b"]) == {"a/b": "a-b", "a-b": "a-b.2", "x.y_z": "x.y_z"}


def test_the_worst_verdict_is_what_wants_to_be_looked_at() -> None:
    assert grid.worst([Verdict.PASS, Verdict.XFAIL]) is Verdict.XFAIL
    assert grid.worst([Verdict.NOT_APPLICABLE, Verdict.PASS]) is Verdict.PASS
    assert grid.worst(Verdict) is Verdict.FAIL


def test_headline() -> None:
    assert grid.headline(quiet_report()) == (
        "1 cell (1 kernel × 1 case): 1 pass. Exit code 0: every cell came out as its case expects."
    )
    assert grid.headline(nasty_report()) == (
        "10 cells (5 kernels × 2 cases): 2 pass, 1 xfail, 1 known-bug, 1 fail, 1 xpass, 1 answered, 1 error, "
        "1 not-run, 1 not-applicable. Exit code 1: something came out otherwise than expected."
    )
    empty = replace(quiet_report(), kernels=(), cells=())
    assert grid.headline(empty).startswith("0 cells (0 kernels × 1 case): none.")


def test_notices_tell_each_thing_once() -> None:
    quiet = quiet_report()
    package = PackageInfo(source="debian", name="n", version="v", sha256="", notice="it was replaced")
    report = replace(quiet, kernels=(kernel("6.1", package=package),))
    assert grid.notices(quiet) == ()
    assert grid.notices(report) == ("6.1: it was replaced",)
    noted = replace(report, run=replace(report.run, notices=("kernel 6.1: it was replaced",)))
    assert grid.notices(noted) == ("kernel 6.1: it was replaced",)
    broken_off = replace(with_verdict(Verdict.NOT_RUN), run=replace(quiet.run, complete=False))
    assert grid.notices(broken_off) == ("the run ended before its time; 1 cell did not run",)


def test_legend_has_the_verdicts_that_occur() -> None:
    assert grid.legend(quiet_report()) == (("✓", Verdict.PASS, "works, as expected"),)
    assert [verdict for _, verdict, _ in grid.legend(nasty_report())] == list(Verdict)
