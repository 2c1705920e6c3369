"""Attaching to what is chosen at run time."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import ctypes
import errno
from typing import Any

import pytest
from agent_samples import refusal

from harness.agent.attachers_targets import attach_to
from harness.agent.case_state import CaseState
from harness.agent.libbpf import Libbpf


class Asked(Libbpf):
    """Plays libbpf: which function it is called by, and with what."""

    def __init__(self, section: str) -> None:
        self._section = section
        self.asked: list[Any] = []

    def section(self, program: int) -> str:
        return self._section

    def pointer(self, name: str, *arguments: Any) -> int:
        self.asked = [name.removeprefix("bpf_program__attach_")]
        for each in arguments[1:]:
            if hasattr(each, "_obj"):
                names = [f"f{index}" for index in range(10)]
                fields = [getattr(each._obj, field) for field in names if hasattr(each._obj, field)]
                if name == "bpf_program__attach_uprobe_opts":
                    fields[3] = ctypes.string_at(fields[3])
                self.asked.append(fields)
            else:
                self.asked.append(each)
        return 5


@pytest.mark.parametrize(
    ("section", "to", "asked"),
    [
        ("kprobe", "f", ["kprobe_opts", b"f", [0, 0, False, 0]]),
        ("kprobe", "f+0x10", ["kprobe_opts", b"f", [0, 16, False, 0]]),
        ("kretprobe/g", "f", ["kprobe_opts", b"f", [0, 0, True, 0]]),
        ("ksyscall", "rename", ["ksyscall", b"rename", [0, False]]),
        ("kretsyscall", "rename", ["ksyscall", b"rename", [0, True]]),
        ("kprobe.multi", "f*", ["kprobe_multi_opts", b"f*", [None, None, None, 0, False, False]]),
        ("kretprobe.multi", "f?", ["kprobe_multi_opts", b"f?", [None, None, None, 0, True, False]]),
        ("uprobe", "/b:f", ["uprobe_opts", -1, b"/b", 0, [0, 0, False, b"f", 0]]),
        ("uprobe", "/b:f+4", ["uprobe_opts", -1, b"/b", 4, [0, 0, False, b"f", 0]]),
        ("uretprobe.s", "/b:f", ["uprobe_opts", -1, b"/b", 0, [0, 0, True, b"f", 0]]),
        ("uprobe.multi", "/b:f*", ["uprobe_multi", -1, b"/b", b"f*", [None, None, None, None, 0, False, False]]),
        ("uprobe.session", "/b:f*", ["uprobe_multi", -1, b"/b", b"f*", [None, None, None, None, 0, False, True]]),
        ("usdt", "/b:p:n", ["usdt", -1, b"/b", b"p", b"n", None]),
        ("tp", "sched/sched_switch", ["tracepoint", b"sched", b"sched_switch"]),
        ("raw_tp.w", "sched_switch", ["raw_tracepoint", b"sched_switch"]),
    ],
)
def test_each_kind_is_attached_by_its_own_function_of_libbpf(section: str, to: str, asked: list[Any]) -> None:
    lib = Asked(section)
    attach_to(CaseState(lib, {}), 1, to)
    assert lib.asked == asked


def test_a_function_that_is_named_whole_is_not_searched_for() -> None:
    lib = Asked("kprobe.multi")
    attach_to(CaseState(lib, {}), 1, "f")
    assert (lib.asked[1], lib.asked[2][3]) == (None, 1)


@pytest.mark.parametrize(
    ("section", "to"), [("tp", "sched_switch"), ("uprobe", "f"), ("usdt", "/b:p"), ("xdp", "eth0")]
)
def test_a_choice_that_cannot_be_is_refused_with_a_sentence(section: str, to: str) -> None:
    lib = Asked(section)
    found = refusal(lambda: attach_to(CaseState(lib, {}), 1, to))
    assert (found.number, found.api) == (errno.EINVAL, "attach-to")
    assert found.detail
    assert lib.asked == []
