"""Waiting for a guest: when it is tried, how long, and what ends the waiting."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import socket
import threading
import time

import paramiko
import pytest
from paramiko.common import AUTH_FAILED
from ssh_guest import KEYS, TICK, Guest, Service, reach

from harness.errors import DeadlineError, GuestConnectionError, GuestGoneError
from harness.guest import connection as module
from harness.guest.connection import Connection, connect, dial_port
from harness.supply.image.keys import RunKeys, make_keys


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loopback server says its banner at once, so patience may be short here."""
    monkeypatch.setattr(module, "FIRST_BANNER_SECONDS", 0.1)


@pytest.mark.parametrize(
    "ways",
    [
        ["ssh"],
        ["silent", "ssh"],
        ["silent", "silent", "ssh"],
        ["close", "close", "ssh"],
        ["garbage", "ssh"],
        ["close", "silent", "garbage", "close", "ssh"],
    ],
    ids="-".join,
)
def test_the_whole_connect_is_tried_again_on_a_fresh_socket(ways: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOLD_BANNER_SECONDS", module.FIRST_BANNER_SECONDS)  # silence is what it waits for
    with Guest(ways=ways) as guest:
        reach(guest).close()
        assert guest.taken[: len(ways)] == ways
        assert set(guest.taken[len(ways) :]) <= {"ssh"}, "only on a busy host may it take another attempt"


def test_a_port_that_nobody_listens_on_yet() -> None:
    guest = Guest()
    guest.listener.bind(("127.0.0.1", 0))
    found: list[Connection] = []
    waiting = threading.Thread(target=lambda: found.append(reach(guest)))
    waiting.start()
    time.sleep(4 * TICK)
    guest.listener.listen(8)
    guest.serve()
    waiting.join(10)
    guest.__exit__()
    assert len(found) == 1
    found[0].close()


def test_patience_with_a_silent_socket_grows_up_to_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a guest that is slow with its banner would never be reached."""
    asked: list[tuple[float, float]] = []
    there = Connection(paramiko.Transport(socket.socketpair()[0]))

    def attempt(dial: object, *, keys: RunKeys, seconds: float, banner: float, compress: bool) -> Connection:
        asked.append((banner, seconds))
        if len(asked) < 7:
            raise EOFError
        return there

    monkeypatch.setattr(module, "FIRST_BANNER_SECONDS", 1000.0)
    monkeypatch.setattr(module, "UNTOLD_SECONDS", 0.0)
    found = connect(dial_port(1), keys=KEYS, seconds=2000.0, alive=lambda: True, listening=lambda: False, once=attempt)
    assert found is there
    banners = [banner for banner, _ in asked]
    assert banners[:4] == pytest.approx([1150.0, 1000 * 1.15**2, 1000 * 1.15**3, 1000 * 1.15**4])
    assert all(banner <= left <= 2000.0 for banner, left in asked)
    assert banners[-1] == asked[-1][1], "no longer than the deadline leaves"


def test_a_guest_that_has_told_that_it_listens_is_given_time() -> None:
    """A busy guest that is given up too soon costs a second handshake, which keeps it busier still."""
    asked: list[float] = []

    def attempt(dial: object, *, keys: RunKeys, seconds: float, banner: float, compress: bool) -> Connection:
        asked.append(banner)
        return Connection(paramiko.Transport(socket.socketpair()[0]))

    for seconds in (60.0, 0.5):
        connect(dial_port(1), keys=KEYS, seconds=seconds, alive=lambda: True, listening=lambda: True, once=attempt)
    assert asked[0] == module.TOLD_BANNER_SECONDS
    assert asked[1] <= 0.5, "no longer than the deadline leaves"


def test_another_host_key_is_told_at_once() -> None:
    with Guest(host=make_keys().host) as guest:
        begun = time.monotonic()
        with pytest.raises(GuestConnectionError, match="shows another host key than the one made for this run"):
            reach(guest)
        assert time.monotonic() - begun < 5
        assert guest.taken == ["ssh"]


def test_the_client_offers_its_key_only_to_the_right_host() -> None:
    """The host key is checked before the client authenticates."""
    offered = []

    class Curious(Service):
        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            offered.append(key)
            return AUTH_FAILED

    with Guest(host=make_keys().host) as guest:
        guest.service = Curious
        with pytest.raises(GuestConnectionError):
            reach(guest)
    assert offered == []


def test_a_guest_that_tells_when_it_listens_is_tried_then_and_not_before() -> None:
    listens = threading.Event()
    with Guest() as guest:
        timer = threading.Timer(6 * TICK, listens.set)
        timer.start()
        begun = time.monotonic()
        found = connect(dial_port(guest.port), keys=KEYS, seconds=10, alive=lambda: True, listening=listens.is_set)
        found.close()
        waited = time.monotonic() - begun
    assert 6 * TICK <= waited < module.UNTOLD_SECONDS, "as soon as it has told"
    assert guest.taken == ["ssh"], "no attempt was wasted"
    assert 0 < found.handshake_seconds < waited - 5 * TICK, "the waiting is no part of the handshake"


def test_a_guest_that_never_tells_is_tried_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNTOLD_SECONDS", 4 * TICK)
    with Guest() as guest:
        begun = time.monotonic()
        connect(dial_port(guest.port), keys=KEYS, seconds=10, alive=lambda: True, listening=lambda: False).close()
        assert time.monotonic() - begun >= 4 * TICK


def test_a_qemu_that_dies_before_its_guest_listens_ends_the_waiting_at_once() -> None:
    with Guest() as guest:
        begun = time.monotonic()
        with pytest.raises(GuestGoneError):
            connect(
                dial_port(guest.port),
                keys=KEYS,
                seconds=60,
                alive=lambda: time.monotonic() - begun < 2 * TICK,
                listening=lambda: False,
            )
        assert time.monotonic() - begun < module.UNTOLD_SECONDS
        assert guest.taken == []


def test_a_qemu_that_is_gone_ends_the_waiting_at_once() -> None:
    with Guest(ways=["silent"]) as guest:
        begun = time.monotonic()
        with pytest.raises(GuestGoneError, match="QEMU ended while the guest was booting"):
            reach(guest, alive=lambda: False, seconds=60)
        assert time.monotonic() - begun < 1
        assert guest.taken == []


@pytest.mark.parametrize("way", ["silent", "close"])
def test_a_qemu_that_dies_meanwhile_ends_the_waiting(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOLD_BANNER_SECONDS", module.FIRST_BANNER_SECONDS)  # silence is what it waits for
    with Guest(ways=[way]) as guest:
        begun = time.monotonic()

        def alive() -> bool:
            return time.monotonic() - begun < 3 * TICK

        with pytest.raises(GuestGoneError):
            reach(guest, alive=alive, seconds=60)
        assert time.monotonic() - begun < 5


def test_a_guest_that_the_host_does_not_let_run_is_waited_for_longer() -> None:
    begun = time.monotonic()

    def clock() -> float:
        return (time.monotonic() - begun) / 10

    with Guest(ways=["close"]) as guest:
        with pytest.raises(DeadlineError):
            reach(guest, seconds=0.05, clock=clock)
        assert time.monotonic() - begun >= 0.5


@pytest.mark.parametrize("way", ["silent", "close", "garbage"])
def test_the_deadline_names_itself(way: str) -> None:
    with Guest(ways=[way]) as guest:
        begun = time.monotonic()
        with pytest.raises(DeadlineError) as caught:
            reach(guest, seconds=0.2)
        assert 0.15 < time.monotonic() - begun < 3
        assert (caught.value.deadline, caught.value.seconds) == ("boot", 0.2)
        assert str(caught.value) == "the boot deadline of 0.2 s passed while waiting for the guest's SSH service"
        assert guest.taken
