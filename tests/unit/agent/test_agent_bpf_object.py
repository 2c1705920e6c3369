"""How an object is loaded, and what a refusal is."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
from typing import Any

from agent_samples import refusal

from harness.agent.bpf_object import BPF_LOG_STATS, BpfObject
from harness.agent.libbpf import Libbpf
from harness.agent.refusal import Refused
from harness.agent.verifier_log import VerifierLog


class LibbpfWithLog(Libbpf):
    """Plays libbpf and a verifier: what it refuses a program with, and how long its log is at which level."""

    def __init__(self, *, size: int, logs: dict[int, str], number: int = errno.EACCES) -> None:
        self.log = VerifierLog(size)
        self.logs, self.number, self.level = logs, number, 1
        self.calls: list[Any] = []
        self.handles = 0

    def programs(self, handle: int) -> dict[str, int]:
        return {"main": 10 + handle}

    def pointer(self, name: str, *arguments: Any) -> int:
        self.handles += 1
        return self.handles

    def call(self, name: str, *arguments: Any) -> int:
        self.calls.append((name, *arguments))
        if name == "bpf_program__set_log_level":
            self.level = arguments[1]
        if name == "bpf_object__load":
            log = self.logs[self.level].encode()
            kept = log[: self.log.size - 1]
            self.log.memory[: len(kept) + 1] = kept + b"\0"
            raise Refused(errno.ENOSPC if kept != log else self.number, "load failed")
        return 3


def test_a_refusal_has_the_kernels_errno_and_the_logs_end() -> None:
    lib = LibbpfWithLog(size=1 << 20, logs={1: "x\n" * 200_000 + "R0 invalid"})
    found = refusal(BpfObject(lib, "/x").load)
    assert found.number == errno.EACCES
    assert found.log.endswith("R0 invalid")
    assert lib.handles == 1


def test_a_log_for_which_there_is_no_room_does_not_hide_the_errno() -> None:
    """An object can be loaded once; another one is prepared like it, and loaded without the log of each state."""
    lib = LibbpfWithLog(size=1 << 16, logs={1: "x\n" * 200_000, BPF_LOG_STATS: "R0 invalid mem access\n"})
    item = BpfObject(lib, "/x")
    item.prepare(lambda each: lib.call("prepare", each.program("main")))
    found = refusal(item.load)
    assert found.number == errno.EACCES
    assert found.log.endswith("R0 invalid mem access")
    assert found.log.startswith("x\n")
    assert [call[1] for call in lib.calls if call[0] == "prepare"] == [11, 12], "the second one, too"
    assert [call[1] for call in lib.calls if call[0] == "bpf_object__load"] == [1, 2]


def test_a_kernel_that_has_no_space_for_something_else_says_so() -> None:
    lib = LibbpfWithLog(size=1 << 16, logs={1: ""}, number=errno.ENOSPC)
    found = refusal(BpfObject(lib, "/x").load)
    assert (found.number, lib.handles) == (errno.ENOSPC, 1)
