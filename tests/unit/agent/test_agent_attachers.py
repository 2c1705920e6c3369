"""How kprobe.multi is attached."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
from typing import Any

import pytest
from agent_samples import refusal

from harness.agent.attachers import ATTACHERS
from harness.agent.case_state import CaseState
from harness.agent.libbpf import Libbpf
from harness.agent.libbpf_abi import TEXT
from harness.agent.refusal import Refused


class Kprobes(Libbpf):
    """Plays libbpf: which functions it is asked to attach to by name, and which sections it attaches by itself."""

    def __init__(self, section: str, failure: int = 0) -> None:
        self._section, self.failure = section, failure
        self.asked: list[str] = []
        self.messages = ["of the first try"]

    def section(self, program: int) -> str:
        return self._section

    def pointer(self, name: str, *arguments: Any) -> int:
        if name == "bpf_program__attach_kprobe_multi_opts":
            made = arguments[2]._obj
            symbols = (TEXT * 1).from_address(made.f0)
            kind = ("return " if made.f4 else "") + ("session " if made.f5 else "")
            self.asked.append(kind + (symbols[0] or b"").decode())
            if self.failure:
                raise Refused(self.failure, "by name")
        else:
            self.asked.append(name)
        return 5


def attach(lib: Kprobes) -> Any:
    return ATTACHERS[lib.section(1).partition("/")[0]](CaseState(lib, {}), 1)


@pytest.mark.parametrize(
    ("section", "asked"),
    [
        ("kprobe.multi/tcp_v4_connect", "tcp_v4_connect"),
        ("kretprobe.multi/tcp_v4_connect", "return tcp_v4_connect"),
        ("kprobe.session/tcp_v4_connect", "session tcp_v4_connect"),
        ("kprobe.multi/tcp_v4_conn*", "bpf_program__attach"),
        ("kretprobe.multi/tcp_v?_connect", "bpf_program__attach"),
        ("kprobe.session/tcp_*", "bpf_program__attach"),
        ("kprobe.multi", "bpf_program__attach"),
        ("kretprobe.multi", "bpf_program__attach"),
        ("kprobe.session", "bpf_program__attach"),
    ],
)
def test_a_pattern_is_for_libbpf_and_a_name_for_the_kernel(section: str, asked: str) -> None:
    lib = Kprobes(section)
    attach(lib)
    assert lib.asked == [asked]


def test_libbpf_has_the_last_word_on_a_function_that_the_kernel_does_not_know() -> None:
    lib = Kprobes("kprobe.multi/no_such", failure=errno.ESRCH)
    attach(lib)
    assert lib.asked == ["no_such", "bpf_program__attach"]
    assert lib.messages == []
    lib = Kprobes("kprobe.multi/f", failure=errno.EINVAL)
    assert refusal(lambda: attach(lib)).number == errno.EINVAL
    assert lib.asked == ["f"]
