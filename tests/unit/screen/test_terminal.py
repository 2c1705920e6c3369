from __future__ import annotations

import io
import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.model.results import (
    CellResult,
    Expectation,
    KernelResult,
    Outcome,
    OutcomeKind,
    PartResult,
    Report,
    RunInfo,
    Stage,
    Verdict,
)
from harness.screen.terminal import STYLES, WIDE, Progress, print_grid, printable, summary, verdict_text

HOSTILE = "6.1[/red][bold]\x1b[2J\x07[nonsense"


def cell(verdict: Verdict, *, kernel: str = "6.1", case: str = "a", reason: str = "why") -> CellResult:
    return CellResult(
        kernel=kernel,
        case=case,
        title="t",
        outcome=Outcome(kind=OutcomeKind.WORKS, reason="r"),
        expectation=Expectation(outcome=OutcomeKind.WORKS, reason="r"),
        verdict=verdict,
        verdict_reason=reason,
    )


def console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=100, highlight=False), out


def report(*cells: CellResult, release: str = "6.1.0") -> Report:
    names = list(dict.fromkeys(each.kernel for each in cells))
    cases = list(dict.fromkeys(each.case for each in cells))
    info: dict[str, Any] = {"id": "i", "started": "s", "seconds": 1, "version": "0", "command": "c", "host": {}}
    run = RunInfo(**info, accel="tcg", accel_reason="", jobs=1, complete=True, exit_code=0)
    return Report(
        run=run,
        kernels=tuple(KernelResult(name=name, arch="x86_64", release=release) for name in names),
        cases=tuple((case, "t") for case in cases),
        cells=cells,
    )


def test_every_verdict_has_a_style() -> None:
    assert set(STYLES) == set(Verdict)


@pytest.mark.parametrize(
    ("verdicts", "text"),
    [
        ([], ""),
        ([Verdict.PASS], "pass"),
        ([Verdict.PASS, Verdict.PASS], "2 pass"),
        ([Verdict.FAIL, Verdict.PASS, Verdict.XFAIL, Verdict.PASS], "2 pass, 1 xfail, 1 fail"),
    ],
)
def test_a_summary(verdicts: list[Verdict], text: str) -> None:
    cells = [cell(verdict) for verdict in verdicts]
    assert summary(cells) == text
    assert verdict_text(cells).plain.split() == text.replace(",", "").split()


def test_without_a_terminal_there_is_a_plain_line_for_each_kernel() -> None:
    shown, out = console()
    progress = Progress(["6.1"], console=shown)
    with progress.shown():
        progress.state("6.1", "fetching")
        progress.done("6.1", [cell(Verdict.PASS)], seconds=4.26, release="6.1.0-50-cloud-amd64")
    assert out.getvalue().split() == ["6.1", "6.1.0-50-cloud-amd64", "4.3", "s", "pass"]
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.XPASS, Verdict.ERROR])
def test_what_is_wrong_is_said_at_once_and_in_full(verdict: Verdict) -> None:
    shown, out = console()
    reason = "a long reason " * 20
    Progress(["6.1"], console=shown).done("6.1", [cell(verdict, reason=reason)], seconds=1, release="r")
    assert f"6.1 x a: {verdict}: {reason.strip()}" in out.getvalue()


def test_of_parts_it_is_said_how_many_work_and_which_do_not() -> None:
    shown, out = console()
    refused = Outcome(kind=OutcomeKind.REFUSED, stage=Stage.LOAD_TARGET, reason="long")
    parts = [
        PartResult(
            name="a", outcome=Outcome(kind=OutcomeKind.WORKS, reason=""), verdict=Verdict.PASS, verdict_reason=""
        ),
        PartResult(name="b", outcome=refused, verdict=Verdict.FAIL, verdict_reason="expected to work"),
    ]
    whole = replace(cell(Verdict.FAIL, reason="as long as that of its worst part"), parts=tuple(parts))
    Progress(["6.1"], console=shown).done("6.1", [whole], seconds=1, release="r")
    assert out.getvalue().splitlines()[1] == "6.1 x a: fail: 1 of 2 work; refused at load-target: b"


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.XFAIL, Verdict.KNOWN_BUG, Verdict.NOT_APPLICABLE])
def test_what_is_expected_is_not(verdict: Verdict) -> None:
    shown, out = console()
    Progress(["6.1"], console=shown).done("6.1", [cell(verdict)], seconds=1, release="r")
    assert len(out.getvalue().splitlines()) == 1


