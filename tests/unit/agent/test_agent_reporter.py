"""The lines of the protocol."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest
from agent_pipe import Pipe

from harness.agent.reporter import Reporter
from harness.facts.records import STEP_MARK


def test_lines_are_numbered_from_one(pipe: Pipe) -> None:
    reporter = Reporter(pipe.writing)
    reporter.send("case", case="a")
    reporter.send("step", case="a", text="two\nlines \u2713 \ud800")
    assert pipe.text().count(b"\n") == 2
    reporter.send("done")
    assert reporter.lines == 3


@pytest.mark.parametrize("piece", [1, 7])
def test_a_line_is_whole_whatever_the_pipe_takes_at_once(
    pipe: Pipe, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:piece]))
    reporter = Reporter(pipe.writing)
    reporter.send("step", text="x" * 1000)
    reporter.send("done", lines=2)
    assert pipe.lines() == [
        {"n": 1, "type": "step", "text": "x" * 1000},
        {"n": 2, "type": "done", "lines": 2},
    ]


def test_lines_that_are_held_back_come_with_the_next_that_is_sent(pipe: Pipe) -> None:
    reporter = Reporter(pipe.writing)
    reporter.hold("event", number=1)
    reporter.hold("event", number=2)
    assert (pipe.text(), reporter.lines) == (b"", 2)
    reporter.send("step")
    assert [(line["n"], line["type"]) for line in pipe.lines()] == [(1, "event"), (2, "event"), (3, "step")]
    reporter.send("done")
    assert [line["n"] for line in pipe.lines()] == [4], "no line comes twice"


def test_no_line_waits_for_long(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = Reporter(pipe.writing)
    monkeypatch.setattr("harness.agent.reporter.HELD_SECONDS", 0.0)
    reporter.hold("event")
    assert len(pipe.lines()) == 1


def test_lines_are_held_back_as_long_as_there_is_room(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.agent.reporter.HELD_BYTES", 100)
    monkeypatch.setattr("harness.agent.reporter.HELD_SECONDS", 60.0)
    reporter = Reporter(pipe.writing)
    reporter.hold("a", text="x" * 30)
    assert pipe.text() == b""
    reporter.hold("b", text="x" * 30)
    assert [line["type"] for line in pipe.lines()] == ["a"]
    reporter.hold("c", text="x" * 300)
    assert [(line["n"], line["type"]) for line in pipe.lines()] == [(2, "b"), (3, "c")], "too long to keep"
    reporter.send("d")
    assert [line["n"] for line in pipe.lines()] == [4]


def test_a_pipe_gets_pieces_that_it_takes_whole_or_not_at_all(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    sizes: list[int] = []

    def noted(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", noted)
    Reporter(pipe.writing).send("step", log="x" * 20_000)
    assert max(sizes) == select.PIPE_BUF
    assert len(pipe.lines()[0]["log"]) == 20_000


def test_each_step_is_announced_on_the_console(tmp_path: Path, pipe: Pipe) -> None:
    with (tmp_path / "console").open("wb") as console:
        reporter = Reporter(pipe.writing, console=console.fileno())
        reporter.mark("xdp", 12)
    assert STEP_MARK.fullmatch((tmp_path / "console").read_text().rstrip("\n"))
    assert (tmp_path / "console").read_text() == "bpfmatrix: step xdp 12\n"
    assert pipe.text() == b""


def test_a_console_that_takes_nothing_does_no_harm(pipe: Pipe) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        Reporter(pipe.writing, console=full.fileno()).mark("xdp", 1)
    Reporter(pipe.writing).mark("xdp", 1)


def test_of_a_step_that_the_host_does_not_know_the_mark_says_what_it_is(pipe: Pipe, tmp_path: Path) -> None:
    with (tmp_path / "console").open("wb") as console:
        Reporter(pipe.writing, console=console.fileno()).mark("mine", 4, "observe wait 5 s")
    found = STEP_MARK.fullmatch((tmp_path / "console").read_text().rstrip("\n"))
    assert found is not None
    assert found["announced"] == "observe wait 5 s"
