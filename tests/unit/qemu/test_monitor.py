"""The monitor's blocking face, with our own end of the socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qemu_samples import GREETING

from harness.errors import EXIT_HARNESS, QemuError
from harness.qemu import monitor as module
from harness.qemu.monitor import Monitor, parse_forwarded_port

USERNET = """\
Hub -1 (net):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[HOST_FORWARD]  14       127.0.0.1 37211       10.0.2.15    22     0     0
  UDP[236 sec]       16       10.0.2.15 40000        10.0.2.3    53     0     0
"""


def test_the_forwarded_port_is_read() -> None:
    assert parse_forwarded_port(USERNET) == 37211
    assert parse_forwarded_port(USERNET.replace("\n", "\r\n")) == 37211


@pytest.mark.parametrize(
    "text",
    ["", "Hub -1 (net):\r\n", USERNET.replace("HOST_FORWARD", "ESTABLISHED"), USERNET.replace("127.0.0.1", "0.0.0.0")],
)
def test_no_forwarded_port_is_told(text: str) -> None:
    with pytest.raises(QemuError, match="forwards no port") as caught:
        parse_forwarded_port(text)
    assert caught.value.exit_code == EXIT_HARNESS


@given(st.text())
def test_any_answer_is_a_port_or_told(text: str) -> None:
    with contextlib.suppress(QemuError):
        assert parse_forwarded_port(text) >= 0


class Peer:
    """QEMU's end of the monitor's socket."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        self.ours, theirs = socket.socketpair()
        self.theirs = theirs
        self.answers: dict[str, Any] = {"qmp_capabilities": {"return": {}}, **(answers or {})}
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self.theirs.shutdown(socket.SHUT_RDWR)
        self.theirs.close()
        self.ours.close()

    def send(self, message: dict[str, Any]) -> None:
        self.theirs.sendall(json.dumps(message).encode() + b"\r\n")

    def event(self, name: str, **data: Any) -> None:
        self.send({"event": name, "data": data, "timestamp": {"seconds": 1, "microseconds": 0}})

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            self.send(GREETING)
            text = ""
            while data := self.theirs.recv(65536).decode():
                text += data
                with contextlib.suppress(ValueError):  # the client ends no line; it may come in pieces
                    message = json.loads(text)
                    text = ""
                    self.asked.append(message["execute"])
                    answer = self.answers.get(message["execute"])
                    if answer is not None:
                        self.send({**answer, "id": message.get("id")} if "id" in message else answer)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 2.0)
    monkeypatch.setattr(module, "LAST_WORDS_SECONDS", 1.0)
    # What the library itself has to say of broken connections is no part of these tests.
    logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("qemu.qmp").setLevel(logging.NOTSET)


def test_a_command_and_its_answer() -> None:
    with Peer({"human-monitor-command": {"return": USERNET}}) as peer:
        monitor = Monitor("test")
        monitor.connect(peer.ours)
        assert monitor.forwarded_port() == 37211
        assert peer.asked == ["qmp_capabilities", "human-monitor-command"]
        monitor.close()


def test_a_command_that_fails_is_told() -> None:
    error = {"error": {"class": "CommandNotFound", "desc": "The command x has not been found"}}
    with Peer({"x": error}) as peer:
        monitor = Monitor("test")
        monitor.connect(peer.ours)
        with pytest.raises(QemuError, match=r"failed while x: The command x has not been found"):
            monitor.command("x")
        monitor.close()


def test_a_command_without_an_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    with Peer() as peer:
        monitor = Monitor("test")
        monitor.connect(peer.ours)
        with pytest.raises(QemuError, match="failed while slow: TimeoutError"):
            monitor.command("slow")
        monitor.close()


def test_a_qemu_that_hangs_up_instead_of_greeting_is_told() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    monitor = Monitor("test")
    with ours, pytest.raises(QemuError, match="failed while greeting"):
        monitor.connect(ours)
    assert monitor.shutdown_reason() is None
    monitor.close()
    monitor.close()


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([], None),
        ([("RESET", {"guest": True, "reason": "guest-reset"})], None),
        ([("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"})], "guest-shutdown"),
        (
            [("NIC_RX_FILTER_CHANGED", {}), ("SHUTDOWN", {"guest": True, "reason": "guest-reset"}), ("STOP", {})],
            "guest-reset",
        ),
    ],
)
def test_the_reason_of_the_shutdown(events: list[tuple[str, dict[str, Any]]], reason: str | None) -> None:
    with Peer() as peer:
        monitor = Monitor("test")
        monitor.connect(peer.ours)
        for name, data in events:
            peer.event(name, **data)
        peer.theirs.shutdown(socket.SHUT_RDWR)
        assert monitor.shutdown_reason() == reason
        assert monitor.shutdown_reason() == reason, "it is remembered"
        monitor.close()


@pytest.fixture
def own_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own, for one monitor."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_last_words_that_are_still_on_their_way_are_waited_for(own_loop: asyncio.AbstractEventLoop) -> None:
    """QEMU writes its SHUTDOWN event and ends; a triple fault is known by nothing else."""
    with Peer() as peer:
        monitor = Monitor("test", loop=own_loop)
        monitor.connect(peer.ours)
        # The thread that reads is busy elsewhere when QEMU ends.
        own_loop.call_soon_threadsafe(time.sleep, 0.2)
        peer.event("SHUTDOWN", guest=True, reason="guest-reset")
        peer.theirs.shutdown(socket.SHUT_RDWR)
        assert monitor.shutdown_reason() == "guest-reset"
        monitor.close()


def test_a_connection_that_stays_open_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_WORDS_SECONDS", 0.1)
    with Peer() as peer:
        monitor = Monitor("test")
        monitor.connect(peer.ours)
        peer.event("SHUTDOWN", guest=False, reason="host-signal")
        assert monitor.shutdown_reason() == "host-signal"
        monitor.close()


def test_one_loop_serves_all_monitors() -> None:
    threads = [threading.Thread(target=Monitor, args=["test"]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [thread.name for thread in threading.enumerate()].count("qmp") == 1
