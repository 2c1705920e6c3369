"""How kprobe.multi is attached."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
from typing import Any

import pytest
from agent_samples import refusal

from harness.agent.attachers import attacher_of
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
    how = attacher_of(lib.section(1))
    assert how is not None
    return how(CaseState(lib, {}), 1)


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


@pytest.mark.parametrize(
    ("section", "name"),
    [
        *((each, "attach_tc") for each in ("tc", "classifier")),
        *((each, "attach_tc_either") for each in ("tc/ingress", "tc/egress")),
        *((each, "attach_tcx") for each in ("tcx/ingress", "tcx/egress")),
        *((each, "attach_xdp") for each in ("xdp", "xdp.frags")),
        *(
            (each, "attach_cgroup")
            for each in ("cgroup/skb", "cgroup_skb/egress", "cgroup/dev", "sockops", "lsm_cgroup/f")
        ),
        *((each, "attach_socket") for each in ("socket",)),
        *((each, "attach_sockmap") for each in ("sk_msg", "sk_skb", "sk_skb/stream_parser", "sk_skb/verdict")),
        *((each, "attach_reuseport") for each in ("sk_reuseport", "sk_reuseport/migrate")),
        *((each, "attach_map_iterator") for each in ("iter/bpf_map_elem", "iter.s/sockmap")),
        *((each, "attach_cgroup_iterator") for each in ("iter/cgroup", "iter.s/cgroup")),
        *(
            (each, "")
            for each in ("iter/task", "kprobe/tcp", "tp/sched/x", "raw_tp/f", "socketX", "perf_events", "syscall")
        ),
    ],
)
def test_a_section_is_found_by_its_whole_name(section: str, name: str) -> None:
    """A name that merely begins alike is another one: `tc` is no part of `tcx`, nor `xdp` of `xdp_md`."""
    found = attacher_of(section)
    assert (found.__name__ if found else "") == name


class Modules(Libbpf):
    """Plays libbpf and a kernel that lacks modules: which call is refused."""

    def __init__(self, refused: str, number: int) -> None:
        self.refused, self.number = refused, number

    def section(self, program: int) -> str:
        return "tc"

    def call(self, name: str, *arguments: Any) -> int:
        if name == self.refused:
            raise Refused(self.number, "no", api=name)
        return 3


@pytest.mark.parametrize(
    ("call", "number", "module"),
    [
        ("bpf_tc_hook_create", errno.ENOENT, "sch_ingress"),
        ("bpf_tc_attach", errno.ENOENT, "cls_bpf"),
        ("bpf_tc_attach", errno.EINVAL, ""),
        ("bpf_tc_hook_create", errno.EPERM, ""),
    ],
)
def test_a_module_that_only_the_attacher_needs_is_named(call: str, number: int, module: str) -> None:
    class Case(CaseState):
        def own_loopback(self) -> int:
            return 1

    lib = Modules(call, number)
    how = attacher_of("tc")
    assert how is not None
    found = refusal(lambda: how(Case(lib, {}), 1))
    assert (found.number, found.module) == (number, module)
