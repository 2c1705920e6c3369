"""What keeps a program that may refuse or kill anything from silencing the agent: while it is attached, nobody else
of the guest has anything to do.

An LSM program on `socket_sendmsg` refuses what the SSH server sends, and that ends then; one that signals each process
at its next system call kills what brings the agent's lines. So the agent's lines wait until the program is detached,
or gone with its process; before it is attached, what was under way comes to rest; and the process that has it ends at
its deadline by a timer of its own: the agent's signal may be refused (`task_kill`), the kernel's is not.
"""

from __future__ import annotations

import ctypes
import struct
import time

from harness.agent.files import read_text
from harness.agent.signals import SIGKILL

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from harness.agent.reporter import Reporter

LOOKS, LOOK_SECONDS = 8, 0.0005
"""How often it is looked at most whether others rest, and the time between: that of this process, which they have."""
GRACE = 1.0
"""Seconds beyond the deadline, at which the agent itself ends the process."""
CLOCK_MONOTONIC, SIGEV_SIGNAL = 1, 0


def guard(reporter: Reporter, *, seconds: float, alone: bool) -> None:
    """Let the lines wait from now on, and everybody else rest; end this process in so many seconds and a grace.

    What comes before is written where the case is `alone` in its guest, and may well end that.
    """
    if alone:
        reporter.try_flush()
    reporter.waits = True
    end_within(seconds + GRACE)
    let_rest()


def let_rest() -> None:
    """Wait until no other process wants to run: what it was given is done then (/proc/loadavg, proc(5)).

    That takes a few milliseconds; a kernel's own threads may want to run for longer.
    """
    for _ in range(LOOKS):
        if runnable() <= 1:
            return
        time.sleep(LOOK_SECONDS)


def runnable() -> int:
    """Return how many processes run or want to, this one included; 0 where the kernel does not say it."""
    columns = (read_text("/proc/loadavg") or "").split()
    count = columns[3].partition("/")[0] if len(columns) > 3 else ""
    return int(count) if count.isdigit() else 0


def end_within(seconds: float) -> bool:
    """Have the kernel kill this process in so many seconds (timer_create(2)); return whether it will.

    A signal of the kernel's own asks no security module. Programs that this process starts have no such timer.
    """
    libc = ctypes.CDLL(None)
    timer = ctypes.c_void_p(0)
    # struct sigevent: sigev_value, sigev_signo, sigev_notify; struct itimerspec: it_interval, it_value
    event = struct.pack("@PiI48x", 0, SIGKILL, SIGEV_SIGNAL)
    if libc.timer_create(CLOCK_MONOTONIC, event, ctypes.byref(timer)) != 0:
        return False
    whole = int(seconds)
    value = struct.pack("@4l", 0, 0, whole, int((seconds - whole) * 1e9))
    return bool(libc.timer_settime(timer, 0, value, None) == 0)
