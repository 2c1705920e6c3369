"""What is made of the records of /dev/kmsg."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from harness.agent.kernel_log import KMSG_HALF, KernelLog


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
    return KernelLog(), source


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
    many = 5 * KMSG_HALF
    source.records = [f"6,{number},1,-;{number}\n".encode() for number in range(many)]
    found = log.read()
    left_out = many - 2 * KMSG_HALF
    assert found["kernel_log_lost"] == left_out
    assert found["kernel_log"] == [
        *(f"<6> {number}" for number in range(KMSG_HALF)),
        f"<6> [bpfmatrix: {left_out} messages are left out here]",
        *(f"<6> {number}" for number in range(many - KMSG_HALF, many)),
    ]
    source.records.append(f"6,{many},1,-;of the next case\n".encode())
    assert log.read() == logged("<6> of the next case")


def test_a_kernel_that_never_stops_is_read_on_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    log, source = kernel_log(monkeypatch)
    monkeypatch.setattr("harness.agent.kernel_log.KMSG_RECORDS", 2)
    source.records = [f"6,{number},1,-;{number}\n".encode() for number in range(3)]
    assert log.read() == logged("<6> 0", "<6> 1")
    assert log.read() == logged("<6> 2")


def test_what_the_kernel_says_meanwhile_can_be_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is none of the case's before, whose late messages are still to be read."""
    log, source = kernel_log(monkeypatch, b"6,0,1,-;boot\n")
    source.records.append(b"4,1,1,-;late\n")
    with log.aside() as said:
        source.records.append(b"4,2,1,-;meanwhile\n")
    assert said == ["<4> meanwhile"]
    source.records.append(b"6,3,1,-;after\n")
    assert log.read() == logged("<6> boot", "<4> late", "<6> after")


def test_messages_that_are_missing_meanwhile_are_no_good_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    log, source = kernel_log(monkeypatch)
    with log.aside() as said:
        source.records.append(b"6,3,1,-;the fourth\n")
    assert said == ["<6> the fourth", "<0> messages are missing"]
