"""One QEMU process: started, watched, and gone at the end whatever happens."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import QemuError
from harness.host.process import find_tool
from harness.host.run_clock import RunClock
from harness.qemu.argv import GuestSpec, qemu_argv
from harness.qemu.monitor import Monitor
from harness.qemu.pages import no_huge_pages

STDERR = "qemu.stderr"

_live: set[QemuProcess] = set()
_live_guard = threading.Lock()


def end_all() -> None:
    """End every QEMU that this process runs, now. Whoever waits for one finds it gone.

    One that is just being started is not known yet: `running` ends it, if its `stopping` was set before.
    """
    with _live_guard:
        for qemu in _live:
            qemu.end()


@dataclass(frozen=True, kw_only=True)
class Death:
    """How a QEMU process ended. `reason` is the monitor's word; `returncode` as subprocess has it."""

    reason: str | None
    returncode: int
    stderr: str

    def describe(self) -> str:
        """Return one sentence about it."""
        if self.returncode < 0:
            return f"QEMU was killed by {_signal_name(-self.returncode)}"
        said = f"; it said: {self.stderr.strip()}" if self.stderr.strip() else ""
        return f"QEMU ended with exit code {self.returncode} ({self.reason or 'no reason given'}){said}"


class QemuProcess:
    """A running QEMU. Use `running` to get one."""

    def __init__(self, process: subprocess.Popen[bytes], *, monitor: Monitor, folder: Path, console: Path) -> None:
        self._process = process
        self.monitor = monitor
        self.folder = folder
        self._stderr = folder / STDERR
        self._console = console
        self.started = time.monotonic()
        """When QEMU was started, by the host's monotonic clock, in seconds."""
        self.clock = RunClock(process.pid)
        """The clock that the guest's deadlines go by."""
        self.peak_memory = 0.0
        self.listening = False
        """Whether the guest is known to serve SSH; who finds out sets it."""
        self.has_agent = False
        """Whether the agent has been pushed to the guest already, as it is in a restored one."""
        self.line: socket.socket | None = None
        """A connection to the guest's spare serial port that somebody has opened already."""

    @property
    def pid(self) -> int:
        """The process id of QEMU."""
        return self._process.pid

    def alive(self) -> bool:
        """Say whether QEMU still runs."""
        return self._process.poll() is None

    def note_memory(self) -> None:
        """Look how much memory QEMU has taken at most so far; `peak_memory` has it in MiB."""
        with contextlib.suppress(OSError, ValueError):
            status = Path(f"/proc/{self.pid}/status").read_text()
            self.peak_memory = int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def wait(self, seconds: float) -> bool:
        """Wait for QEMU's end, at most `seconds`; say whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.alive()

    def death(self) -> Death | None:
        """Return how QEMU ended, or None while it runs."""
        returncode = self._process.poll()
        if returncode is None:
            return None
        return Death(
            reason=self.monitor.shutdown_reason(),
            returncode=returncode,
            stderr=self._stderr.read_text(errors="replace") if self._stderr.exists() else "",
        )

    def console_text(self) -> str:
        """Return what the guest has written to its console so far."""
        return self._console.read_bytes().decode(errors="replace") if self._console.exists() else ""

    def end(self) -> None:
        """Tell QEMU to end at once, without waiting; does nothing where it has ended already."""
        if self.alive():
            self._process.kill()

    def kill(self) -> None:
        """End QEMU at once and wait until it is gone."""
        self.end()
        self._process.wait()


END_SECONDS = 10.0
"""How long a QEMU may take to end whose monitor has ended: on a busy host it frees its memory slowly."""


@contextlib.contextmanager
def running(
    make_spec: Callable[[int], GuestSpec],
    *,
    folder: Path,
    stopping: threading.Event | None = None,
    huge_pages: bool = False,
) -> Iterator[QemuProcess]:
    """Run QEMU for the duration of the block; it is gone afterwards, however the block is left.

    `make_spec` gets the file descriptor of the monitor's socket. `folder` takes QEMU's error output. An emulating
    QEMU has `huge_pages` only where they are asked for (harness/qemu/pages.py). QEMU also dies with the thread that
    started it (PR_SET_PDEATHSIG, set by setpriv), so that not even SIGKILL of the harness leaves it behind. Raises
    QemuError where QEMU does not start, or `stopping` was set before it was known to `end_all`.
    """
    setpriv = find_tool("setpriv", package="util-linux", purpose="tie QEMU's life to the harness")
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            spec = make_spec(theirs.fileno())
            argv = qemu_argv(spec)
            argv[0] = find_tool(argv[0], package=spec.arch.qemu_package, purpose=f"boot {spec.arch.name} kernels")
            pages = no_huge_pages() if spec.accel == "tcg" and not huge_pages else contextlib.nullcontext()
            with (folder / STDERR).open("wb") as errors, pages:
                process = subprocess.Popen(
                    [setpriv, "--pdeathsig", "KILL", "--", *argv],
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        monitor = Monitor(folder.name)
        qemu = QemuProcess(process, monitor=monitor, folder=folder, console=spec.console)
        with _live_guard:
            _live.add(qemu)
            if stopping is not None and stopping.is_set():
                qemu.end()
        try:
            try:
                monitor.connect(ours)
            except QemuError as error:
                qemu.wait(END_SECONDS)
                death = qemu.death()
                reason = death.describe() if death else str(error)
                raise QemuError(f"QEMU did not start: {reason}\n  command: {' '.join(argv)}") from error
            yield qemu
        finally:
            qemu.kill()
            with _live_guard:
                _live.discard(qemu)
            monitor.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def wait_until(
    condition: Callable[[], bool],
    *,
    seconds: float,
    step: float = 0.02,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait until `condition` holds, at most `seconds` by `clock`; say whether it does."""
    end = clock() + seconds
    while not condition():
        if clock() >= end:
            return False
        time.sleep(step)
    return True
