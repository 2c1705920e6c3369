"""The workload: which pieces are done in which order, and what is said of programs and of what failed."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from typing import Any, cast

import pytest

from harness.agent import workload as module
from harness.agent.case_state import CaseState
from harness.agent.libbpf import Libbpf
from harness.agent.libbpf_abi import U32
from harness.agent.refusal import Refused
from harness.agent.workload import ABSENT, PIECES, attempt, ordered, workload

SLEEPABLE = 1 << 4
TRACING, LSM, EXT, KPROBE = 26, 29, 28, 2


class Counting(Libbpf):
    """Plays libbpf and a kernel that counts; `refuse` maps calls to errnos, `types` are those of the program."""

    def __init__(self, *, section: str = "kprobe/f", kind: int = KPROBE, flags: int = 0, **refuse: int) -> None:
        self._section, self.kind, self.flags, self.refuse = section, kind, flags, refuse
        self.runs: dict[int, int] = {}
        self.closed = False
        self.called: list[int] = []
        self.stats = -1

    def section(self, program: int) -> str:
        return self._section

    def call(self, name: str, *arguments: Any) -> int:
        if name in self.refuse:
            raise Refused(self.refuse[name], api=name)
        if name == "bpf_enable_stats":
            self.stats = os.open("/dev/null", os.O_RDONLY)
            return self.stats
        if name == "bpf_obj_get_info_by_fd":
            arguments[1]._obj.run_cnt = self.runs.get(arguments[0], 0)
            return 0
        answers = {"bpf_program__fd": arguments[0], "bpf_program__type": self.kind, "bpf_program__flags": self.flags}
        return int(answers[name])

    def found(self, name: str, *arguments: Any) -> int:
        return 0


class Objects:
    """Stands for an object whose programs are 7 and 8."""

    def program(self, name: str) -> int:
        return {"p": 7, "q": 8}[name]


def done(
    lib: Counting,
    monkeypatch: pytest.MonkeyPatch,
    pieces: dict[str, Callable[[], None]],
    *names: str,
    enough: bool = True,
) -> dict[str, Any]:
    """Do a workload of some pieces; the statistics that were switched on must be off after it."""
    monkeypatch.setattr(module, "PIECES", {name: lambda _case, _libc, act=act: act() for name, act in pieces.items()})
    monkeypatch.setattr(module, "OF_ATTACHED", ())
    monkeypatch.setattr(module, "HINTS", ())
    case = CaseState(lib, {})
    case.objects["o"] = cast("Any", Objects())
    found = workload(case, list(names or ("o.p",)), enough=enough)
    if lib.stats >= 0:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(lib.stats)
    return found


def test_it_ends_as_soon_as_all_programs_have_run(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = Counting()
    pieces = {"a": lambda: lib.runs.update({7: 1}), "b": lambda: lib.runs.update({7: 5, 8: 2}), "c": lambda: None}
    found = done(lib, monkeypatch, pieces, "o.p", "o.q")
    assert found == {"pieces": ["a", "b"], "failed": {}, "runs": {"o.p": 5, "o.q": 2}}
    whole = done(Counting(), monkeypatch, pieces, enough=False)
    assert whole["pieces"] == ["a", "b", "c"]


def test_what_fails_is_said_and_what_there_is_not_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(error: Exception) -> Callable[[], None]:
        def act() -> None:
            raise error

        return act

    pieces = {
        "refused": fails(PermissionError(errno.EPERM, "no")),
        "silent": fails(TimeoutError("timed out")),
        "absent": fails(OSError(errno.EAFNOSUPPORT, "no IPv6")),
        "bpf": fails(Refused(errno.EACCES)),
        "spoilt": fails(UnicodeDecodeError("utf-8", b"x", 0, 1, "no")),
        "good": lambda: None,
    }
    found = done(Counting(), monkeypatch, pieces)
    assert found["pieces"] == ["refused", "silent", "bpf", "spoilt", "good"]
    assert found["failed"] == {"refused": "EPERM", "silent": "ETIMEDOUT", "bpf": "EACCES", "spoilt": "EIO"}
    assert found["runs"] == {"o.p": 0}
    assert "uncounted" not in found


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.ETIMEDOUT, errno.EIO])
def test_what_a_program_can_do_is_never_taken_for_what_a_kernel_has_not(number: int) -> None:
    assert number not in ABSENT


@pytest.mark.parametrize(
    ("lib", "why"),
    [
        (Counting(bpf_enable_stats=errno.EINVAL), "this kernel does not count the runs of programs for who asks"),
        (Counting(bpf_enable_stats=errno.EPERM), "the kernel refuses to count runs (EPERM)"),
        (Counting(bpf_obj_get_info_by_fd=errno.EPERM), "the kernel refuses to say how often it ran (EPERM)"),
        (Counting(kind=EXT), "the kernel does not count the runs of a program that replaces another's function"),
    ],
)
def test_what_nobody_counts_is_said(lib: Counting, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = done(lib, monkeypatch, {"a": lambda: None})
    assert found["uncounted"].startswith(why)
    assert found["pieces"] == ["a"]


class Typed(Counting):
    """Has a BTF of the kernel in which the function that is looked for takes so many arguments."""

    def __init__(self, count: int, **more: Any) -> None:
        super().__init__(**more)
        # struct btf_type of a FUNC (12) of type 2, and of a FUNC_PROTO (13) with `count` parameters
        self.types = [(U32 * 3)(0, 12 << 24, 2), (U32 * 3)(0, 13 << 24 | count, 0)]

    def found(self, name: str, *arguments: Any) -> Any:
        return {"btf__load_vmlinux_btf": 5, "btf__find_by_name_kind": 1, "btf__name_by_offset": b""}[name]

    def pointer(self, name: str, *arguments: Any) -> int:
        return ctypes.addressof(self.types[arguments[1] - 1])


@pytest.mark.parametrize("kind", [TRACING, LSM])
def test_sleepable_programs_are_counted_where_the_kernels_trampolines_know_them(
    kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = done(Typed(0, kind=kind, flags=SLEEPABLE), monkeypatch, {"a": lambda: None})
    assert "sleepable programs" in before["uncounted"]
    for lib in (Typed(1, kind=kind, flags=SLEEPABLE), Typed(0, kind=kind), Typed(0, kind=KPROBE, flags=SLEEPABLE)):
        assert "uncounted" not in done(lib, monkeypatch, {"a": lambda: None})


def test_what_ran_is_counted_whatever_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = Typed(0, kind=TRACING, flags=SLEEPABLE)
    lib.runs[7] = 2
    assert done(lib, monkeypatch, {"a": lambda: None}) == {"pieces": ["a"], "failed": {}, "runs": {"o.p": 2}}


def test_pieces_for_what_is_attached_come_first_and_only_where_they_have_something_to_do() -> None:
    first = ordered(["tracepoint/sched/sched_process_exec"], idle={"calls", "sockets", "routes"})
    assert first[:2] == ["iterators", "processes"]
    assert set(first) == set(PIECES) - {"calls", "sockets", "routes"}
    assert len(first) == len(set(first))


@pytest.mark.parametrize(
    ("section", "piece"),
    [("xdp", "udp"), ("cgroup/connect6", "tcp6"), ("lsm/sb_mount", "mounts"), ("kprobe/do_unlinkat", "files"),
     ("kprobe/tcp_v4_connect", "tcp"), ("fentry/do_nanosleep", "clocks"), ("cgroup/dev", "devices")],
)  # fmt: skip
def test_a_sections_name_hints_at_the_piece_that_makes_it_run(section: str, piece: str) -> None:
    assert ordered([section], idle={"calls", "iterators", "sockets", "routes"})[0] == piece


def test_a_piece_that_succeeds_has_no_errno() -> None:
    assert attempt(lambda _case, _libc: None, CaseState(Counting(), {}), None) == 0


@pytest.mark.parametrize(
    ("kind", "active", "runs", "idle"),
    [
        (LSM, "lockdown,yama,apparmor", 0, "not among the security modules that are active here (lsm=lockdown,yama,"),
        (LSM, "lockdown,bpf", 0, ""),
        (LSM, None, 0, ""),
        (LSM, "lockdown,yama", 2, ""),
        (KPROBE, "lockdown,yama", 0, ""),
    ],
)
def test_an_lsm_program_that_no_hook_calls(
    kind: int, active: str | None, runs: int, idle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "active_modules", lambda: active)
    lib = Counting(kind=kind)
    lib.runs[7] = runs
    found = done(lib, monkeypatch, {"a": lambda: None})
    assert idle in found.get("idle", "") and bool(idle) == ("idle" in found)
