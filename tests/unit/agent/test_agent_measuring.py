"""What is measured of a loaded program."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
from typing import Any

import pytest

from harness.agent.kernel_abi import ProgInfo
from harness.agent.libbpf import Libbpf
from harness.agent.load_logs import statistics
from harness.agent.measuring import measured, measured_programs
from harness.agent.refusal import Refused
from harness.model.measures import MEASURES

LOGS = {
    "verification time 29 usec\nstack depth 8+0+16\n"
    "processed 127 insns (limit 1000000) max_states_per_insn 2 total_states 9 peak_states 8 mark_read 3\n": {
        "verified-instructions": 127,
        "instruction-limit": 1_000_000,
        "total-states": 9,
        "peak-states": 8,
        "stack": 24,
    },
    "verification time 9 usec\nstack depth 64 max 64\nprocessed 3 insns (limit 1000000) max_states_per_insn 0 "
    "total_states 0 peak_states 0 mark_read 0": {
        "verified-instructions": 3,
        "instruction-limit": 1_000_000,
        "total-states": 0,
        "peak-states": 0,
        "stack": 64,
    },
    "verification time 9 usec\nstack depth max 48\nsubprog 0 (main) main insns_self 20 insns_total 27 stack 8\n"
    "subprog 1 (leaf) global insns_self 7 insns_total 7 stack 32\nprocessed 27 insns (limit 1000000) "
    "max_states_per_insn 0 total_states 2 peak_states 1 mark_read 0\n": {
        "verified-instructions": 27,
        "instruction-limit": 1_000_000,
        "total-states": 2,
        "peak-states": 1,
        "stack": 40,
    },
    "processed 5 insns (limit 131072), stack depth 8": {"verified-instructions": 5, "instruction-limit": 131_072},
    "": {},
    "R1 invalid mem access": {},
}


@pytest.mark.parametrize("log", LOGS)
def test_the_verifier_says_what_it_did(log: str) -> None:
    assert statistics(log) == LOGS[log]
    assert set(statistics(log)) <= set(MEASURES)


class Informed(Libbpf):
    """Plays a kernel that fills so much of bpf_prog_info."""

    def __init__(self, size: int) -> None:
        self.size = size

    def call(self, name: str, *arguments: Any) -> int:
        info, size = arguments[1]._obj, arguments[2]._obj
        info.verified_insns = 40 if self.size > ProgInfo.verified_insns.offset else 0
        info.jited_prog_len, info.xlated_prog_len = 300, 200
        size.value = self.size
        return 0


class Loaded:
    """Plays a loaded object with a program that was left out of the load."""

    def __init__(self) -> None:
        self.programs = {"one": 1, "left_out": 2, "two": 3}

    def load_log(self, name: str) -> str:
        return "processed 9 insns (limit 10) peak_states 2" if name == "one" else ""


class Several(Informed):
    """Plays a libbpf with three programs; the kernel does not say what the last of them is."""

    def found(self, name: str, *arguments: Any) -> Any:
        assert name == "bpf_program__fd"
        return -2 if arguments[0] == 2 else arguments[0]

    def call(self, name: str, *arguments: Any) -> int:
        if arguments[0] == 3:
            raise Refused(errno.EPERM, "", api=name)
        return super().call(name, *arguments)


def test_each_program_that_was_loaded_is_measured_and_none_that_was_left_out() -> None:
    lib: Any = Several(ProgInfo.verified_insns.offset)
    item: Any = Loaded()
    found = measured_programs(lib, item)
    assert list(found) == ["one", "two"]
    assert found["one"]["verified-instructions"] == 9
    assert (found["one"]["instruction-limit"], found["one"]["jited-bytes"]) == (10, 300)
    assert found["two"] == {}


def test_the_kernels_own_count_of_instructions_is_taken_where_there_is_one() -> None:
    log = "processed 41 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0"
    later, earlier = (measured(Informed(size), 3, log) for size in (232, ProgInfo.verified_insns.offset))
    assert later["verified-instructions"] == 40
    assert earlier["verified-instructions"] == 41
    assert (later["jited-bytes"], later["translated-bytes"]) == (300, 200)
    assert set(later) <= set(MEASURES)
    assert "verified-instructions" not in measured(Informed(ProgInfo.verified_insns.offset), 3, "")
