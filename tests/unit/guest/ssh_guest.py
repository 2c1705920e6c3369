"""A port of the loopback behind which a guest boots and serves SSH, and the way to it."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OK

from harness.guest.connection import Connection, connect, dial_port
from harness.supply.image.keys import RunKeys, make_keys

KEYS = make_keys()


Program = Callable[[paramiko.Channel], None]


TICK = 0.04


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
        self.service: type[Service] = Service
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
                    transport.start_server(event=threading.Event(), server=self.service(self))


def reach(
    guest: Guest,
    *,
    seconds: float = 10,
    alive: Callable[[], bool] = lambda: True,
    keys: RunKeys = KEYS,
    clock: Callable[[], float] = time.monotonic,
) -> Connection:
    return connect(dial_port(guest.port), keys=keys, seconds=seconds, alive=alive, clock=clock)


@contextlib.contextmanager
def reached(guest: Guest) -> Iterator[Connection]:
    with guest:
        connection = reach(guest)
        try:
            yield connection
        finally:
            connection.close()


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

    def __init__(self, server: Service, *anything: object) -> None:
        super().__init__(server, *anything)
        self.guest = server.guest

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        self.guest.hang_if("open")
        if path != "/pipe":
            return int(SFTP_NO_SUCH_FILE)
        # sftp-server.c, process_write(): one that is not appended to is sought in, which a pipe does not allow.
        return Pipe(self.guest, flags) if flags & os.O_APPEND else int(SFTP_FAILURE)
