from __future__ import annotations

import io
import re
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
from harness.screen.grid import print_grid
from harness.screen.lines import printable
from harness.screen.terminal import LONGEST, SILENCE, Progress

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


def test_without_a_terminal_there_is_a_plain_line_for_each_kernel() -> None:
    shown, out = console()
    progress = Progress(["6.1"], console=shown)
    with progress.shown():
        progress.state("6.1", "fetching")
        progress.done("6.1", [cell(Verdict.PASS)], seconds=4.26, release="6.1.0-50-cloud-amd64")
    assert out.getvalue().split() == ["6.1", "6.1.0-50-cloud-amd64", "4.3", "s", "pass"]
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.XPASS, Verdict.ERROR])
def test_what_is_wrong_is_said_at_once_in_one_line(verdict: Verdict) -> None:
    shown, out = console()
    reason = "a long reason " * 20
    Progress(["6.1"], console=shown).done("6.1", [cell(verdict, reason=reason)], seconds=1, release="r")
    (line,) = out.getvalue().splitlines()[1:]
    assert line.startswith(f"6.1 x a: {verdict}: a long reason a long")
    assert len(line) <= LONGEST + 30


def test_one_cause_is_said_once_whatever_it_hits() -> None:
    shown, out = console()
    progress = Progress(["6.1", "6.12"], console=shown)
    refused = replace(cell(Verdict.FAIL), outcome=Outcome(kind=OutcomeKind.REFUSED, stage=Stage.OPEN, reason="r"))
    progress.done("6.1", [cell(Verdict.FAIL), cell(Verdict.FAIL, case="b"), refused], seconds=1, release="r")
    progress.done("6.12", [cell(Verdict.FAIL, kernel="6.12"), replace(refused, kernel="6.12")], seconds=1, release="r")
    assert [line.split(":")[0] for line in out.getvalue().splitlines() if " x " in line] == ["6.1 x a"] * 2


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


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def log() -> tuple[Progress, Clock, io.StringIO]:
    shown, out = console()
    clock = Clock()
    return Progress(["6.1", "6.12", "7.3"], console=shown, clock=clock), clock, out


def test_a_log_has_a_line_after_ten_seconds_of_silence() -> None:
    progress, clock, out = log()
    progress.state("6.1", "fetching")
    clock.now = 4.0
    progress.state("6.1", "booting")
    progress.tick()
    assert out.getvalue() == ""
    clock.now = SILENCE
    progress.tick()
    progress.tick()
    assert out.getvalue() == "0 of 3 kernels done after 9 s: 6.1 booting 5 s; 2 wait\n", "once"
    clock.now = 2 * SILENCE - 1
    progress.note("something else")
    clock.now = 2 * SILENCE
    progress.tick()
    assert out.getvalue().count("\n") == 2, "what else is said breaks the silence, too"
    clock.now = 3 * SILENCE
    progress.state("6.1", "cases: 3 of 41")
    progress.tick()
    assert out.getvalue().splitlines()[-1] == "0 of 3 kernels done after 27 s: 6.1 cases: 3 of 41 0 s; 2 wait"
    assert SILENCE + 1.0 <= 10.0, "it is looked at every second"


def test_a_run_that_is_over_says_nothing_more() -> None:
    progress, clock, out = log()
    for kernel in ("6.1", "6.12", "7.3"):
        progress.done(kernel, [cell(Verdict.PASS)], seconds=1.0, release="r")
    clock.now = 100.0
    progress.tick()
    assert len(out.getvalue().splitlines()) == 3


def test_a_log_says_how_long_it_may_take_once_a_kernel_was_as_long_as_last_time() -> None:
    progress, clock, out = log()
    progress.expect({"6.1": 60.0, "6.12": 120.0, "7.3": 180.0}, jobs=1)
    progress.state("6.1", "booting")
    clock.now = 50.0
    progress.tick()
    clock.now = 120.0
    progress.done("6.1", [cell(Verdict.PASS)], seconds=120.0, release="r")
    progress.state("6.12", "booting")
    clock.now = 130.0
    progress.tick()
    first, _, last = out.getvalue().splitlines()
    assert "left" not in first
    assert last == "1 of 3 kernels done after 2 min 10 s, about 10 min left: 6.12 booting 10 s; 1 waits"


def test_a_log_says_what_is_prepared_while_that_takes_long() -> None:
    progress, clock, out = log()
    for number in range(20):
        clock.now = float(number)
        progress.preparing(f"compiling for arm64: {number} of 20 cases")
    progress.preparing("")
    assert out.getvalue().splitlines() == [
        "compiling for arm64: 9 of 20 cases, 9 s",
        "compiling for arm64: 18 of 20 cases, 18 s",
    ]


def test_a_terminal_says_what_is_prepared_and_takes_it_back() -> None:
    shown, out = console(terminal=True)
    clock = Clock()
    progress = Progress(["6.1"], console=shown, clock=clock)
    progress.preparing("compiling")
    assert out.getvalue() == ""
    clock.now = 1.0
    progress.preparing("compiling: " + "x" * 200)
    assert len(out.getvalue().removeprefix("\r\x1b[K")) < shown.width
    progress.preparing("")
    assert out.getvalue().endswith("\r\x1b[K")


def test_quietly_nothing_is_said_but_what_is_wrong_and_no_cells() -> None:
    shown, out = console()
    clock = Clock()
    progress = Progress(["6.1", "6.12"], console=shown, quiet=True, clock=clock)
    with progress.shown():
        progress.preparing("compiling")
        progress.state("6.1", "compiling: 3 files")
        clock.now = 100.0
        progress.tick()
        progress.note("a notice")
        progress.done("6.1", [cell(Verdict.FAIL)], seconds=1, release="r")
        progress.note("a fault", style="red")
    assert out.getvalue() == "a fault\n"


def test_a_dumb_terminal_has_plain_lines() -> None:
    out = io.StringIO()
    shown = Console(file=out, force_terminal=True, width=40, height=20, highlight=False, _environ={"TERM": "dumb"})
    progress = Progress(["6.1"], console=shown)
    with progress.shown():
        progress.state("6.1", "running")
        progress.done("6.1", [cell(Verdict.PASS)], seconds=4.2, release="6.1.0-50-cloud-amd64")
    assert out.getvalue() == "6.1 4.2 s pass\n"


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int) -> None:
    out = io.StringIO()
    shown = Console(file=out, force_terminal=True, width=width, height=12, highlight=False, color_system=None)
    names = [f"6.{number}-security-x86_64" for number in range(30)]
    progress = Progress(names, console=shown)
    with progress.shown():
        progress.state(names[20], "cases: 12 of 124")
        progress.done(names[25], [cell(verdict) for verdict in Verdict], seconds=4.2, release="r")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    lines = re.split(r"[\r\n]+", text)
    assert max(len(line) for line in lines) <= width
    for word in (names[20], names[25], "1 of 30 done after 0 s; 22 not shown"):
        assert word in text
