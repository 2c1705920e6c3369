# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import paramiko
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OK

from harness.errors import DeadlineError, GuestConnectionError, GuestGoneError
from harness.guest import connection as module
from harness.guest.connection import Connection, connect, connect_once, dial_port, dial_serial
from harness.supply.image.keys import RunKeys, make_keys

KEYS = make_keys()
Program = Callable[[paramiko.Channel], None]
TICK = 0.04


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loopback server says its banner at once, so patience may be short here."""
    monkeypatch.setattr(module, "FIRST_BANNER_SECONDS", 0.1)


class Service(paramiko.ServerInterface):
    """What the guest lets the harness do."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        fits = username == "root" and key == self.guest.client
        return AUTH_SUCCESSFUL if fits else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.guest.hang_if("exec")
        self.guest.commands.append(command.decode())
        threading.Thread(target=self._run, args=[channel], daemon=True).start()
        return True

    def _run(self, channel: paramiko.Channel) -> None:
        time.sleep(0.02)  # the answer to the request goes first
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self.guest.program(channel)
            channel.send_exit_status(0)
        channel.close()


class Guest:
    """A port of the loopback behind which a guest boots: `ways` says what it does with each connection in turn.

    `silent` takes it and says nothing, `close` hangs up, `garbage` speaks another protocol, `ssh` is up at last.
    """

    def __init__(
        self, *, ways: Sequence[str] = ("ssh",), host: paramiko.PKey = KEYS.host, family: int = socket.AF_INET
    ) -> None:
        self.ways, self.host, self.client = ways, host, KEYS.client
        self.taken: list[str] = []
        self.commands: list[str] = []
        self.program: Program = lambda channel: None
        self.hangs: set[str] = set()
        self.noise = b""
        self.sftp, self.pushed, self.closed = True, bytearray(), False
        self.write_result = int(SFTP_OK)
        self._ended = threading.Event()
        self._held: list[socket.socket | paramiko.Transport] = []
        self.listener = socket.socket(family)

    def __enter__(self) -> Guest:
        if self.listener.family == socket.AF_INET:
            self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(8)
        self.serve()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        # shutdown() wakes accept(), close() alone does not.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for each in self._held:
            each.close()

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def hang_if(self, what: str) -> None:
        if what in self.hangs:
            self._ended.wait(30)

    def drop(self) -> None:
        """Cut every connection, as a dying QEMU does."""
        for each in self._held:
            each.close()

    def serve(self) -> None:
        """Take connections, in a thread of its own, until the block ends."""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            way = self.ways[min(len(self.taken), len(self.ways) - 1)]
            self.taken.append(way)
            if way == "close":
                connection.close()
                continue
            self._held.append(connection)
            if way == "silent":
                connection.sendall(self.noise)
            elif way == "garbage":
                connection.sendall(b"220 not what you want\r\n" * 3)
                connection.close()
            elif way == "ssh":
                connection.sendall(self.noise)
                transport = paramiko.Transport(connection)
                transport.add_server_key(self.host)
                if self.sftp:
                    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
                self._held.append(transport)
                with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                    transport.start_server(event=threading.Event(), server=Service(self))


def reach(
    guest: Guest, *, seconds: float = 10, alive: Callable[[], bool] = lambda: True, keys: RunKeys = KEYS
) -> Connection:
    return connect(dial_port(guest.port), keys=keys, seconds=seconds, alive=alive)


@contextlib.contextmanager
def reached(guest: Guest) -> Iterator[Connection]:
    with guest:
        connection = reach(guest)
        try:
            yield connection
        finally:
            connection.close()


# --- waiting for the guest --------------------------------------------------------------------------------------------


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

    with pytest.MonkeyPatch.context() as patch, Guest(host=make_keys().host) as guest:
        patch.setitem(globals(), "Service", Curious)
        with pytest.raises(GuestConnectionError):
            reach(guest)
    assert offered == []


def test_a_guest_that_tells_when_it_listens_is_tried_then_and_not_before() -> None:
    told = threading.Event()
    with Guest() as guest:
        timer = threading.Timer(6 * TICK, told.set)
        timer.start()
        begun = time.monotonic()
        found = connect(dial_port(guest.port), keys=KEYS, seconds=10, alive=lambda: True, listening=told.is_set)
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


# --- over a serial port -----------------------------------------------------------------------------------------------


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


# --- a program's lines ------------------------------------------------------------------------------------------------


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


# --- pushing ----------------------------------------------------------------------------------------------------------


class Pipe(paramiko.SFTPHandle):
    """A pipe of the guest: what is pushed into it, piece by piece."""

    def __init__(self, guest: Guest, flags: int) -> None:
        super().__init__(flags)
        self.guest = guest

    def stat(self) -> paramiko.SFTPAttributes:
        found = paramiko.SFTPAttributes()
        found.st_size = 0
        return found

    def write(self, offset: int, data: Any) -> int:
        self.guest.hang_if("write")
        self.guest.pushed += data
        return self.guest.write_result

    def close(self) -> None:
        self.guest.closed = True


class Files(paramiko.SFTPServerInterface):
    """The guest's sftp-server; it knows one pipe."""

    def __init__(self, server: Service, *words: object) -> None:
        super().__init__(server, *words)
        self.guest = server.guest

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        self.guest.hang_if("open")
        if path != "/pipe":
            return int(SFTP_NO_SUCH_FILE)
        # sftp-server.c, process_write(): one that is not appended to is sought in, which a pipe does not allow.
        return Pipe(self.guest, flags) if flags & os.O_APPEND else int(SFTP_FAILURE)


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


# --- a command's time -------------------------------------------------------------------------------------------------


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


# --- a command that is held -------------------------------------------------------------------------------------------


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


# --- leaving ----------------------------------------------------------------------------------------------------------


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
    told = pytest.raises(GuestConnectionError, match=r"no answer within 0.2 s while it was asked to end")
    with reached(guest) as connection, told:
        connection.leave()


def test_close_never_fails() -> None:
    with Guest() as guest:
        connection = reach(guest)
        connection.close()
        connection.close()
