"""Running a command in a guest: its lines, its time, one that is held; and leaving the guest."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ssh_guest import TICK, Guest, Program, reach, reached

from harness.errors import DeadlineError, GuestConnectionError
from harness.guest import connection as module


def lines_of(program: Program, folder: Path, *, timeout: Callable[[], float] = lambda: 10.0) -> list[bytes]:
    guest = Guest()
    guest.program = program
    with reached(guest) as connection:
        return list(connection.lines("command", errors=folder / "errors", timeout=timeout))


def sending(*chunks: bytes, pause: float = 0.0) -> Program:
    """A program that begins once its input has ended, as it does when the answer to its start has come: here a program
    could be over before that answer is sent."""

    def program(channel: paramiko.Channel) -> None:
        while channel.recv(1024):
            pass
        for chunk in chunks:
            channel.sendall(chunk)
            time.sleep(pause)

    return program


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([], []),
        ([b"one\ntwo\n"], [b"one", b"two"]),
        ([b"o", b"n", b"e\nt", b"wo", b"\n"], [b"one", b"two"]),
        ([b"one\n", b"without an end"], [b"one", b"without an end"]),
        ([b"\n\n"], [b"", b""]),
        ([b"a" * 300_000, b"\nb\n"], [b"a" * 300_000, b"b"]),
        ([b"\xff\x00\r\n"], [b"\xff\x00\r"]),
    ],
)
def test_lines_come_whole_however_they_are_cut(chunks: list[bytes], lines: list[bytes], tmp_path: Path) -> None:
    assert lines_of(sending(*chunks, pause=0.01), tmp_path) == lines


def test_any_bytes_come_as_lines(tmp_path: Path) -> None:
    guest = Guest()
    with reached(guest) as connection:

        @settings(max_examples=8, deadline=None)
        @given(st.lists(st.binary(max_size=50), max_size=6))
        def check(chunks: list[bytes]) -> None:
            guest.program = sending(*chunks)
            lines = list(connection.lines("command", errors=tmp_path / "errors", timeout=lambda: 10.0))
            assert b"\n".join(lines) == b"".join(chunks).removesuffix(b"\n")

        check()


def test_what_the_command_says_to_its_error_output_is_kept_apart(tmp_path: Path) -> None:
    def program(channel: paramiko.Channel) -> None:
        channel.sendall_stderr(b"Traceback\n")
        channel.sendall(b"line\n")
        channel.sendall_stderr(b"Error\n")

    assert lines_of(program, tmp_path) == [b"line"]
    assert (tmp_path / "errors").read_bytes() == b"Traceback\nError\n"


def test_a_long_silence_is_for_the_caller_to_judge(tmp_path: Path) -> None:
    waits = iter([TICK] * 3)

    def timeout() -> float:
        for seconds in waits:
            return seconds
        raise DeadlineError("case", 30, "running it")

    begun = time.monotonic()
    with pytest.raises(DeadlineError) as caught:
        lines_of(sending(b"", pause=3), tmp_path, timeout=timeout)
    assert caught.value.deadline == "case"
    assert 2 * TICK < time.monotonic() - begun < 2


def test_a_silence_within_the_time_does_no_harm(tmp_path: Path) -> None:
    program = sending(b"one\n", b"two\n", pause=4 * TICK)
    assert lines_of(program, tmp_path, timeout=lambda: TICK / 2) == [b"one", b"two"]


def test_a_line_without_an_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_LIMIT", 100_000)
    with pytest.raises(GuestConnectionError, match="a line without an end"):
        lines_of(sending(b"x" * 150_000), tmp_path)
    assert lines_of(sending(b"x" * 90_000 + b"\n" + b"y" * 90_000), tmp_path) == [b"x" * 90_000, b"y" * 90_000]


def test_a_connection_that_breaks_ends_the_lines_without_a_good_word(tmp_path: Path) -> None:
    guest = Guest()

    def program(channel: paramiko.Channel) -> None:
        channel.sendall(b"one\nhalf")
        time.sleep(TICK)
        guest.drop()

    guest.program = program
    got: list[bytes] = []
    with reached(guest) as connection, contextlib.suppress(GuestConnectionError):
        got.extend(connection.lines("command", errors=tmp_path / "errors", timeout=lambda: 10.0))
    assert got in ([b"one"], [b"one", b"half"])


def test_a_guest_that_hangs_when_a_command_is_started_does_not_hang_the_harness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    guest = Guest()
    guest.hangs = {"exec"}
    with reached(guest) as connection:
        begun = time.monotonic()
        with pytest.raises(GuestConnectionError, match=r"no answer within 0.2 s while a command was started"):
            list(connection.lines("command", errors=tmp_path / "errors", timeout=lambda: 10.0))
        assert time.monotonic() - begun < 3


def test_a_command_on_a_connection_that_is_gone_is_told(tmp_path: Path) -> None:
    guest = Guest()
    with reached(guest) as connection:
        guest.drop()
        with pytest.raises(GuestConnectionError, match="the connection to the guest broke"):
            list(connection.lines("command", errors=tmp_path / "errors", timeout=lambda: 10.0))


def held(guest: Guest) -> list[bytes]:
    """Let the guest's command say two lines, close its output, and read; what it reads is put into the list."""
    more: list[bytes] = []

    def program(channel: paramiko.Channel) -> None:
        channel.sendall(b"1\n2\n")
        channel.shutdown_write()
        more.append(channel.recv(100))

    guest.program = program
    return more


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def test_a_held_command_ends_its_output_and_goes_on_until_it_is_released(tmp_path: Path) -> None:
    guest = Guest()
    more = held(guest)
    with reached(guest) as connection:
        lines = connection.lines("c", errors=tmp_path / "errors", timeout=lambda: 10.0, hold=True)
        assert list(lines) == [b"1", b"2"]
        time.sleep(2 * TICK)
        assert more == [], "its input is still open"
        connection.release()
        until(lambda: more)
        assert more == [b"\n"]


