"""The guest agent as a module on the host: without libbpf, without BPF, but with real processes and connections."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import ast
import contextlib
import errno
import gzip
import importlib
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_samples import CASE_ID, ROOT, X86, Line, sample_case

from harness.config.case import load_case
from harness.config.steps import CallTrigger
from harness.errors import AgentError
from harness.facts.records import STEP_MARK
from harness.facts.transcript import Transcript
from harness.host.cache import Cache
from harness.judge.outcome import outcome_of
from harness.model.results import Origin, Outcome, OutcomeKind, Stage
from harness.scenario.jobs import job_of
from harness.supply.objects import ObjectBuilder

AGENT = ROOT / "harness/guest_agent.py"
agent: Any = importlib.import_module("harness.guest_agent")


class Clean:
    """Stands for surroundings in which a case leaves these things behind."""

    def __init__(self, *left: dict[str, str]) -> None:
        self.left = list(left)

    def prepare(self) -> None:
        pass

    def restore(self, case: str) -> list[dict[str, str]]:
        return self.left

    def settle(self) -> list[dict[str, str]]:
        return []


class Pipe:
    """A pipe to give the agent, and its lines read back."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def text(self) -> bytes:
        data = b""
        while True:
            try:
                more = os.read(self.reading, 65536)
            except BlockingIOError:
                return data
            if not more:
                return data
            data += more

    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self.text().splitlines() if line]

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


# --- the file itself --------------------------------------------------------------------------------------------------


def test_it_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(AGENT.read_text())
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported <= sys.stdlib_module_names


def test_it_can_be_read_without_libbpf_the_way_the_guest_reads_it() -> None:
    script = f"import runpy; print(runpy.run_path({str(AGENT)!r}, run_name='agent')['PROTOCOL'])"
    done = subprocess.run([sys.executable, "-I", "-S", "-E", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{agent.PROTOCOL}\n", "")


def test_every_function_of_libbpf_that_is_called_has_its_types_declared() -> None:
    text = AGENT.read_text()
    called = set(re.findall(r'\b(?:call|pointer)\(\s*"(\w+)"', text)) | set(
        re.findall(r"\b_lib\.((?:lib)?bpf_\w+)", text)
    )
    assert len(called) > 12
    assert called <= set(agent.PROTOTYPES)
    for name, (result, arguments) in agent.PROTOTYPES.items():
        assert result is not None, name
        assert None not in arguments, name


LIBBPF = """
import json, sys
from harness import guest_agent as agent
lib = agent.Libbpf()
def refusal(act):
    try:
        act()
    except agent.Refused as refused:
        return [agent.errno_name(refused.number), refused.detail]
good = agent.BpfObject(lib, sys.argv[1])
kprobe = good.programs["k_tcp_connect"]
said = agent.Refused(22, log="R1 invalid mem access")
lib.messages.append("kept")
print(json.dumps({
    "asked of a program": lib.asked_of_program(kprobe, said, loading=True, first=True),
    "asked of a map": lib.asked_of_map(good.map("events"), agent.Refused(12)),
    "a number": lib._named("attach", 9999),
    "debug": bool(lib.debug) and max(map(len, lib.debug)) <= agent.DEBUG_BYTES,
    "not found": [lib.found("bpf_object__find_map_by_name", good.handle, b"none"), lib.messages[:1]],
    "version": lib.version(),
    "programs": sorted(good.programs),
    "no program": refusal(lambda: good.program("none")),
    "no map": refusal(lambda: good.map("none")),
    "map": bool(good.map("events")),
    "no object": refusal(lambda: agent.BpfObject(lib, sys.argv[2])),
    "no file": refusal(lambda: agent.BpfObject(lib, "/no/such/file")),
}))
"""


def test_objects_are_opened_with_the_hosts_libbpf(tmp_path: Path) -> None:
    """Opening needs no privilege; libbpf.so.1 comes with the headers that the build needs."""
    case = load_case(ROOT / "bpf/kprobe-fentry-fexit")
    built = ObjectBuilder(cache=Cache(tmp_path), include=[ROOT / "bpf/include"]).build(case, X86)
    (tmp_path / "text").write_text("no object")
    words = [sys.executable, "-c", LIBBPF, str(built["target.bpf.c"].path), str(tmp_path / "text")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert re.match(r"v\d", found["version"])
    assert found["programs"] == ["handle_again", "handle_new_connection", "k_icsk_complete_hashdance", "k_tcp_connect"]
    assert found["no program"] == ["ENOENT", "the object has no program none"]
    assert found["no map"][0] == "ENOENT"
    assert found["asked of a program"] == {"section": "kprobe/tcp_connect", "type": "kprobe", "attach_type": ""}
    of_map = {"map_type": "perf_event_array", "key_size": 4, "value_size": 4, "max_entries": 0, "map_flags": 0}
    assert found["asked of a map"] == of_map
    assert found["a number"] == "9999"
    assert found["debug"] is True
    assert found["not found"] == [None, ["kept"]]
    assert found["map"] is True
    assert found["no object"][0] not in ("E?0", None)
    assert found["no file"][0] == "ENOENT"
    assert "/no/such/file" in found["no file"][1]


# --- small things -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (524, "ENOTSUPP"),
        (95, "EOPNOTSUPP"),
        (35, "EDEADLK"),
        (22, "EINVAL"),
        (13, "EACCES"),
        (1, "EPERM"),
        (2, "ENOENT"),
        (7, "E2BIG"),
        (517, "EPROBE_DEFER"),
        (512, "ERESTARTSYS"),
        (0, "E?0"),
        (9999, "E?9999"),
    ],
)
def test_errnos_have_the_kernels_names(number: int, name: str) -> None:
    assert agent.errno_name(number) == name


def packed(order: str = "=", **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "time_ns": 2**63,
        "kind": 3,
        "flags": 3,
        "retval": -115,
        "family": 2,
        "sport": 48642,
        "dport": 22,
        "saddr": socket.inet_aton("127.0.0.1"),
        "daddr": socket.inet_aton("192.0.2.1"),
        **changes,
    }
    return struct.pack(f"{order}QIIqIHH16s16s", *fields.values())


DECODED = {
    "time_ns": 2**63,
    "kind": "fexit",
    "family": 2,
    "saddr": "127.0.0.1",
    "sport": 48642,
    "daddr": "192.0.2.1",
    "dport": 22,
    "retval": -115,
}


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_event_is_decoded_in_either_byte_order(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The agent takes the byte order of the machine that it runs on; here each is tried.
    assert agent.EVENT.format == "=QIIqIHH16s16s"
    monkeypatch.setattr(agent, "EVENT", struct.Struct(agent.EVENT.format.replace("=", order)))
    assert agent.EVENT.size == 64
    assert agent.decode_event(packed(order)) == DECODED


def test_the_machines_own_byte_order_is_taken() -> None:
    assert agent.decode_event(packed("<" if sys.byteorder == "little" else ">")) == DECODED


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"flags": 2}, {"retval": None}),
        ({"kind": 1}, {"kind": "fentry"}),
        ({"kind": 2}, {"kind": "kprobe"}),
        ({"kind": 12}, {"kind": "fexit-3"}),
        ({"kind": 99}, {"kind": "kind-99"}),
        (
            {"family": 10, "saddr": socket.inet_pton(socket.AF_INET6, "::1"), "daddr": bytes(16)},
            {"family": 10, "saddr": "::1", "daddr": "::"},
        ),
        ({"family": 77, "saddr": b"\xff" * 16}, {"family": 77, "saddr": "ff" * 16, "daddr": "c0000201" + "00" * 12}),
    ],
)
def test_kinds_flags_and_families(changes: dict[str, Any], found: dict[str, Any]) -> None:
    assert agent.decode_event(packed(**changes)) == {**DECODED, **found}


