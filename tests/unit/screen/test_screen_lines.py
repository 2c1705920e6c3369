"""Lines on a terminal, and which console a command has."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.screen.lines import NARROWEST, NOT_A_TERMINAL, make_console, print_text, wrapped


class Terminal(io.StringIO):
    """What says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@given(st.lists(st.text("abc-", min_size=1, max_size=18), min_size=1).map(" ".join), st.integers(NARROWEST, 90))
def test_words_stay_whole_and_lines_fit(line: str, width: int) -> None:
    lines = wrapped(line, width=width)
    assert " ".join(lines).split() == line.split()
    assert max(map(len, lines)) <= width


def test_further_lines_are_indented_unless_the_terminal_is_too_narrow_for_that() -> None:
    line = "   why:      " + "word " * 9
    assert wrapped(line, width=30, indent=13)[1].startswith(" " * 13 + "word")
    assert wrapped(line, width=24, indent=13)[1].startswith("   word")


def test_a_short_line_is_as_it_is() -> None:
    assert wrapped("  a  b", width=20) == ["  a  b"]


def test_what_is_to_be_copied_is_not_wrapped() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=30, highlight=False)
    command = "again: bpfmatrix matrix --kernel 6.1-x86_64 --case a"
    print_text(console, command, whole=True)
    assert out.getvalue() == f"{command}\n"
    print_text(console, command, indent=7)
    assert out.getvalue().splitlines()[1:] == [
        "again: bpfmatrix matrix",
        "       --kernel 6.1-x86_64",
        "       --case a",
    ]


def test_a_log_is_not_wrapped() -> None:
    console = make_console(stream=io.StringIO(), environ={})
    assert (console.width, console.is_terminal, console.is_interactive) == (NOT_A_TERMINAL, False, False)
    print_text(console, "word " * 100)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
    ],
)
def test_a_log_has_colours_where_they_are_forced_and_is_never_drawn_over(
    environ: dict[str, str], coloured: bool
) -> None:
    stream = io.StringIO()
    console = make_console(stream=stream, environ=environ)
    print_text(console, "red", style="red")
    assert ("\x1b[31m" in stream.getvalue()) is coloured
    assert not console.is_interactive


@pytest.mark.parametrize(
    ("environ", "coloured", "drawn"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, True),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_a_terminal_is_drawn_on_unless_it_is_dumb(
    environ: dict[str, Any], coloured: bool, drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    console = make_console(stream=stream, environ={**environ, "COLUMNS": "40"})
    print_text(console, "red", style="red")
    assert ("\x1b[31m" in stream.getvalue()) is coloured
    assert (console.is_interactive, console.width) == (drawn, 40)