def test_a_terminal_shows_a_live_table() -> None:
    shown, out = console(terminal=True)
    progress = Progress(["6.1", "6.12"], console=shown)
    with progress.shown():
        progress.state("6.1", "running")
        progress.done("6.1", [cell(Verdict.PASS)], seconds=4.2, release="r")
        progress.note("a notice")
    text = out.getvalue()
    for word in ("kernel", "6.12", "waiting", "4.2 s", "pass", "a notice"):
        assert word in text


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_guest_says_commands_neither_terminal_nor_table(terminal: bool) -> None:
    shown, out = console(terminal=terminal)
    progress = Progress(["6.1"], console=shown)
    with progress.shown():
        progress.done("6.1", [cell(Verdict.FAIL, reason=HOSTILE)], seconds=1, release=HOSTILE)
        progress.note(HOSTILE)
    print_grid(report(cell(Verdict.PASS), release=HOSTILE), console=shown)
    assert "\x1b[2J" not in out.getvalue()
    assert "\x07" not in out.getvalue()
    assert "[/red][bold]" in out.getvalue(), "it is shown as it is, as far as it can be"


@given(st.text(max_size=60))
def test_any_text_can_be_shown(text: str) -> None:
    shown, out = console()
    Progress(["6.1"], console=shown).done("6.1", [cell(Verdict.ERROR, reason=text)], seconds=1, release=text)
    print_grid(report(cell(Verdict.PASS), release=text), console=shown)
    assert all(sign in "\n\t" or sign.isprintable() for sign in out.getvalue())
    assert printable(printable(text)) == printable(text)
    assert len(printable(text)) == len(text)


def test_the_grid_names_every_kernel_with_every_case() -> None:
    shown, out = console()
    grid = [cell(Verdict.PASS, case="a"), cell(Verdict.XFAIL, case="b"), cell(Verdict.FAIL, kernel="6.12", case="a")]
    grid.append(cell(Verdict.ERROR, kernel="6.12", case="b"))
    print_grid(report(*grid), console=shown)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert lines == [
        ["kernel", "release", "a", "b"],
        ["6.1", "6.1.0", "pass", "xfail"],
        ["6.12", "6.1.0", "fail", "error"],
    ]


def test_a_wide_grid_counts() -> None:
    shown, out = console()
    print_grid(report(*[cell(Verdict.PASS, case=f"c{number}") for number in range(WIDE + 1)]), console=shown)
    assert out.getvalue().splitlines()[1].split() == ["6.1", "6.1.0", str(WIDE + 1), "pass"]


def test_a_note_does_not_wait_for_the_table_that_is_being_drawn() -> None:
    """Whoever draws the table has the console already: a note that held the table meanwhile would wait for ever."""
    out = io.StringIO()
    went_on: list[bool] = []

    class Drawing(Console):
        """A console on which the kernels' states are asked for, or set, while a note is printed."""

        def print(self, *objects: Any, **options: Any) -> None:
            other = threading.Thread(target=progress.state, args=("6.1", "booting"), daemon=True)
            other.start()
            other.join(timeout=10)
            went_on.append(not other.is_alive())
            super().print(*objects, **options)

    progress = Progress(["6.1"], console=Drawing(file=out, width=200, highlight=False))
    progress.note("a notice")
    assert (went_on, out.getvalue()) == ([True], "a notice\n")