def test_without_a_connection_there_are_no_addresses() -> None:
    assert agent.decode_event(packed(flags=1)) == {"time_ns": 2**63, "kind": "fexit", "retval": -115}


def test_perfs_padding_behind_a_record_does_no_harm() -> None:
    assert agent.decode_event(packed() + bytes(4)) == DECODED


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_record_is_decoded_and_fits_into_a_line(record: bytes) -> None:
    event = agent.decode_event(record)
    assert {"time_ns", "kind"} <= set(event)
    assert (event["kind"] == "undecodable") == (len(record) < 64)
    json.dumps(event)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_record_of_the_trace_is_decoded_in_either_byte_order(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert agent.TRACE.format == "=IIqQ"
    monkeypatch.setattr(agent, "TRACE", struct.Struct(agent.TRACE.format.replace("=", order)))
    record = struct.pack(f"{order}IIqQ", 9, 0, -1, 2**63)
    assert agent.decode_trace(record) == {"kind": "body", "retval": None}
    record = struct.pack(f"{order}IIqQ", 3, 1, -1, 2**63)
    assert agent.decode_trace(record) == {"kind": "fexit", "retval": -1}
    record = struct.pack(f"{order}IIqQ", 99, 5, 7, 2**63)
    assert agent.decode_trace(record) == {"kind": "kind-99", "retval": 7, "value": 2**63}


# --- reporting --------------------------------------------------------------------------------------------------------


def test_lines_are_numbered_from_one(pipe: Pipe) -> None:
    reporter = agent.Reporter(pipe.writing)
    reporter.send("case", case="a")
    reporter.send("step", case="a", text="two\nlines \u2713 \ud800")
    assert pipe.text().count(b"\n") == 2
    reporter.send("done")
    assert reporter.lines == 3


@pytest.mark.parametrize("piece", [1, 7])
def test_a_line_is_whole_whatever_the_pipe_takes_at_once(
    pipe: Pipe, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:piece]))
    reporter = agent.Reporter(pipe.writing)
    reporter.send("step", text="x" * 1000)
    reporter.send("done", lines=2)
    assert pipe.lines() == [
        {"n": 1, "type": "step", "text": "x" * 1000},
        {"n": 2, "type": "done", "lines": 2},
    ]


def test_lines_that_are_held_back_come_with_the_next_that_is_sent(pipe: Pipe) -> None:
    reporter = agent.Reporter(pipe.writing)
    reporter.hold("event", number=1)
    reporter.hold("event", number=2)
    assert (pipe.text(), reporter.lines) == (b"", 2)
    reporter.send("step")
    assert [(line["n"], line["type"]) for line in pipe.lines()] == [(1, "event"), (2, "event"), (3, "step")]
    reporter.send("done")
    assert [line["n"] for line in pipe.lines()] == [4], "no line comes twice"


