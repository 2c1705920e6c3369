"""A blocking face for QEMU's monitor protocol, on top of the qemu.qmp library's asynchronous one."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from qemu.qmp import QMPClient, Runstate

from harness.errors import QemuError

Result = TypeVar("Result")
ANSWER_SECONDS = 20.0
LAST_WORDS_SECONDS = 2.0
"""How long QEMU's last events may take from the socket to us once it has ended."""

_loop: asyncio.AbstractEventLoop | None = None
_guard = threading.Lock()


def _shared_loop() -> asyncio.AbstractEventLoop:
    """Return the one event loop that serves all monitors, in a thread of its own."""
    global _loop  # noqa: PLW0603
    with _guard:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="qmp", daemon=True).start()
        return _loop


class Monitor:
    """One QEMU's monitor. Remembers why the guest shut down, if it did."""

    def __init__(self, name: str, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """`loop` is a running one in another thread; without it, the one that all monitors share."""
        self._loop = loop or _shared_loop()
        self._client = QMPClient(name)
        self._shutdown: dict[str, Any] | None = None

    def connect(self, connection: socket.socket) -> None:
        """Greet QEMU over an open socket; raise QemuError where it does not answer in time."""

        async def greet() -> None:
            await self._client.connect(connection)

        self._wait(greet(), "greeting")

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        """Run one command and return what it returns; raise QemuError where it fails or gives no answer."""
        return self._wait(self._client.execute(name, arguments or {}), name)

    def forwarded_port(self) -> int:
        """Return the port of 127.0.0.1 that leads to the guest's SSH service."""
        text = self.command("human-monitor-command", {"command-line": "info usernet"})
        return parse_forwarded_port(text)

    def shutdown_reason(self) -> str | None:
        """Return QEMU's reason for the guest's shutdown (`guest-reset`, `guest-shutdown`, ...), if any.

        To be asked when QEMU has ended: then its last message may still be on its way, so it is waited for.
        """
        self._wait(self._all_read(), "reading the last events")
        while not self._client.events.empty():
            event: dict[str, Any] = dict(self._wait(self._client.events.get(), "reading events"))
            if event.get("event") == "SHUTDOWN":
                self._shutdown = dict(event.get("data", {}))
        return None if self._shutdown is None else str(self._shutdown.get("reason"))

    async def _all_read(self) -> None:
        end = asyncio.get_running_loop().time() + LAST_WORDS_SECONDS
        while self._client.runstate is Runstate.RUNNING and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.005)  # until the reader has come to the end of the stream

    def close(self) -> None:
        """Let go of the connection; never raises."""
        try:
            self._wait(self._client.disconnect(), "closing")
        except (QemuError, OSError, EOFError):
            return

    def _wait(self, coroutine: Coroutine[Any, Any, Result], what: str) -> Result:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(ANSWER_SECONDS)
        except Exception as error:
            future.cancel()
            raise QemuError(f"QEMU's monitor failed while {what}: {str(error) or type(error).__name__}") from error


def parse_forwarded_port(text: str) -> int:
    """Read HMP's `info usernet`: the host port of the one forwarded TCP connection; raise QemuError."""
    match = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s", text)
    if match is None:
        raise QemuError(f"QEMU forwards no port to the guest's SSH service: {text!r}")
    return int(match.group(1))
