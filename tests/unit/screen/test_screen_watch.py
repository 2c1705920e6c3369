from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pytest
from answers_samples import report as sample
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.host.called_as import command
from harness.model.results import CellResult, Expectation, Outcome, OutcomeKind, Verdict
from harness.screen.grid import STYLES, WIDE
from harness.screen.watch import (
    Grid,
    Shown,
    WatchScreen,
    aged,
    cell_text,
    cell_words,
    grid_table,
    merged,
    named,
    row_words,
)

PASS, FAIL, XFAIL = Verdict.PASS, Verdict.FAIL, Verdict.XFAIL
verdicts = st.sampled_from(Verdict)


def cell(case: str, verdict: Verdict, *, kernel: str = "6.1") -> CellResult:
    return CellResult(
        kernel=kernel,
        case=case,
        title="t",
        outcome=Outcome(kind=OutcomeKind.WORKS, reason="r"),
        expectation=Expectation(outcome=OutcomeKind.WORKS, reason="r"),
        verdict=verdict,
        verdict_reason="why",
    )


def grid(**cases: Shown) -> Grid:
    return {("6.1", case): shown for case, shown in cases.items()}


def test_a_first_answer_has_not_changed() -> None:
    assert merged({}, [cell("a", PASS)]) == grid(a=Shown(verdict=PASS))


@pytest.mark.parametrize("old", [True, False])
def test_an_answer_that_differs_says_what_it_was(old: bool) -> None:
    before = grid(a=Shown(verdict=PASS, old=old), b=Shown(verdict=PASS, old=old))
    assert merged(before, [cell("a", FAIL)])["6.1", "a"] == Shown(verdict=FAIL, was=PASS)
    assert merged(before, [cell("a", PASS)])["6.1", "a"] == Shown(verdict=PASS)
    assert merged(before, [cell("a", FAIL)])["6.1", "b"] == before["6.1", "b"], "what was not run stays"


@given(verdicts, verdicts, verdicts)
def test_only_the_run_before_counts(first: Verdict, second: Verdict, third: Verdict) -> None:
    now: Grid = {}
    for verdict in (first, second, third):
        now = merged(aged(now, {"a"}), [cell("a", verdict)])
    assert now == grid(a=Shown(verdict=third, was=None if second == third else second))


def test_when_a_run_begins_its_cells_are_old_and_no_cell_has_changed_yet() -> None:
    before = grid(a=Shown(verdict=FAIL, was=PASS), b=Shown(verdict=FAIL, was=PASS), c=Shown(verdict=PASS, old=True))
    assert aged(before, {"a"}) == grid(
        a=Shown(verdict=FAIL, old=True), b=Shown(verdict=FAIL), c=Shown(verdict=PASS, old=True)
    )


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (None, "-"),
        (Shown(verdict=PASS), "pass"),
        (Shown(verdict=PASS, was=FAIL), "pass (was fail)"),
        (Shown(verdict=PASS, old=True), "pass (old)"),
    ],
)
def test_a_cell_in_words(shown: Shown | None, text: str) -> None:
    assert cell_words(shown) == cell_text(shown).plain == text


def test_an_old_cell_has_no_colour() -> None:
    assert cell_text(Shown(verdict=FAIL)).style == STYLES[FAIL]
    assert cell_text(Shown(verdict=FAIL, old=True)).style == "dim"


def test_few_cells_are_named() -> None:
    assert row_words({"a": Shown(verdict=PASS), "b": Shown(verdict=FAIL, was=PASS)}) == "a: pass, b: fail (was pass)"


def test_many_cells_are_counted_and_those_that_changed_are_named() -> None:
    cells: dict[str, Shown | None] = {f"c{number}": Shown(verdict=PASS) for number in range(WIDE)}
    cells |= {"a": Shown(verdict=FAIL, was=XFAIL), "b": Shown(verdict=PASS, old=True), "new": None}
    assert row_words(cells) == f"{WIDE} pass, 1 pass (old), 1 fail, 1 -; a: fail (was xfail)"


def rendered(cases: Sequence[str], cells: Grid) -> list[list[str]]:
    out = io.StringIO()
    table = grid_table(cells, kernels=["6.1", "6.12"], cases=cases, states={"6.1": "1.2 s"})
    Console(file=out, width=120).print(table)
    return [re.split(r"\s{2,}", line.strip()) for line in out.getvalue().splitlines()]


def test_the_table_has_every_kernel_and_every_case() -> None:
    assert rendered(["a", "b"], grid(a=Shown(verdict=PASS, was=FAIL), b=Shown(verdict=XFAIL, old=True))) == [
        ["kernel", "state", "a", "b"],
        ["6.1", "1.2 s", "pass (was fail)", "xfail (old)"],
        ["6.12", "-", "-"],
    ]


def test_a_wide_table_counts() -> None:
    cases = [f"c{number}" for number in range(WIDE + 1)]
    assert rendered(cases, grid(c0=Shown(verdict=FAIL, was=PASS), c1=Shown(verdict=PASS))) == [
        ["kernel", "state", "verdicts"],
        ["6.1", "1.2 s", f"1 pass, 1 fail, {WIDE - 1} -; c0: fail (was pass)"],
        ["6.12", f"{WIDE + 1} -"],
    ]


