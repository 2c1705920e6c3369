"""What the tests of the agent share: a pipe for its lines, and what stands in for a kernel, its log and a guest."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import collections
import ctypes
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from unit_samples import CASE_ID, sample_case

from harness.agent.events import EVENT
from harness.agent.kernel_log import KernelLog
from harness.agent.leftovers import Surroundings
from harness.agent.libbpf import Libbpf
from harness.agent.refusal import Refused
from harness.agent.triggers import trigger_tcp_connect
from harness.agent.verifier_log import VerifierLog
from harness.facts.transcript import Transcript
from harness.judge.outcome import outcome_of
from harness.model.results import Outcome


class Clean(Surroundings):
    """Stands for surroundings in which a case leaves these things behind."""

    def __init__(self, *left: dict[str, str]) -> None:
        self.left: list[dict[str, Any]] = list(left)

    def prepare(self) -> None:
        pass

    def restore(self, case: str) -> list[dict[str, Any]]:
        return self.left

    def settle(self) -> list[dict[str, Any]]:
        return []


class Quiet(KernelLog):
    """A kernel log without messages."""

    def __init__(self) -> None:
        pass

    def read(self, wait: float = 0.0) -> dict[str, Any]:
        return {"kernel_log": [], "kernel_log_lost": 0}


VERIFIER = b"R1 type=ctx expected=fp\n\0"


class Played(Libbpf):
    """Plays libbpf and a kernel: programs that are attached emit events when a connection is made."""

    TARGET = ("k_tcp_connect", "k_icsk_complete_hashdance", "handle_new_connection")
    TRACER = ("fentry_tcp_connect", "fexit_tcp_connect")

    def __init__(self, *, refuse: dict[str, int] | None = None, ghost: bool = False, lose: bool = False) -> None:
        self.messages: list[str] = []
        self.debug = collections.deque([b"libbpf: more\n"])
        self.refuse, self.ghost, self.lose = refuse or {}, ghost, lose
        self.names = dict(enumerate((*self.TARGET, *self.TRACER), start=10))
        self.attached: set[str] = set()
        self.waiting: list[bytes] = []
        self.callbacks: tuple[Any, Any] = (None, None)
        self.log = VerifierLog(4096)

    def version(self) -> str:
        return "v0"

    def programs(self, handle: int) -> dict[str, int]:
        wanted = self.TARGET if handle == 1 else self.TRACER
        return {name: number for number, name in self.names.items() if name in wanted}

    def pointer(self, name: str, *arguments: Any) -> int:
        if name == "bpf_object__open_file":
            return 1 if b"target" in arguments[0] else 2
        if name == "perf_buffer__new":
            self.callbacks = arguments[2:4]
        if name == "bpf_program__attach":
            program = self.names[arguments[0]]
            self._may(program)
            self.attached.add(program)
            return int(arguments[0]) + 100
        return 5

    def call(self, name: str, *arguments: Any) -> int:
        if name == "bpf_object__load":
            self.log.memory[: len(VERIFIER)] = VERIFIER
            self._may("load-target" if arguments[0] == 1 else "load-tracer")
        if name == "bpf_link__destroy":
            self.attached.discard(self.names[arguments[0] - 100])
        if name in ("perf_buffer__consume", "perf_buffer__poll"):
            sample, lost = self.callbacks
            for record in self.waiting:
                # A perf record is padded to a multiple of eight bytes, less the four of its own length.
                buffer = ctypes.create_string_buffer(record + bytes(4), len(record) + 4)
                sample(None, 0, ctypes.cast(buffer, ctypes.c_void_p), len(record) + 4)
            if self.lose and self.waiting:
                lost(None, 0, 3)
            self.waiting.clear()
        return 3

    def _may(self, what: str) -> None:
        if what in self.refuse:
            self.messages.append(f"libbpf: {what}: failed")
            raise Refused(self.refuse[what], "; ".join(self.messages))

    def found(self, name: str, *arguments: Any) -> None:
        return None

    def asked_of_program(self, program: int, refusal: Any, *, loading: bool, first: bool) -> dict[str, Any]:
        return {"section": self.section(program), "loading": loading, "first": first}

    def section(self, program: int) -> str:
        name = self.names[program]
        return f"kprobe/{name}" if name in self.TARGET else f"fentry/{name}"

    def connect(self, case: Any, given: dict[str, Any]) -> dict[str, Any]:
        """The trigger: a real connection, and the events of what is attached."""
        found: dict[str, Any] = trigger_tcp_connect(case, given)
        ends = found["ends"]
        client, server = ends["client"], ends["server"]
        if "fentry_tcp_connect" in self.attached or self.ghost:
            self._emit(1, 2, client, server)
        if "k_tcp_connect" in self.attached:
            self._emit(2, 2, client, server)
        if "fexit_tcp_connect" in self.attached:
            self._emit(3, 3, client, server)
        if "k_icsk_complete_hashdance" in self.attached:
            self._emit(2, 2, server, ["0.0.0.0", 0])
            self._emit(2, 2, ["10.0.2.15", 22], ["0.0.0.0", 0])  # somebody else's SSH connection
        return found

    def _emit(self, kind: int, flags: int, source: list[Any], target: list[Any]) -> None:
        addresses = [socket.inet_aton(end[0]) for end in (source, target)]
        self.waiting.append(
            EVENT.pack(time.monotonic_ns(), kind, flags, 0, 2, source[1], target[1], addresses[0], addresses[1])
        )


def ended(transcript: Transcript, case: str = CASE_ID) -> Outcome:
    return outcome_of(sample_case(id=case), transcript.record(case))


def refusal(act: Callable[[], Any]) -> Any:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value