def test_a_held_command_can_tell_its_release_from_the_end_of_the_connection(tmp_path: Path) -> None:
    guest = Guest()
    more = held(guest)
    with reached(guest) as connection:
        list(connection.lines("c", errors=tmp_path / "errors", timeout=lambda: 10.0, hold=True))
        connection.close()
        until(lambda: more)
        assert more == [b""]


def test_a_command_that_is_not_held_is_at_the_end_of_its_input_at_once(tmp_path: Path) -> None:
    guest = Guest()
    more = held(guest)
    with reached(guest) as connection:
        assert list(connection.lines("c", errors=tmp_path / "e", timeout=lambda: 10.0)) == [b"1", b"2"]
        until(lambda: more)
        assert more == [b""]


def test_releasing_never_fails(tmp_path: Path) -> None:
    guest = Guest()
    held(guest)
    with reached(guest) as connection:
        connection.release()  # nothing is held
        list(connection.lines("c", errors=tmp_path / "errors", timeout=lambda: 10.0, hold=True))
        guest.drop()
        connection.close()
        connection.release()


def test_leaving_has_the_guest_end_the_connection_after_its_answer() -> None:
    guest = Guest()
    read: list[bytes] = []

    def program(channel: paramiko.Channel) -> None:
        read.append(channel.recv(100))
        guest.drop()

    guest.program = program
    with reached(guest) as connection:
        connection.leave()
        until(lambda: read)
        assert read == [b"\n"]
        assert guest.commands == ["read -r _; kill $PPID"]


def test_leaving_a_guest_that_is_gone_is_told() -> None:
    guest = Guest()
    with reached(guest) as connection:
        guest.drop()
        with pytest.raises(GuestConnectionError, match="the connection to the guest broke"):
            connection.leave()


def test_leaving_a_guest_that_hangs_does_not_hang_the_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    guest = Guest()
    guest.hangs = {"exec"}
    refused = pytest.raises(GuestConnectionError, match=r"no answer within 0.2 s while it was asked to end")
    with reached(guest) as connection, refused:
        connection.leave()


def test_close_never_fails() -> None:
    with Guest() as guest:
        connection = reach(guest)
        connection.close()
        connection.close()
