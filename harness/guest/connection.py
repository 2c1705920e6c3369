"""SSH into a guest: waiting for it the right way, pushing files, running a program and reading its lines.

paramiko and tenacity are imported where a connection is made: they are expensive, and a guest starts without them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.errors import DeadlineError, GuestConnectionError, GuestGoneError
from harness.supply.image.keys import RunKeys

if TYPE_CHECKING:
    import paramiko

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it logs every refused attempt of a booting guest

LINE_LIMIT = 4 * 1024 * 1024
FIRST_BANNER_SECONDS = 0.2
TOLD_BANNER_SECONDS = 2.0
"""How long a guest that has reported that it listens is waited for: its banner comes, but it may be busy."""
UNTOLD_SECONDS = 1.0
"""After how long a guest is tried that has not reported that it listens."""
ANSWER_SECONDS = 10.0
"""How long a guest may take to answer that it starts a command; how long the command runs is another matter."""
_CHUNK = 65536

Dial = Callable[[float], socket.socket]
"""Opens a fresh connection to the guest, taking at most so many seconds."""


def dial_port(port: int) -> Dial:
    """Return a function that opens a fresh connection to a port of 127.0.0.1, on which no packet waits for others."""

    def dial(seconds: float) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), timeout=min(seconds, 5))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    return dial


def dial_serial(path: Path, *, opened: socket.socket | None = None) -> Dial:
    """Return a function that opens the guest's serial port and waits for the SSH banner on it.

    The first time it takes the connection `opened`, if there is one.

    A serial port keeps nothing for later: what is sent before the guest listens is lost. So nothing is sent
    until the guest's banner is there. One line carries one connection; it cannot be refused, only be silent.
    """

    waiting = [opened] if opened is not None else []

    def dial(seconds: float) -> socket.socket:
        connection = waiting.pop() if waiting else socket.socket(socket.AF_UNIX)
        end = time.monotonic() + seconds
        try:
            if connection is not opened:
                connection.connect(str(path))
            seen = b""
            while b"SSH-2.0-" not in seen:
                connection.settimeout(max(end - time.monotonic(), 0.01))
                more = connection.recv(_CHUNK, socket.MSG_PEEK)
                if not more or time.monotonic() > end:
                    raise EOFError("no SSH banner came over the serial port")  # noqa: TRY301
                if more == seen:
                    time.sleep(0.01)
                seen = more
            # What comes before it is an earlier connection's or noise; a client would stumble over it.
            connection.recv(seen.index(b"SSH-2.0-"))
        except BaseException:
            connection.close()
            raise
        return connection

    return dial


def _not_yet() -> tuple[type[Exception], ...]:
    """Return what a connection that does not come about raises, or one that breaks."""
    from paramiko import SSHException

    return OSError, EOFError, SSHException


class Connection:
    """One SSH connection into a guest."""

    def __init__(self, transport: paramiko.Transport, *, seconds: float = 0.0) -> None:
        self._transport = transport
        self._held: paramiko.Channel | None = None
        self.handshake_seconds = seconds

    @contextlib.contextmanager
    def _within(self, seconds: float, doing: str, *, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
        """Close the connection where the block takes longer: paramiko waits for answers of a hung guest for ever."""
        late, done = threading.Event(), threading.Event()
        end = clock() + seconds

        def watch() -> None:
            while (left := end - clock()) > 0:
                if done.wait(left):
                    return
            late.set()
            self._transport.close()

        threading.Thread(target=watch, name="deadline", daemon=True).start()
        try:
            yield
        except _not_yet() as error:
            if not late.is_set():
                raise
            raise GuestConnectionError(f"the guest gave no answer within {seconds:g} s while {doing}") from error
        finally:
            done.set()

    def push(self, data: bytes, path: str, *, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Write `data` to a pipe of the guest by SFTP, to its end, as soon as somebody there opens the pipe.

        Raises GuestConnectionError where that fails, or takes longer than `seconds` by `clock`.
        """
        from paramiko import SFTPClient, SFTPError

        try:
            with self._within(seconds, "files were pushed", clock=clock):
                channel = self._transport.open_session(timeout=10)
                channel.invoke_subsystem("sftp")
                # OpenSSH's server seeks before it writes (sftp-server.c, process_write()), which a pipe refuses; but
                # not in a file that was opened to append.
                with SFTPClient(channel) as client, client.open(path, "a") as pipe:
                    pipe.write(data)
        except SFTPError as error:
            raise GuestConnectionError(f"the guest's SFTP service does not keep to its protocol: {error}") from error
        except _not_yet() as error:
            raise GuestConnectionError(f"the guest did not take what was pushed: {error}") from error

    def lines(self, command: str, *, errors: Path, timeout: Callable[[], float], hold: bool = False) -> Iterator[bytes]:
        """Run a command and yield the lines of its output, without their ends.

        `timeout` is asked before every wait and says how many seconds are left; it raises where none are. What
        the command writes to its error output goes to the file `errors`. With `hold` its input stays open, for
        release(); it must close its outputs itself. Raises GuestConnectionError where the connection breaks.
        """
        try:
            channel = self._transport.open_session(timeout=10)
            if hold:
                self._held = channel
            with contextlib.nullcontext() if hold else channel, errors.open("wb") as log:
                with self._within(ANSWER_SECONDS, "a command was started in it"):
                    channel.exec_command(command)
                if not hold:
                    channel.shutdown_write()
                rest = b""
                while True:
                    channel.settimeout(timeout())
                    try:
                        chunk = channel.recv(_CHUNK)
                    except TimeoutError:
                        continue  # whether that was too long is for timeout() to say
                    while channel.recv_stderr_ready():
                        log.write(channel.recv_stderr(_CHUNK))
                    if not chunk:
                        break
                    *whole, rest = (rest + chunk).split(b"\n")
                    yield from whole
                    if len(rest) > LINE_LIMIT:
                        raise GuestConnectionError("the guest writes a line without an end")
                if rest:
                    yield rest
                while error_text := channel.recv_stderr(_CHUNK):
                    log.write(error_text)
        except _not_yet() as error:
            raise GuestConnectionError(f"the connection to the guest broke: {error}") from error

    def release(self) -> None:
        """Give the command that is held, if one is, an empty line; a broken connection does not matter."""
        if self._held is not None:
            with contextlib.suppress(*_not_yet()):
                self._held.sendall(b"\n")

    def leave(self) -> None:
        """Have the guest end this connection; raise GuestConnectionError where it does not answer.

        Over a serial port it would not notice that it is closed. The connection's process in the guest is the parent
        of the commands that it runs; this one waits for a line, so that the answer to it comes before the end.
        """
        try:
            channel = self._transport.open_session(timeout=10)
            with self._within(ANSWER_SECONDS, "it was asked to end the connection"):
                channel.exec_command("read -r _; kill $PPID")
                channel.sendall(b"\n")
        except _not_yet() as error:
            raise GuestConnectionError(f"the connection to the guest broke: {error}") from error

    def shell(self, *, columns: int, lines: int) -> paramiko.Channel:
        """Start a shell and return its channel; on a terminal of this size, or on none where it is 0."""
        channel = self._transport.open_session(timeout=10)
        if columns:
            channel.get_pty(os.environ.get("TERM", "linux"), columns, lines)
        else:
            channel.set_combine_stderr(True)
        channel.invoke_shell()
        return channel

    def close(self) -> None:
        """Close the connection; never raises."""
        with contextlib.suppress(Exception):
            self._transport.close()


