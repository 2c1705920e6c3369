"""Each program of an object has a log of its own for what the verifier says of its work.

test_agent_measuring.py has what is read of it.
"""

from __future__ import annotations

import ctypes
from typing import Any

from agent_samples import Played

from harness.agent.load_logs import BPF_LOG_STATS, ROOM, LoadLogs, statistics


class Kernel(Played):
    """Notes what log each program has."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[int, int] = {}
        self.levels: dict[int, int] = {}

    def call(self, name: str, *arguments: Any) -> int:
        if name == "bpf_program__set_log_buf":
            program, place, size = arguments
            assert size == ROOM
            self.places[program] = place
        else:
            assert name == "bpf_program__set_log_level"
            self.levels[arguments[0]] = arguments[1]
        return 0

    def write(self, program: int, text: bytes) -> None:
        ctypes.memmove(self.places[program], text, len(text))


def test_what_the_verifier_says_of_one_program_is_not_the_others() -> None:
    kernel = Kernel()
    logs = LoadLogs(kernel, iter([10, 11, 12]))
    assert kernel.levels == dict.fromkeys([10, 11, 12], BPF_LOG_STATS)
    for program, text in ((10, b"x" * (ROOM - 1) + b"\0"), (12, b"\xff last\0rest")):
        kernel.write(program, text)
    assert logs.text(10) == "x" * (ROOM - 1), "there is room for all of it"
    assert logs.text(11) == "", "of this one nothing was said"
    assert logs.text(12) == "\N{REPLACEMENT CHARACTER} last"
    assert logs.text(99) == ""


def test_an_object_without_programs_has_no_log() -> None:
    assert LoadLogs(Kernel(), []).text(1) == ""


def test_only_the_two_lines_of_statistics_count() -> None:
    assert statistics("processed foods\nstack depth 8+8\nstack trace 3") == {"stack": 16}


def test_what_is_written_in_another_way_is_left_out_and_ends_nothing() -> None:
    lines = "\n\nstack depth max\nstack depth x+8\nsubprog 0 (f) main stack\nsubprog\nprocessed 3 insns total_states\n"
    assert statistics(f"{lines}processed 3 insns (limit 9)") == {"verified-instructions": 3, "instruction-limit": 9}