def test_no_line_waits_for_long(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = agent.Reporter(pipe.writing)
    monkeypatch.setattr(agent, "HELD_SECONDS", 0.0)
    reporter.hold("event")
    assert len(pipe.lines()) == 1


def test_lines_are_held_back_as_long_as_there_is_room(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "HELD_BYTES", 100)
    monkeypatch.setattr(agent, "HELD_SECONDS", 60.0)
    reporter = agent.Reporter(pipe.writing)
    reporter.hold("a", text="x" * 30)
    assert pipe.text() == b""
    reporter.hold("b", text="x" * 30)
    assert [line["type"] for line in pipe.lines()] == ["a"]
    reporter.hold("c", text="x" * 300)
    assert [(line["n"], line["type"]) for line in pipe.lines()] == [(2, "b"), (3, "c")], "too long to keep"
    reporter.send("d")
    assert [line["n"] for line in pipe.lines()] == [4]


def test_a_pipe_gets_pieces_that_it_takes_whole_or_not_at_all(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    sizes: list[int] = []

    def noted(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", noted)
    agent.Reporter(pipe.writing).send("step", log="x" * 20_000)
    assert max(sizes) == select.PIPE_BUF
    assert len(pipe.lines()[0]["log"]) == 20_000


def test_each_step_is_announced_on_the_console(tmp_path: Path, pipe: Pipe) -> None:
    with (tmp_path / "console").open("wb") as console:
        reporter = agent.Reporter(pipe.writing, console=console.fileno())
        reporter.mark("xdp", 12)
    assert STEP_MARK.fullmatch((tmp_path / "console").read_text().rstrip("\n"))
    assert (tmp_path / "console").read_text() == "bpfmatrix: step xdp 12\n"
    assert pipe.text() == b""


def test_a_console_that_takes_nothing_does_no_harm(pipe: Pipe) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        agent.Reporter(pipe.writing, console=full.fileno()).mark("xdp", 1)
    agent.Reporter(pipe.writing).mark("xdp", 1)


class Records:
    """Stands for /dev/kmsg: one record a read, then nothing for now."""

    def __init__(self, *records: bytes | Exception) -> None:
        self.records = list(records)

    def read(self, fd: int, size: int) -> bytes:
        if not self.records:
            raise BlockingIOError
        record = self.records.pop(0)
        if isinstance(record, Exception):
            raise record
        return record


def kernel_log(monkeypatch: pytest.MonkeyPatch, *records: bytes | Exception) -> tuple[Any, Records]:
    source = Records(*records)
    monkeypatch.setattr(os, "open", lambda path, flags: 99 if path == "/dev/kmsg" else -1)
    monkeypatch.setattr(os, "read", source.read)
    return agent.KernelLog(), source


def logged(*lines: str, lost: int = 0) -> dict[str, Any]:
    return {"kernel_log": list(lines), "kernel_log_lost": lost}


def test_kernel_messages_keep_their_level_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    log, source = kernel_log(
        monkeypatch,
        b"6,0,5140900,-;NET: Registered PF_INET6 protocol family\n",
        b"4,1,5690716,-,caller=T1;WARNING: CPU: 0 PID: 1\n SUBSYSTEM=bpf\n DEVICE=x\n",
        b"30,2,5690717,-;from user space: facility 3\n",
        b"1,3,5690718,-;a; semicolon, and a comma\n",
        b"5,4,1,-;\\xff\\xfe, a \\x5c and \\x5cx41\n",
        b"5,5,1,-;\n",
    )
    assert log.read() == logged(
        "<6> NET: Registered PF_INET6 protocol family",
        "<4> WARNING: CPU: 0 PID: 1",
        "<6> from user space: facility 3",
        "<1> a; semicolon, and a comma",
        "<5> \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}, a \\ and \\x41",
        "<5> ",
    )
    assert log.read() == logged()
    source.records.append(b"6,6,1,-;later\n")
    assert log.read() == logged("<6> later")


def test_a_message_of_several_lines_is_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/kmsg escapes a line feed within a message; a splat may well begin behind one."""
    log, _ = kernel_log(monkeypatch, b"4,0,1,-;\\x0aWARNING: suspicious RCU usage\\x0a6.1.0 Not tainted\n")
    assert log.read() == logged("<4> ", "<4> WARNING: suspicious RCU usage", "<4> 6.1.0 Not tainted")


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (b"4,1,1,c,caller=T1; goes on\n", ["<4> begun goes on"]),
        (b"4,1,1,c,caller=T1; goes on\\x0anext\n", ["<4> begun goes on", "<4> next"]),
        (b"4,1,1,c,caller=T2; of another\n", ["<4> begun", "<4>  of another"]),
        (b"4,1,1,-,caller=T1; of its own\n", ["<4> begun", "<4>  of its own"]),
    ],
)
def test_a_fragment_of_a_line_goes_on_with_it(second: bytes, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    log, _ = kernel_log(monkeypatch, b"4,0,1,-,caller=T1;begun\n", second)
    assert log.read() == logged(*found)


def test_a_fragment_whose_line_was_reported_already_is_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    log, source = kernel_log(monkeypatch, b"4,0,1,-;begun\n")
    assert log.read() == logged("<4> begun")
    source.records.append(b"4,1,1,c; goes on\n")
    assert log.read() == logged("<4>  goes on")


def test_messages_of_before_a_snapshot_come_before_those_of_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    log, source = kernel_log(monkeypatch, b"6,0,1,-;boots\n", b"6,1,1,-;stands by\n")
    assert source.records == [], "they are read at once"
    source.records.append(b"4,2,1,-;restored\n")
    assert log.read() == logged("<6> boots", "<6> stands by", "<4> restored")
    assert log.read() == logged()


def test_messages_that_were_overwritten_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[bytes | Exception] = [b"6,0,1,-;zero\n", BrokenPipeError(errno.EPIPE, ""), b"6,9,1,-;nine\n"]
    log, source = kernel_log(monkeypatch, *records)
    assert log.read() == logged("<6> zero", "<6> nine", lost=8)
    source.records += [OSError(errno.EINVAL, "too long"), b"6,11,1,-;eleven\n"]
    assert log.read() == logged("<6> eleven", lost=1)


def test_messages_that_were_overwritten_before_the_first_look_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    log, _ = kernel_log(monkeypatch, b"6,7,1,-;seven\n")
    assert log.read() == logged("<6> seven", lost=7)


def test_of_a_flood_of_messages_the_first_and_the_last_are_kept_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, source = kernel_log(monkeypatch)
    many = 5 * agent.KMSG_HALF
    source.records = [f"6,{number},1,-;{number}\n".encode() for number in range(many)]
    found = log.read()
    left_out = many - 2 * agent.KMSG_HALF
    assert found["kernel_log_lost"] == left_out
    assert found["kernel_log"] == [
        *(f"<6> {number}" for number in range(agent.KMSG_HALF)),
        f"<6> [bpfmatrix: {left_out} messages are left out here]",
        *(f"<6> {number}" for number in range(many - agent.KMSG_HALF, many)),
    ]
    source.records.append(f"6,{many},1,-;of the next case\n".encode())
    assert log.read() == logged("<6> of the next case")


def test_a_kernel_that_never_stops_is_read_on_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    log, source = kernel_log(monkeypatch)
    monkeypatch.setattr(agent, "KMSG_RECORDS", 2)
    source.records = [f"6,{number},1,-;{number}\n".encode() for number in range(3)]
    assert log.read() == logged("<6> 0", "<6> 1")
    assert log.read() == logged("<6> 2")


# --- the trigger ------------------------------------------------------------------------------------------------------


def addresses() -> list[str]:
    found = ["127.0.0.1"]
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        found.append("::1")
    except OSError:
        pass  # this host has no IPv6
    return found


@pytest.mark.parametrize("address", addresses())
def test_a_connection_over_the_loopback_and_both_its_ends(address: str) -> None:
    ends = agent.trigger_tcp_connect(None, {"address": address})["ends"]
    assert set(ends) == {"client", "server"}
    assert [ends["client"][0], ends["server"][0]] == [address, address]
    assert ends["client"][1] != ends["server"][1]
    assert all(0 < end[1] < 65536 for end in ends.values())
    assert agent.trigger_tcp_connect(None, {"address": address})["ends"] != ends
    json.dumps(ends)


def test_an_address_that_is_not_there_fails_as_an_os_error() -> None:
    with pytest.raises(OSError, match=r"."):
        agent.trigger_tcp_connect(None, {"address": "192.0.2.1"})


def test_every_call_that_a_case_can_name_is_one_of_the_agents() -> None:
    assert set(agent.CALLS) == set(get_args(CallTrigger.model_fields["name"].annotation))


def test_a_sysctl_is_written_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "domainname").write_text("(none)\n")
    monkeypatch.setattr(agent, "sysctl_path", lambda name: str(tmp_path / name))
    agent.rewrite_sysctl("domainname")
    assert (tmp_path / "domainname").read_text() == "(none)\n"


# --- rtnetlink --------------------------------------------------------------------------------------------------------


def test_attributes_are_padded_and_count_what_is_nested_in_them() -> None:
    inner = agent.attribute(1, b"bpf\0\0")
    assert inner == struct.pack("=HH", 9, 1) + b"bpf\0\0" + bytes(3)
    assert agent.attribute(2, inner, inner) == struct.pack("=HH", 4 + 24, 2) + inner + inner


def test_what_rtnetlink_refuses_has_the_kernels_errno() -> None:
    no_such_device = struct.pack("=BxHiII", 0, 0, 0x7FFFFFFF, 0, 0)
    with pytest.raises(agent.Refused) as refused:
        agent.rtnetlink(agent.RTM_NEWLINK, 0, no_such_device)
    assert refused.value.number in {errno.ENODEV, errno.EPERM}  # EPERM where the tests do not run as root


def test_calls_detach_in_their_order() -> None:
    done: list[str] = []
    agent.CallLink(lambda: done.append("filter"), lambda: done.append("qdisc")).close()
    assert done == ["filter", "qdisc"]


# --- one case in a process of its own ---------------------------------------------------------------------------------


class StandIn:
    """Takes the place of Case in the child process: reports a step, then behaves as told."""

    behave: Callable[[Any], None] = staticmethod(lambda reporter: None)

    def __init__(self, reporter: Any, lib: Any, case: Any) -> None:
        self.reporter = reporter

    def run(self) -> None:
        step(self.reporter)
        type(self).behave(self.reporter)


def step(reporter: Any) -> None:
    reporter.send("step", case=CASE_ID, index=0, stage="open", op="open", what="", ok=True, seconds=0.0)


def raising(reporter: Any) -> None:
    raise KeyError("a bug")


def segfault(reporter: Any) -> None:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # pytest's faulthandler would say something about it
    os.kill(os.getpid(), signal.SIGSEGV)


def hanging(reporter: Any) -> None:
    time.sleep(60)


def holding(reporter: Any) -> None:
    reporter.hold("event", case=CASE_ID, phase="p", ours=True, event={"kind": "kept"})
    os.kill(os.getpid(), signal.SIGKILL)


def cut(reporter: Any) -> None:
    os.write(reporter.fd, b'{"n": 99, "type": "st')
    os.kill(os.getpid(), signal.SIGKILL)


def chattering(reporter: Any) -> None:
    os.write(reporter.fd, b"free(): invalid pointer\n")


def leaving(reporter: Any) -> None:
    raise SystemExit(3)


class Quiet:
    """A kernel log without messages."""

    def read(self, wait: float = 0.0) -> dict[str, Any]:
        return {"kernel_log": [], "kernel_log_lost": 0}


def child(pipe: Pipe, behave: Callable[[Any], None], *, seconds: float = 10) -> tuple[dict[str, Any], Any]:
    reporter = agent.Reporter(pipe.writing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agent, "Case", type("Case", (StandIn,), {"behave": staticmethod(behave)}))
        end = agent.run_child(reporter, None, {"id": CASE_ID, "deadline": seconds})
    return end, reporter


def test_a_child_that_ends_well(pipe: Pipe) -> None:
    end, reporter = child(pipe, step)
    assert end == {"complete": True, "signal": None, "timed_out": False}
    assert [line["n"] for line in pipe.lines()] == [1, 2]
    assert reporter.lines == 2, "the parent goes on counting where the child ended"


@pytest.mark.parametrize(("behave", "detail"), [(raising, "KeyError: 'a bug'"), (leaving, "SystemExit: 3")])
def test_a_child_that_fails_says_why(pipe: Pipe, behave: Callable[[Any], None], detail: str) -> None:
    end, reporter = child(pipe, behave)
    assert end == {"complete": False, "signal": None, "timed_out": False}
    (_, trouble) = pipe.lines()
    assert (trouble["type"], trouble["detail"], trouble["n"]) == ("agent-error", detail, 2)
    assert reporter.lines == 2


@pytest.mark.parametrize(("behave", "name"), [(segfault, "SIGSEGV"), (cut, "SIGKILL")])
def test_a_child_that_is_killed_is_never_complete(pipe: Pipe, behave: Callable[[Any], None], name: str) -> None:
    end, _ = child(pipe, behave)
    assert end == {"complete": False, "signal": name, "timed_out": False}


def test_what_a_killed_child_has_held_back_is_not_lost(pipe: Pipe) -> None:
    _, reporter = child(pipe, holding)
    assert [line["type"] for line in pipe.lines()] == ["step"]
    reporter.send("done")
    assert [(line["n"], line["type"]) for line in pipe.lines()] == [(2, "event"), (3, "done")]


def test_a_child_that_hangs_is_ended_at_its_deadline(pipe: Pipe) -> None:
    begun = time.monotonic()
    end, _ = child(pipe, hanging, seconds=0.1)
    assert end == {"complete": False, "signal": "SIGKILL", "timed_out": True}
    assert time.monotonic() - begun < 5


def open_files() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_nothing_is_left_of_a_child(pipe: Pipe) -> None:
    before = open_files()
    for behave in (segfault, raising, hanging):
        child(pipe, behave, seconds=0.1)
    assert open_files() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def transcript_of(pipe: Pipe, behave: Callable[[Any], None], *, seconds: float = 10) -> Transcript:
    """What the host makes of a case whose child behaves so, and of the case after it."""
    reporter = agent.Reporter(pipe.writing)
    reporter.send("hello", protocol=agent.PROTOCOL, uptime=1.5, environment={"release": "6.1"}, **Quiet().read())
    with pytest.MonkeyPatch.context() as patch:
        for case, how in ((CASE_ID, behave), ("next", lambda reporter: None)):
            patch.setattr(agent, "Case", type("Case", (StandIn,), {"behave": staticmethod(how)}))
            patch.setattr(sys.modules[__name__], "CASE_ID", case)
            agent.run_case(reporter, None, Quiet(), {"id": case, "deadline": seconds}, before=Clean())
    reporter.send("done", cases=2, left=[], stopped=None, lines=reporter.lines + 1, **Quiet().read())
    transcript = Transcript()
    for line in pipe.text().split(b"\n"):
        transcript.feed(line)
    return transcript


def ended(transcript: Transcript, case: str = CASE_ID) -> Outcome:
    return outcome_of(sample_case(id=case), transcript.record(case))


@pytest.mark.parametrize(
    ("behave", "seconds", "words"),
    # A slow host takes a second to let a child die of its signal: that deadline must not pass first.
    [(segfault, 30, "was killed by SIGSEGV"), (hanging, 0.2, "the case deadline passed inside the guest")],
)
def test_the_host_follows_a_child_that_is_killed(
    pipe: Pipe, behave: Callable[[Any], None], seconds: float, words: str
) -> None:
    transcript = transcript_of(pipe, behave, seconds=seconds)
    assert transcript.done
    assert ended(transcript).kind == OutcomeKind.LOST
    assert words in ended(transcript).reason
    assert transcript.ended() == [CASE_ID, "next"], "the next case goes on in the same guest"


def test_a_child_that_dies_in_the_middle_of_a_line_never_makes_a_good_cell(pipe: Pipe) -> None:
    reporter = agent.Reporter(pipe.writing)
    reporter.send("hello", protocol=agent.PROTOCOL, uptime=1.5, environment={}, **Quiet().read())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agent, "Case", type("Case", (StandIn,), {"behave": staticmethod(cut)}))
        agent.run_case(reporter, None, Quiet(), {"id": CASE_ID, "deadline": 5}, before=Clean())
    transcript = Transcript()
    with contextlib.suppress(AgentError):
        for line in pipe.text().split(b"\n"):
            transcript.feed(line)
    assert ended(transcript).kind == OutcomeKind.LOST


def test_the_step_that_was_under_way_is_named(pipe: Pipe) -> None:
    def stuck(reporter: Any) -> None:
        reporter.mark(CASE_ID, 0)
        reporter.at(-1)
        reporter.mark(CASE_ID, 1)
        time.sleep(60)

    transcript = transcript_of(pipe, stuck, seconds=0.2)
    end = transcript.record(CASE_ID).end
    assert end is not None
    assert (end["step"], end["timed_out"]) == (1, True)
    end = transcript.record("next").end
    assert end is not None
    assert end["step"] is None


def test_the_host_follows_a_child_that_fails(pipe: Pipe) -> None:
    transcript = transcript_of(pipe, raising)
    assert transcript.done
    assert (ended(transcript).kind, ended(transcript).reason) == (OutcomeKind.LOST, "KeyError: 'a bug'")


# --- a case with a kernel that is played ------------------------------------------------------------------------------


VERIFIER = b"R1 type=ctx expected=fp\n\0"


class Played:
    """Plays libbpf and a kernel: programs that are attached emit events when a connection is made."""

    TARGET = ("k_tcp_connect", "k_icsk_complete_hashdance", "handle_new_connection")
    TRACER = ("fentry_tcp_connect", "fexit_tcp_connect")

    def __init__(self, *, refuse: dict[str, int] | None = None, ghost: bool = False, lose: bool = False) -> None:
        self.messages: list[str] = []
        self.debug: list[bytes] = [b"libbpf: more\n"]
        self.refuse, self.ghost, self.lose = refuse or {}, ghost, lose
        self.names = dict(enumerate((*self.TARGET, *self.TRACER), start=10))
        self.attached: set[str] = set()
        self.waiting: list[bytes] = []
        self.callbacks: tuple[Any, Any] = (None, None)
        self.log = agent.VerifierLog(4096)

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
                buffer = agent.ctypes.create_string_buffer(record + bytes(4), len(record) + 4)
                sample(None, 0, agent.ctypes.cast(buffer, agent.ctypes.c_void_p), len(record) + 4)
            if self.lose and self.waiting:
                lost(None, 0, 3)
            self.waiting.clear()
        return 3

    def _may(self, what: str) -> None:
        if what in self.refuse:
            self.messages.append(f"libbpf: {what}: failed")
            raise agent.Refused(self.refuse[what], "; ".join(self.messages))

    def found(self, name: str, *arguments: Any) -> None:
        return None

    def asked_of_program(self, program: int, refusal: Any, *, loading: bool, first: bool) -> dict[str, Any]:
        return {"section": self.section(program), "loading": loading, "first": first}

    def section(self, program: int) -> str:
        name = self.names[program]
        return f"kprobe/{name}" if name in self.TARGET else f"fentry/{name}"

    def connect(self, case: Any, given: dict[str, Any]) -> dict[str, Any]:
        """The trigger: a real connection, and the events of what is attached."""
        found: dict[str, Any] = agent.trigger_tcp_connect(case, given)
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
            agent.EVENT.pack(time.monotonic_ns(), kind, flags, 0, 2, source[1], target[1], addresses[0], addresses[1])
        )


@pytest.fixture
def play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[Played], Transcript]:
    """Run the agent's main() on a job of the sample case, with a played kernel; returns what the host makes of it."""

    def run(kernel: Played) -> Transcript:
        paths = {name: PurePosixPath("/x") / name for name in ("target.bpf.c", "tracer.bpf.c")}
        job = job_of([(sample_case(), paths)], deadline=10)
        for each in job["cases"][0]["steps"]:
            if each["op"] == "observe":
                each["seconds"] = 0.1
        (tmp_path / "job.json").write_text(json.dumps(job))
        monkeypatch.setattr(agent, "Libbpf", lambda: kernel)
        monkeypatch.setattr(agent, "KernelLog", Quiet)
        monkeypatch.setattr(agent, "TRIGGERS", {"tcp-connect": kernel.connect})
        monkeypatch.setattr(resource, "setrlimit", lambda *words: None)
        capfd.readouterr()
        agent.main(str(tmp_path / "job.json"))
        transcript = Transcript()
        for line in capfd.readouterr().out.encode().split(b"\n"):
            transcript.feed(line)
        assert transcript.done
        return transcript

    return run


def test_agent_protocol_and_judge_agree_on_a_kernel_that_works(play: Callable[[Played], Transcript]) -> None:
    transcript = play(Played())
    found = ended(transcript)
    assert found.kind == OutcomeKind.WORKS, found.reason
    assert [event["kind"] for event in found.events] == ["fentry", "kprobe", "fexit", "kprobe", "kprobe", "kprobe"]
    assert transcript.environment["release"] == os.uname().release
    assert transcript.environment["byte_order"] == sys.byteorder


@pytest.mark.parametrize(
    ("what", "number", "name", "stage"),
    [
        ("load-target", 22, "EINVAL", Stage.LOAD_TARGET),
        ("load-tracer", 13, "EACCES", Stage.LOAD_TRACER),
        ("fentry_tcp_connect", 524, "ENOTSUPP", Stage.ATTACH_TRACER),
        ("fexit_tcp_connect", 95, "EOPNOTSUPP", Stage.ATTACH_TRACER),
        ("k_tcp_connect", 2, "ENOENT", Stage.ATTACH_TARGET),
    ],
)
def test_a_refusal_is_carried_to_the_outcome(
    what: str, number: int, name: str, stage: Stage, play: Callable[[Played], Transcript]
) -> None:
    found = ended(play(Played(refuse={what: number})))
    assert (found.kind, found.stage, found.errno, found.errno_name) == (OutcomeKind.REFUSED, stage, number, name)
    assert f"libbpf: {what}: failed" in found.reason
    assert found.log == ("R1 type=ctx expected=fp" if what.startswith("load") else "")
    # The origin is that of what was asked and said, and what was asked is carried, too.
    assert found.origin == (Origin.SYSTEM_CALL if what.startswith("load") or number == 524 else Origin.UNKNOWN)
    section = "kprobe/k_tcp_connect" if what.startswith("k_") else f"fentry/{what}"
    assert what.startswith("load") or found.asked["section"] == section
    assert "api" in found.asked


def test_a_tracer_that_fires_after_its_end_is_noticed(play: Callable[[Played], Transcript]) -> None:
    found = ended(play(Played(ghost=True)))
    assert found.kind == OutcomeKind.MISBEHAVES
    assert found.reason.startswith("with the tracers detached")


def test_lost_events_are_noticed(play: Callable[[Played], Transcript]) -> None:
    found = ended(play(Played(lose=True)))
    assert found.kind == OutcomeKind.LOST
    assert "events were lost" in found.reason


# --- a guest that is not as it was before -----------------------------------------------------------------------------


def served(pipe: Pipe, monkeypatch: pytest.MonkeyPatch, *ends: str | None) -> list[Line]:
    """The agent's lines of as many cases; each end says why no other case may run in the guest, or None."""
    why = iter(ends)

    def run_case(reporter: Any, lib: Any, log: Any, case: Any, *, before: Any) -> str | None:
        reporter.hold("case", case=case["id"])
        return next(why)

    monkeypatch.setattr(agent, "run_case", run_case)
    monkeypatch.setattr(agent, "Surroundings", Clean)
    monkeypatch.setattr(resource, "setrlimit", lambda *words: None)
    job = {"cases": [{"id": str(number)} for number in range(len(ends))]}
    agent.serve(job, lib=Played(), log=Quiet(), fd=pipe.writing)
    return pipe.lines()


def test_no_other_case_runs_in_a_guest_that_is_not_as_it_was_before(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = served(pipe, monkeypatch, None, "a program is left", None)
    assert [line.get("case") for line in lines] == [None, "0", "1", None]
    assert (lines[-1]["cases"], lines[-1]["stopped"]) == (2, "a program is left")


def test_after_the_last_case_that_does_not_matter(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = served(pipe, monkeypatch, None, "a program is left")
    assert (lines[-1]["cases"], lines[-1]["stopped"]) == (2, None)


def test_what_a_case_leaves_behind_is_in_its_end(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [{"kind": "program", "name": "7 main"}, {"kind": "module", "name": "veth"}]
    monkeypatch.setattr(agent, "run_child", lambda *words: {"complete": True, "signal": None, "timed_out": False})
    monkeypatch.setattr(agent, "load_modules", lambda modules: None)
    monkeypatch.setattr(agent, "loaded_modules", lambda: {"veth", "virtio"})
    reporter = agent.Reporter(pipe.writing)
    case: Line = {"id": "c", "deadline": 1}
    why = agent.run_case(reporter, None, Quiet(), case, before=Clean(*left))
    assert why == "after c the guest is not as it was before: the program 7 main, the module veth"
    case["modules"] = [{"name": "veth", "files": [], "built_in": False}]
    agent.run_case(reporter, None, Quiet(), case, before=Clean(*left))
    reporter.flush()
    ends = [line["left"] for line in pipe.lines() if line["type"] == "case-end"]
    assert ends == [left, left[:1]], "that a kernel keeps a module is nothing that the case did"


# --- sysctls ----------------------------------------------------------------------------------------------------------


def case_with(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, sysctls: dict[str, Any], refused: str = ""
) -> tuple[list[Any], Line]:
    """Run a case with sysctls; return what was set in which order, and the case's last line."""
    done: list[Any] = []

    def set_sysctl(name: str, value: Any) -> str:
        if name == refused:
            raise OSError(errno.EINVAL, "Invalid argument")
        done.append((name, value))
        return "before"

    def run(reporter: Any, lib: Any, case: Any) -> dict[str, Any]:
        done.append("run")
        return {"complete": True, "signal": None, "timed_out": False}

    monkeypatch.setattr(agent, "set_sysctl", set_sysctl)
    monkeypatch.setattr(agent, "run_child", run)
    reporter = agent.Reporter(pipe.writing)
    agent.run_case(reporter, None, Quiet(), {"id": "c", "deadline": 1, "sysctls": sysctls}, before=Clean())
    reporter.flush()
    return done, pipe.lines()[-1]


def test_sysctls_are_set_before_a_case_and_put_back_after_it(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    done, end = case_with(pipe, monkeypatch, {"a.b": 0, "c.d": "x"})
    assert done == [("a.b", 0), ("c.d", "x"), "run", ("c.d", "before"), ("a.b", "before")]
    assert "precondition" not in end


@pytest.mark.parametrize("there", [True, False])
def test_a_sysctl_that_cannot_be_set_ends_the_case_before_it_begins(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool
) -> None:
    monkeypatch.setattr(agent, "sysctl_path", lambda name: str(tmp_path / name))
    if there:
        (tmp_path / "c.d").touch()
    done, end = case_with(pipe, monkeypatch, {"a.b": 0, "c.d": "x"}, refused="c.d")
    assert done == [("a.b", 0), ("a.b", "before")]
    precondition = {"cause": "sysctl", "name": "c.d", "value": "x", "errno_name": "EINVAL", "missing": not there}
    assert end["precondition"] == precondition


def test_a_sysctl_that_cannot_be_put_back_ends_the_guest(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(agent, "sysctl_path", lambda name: str(tmp_path / name))
    monkeypatch.setattr(agent, "run_child", lambda *words: {"complete": True, "signal": None, "timed_out": False})
    (tmp_path / "a.b").write_text("0\n")
    reporter = agent.Reporter(pipe.writing)
    case = {"id": "c", "deadline": 1, "sysctls": {"a.b": 1}}
    assert agent.run_case(reporter, None, Quiet(), case, before=Clean()) is None
    assert (tmp_path / "a.b").read_text() == "0"
    monkeypatch.setattr(agent, "put_back", list)
    why = agent.run_case(reporter, None, Quiet(), case, before=Clean())
    assert why == "after c the guest is not as it was before: the sysctl a.b"


def test_a_sysctl_that_does_not_exist_is_told_by_its_errno(pipe: Pipe) -> None:
    case = {"id": "c", "deadline": 1, "sysctls": {"kernel.no_such_sysctl": 1}}
    reporter = agent.Reporter(pipe.writing)
    agent.run_case(reporter, None, Quiet(), case, before=Clean())
    reporter.flush()
    wanted = {"cause": "sysctl", "name": "kernel.no_such_sysctl", "value": 1, "errno_name": "ENOENT", "missing": True}
    assert pipe.lines()[-1]["precondition"] == wanted


# --- the kernel's configuration ---------------------------------------------------------------------------------------

CONFIG = (
    "# Linux/x86 6.1.0 Kernel Configuration\nCONFIG_BPF=y\nCONFIG_VETH=m\nCONFIG_HZ=250\nCONFIG_START=0x1000000\n"
    '# CONFIG_BPF_LSM is not set\nCONFIG_LSM="lockdown,yama"\nCONFIG_TEXT="a \\"b\\" \\\\ c"\nCONFIG_EMPTY=""\n'
)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A guest with /boot/config-RELEASE and without /proc/config.gz."""
    monkeypatch.setattr(agent, "CONFIG_OF_KERNEL", str(tmp_path / "config.gz"))
    monkeypatch.setattr(agent, "CONFIG_FILE", str(tmp_path / "config-"))
    (tmp_path / f"config-{os.uname().release}").write_text(CONFIG)
    agent.kernel_config.cache_clear()
    yield tmp_path
    agent.kernel_config.cache_clear()


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("BPF", ["y"]),
        ("VETH", ["y", "m"]),
        ("HZ", [250]),
        ("HZ", ["250"]),
        ("START", [0x1000000]),
        ("START", ["0x1000000"]),
        ("BPF_LSM", ["n"]),
        ("NO_SUCH_OPTION", ["n"]),
        ("LSM", ["lockdown,yama"]),
        ("TEXT", ['a "b" \\ c']),
        ("EMPTY", [""]),
    ],
)
def test_an_option_that_is_as_the_case_needs_it_is_no_hindrance(config: Path, option: str, values: list[Any]) -> None:
    assert agent.configured_otherwise({f"CONFIG_{option}": values}) is None


@pytest.mark.parametrize(
    ("option", "values", "wanted"),
    [
        ("BPF_LSM", ["y"], {"value": "y", "errno_name": "ENOENT", "missing": True}),
        ("NO_SUCH_OPTION", ["y", 1], {"value": "y or 1", "errno_name": "ENOENT", "missing": True}),
        ("VETH", ["y"], {"value": "y", "errno_name": "EINVAL", "missing": False, "found": "m"}),
        ("VETH", ["n"], {"value": "n", "errno_name": "EINVAL", "missing": False, "found": "m"}),
        ("BPF", [1], {"value": 1, "errno_name": "EINVAL", "missing": False, "found": "y"}),
        ("HZ", [1000], {"value": 1000, "errno_name": "EINVAL", "missing": False, "found": "250"}),
        ("EMPTY", ["y"], {"value": "y", "errno_name": "EINVAL", "missing": False, "found": ""}),
    ],
)
def test_an_option_that_is_otherwise_ends_the_case(
    config: Path, option: str, values: list[Any], wanted: dict[str, Any]
) -> None:
    end = agent.configured_otherwise({"CONFIG_BPF": ["y"], f"CONFIG_{option}": values})
    assert end["precondition"] == {"cause": "kconfig", "name": f"CONFIG_{option}", **wanted}
    assert end["complete"]


@pytest.mark.parametrize("value", ["y", "n"])
def test_a_guest_without_a_configuration_says_so(config: Path, value: str) -> None:
    (config / f"config-{os.uname().release}").unlink()
    end = agent.configured_otherwise({"CONFIG_BPF": [value]})
    wanted = {"cause": "kconfig", "name": "CONFIG_BPF", "value": value, "errno_name": "ENODATA", "missing": False}
    assert end["precondition"] == wanted


def test_the_kernels_own_configuration_comes_first_and_is_read_once(config: Path) -> None:
    (config / "config.gz").write_bytes(gzip.compress(b"CONFIG_BPF=m\n"))
    assert agent.kernel_config() == {"CONFIG_BPF": "m"}
    (config / "config.gz").unlink()
    assert agent.kernel_config() == {"CONFIG_BPF": "m"}


def test_a_case_on_another_configuration_neither_loads_a_module_nor_runs(
    config: Path, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("load_modules", "set_sysctl", "run_child"):
        monkeypatch.setattr(agent, name, lambda *_: pytest.fail("the case began"))
    case = {"id": "c", "deadline": 1, "kconfig": {"CONFIG_BPF_LSM": ["y"]}, "sysctls": {"a.b": 1}, "modules": [{}]}
    reporter = agent.Reporter(pipe.writing)
    monkeypatch.setattr(agent, "loaded_modules", set)
    assert agent.run_case(reporter, None, Quiet(), case, before=Clean()) is None
    reporter.flush()
    (begin, end) = pipe.lines()
    assert (begin["type"], end["precondition"]["name"]) == ("case", "CONFIG_BPF_LSM")


def test_a_case_that_needs_nothing_of_the_configuration_does_not_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "kernel_config", lambda: pytest.fail("it was read"))
    assert agent.configured_otherwise({}) is None


def test_the_environment_is_what_the_machine_says() -> None:
    found = agent.environment(Played())
    assert found["release"] == os.uname().release
    assert found["libbpf"] == "v0"
    assert found["btf"] == Path("/sys/kernel/btf/vmlinux").exists()
    assert agent.read_text("/no/such/file") is None
    json.dumps(found)


def test_garbage_between_lines_is_not_taken_for_an_answer(pipe: Pipe) -> None:
    with pytest.raises(AgentError):
        transcript_of(pipe, chattering)


def test_a_record_that_cannot_be_decoded_is_the_cases_own() -> None:
    """It carries no port to tell it by, and nobody else writes to this map: "nothing came" would be wrong."""
    told: list[dict[str, Any]] = []

    class Reader:
        lost = 0

        def read(self, *, enough: Any, seconds: float) -> list[dict[str, Any]]:
            return [agent.decode_event(b"\x01\x02"), {"kind": "kprobe", "sport": 22, "dport": 0}]

    class Lines:
        def hold(self, kind: str, **fields: Any) -> None:
            told.append(fields)

    case = agent.Case(Lines(), None, {"id": CASE_ID, "steps": []})
    case._readers["events"] = Reader()
    case._ends = {"client": ["127.0.0.1", 1], "server": ["127.0.0.1", 2]}
    found = case.do_observe({"map": "events", "count": 1, "seconds": 0, "phase": "observe"})
    assert found == {"events": 2, "lost": 0}
    assert [(line["ours"], line["event"]["kind"]) for line in told] == [(True, "undecodable"), (False, "kprobe")]