class Attempt(Protocol):
    """One attempt to get an authenticated connection, as `connect_once` makes it."""

    def __call__(self, dial: Dial, *, keys: RunKeys, seconds: float, banner: float, compress: bool) -> Connection:
        """Do what `connect_once` says."""
        ...


def connect_once(dial: Dial, *, keys: RunKeys, seconds: float, banner: float, compress: bool) -> Connection:
    """Dial, wait `banner` seconds at most for the guest's banner, and authenticate, in `seconds` altogether.

    Raises OSError, EOFError or paramiko's SSHException where no connection comes about, which may be different the
    next time; GuestConnectionError where the guest shows another host key than the one it was given.
    """
    import paramiko

    connection = dial(seconds)
    begun = time.monotonic()
    transport = paramiko.Transport(connection)
    try:
        transport.banner_timeout = banner
        transport.handshake_timeout = min(seconds, 30)
        transport.auth_timeout = min(seconds, 30)
        transport.use_compression(compress)
        transport.get_security_options().key_types = ("ssh-ed25519",)  # the one that is made for the run
        transport.start_client(timeout=min(seconds, 35))
        if transport.get_remote_server_key() != keys.host:
            raise GuestConnectionError(  # noqa: TRY301
                "whoever answers in the guest's place shows another host key than the one made for this run"
            )
        transport.auth_publickey("root", keys.client)
    except BaseException:
        transport.close()
        connection.close()
        raise
    return Connection(transport, seconds=time.monotonic() - begun)


def connect(
    dial: Dial,
    *,
    keys: RunKeys,
    seconds: float,
    alive: Callable[[], bool],
    listening: Callable[[], bool] = lambda: True,
    compress: bool = False,
    once: Attempt = connect_once,
    clock: Callable[[], float] = time.monotonic,
) -> Connection:
    """Wait until the guest answers on SSH, at most `seconds` by `clock`, and return the authenticated connection.

    `listening` says whether the guest has reported that it listens: then it is tried at once, else now and then all
    the same. The forwarded port accepts connections long before the guest does, so the whole of connect, banner, key
    exchange and authentication is tried again on a fresh socket each time. Raises GuestGoneError at once where
    QEMU is no longer `alive`, DeadlineError (boot) when the time is up, GuestConnectionError where the guest
    shows another host key than the one it was given.
    """
    from tenacity import RetryError, Retrying, retry_if_exception_type, wait_fixed

    begun = clock()
    patience = FIRST_BANNER_SECONDS

    def attempt() -> Connection:
        nonlocal patience
        _await(lambda: listening() or not alive(), seconds=UNTOLD_SECONDS)
        if not alive():
            raise GuestGoneError("QEMU ended while the guest was booting")
        left = max(seconds - (clock() - begun), 0.1)
        # A socket opened before the guest listened may stay silent for ever, so give up on it soon; but later
        # and later, for a guest that is merely slow to say its banner.
        patience *= 1.15
        banner = max(patience, TOLD_BANNER_SECONDS) if listening() else patience
        return once(dial, keys=keys, seconds=left, banner=min(banner, left), compress=compress)

    retrying = Retrying(
        retry=retry_if_exception_type(_not_yet()), stop=lambda _: clock() - begun >= seconds, wait=wait_fixed(0.03)
    )
    try:
        return retrying(attempt)
    except RetryError as error:
        raise DeadlineError("boot", seconds, "waiting for the guest's SSH service") from error


def _await(condition: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
