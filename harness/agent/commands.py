"""A command that a case runs: in a session of its own, its output sent while it comes, and how it ended."""

from __future__ import annotations

import codecs
import os
import select
import time

from harness.agent.refusal import errno_name
from harness.agent.signals import SIGKILL, signal_name
from harness.agent.waiting import LOOK_SECONDS, Watch

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

BUSYBOX, OWN_FOLDER = "/usr/bin/busybox", "/usr/lib/bpfmatrix"
"""Busybox, and the folder that only a guest has."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
ENVIRONMENT = {"HOME": "/root", "USER": "root"}
"""What a command gets beside its own variables."""
HEAD_BYTES, TAIL_BYTES = 512 * 1024, 256 * 1024
"""How much of a command's output is sent as it comes, and how much of what comes later once it has ended."""
PACE_SECONDS = 0.05
"""What comes within this time is one line of the protocol."""
CHUNK = 65536
DEFAULT_SIGNALS = (13, 25)
"""SIGPIPE and SIGXFSZ, which Python ignores, and a command would inherit that."""


class Output:
    """Sends a command's output: its head at once, its tail at the end; what is between is counted and left out."""

    def __init__(self, send: Callable[[str, int], None], *, head: int = 0, tail: int = 0) -> None:
        self._send = send
        self._head_bytes, self._tail_bytes = head or HEAD_BYTES, tail or TAIL_BYTES
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._waiting, self._tail = bytearray(), bytearray()
        self._sent = 0.0
        self.bytes = 0
        self.cut = 0

    def take(self, data: bytes) -> None:
        """Take what was read next."""
        room = max(self._head_bytes - self.bytes, 0)
        self.bytes += len(data)
        self._waiting += data[:room]
        self._tail += data[room:]
        if len(self._tail) > self._tail_bytes:
            self.cut += len(self._tail) - self._tail_bytes
            del self._tail[: -self._tail_bytes]

    def left(self) -> float | None:
        """Return for how many seconds what waits may wait; None where nothing does."""
        return max(self._sent + PACE_SECONDS - time.monotonic(), 0.0) if self._waiting else None

    def pace(self) -> None:
        """Send what has waited long enough."""
        if self.left() == 0.0:
            self._flush(self._waiting, final=False)
            self._waiting = bytearray()
            self._sent = time.monotonic()

    def end(self) -> None:
        """Send all that is left."""
        self._flush(self._waiting, final=not self._tail)
        if self._tail:
            if self.cut:
                self._decoder.reset()
            self._flush(self._tail, final=True, cut=self.cut)

    def _flush(self, data: bytearray, *, final: bool, cut: int = 0) -> None:
        text = self._decoder.decode(bytes(data), final)
        if text or cut:
            self._send(text, cut)


def run_command(step: dict[str, Any], *, send: Callable[[str, int], None]) -> dict[str, Any]:
    """Run a step's command to its end or to the step's deadline, and return how it ended.

    Its input is empty; output and error output are one, in the order in which they are written. `send` is given the
    text as it comes, and how many bytes are left out before it. At the deadline (seconds) the command's process group
    is killed. What it has left running is not waited for.
    """
    environment = {"PATH": with_applets(PATH), **ENVIRONMENT, **step.get("env", {})}
    os.makedirs(step["cwd"], exist_ok=True)
    os.chdir(step["cwd"])
    argv = step["argv"]
    program = located(argv[0], environment["PATH"])
    try:
        return run_program(program or argv[0], argv, environment, deadline=step["deadline"], send=send)
    except OSError as error:
        detail = why_not_started(program or argv[0], error)
        return {"ok": False, "refused": False, "errno": error.errno, "errno_name": errno_name(error.errno or 0)} | {
            "detail": detail
        }


