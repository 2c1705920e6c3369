"""How an object is loaded, and what a refusal is."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import collections
import ctypes
import errno
from typing import Any

from agent_samples import refusal

from harness.agent.bpf_object import BpfObject
from harness.agent.libbpf import Libbpf
from harness.agent.load_logs import BPF_LOG_STATS
from harness.agent.refusal import Refused
from harness.agent.verifier_log import VerifierLog

FAILED = "libbpf: prog 'main': BPF program load failed: Permission denied"


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


class Counting(Libbpf):
    """Plays libbpf and a verifier that writes its statistics into a program's log; `refused` has each load's errno."""

    STATISTICS = b"processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 2 peak_states 1 mark_read 1\n"

    def __init__(self, *refused: int) -> None:
        self.log, self.messages, self.debug = VerifierLog(1 << 16), [], collections.deque()
        self.refused, self.handles, self.said = list(refused), 0, FAILED
        self.logs: dict[int, tuple[int, int]] = {}
        self.levels: dict[int, int] = {}
        self.autoload: dict[int, bool] = {}

    def programs(self, handle: int) -> dict[str, int]:
        return {"main": 10 * handle, "other": 10 * handle + 1}

    def pointer(self, name: str, *arguments: Any) -> int:
        self.handles += 1
        return self.handles

    def call(self, name: str, *arguments: Any) -> int:
        if name == "bpf_program__set_log_buf":
            self.logs[arguments[0]] = arguments[1:]
        if name == "bpf_program__set_log_level":
            self.levels[arguments[0]] = arguments[1]
        if name == "bpf_program__set_autoload":
            self.autoload[arguments[0]] = arguments[1]
        if name == "bpf_object__load":
            number = self.refused.pop(0)
            program = 10 * arguments[0]
            text = self.STATISTICS if self.levels.get(program) == BPF_LOG_STATS else b"R1 all of its states"
            ctypes.memmove(self.logs[program][0], text + b"\0", len(text) + 1)
            if number:
                self.messages.append(self.said)
                raise Refused(number, "; ".join(self.messages))
        return 3


def test_each_program_keeps_what_the_verifier_says_of_its_work() -> None:
    lib = Counting(0)
    item = BpfObject(lib, "/x")
    item.load(stats=True)
    assert item.load_log("main") == lib.STATISTICS.decode()
    assert item.load_log("other") == ""
    assert lib.handles == 1
    plain = Counting(0)
    other = BpfObject(plain, "/x")
    other.load()
    assert (other.load_log("main"), plain.levels) == ("", {})


def test_a_load_that_is_refused_with_its_statistics_is_done_again_without() -> None:
    lib = Counting(errno.EACCES, errno.EACCES)
    item = BpfObject(lib, "/x", ["main"])
    found = refusal(lambda: item.load(stats=True))
    assert (found.number, found.log) == (errno.EACCES, "R1 all of its states")
    assert found.detail == FAILED, "what libbpf said of the second load alone"
    assert item.programs == {"main": 20, "other": 21}
    assert lib.autoload == {10: True, 11: False, 20: True, 21: False}


def test_what_libbpf_itself_refuses_is_not_loaded_again() -> None:
    lib = Counting(errno.ESRCH)
    lib.said = "libbpf: prog 'main': failed to find kernel BTF type ID of 'no_such_function': -3"
    item = BpfObject(lib, "/x")
    found = refusal(lambda: item.load(stats=True))
    assert (found.number, found.log, found.detail, lib.handles) == (errno.ESRCH, "", lib.said, 1)


def test_a_log_that_is_too_small_for_statistics_is_no_refusal() -> None:
    lib = Counting(errno.ENOSPC, 0)
    item = BpfObject(lib, "/x")
    item.prepare(lambda each: lib.call("bpf_program__set_autoload", each.program("other"), False))
    item.load(stats=True)
    assert (item.handle, item.load_log("main")) == (2, "")
    assert lib.autoload == {11: False, 21: False}
