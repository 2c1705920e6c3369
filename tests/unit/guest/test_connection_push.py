"""Pushing bytes into a pipe of a guest."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
import time

import pytest
from paramiko.sftp import SFTP_FAILURE
from ssh_guest import Guest, Pipe, reached

from harness.errors import GuestConnectionError


@pytest.mark.parametrize("data", [b"", b"one\ntwo\n", os.urandom(3_000_000)], ids=len)
def test_what_is_pushed_arrives_to_the_end(data: bytes) -> None:
    guest = Guest()
    with reached(guest) as connection:
        connection.push(data, "/pipe", seconds=10)
        assert guest.closed, "whoever reads the pipe is at its end"
        assert bytes(guest.pushed) == data


@pytest.mark.parametrize("what", ["open", "write"])
def test_a_guest_that_does_not_take_the_data_does_not_hang_the_harness(what: str) -> None:
    guest = Guest()
    guest.hangs.add(what)
    with reached(guest) as connection:
        begun = time.monotonic()
        with pytest.raises(GuestConnectionError, match=r"no answer within 0.3 s while files were pushed"):
            connection.push(bytes(20_000_000), "/pipe", seconds=0.3)
        assert time.monotonic() - begun < 5


def test_a_guest_that_the_host_does_not_let_run_has_longer() -> None:
    begun = time.monotonic()

    def clock() -> float:
        return begun + (time.monotonic() - begun) / 10

    guest = Guest()
    guest.hangs.add("write")
    with reached(guest) as connection:
        with pytest.raises(GuestConnectionError, match=r"no answer within 0.03 s while files were pushed"):
            connection.push(bytes(20_000_000), "/pipe", seconds=0.03, clock=clock)
        assert time.monotonic() - begun >= 0.3


def test_a_guest_that_fails_to_write_is_told() -> None:
    guest = Guest()
    guest.write_result = int(SFTP_FAILURE)
    with reached(guest) as connection, pytest.raises(GuestConnectionError, match="did not take what was pushed"):
        connection.push(bytes(1_000_000), "/pipe", seconds=10)


def test_a_guest_without_the_pipe_is_told() -> None:
    with (
        reached(Guest()) as connection,
        pytest.raises(GuestConnectionError, match=r"did not take .*: .*[Nn]o such file"),
    ):
        connection.push(b"data", "/other", seconds=10)


def test_a_guest_without_sftp_is_told() -> None:
    guest = Guest()
    guest.sftp = False
    with reached(guest) as connection, pytest.raises(GuestConnectionError, match="did not take what was pushed"):
        connection.push(b"data", "/pipe", seconds=10)


def test_a_guest_that_dies_while_it_is_pushed_to_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest()
    monkeypatch.setattr(Pipe, "write", lambda pipe, offset, data: pipe.guest.drop())
    with reached(guest) as connection, pytest.raises(GuestConnectionError):
        connection.push(bytes(20_000_000), "/pipe", seconds=10)