def run_program(
    program: str,
    argv: list[str],
    environment: dict[str, str],
    *,
    deadline: float,
    send: Callable[[str, int], None],
    head: int = 0,
    tail: int = 0,
) -> dict[str, Any]:
    """Run a program to its end or to a deadline (seconds from now), and return how it ended; `child` was its pid.

    `head` and `tail` are the bytes of its output that are kept at least, without them as many as of a command. Raises
    OSError where it does not start.
    """
    reading, writing = os.pipe()
    try:
        pid = _spawn(program, argv, environment, writing)
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    output = Output(send, head=head, tail=tail)
    timed_out = _attend(pid, reading, output, end=time.monotonic() + deadline)
    status = os.waitpid(pid, 0)[1]
    _drain(reading, output)
    os.close(reading)
    output.end()
    return {
        "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": signal_name(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None,
        "timed_out": timed_out,
        "bytes": output.bytes,
        "cut": output.cut,
        "child": pid,
    }


def in_a_guest() -> bool:
    """Say whether this machine is a guest: only there busybox may take the place of programs."""
    return os.path.isdir(OWN_FOLDER)


def with_applets(path: str) -> str:
    """Return a PATH with a folder of busybox's commands at its end, which is made now; in a guest alone."""
    if not in_a_guest():
        return path
    folder = f"{OWN_FOLDER}/applets"
    if not os.path.isdir(folder):
        os.mkdir(folder)
        os.waitpid(os.posix_spawn(BUSYBOX, ["busybox", "--install", "-s", folder], {}), 0)
    return f"{path}:{folder}"


def located(name: str, path: str) -> str:
    """Return the program that a name stands for: itself where it has a slash, else the first in `path`, else ""."""
    if "/" in name:
        return name
    places = (os.path.join(folder, name) for folder in path.split(":") if folder)
    return next((place for place in places if os.path.isfile(place) and os.access(place, os.X_OK)), "")


def why_not_started(program: str, error: OSError) -> str:
    """Return a sentence that says why a program could not be started."""
    if not os.path.exists(program):
        return f"{program} is not in the guest"
    interpreter = interpreter_of(program)
    if error.errno == 2:  # ENOENT, of a file that is there
        return f"{program} needs {interpreter or 'an interpreter'}, which is not in the guest"
    if error.errno == 8:  # ENOEXEC
        return f"{program} is nothing that this kernel can run: no program of this architecture, and no #! line"
    if error.errno == 13 and not os.access(program, os.X_OK):
        return f"{program} may not be run: its file is not executable"
    return f"{program} cannot be started: {os.strerror(error.errno or 0)}"


def interpreter_of(program: str) -> str:
    """Return what a script's #! line names, or the loader of a program as far as its first bytes say; else ""."""
    try:
        with open(program, "rb") as file:
            head = file.read(4096)
    except OSError:
        return ""
    if head.startswith(b"#!"):
        return (head[2:].split(b"\n", 1)[0].split() or [b""])[0].decode(errors="replace")
    start = head.find(b"/lib")  # PT_INTERP lies behind the program headers
    return head[start:].split(b"\0", 1)[0].decode(errors="replace") if head.startswith(b"\x7fELF") and start > 0 else ""


def _spawn(program: str, argv: list[str], environment: dict[str, str], writing: int) -> int:
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        return os.posix_spawn(
            program,
            argv,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, null, 0), *((os.POSIX_SPAWN_DUP2, writing, fd) for fd in (1, 2))],
            setsid=True,
            setsigdef=DEFAULT_SIGNALS,
        )
    finally:
        os.close(null)


def _attend(pid: int, reading: int, output: Output, *, end: float) -> bool:
    """Pass the output on until the process ends; kill its group at the time `end`, and return whether that was so."""
    watch = Watch(pid)
    looks = LOOK_SECONDS if watch.fd is None else None
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    if watch.fd is not None:
        poll.register(watch.fd, select.POLLIN)
    try:
        while True:
            left = end - time.monotonic()
            if left <= 0:
                os.killpg(pid, SIGKILL)
                return True
            waits = [each for each in (left, output.left(), looks) if each is not None]
            ended = watch.fd is None and watch.has_ended()
            ready = {fd for fd, _ in poll.poll(0 if ended else 1000 * min(waits))}
            if reading in ready:
                data = os.read(reading, CHUNK)
                output.take(data)
                if not data:
                    poll.unregister(reading)
            if ended or watch.fd in ready:
                return False
            output.pace()
    finally:
        watch.close()


def _drain(reading: int, output: Output) -> None:
    """Take what was written before the end; a process that was left running may keep the pipe open, and write on."""
    os.set_blocking(reading, False)
    limit = output.bytes + HEAD_BYTES
    try:
        while output.bytes < limit:
            data = os.read(reading, CHUNK)
            if not data:
                return
            output.take(data)
    except BlockingIOError:
        return


MOST_FILES, MOST_BYTES = 200, 8 * 1024 * 1024
"""How many files that match a pattern are brought, and how many bytes altogether."""
MOST_NAMED = 50
"""How many of the files that are left out are named."""
PIECE = 128 * 1024
"""Characters of a file in one line of the protocol."""


def collect(pattern: str, *, send: Callable[[str, str], None]) -> dict[str, Any]:
    """Send the files that match a pattern (** for any folders), each in pieces; return how many, and what was left out.

    `send` is given a file's path and the next piece of its text. A file that would be too much is left out whole.
    """
    import glob  # noqa: PLC0415  (expensive, and few cases need it)

    files, left_out, room = 0, [], MOST_BYTES
    for path in sorted(glob.glob(pattern, recursive=True)):
        if not os.path.isfile(path):
            continue
        size = os.path.getsize(path)
        if files == MOST_FILES or size > room:
            left_out.append(path)
            continue
        with open(path, "rb") as file:
            text = file.read(room).decode("utf-8", errors="replace")
        files, room = files + 1, room - size
        for start in range(0, max(len(text), 1), PIECE):
            send(path, text[start : start + PIECE])
    return {"files": files, "left_out": left_out[:MOST_NAMED]}
