"""The process that a case has of its own, and the end of all that it has started."""

from __future__ import annotations

import contextlib
import os
import sys

from harness.agent.files import read_text
from harness.agent.scenario_run import Scenario
from harness.agent.signals import SIGKILL, signal_name
from harness.agent.steps import Case
from harness.agent.waiting import Watch

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any

    from harness.agent.libbpf import Libbpf
    from harness.agent.reporter import Reporter


def run_child(reporter: Reporter, lib: Libbpf, case: dict[str, Any]) -> dict[str, Any]:
    """Run a case in a child process; return how that ended."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            _made(reporter, lib, case).run()
            status = 0
        except BaseException as error:  # whatever it is, the parent must learn of it
            reporter.send("agent-error", case=case["id"], detail=f"{type(error).__name__}: {error}"[:2000])
        finally:
            os._exit(status)
    watch = Watch(pid)
    timed_out = not watch.ends_within(case["deadline"])
    if timed_out:
        os.kill(pid, SIGKILL)
    status = os.waitpid(pid, 0)[1]
    watch.close()
    return {
        "complete": os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0,
        "signal": signal_name(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None,
        "timed_out": timed_out,
    }


def _made(reporter: Reporter, lib: Libbpf, case: dict[str, Any]) -> Case:
    """Return what runs a case."""
    return Scenario(reporter, lib, case) if "scenario" in case else Case(reporter, lib, case)


def end_processes() -> None:
    """End what a case's process has started and not waited for: such a process becomes a child of this one."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                for child in children_of(os.getpid()):
                    os.kill(child, SIGKILL)  # its number is its own until it is waited for
                os.waitpid(-1, 0)


def children_of(parent: int) -> list[int]:
    """Return the processes of which a process is the parent (proc(5): the second word behind the name in stat)."""
    stats = [(int(pid), read_text(f"/proc/{pid}/stat")) for pid in os.listdir("/proc") if pid.isdigit()]
    return [pid for pid, stat in stats if stat and int(stat.rpartition(")")[2].split()[1]) == parent]
