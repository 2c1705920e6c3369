"""What `exec` shows while commands run."""

from __future__ import annotations

import io

from rich.console import Console

from harness.model.results import CellResult, Expectation, Outcome, OutcomeKind, Verdict
from harness.screen.command import CommandProgress

WORKS = CellResult(
    kernel="6.1",
    case="it",
    title="it",
    outcome=Outcome(kind=OutcomeKind.WORKS, reason="r"),
    expectation=Expectation(outcome=OutcomeKind.WORKS, reason="r"),
    verdict=Verdict.PASS,
    verdict_reason="r",
)


def shown(*kernels: str, streams: bool = True, terminal: bool = False) -> tuple[CommandProgress, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, highlight=False)
    return CommandProgress(list(kernels), streams=streams, console=console), out


def test_lines_come_when_they_are_whole_with_their_kernel(  # and no line of another is between
) -> None:
    progress, out = shown("6.1", "6.12")
    progress.output("6.1", "one\ntw")
    progress.output("6.12", "[red]\x1b[2J\n")
    progress.output("6.1", "o\n\nrest")
    assert out.getvalue().splitlines() == ["6.1: one", "6.12: [red]\N{REPLACEMENT CHARACTER}[2J", "6.1: two", "6.1: "]
    progress.done("6.1", [WORKS], seconds=1.0, release="6.1.0")
    assert out.getvalue().splitlines()[4] == "6.1: rest"
    assert "6.1.0" in out.getvalue().splitlines()[5]


def test_of_one_kernel_alone_the_output_is_as_it_is() -> None:
    progress, out = shown("6.1")
    with progress.shown():
        progress.output("6.1", "a\nb\n")
    assert out.getvalue() == "a\nb\n"


def test_without_streaming_only_what_came_of_it_is_shown() -> None:
    progress, out = shown("6.1", streams=False)
    progress.output("6.1", "a\nb\n")
    progress.done("6.1", [WORKS], seconds=1.0, release="6.1.0")
    assert out.getvalue().count("\n") == 1


def test_a_table_is_on_the_terminal_only_where_nothing_is_streamed() -> None:
    for streams in (True, False):
        progress, out = shown("6.1", streams=streams, terminal=True)
        with progress.shown():
            pass
        assert ("waiting" in out.getvalue()) is not streams
