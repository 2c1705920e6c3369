"""What the agent reads beside events, as far as no kernel is needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.agent import inspecting
from harness.agent.inspecting import PrintReader, printed


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("    cat-123     [000] d..21    12.345678: bpf_trace_printk: opened a: b", ("cat", "123", "opened a: b")),
        ("           <...>-7       [001] ....    1.000001: 0: early", ("<...>", "7", "early")),
        ("   kworker/0:1-45      [000] ....    1.000001: 0x00000001: old", ("kworker/0:1", "45", "old")),
        ("           cat-123     [000] d..21    12.345678: sys_enter: NR 1", None),
    ],
)  # fmt: skip
def test_a_printed_line_is_told_from_other_events(line: str, found: tuple[str, str, str] | None) -> None:
    each = printed(line)
    assert (each and (each["comm"], str(each["pid"]), each["text"])) == found


def test_lines_before_the_beginning_are_not_the_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe stands for trace_pipe: what was there is read away, a line comes once it is whole, losses are counted."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(inspecting, "TRACE_PIPE", str(pipe))
    keep = os.open(pipe, os.O_RDWR)
    os.write(keep, b" a-1 [000] d 1.0: bpf_trace_printk: early\n")
    reader = PrintReader()
    assert reader.read() == []
    os.write(keep, b" a-1 [000] d 1.0: bpf_trace_printk: one\nCPU:0 [LOST 12 EVENTS]\n a-1 [000] d 1.0: bpf_trace_p")
    assert reader.read() == [{"text": "one", "comm": "a", "pid": 1}]
    assert reader.lost == 12
    os.write(keep, b"rintk: two\n")
    assert [line["text"] for line in reader.read()] == ["two"]
    os.close(keep)
