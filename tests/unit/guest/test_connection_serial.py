"""Reaching a guest over its serial port."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest
from ssh_guest import KEYS, TICK, Guest

from harness.errors import DeadlineError
from harness.guest.connection import connect, connect_once, dial_serial


def unix_guest(folder: Path) -> Guest:
    guest = Guest(family=socket.AF_UNIX)
    guest.listener.bind(str(folder / "ssh"))
    return guest


def test_nothing_is_sent_over_a_serial_port_before_the_banner(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "ssh"))
    listener.listen()
    early: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        connection.settimeout(4 * TICK)
        with contextlib.suppress(TimeoutError):
            early.append(connection.recv(100))
        connection.sendall(b"noise\r\nhalf a lineSSH-2")
        time.sleep(TICK)
        connection.sendall(b".0-dropbear\r\n")
        time.sleep(1)

    threading.Thread(target=serve, daemon=True).start()
    with listener, dial_serial(tmp_path / "ssh")(5) as connection:
        assert early == []
        assert connection.recv(100) == b"SSH-2.0-dropbear\r\n", "the banner is left for the client to read"


@pytest.mark.parametrize(
    "noise", [b"", b"[    1.0] a line\r\n", b"half a line", b"\xff\xfe\x00", b"SSH-1.99\r\n" * 200]
)
def test_a_guest_is_reached_over_a_serial_port_in_spite_of_noise(noise: bytes, tmp_path: Path) -> None:
    guest = unix_guest(tmp_path)
    guest.noise = noise
    with guest:
        dial = dial_serial(tmp_path / "ssh")
        # One attempt only: the noise must do no harm to it.
        connect_once(dial, keys=KEYS, seconds=10, banner=5, compress=True).close()
    assert guest.taken == ["ssh"]


@pytest.mark.parametrize("said", [b"", b"a line of the kernel\r\n"])
def test_a_serial_port_without_a_banner_runs_into_the_time(said: bytes, tmp_path: Path) -> None:
    guest = unix_guest(tmp_path)
    guest.ways = ["silent"]
    guest.noise = said
    with guest:
        begun = time.monotonic()
        with pytest.raises((TimeoutError, EOFError)):
            dial_serial(tmp_path / "ssh")(0.1)
        assert 0.05 < time.monotonic() - begun < 2
        with pytest.raises(DeadlineError):
            connect(dial_serial(tmp_path / "ssh"), keys=KEYS, seconds=0.15, alive=lambda: True)


def test_a_serial_port_that_hangs_up_or_is_not_there_yet_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        dial_serial(tmp_path / "ssh")(1)
    guest = unix_guest(tmp_path)
    guest.ways = ["close", "close", "ssh"]
    with guest:
        connect(dial_serial(tmp_path / "ssh"), keys=KEYS, seconds=10, alive=lambda: True).close()
    assert guest.taken[:3] == ["close", "close", "ssh"]