@pytest.mark.parametrize(
    ("count", "text"), [(1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more"), (9, "0, 1, 2 and 6 more")]
)
def test_files_are_named_while_they_are_few(count: int, text: str) -> None:
    assert named([str(number) for number in range(count)]) == text


def screen(*, terminal: bool) -> tuple[WatchScreen, io.StringIO]:
    out = io.StringIO()
    return WatchScreen(console=Console(file=out, force_terminal=terminal, width=150, highlight=False)), out


def two_runs(shown: WatchScreen) -> None:
    with shown.live():
        for verdict in (PASS, FAIL):
            shown.saved(cases=["a", "b"], concerned={"a"}, what="a.bpf.c\x1b[2J changed")
            shown.begun(["6.1"])
            with shown.shown():
                shown.state("6.1", "running")
                shown.done("6.1", [cell("a", verdict)], seconds=1.26, release="6.1.0\x1b[2J")
            shown.causes(sample({"6.1": {"a": cell("a", verdict)}}, exit_code=int(verdict is FAIL)))
            shown.status("waiting for a save")


def test_without_a_terminal_there_are_plain_lines() -> None:
    shown, out = screen(terminal=False)
    two_runs(shown)
    lines = out.getvalue().splitlines()
    assert [re.split(r"\s{2,}", line.strip()) for line in lines] == [
        ["a.bpf.c\N{REPLACEMENT CHARACTER}[2J changed"],
        ["6.1", "6.1.0\N{REPLACEMENT CHARACTER}[2J", "1.3 s", "a: pass"],
        ["waiting for a save"],
        ["a.bpf.c\N{REPLACEMENT CHARACTER}[2J changed"],
        ["6.1", "6.1.0\N{REPLACEMENT CHARACTER}[2J", "1.3 s", "a: fail (was pass)"],
        ["1. the kernel's (1):"],
        ["what:", "a"],
        ["where:", "6.1"],
        ["happened: fail: works"],
        ["why:", "why"],
        ["again:", command("matrix --kernel 6.1 --case a")],
        ["waiting for a save"],
    ]


def test_on_a_terminal_one_table_stays() -> None:
    shown, out = screen(terminal=True)
    two_runs(shown)
    text = out.getvalue()
    final = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text[text.rindex("kernel") :]).splitlines()
    assert [re.split(r"\s{2,}", line.strip()) for line in final if line.strip()] == [
        ["kernel", "state", "a", "b"],
        ["6.1", "1.3 s", "fail (was pass)", "-"],
        ["waiting for a save"],
    ]
    assert "\x1b[2J" not in text
    assert "happened: fail: works" in text


def test_a_narrow_terminal_cuts_nothing_of_the_status() -> None:
    out = io.StringIO()
    shown = WatchScreen(console=Console(file=out, force_terminal=True, width=30, soft_wrap=True, highlight=False))
    status = "1.4 s from save to grid; reports: " + "a-long-name/" * 5
    with shown.live():
        shown.status(status)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert "".join(status.split()) in "".join(text.split())


def test_a_kernel_that_runs_says_for_how_long_even_if_it_has_run_before() -> None:
    shown, out = screen(terminal=True)
    with shown.live():
        shown.saved(cases=["a"], concerned={"a"}, what="saved")
        for _ in range(2):
            shown.begun(["6.1", "6.12"])
            shown.state("6.1", "running")
            shown.done("6.12", [cell("a", PASS, kernel="6.12")], seconds=1, release="r")
    last = out.getvalue()[out.getvalue().rindex("kernel") :]
    assert "running 0 s" in last
    assert "1.0 s" in last


def test_cells_of_kernels_and_cases_that_are_gone_are_forgotten() -> None:
    shown, _ = screen(terminal=False)
    shown.saved(cases=["a", "b"], concerned={"a", "b"}, what="saved")
    shown.begun(["6.1", "6.12"])
    shown.done("6.1", [cell("a", PASS), cell("b", PASS)], seconds=1, release="r")
    shown.done("6.12", [cell("a", PASS, kernel="6.12")], seconds=1, release="r")
    shown.saved(cases=["a"], concerned=set(), what="saved")
    shown.begun(["6.1"])
    assert set(shown.grid) == {("6.1", "a")}


def test_one_cause_on_several_kernels_is_said_once_with_all_of_them() -> None:
    shown, out = screen(terminal=False)
    shown.saved(cases=["a"], concerned={"a"}, what="saved")
    names = ["6.1", "6.12", "7.3"]
    shown.begun(names)
    for name in names:
        shown.done(name, [cell("a", FAIL, kernel=name)], seconds=1, release="r")
    shown.causes(sample({name: {"a": cell("a", FAIL, kernel=name)} for name in names}, exit_code=1))
    text = out.getvalue()
    assert text.count("why:") == 1
    assert "where:    6.1, 6.12, 7.3" in text


def test_where_all_is_as_expected_there_are_no_causes() -> None:
    shown, out = screen(terminal=False)
    shown.causes(sample({"6.1": {"a": "pass"}}))
    assert out.getvalue() == ""
