"""Triggers that are processes: programs started, children forked, signals sent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select

from harness.agent.commands import BUSYBOX, ENVIRONMENT, PATH, in_a_guest, located, run_program, why_not_started
from harness.agent.refusal import mistaken
from harness.agent.signals import SIGKILL, signal_name
from harness.agent.waiting import Watch

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from harness.agent.case_state import CaseState

STANDARD = ("/bin", "/usr/bin", "/sbin", "/usr/sbin")
"""Where busybox stands in for what is not there."""
NO_APPLET = ": applet not found"
"""What busybox writes, with exit code 127, where it has no command of a name."""
HEAD_BYTES, TAIL_BYTES = 16 * 1024, 16 * 1024
"""How much of a program's output is kept."""
OF_THE_CASE = (2, 8, 13, 80)
"""The errnos of a program that is nothing this kernel can run: ENOENT, ENOEXEC, EACCES, ELIBBAD."""
CHILD_SECONDS = 5.0
"""More than a child that does nothing ever takes."""
STOPPING = (19, 20, 21, 22)
"""SIGSTOP, SIGTSTP, SIGTTIN and SIGTTOU, the same on all our architectures: a child would never end of them."""


def trigger_exec(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Start a program and wait for its end, or kill it at the step's deadline (seconds).

    A relative path begins at the case's own folder, in which the program starts. What a usual folder of programs does
    not have is a command of busybox.
    """
    argv, folder = list(step["command"]), case.own.get("folder") or "/"
    environment = {"PATH": PATH, **ENVIRONMENT, **case.own.get("env", {}), **step["env"]}
    name = argv[0]
    program = os.path.normpath(os.path.join(folder, name)) if "/" in name else located(name, PATH)
    stands_in = _standing_in(case, program or f"/usr/bin/{name}")
    program = program or stands_in or name
    if not os.path.exists(program):
        return mistaken(f"{program} is not in the guest")
    if program in case.own.get("starts", {}):
        before = case.own["starts"][program]
        program, argv = before[0], [*before, program, *argv[1:]]
    texts: list[str] = []

    def send(text: str, cut: int) -> None:
        texts.append(text)
        case.send(text, cut)

    here = os.getcwd()
    os.chdir(folder if os.path.isdir(folder) else "/")
    try:
        found = run_program(
            program, argv, environment, deadline=step["deadline"], send=send, head=HEAD_BYTES, tail=TAIL_BYTES
        )
    except OSError as error:
        if error.errno not in OF_THE_CASE or (error.errno == 13 and os.access(program, os.X_OK)):
            raise  # not this program: a BPF program may refuse any
        return mistaken(why_not_started(program, error), error.errno)
    finally:
        os.chdir(here)
    if stands_in and found["exit"] == 127 and NO_APPLET in "".join(texts):
        return mistaken(f"{name} is not in the guest")
    case.child = found["child"]
    return found


def _standing_in(case: CaseState, program: str) -> str:
    """Let busybox stand where a usual program is missing, until the case ends; return its path, "" where it is not."""
    folder = os.path.dirname(program)
    if folder not in STANDARD or os.path.exists(program) or not in_a_guest():
        return program if program in case.made else ""
    os.symlink(BUSYBOX, program)
    case.made.append(program)
    return program


def trigger_fork(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Fork a child that ends at once with an exit code, and wait for it."""
    pid = os.fork()
    if pid == 0:
        os._exit(step["exit"])
    case.child = pid
    return ended(pid)


def trigger_signal(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Send a signal to this process, where it does nothing, or to a child, which has not changed what it does."""
    number = step["number"]
    if step["to"] == "child":
        return _signal_to_child(case, number)
    with harmless(number):
        os.kill(os.getpid(), number)
    return {}


@contextlib.contextmanager
def harmless(number: int) -> Iterator[None]:
    """Let a signal do nothing to this process for a while: its handler is a function of libc that does nothing."""
    libc = ctypes.CDLL("libc.so.6")
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    before = libc.signal(number, ctypes.cast(libc.abs, ctypes.c_void_p))
    try:
        yield
    finally:
        libc.signal(number, before)


def _signal_to_child(case: CaseState, number: int) -> dict[str, Any]:
    """Send a signal to a child that waits; one that does not end of it ends by itself."""
    libc = ctypes.CDLL("libc.so.6")
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    ready, gate = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(gate[1])
            if number != SIGKILL and number not in STOPPING[:1]:
                libc.signal(number, None)  # SIG_DFL: Python handles some, and ignores others
            os.write(ready[1], b".")
            os.read(gate[0], 1)
        finally:
            os._exit(0)
    case.child = pid
    os.close(ready[1])
    try:
        select.select([ready[0]], [], [], CHILD_SECONDS)
        os.kill(pid, number)
        if number in STOPPING:
            os.kill(pid, SIGKILL)
    finally:
        for fd in (ready[0], *gate):
            os.close(fd)
        found = ended(pid)
    return {"child": pid, "by": found["signal"]}


def ended(pid: int, seconds: float = CHILD_SECONDS) -> dict[str, Any]:
    """Wait for a child and return how it ended; kill it where it does not end in so many seconds."""
    watch = Watch(pid)
    timed_out = not watch.ends_within(seconds)
    if timed_out:
        os.kill(pid, SIGKILL)
    status = os.waitpid(pid, 0)[1]
    watch.close()
    return {
        "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": signal_name(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None,
        "timed_out": timed_out,
        "child": pid,
    }
