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
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from harness.agent.bpf_object import BpfObject
    from harness.agent.libbpf import Libbpf
    from harness.agent.reporter import Reporter
    from harness.agent.sharing import Forked, SharedLoad

NO_OBJECTS: Mapping[str, BpfObject] = {}


def run_child(reporter: Reporter, lib: Libbpf, case: dict[str, Any], load: SharedLoad | None = None) -> dict[str, Any]:
    """Run a case in a process of its own, made by that which has loaded its object, if any; return how it ended."""
    process: Child | Forked = load.start(case) if load is not None else Child(reporter, lib, case)
    timed_out = not process.ends_within(case["deadline"])
    if timed_out and process.pid:
        # It may have ended by now; and a program of its own may refuse it: then its timer ends it (guard.py).
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.kill(process.pid, SIGKILL)
    status = process.status()
    return {
        "complete": os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0,
        "signal": signal_name(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None,
        "timed_out": timed_out,
    }


class Child:
    """The process of a case."""

    def __init__(self, reporter: Reporter, lib: Libbpf, case: dict[str, Any]) -> None:
        """Start it."""
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            in_child(reporter, lib, case)
        self._watch = Watch(self.pid)

    def ends_within(self, seconds: float) -> bool:
        """Wait so many seconds for its end, and say whether that came."""
        return self._watch.ends_within(seconds)

    def status(self) -> int:
        """Wait for its end; return its status as waitpid(2) has it."""
        status = os.waitpid(self.pid, 0)[1]
        self._watch.close()
        return status


def in_child(
    reporter: Reporter, lib: Libbpf, case: dict[str, Any], *, objects: Mapping[str, BpfObject] = NO_OBJECTS
) -> NoReturn:
    """Run a case in this process, with these objects loaded already, and end the process."""
    status = 70
    try:
        made = _made(reporter, lib, case)
        if objects:
            made.take(objects)
        made.run()
        status = 0
    except BaseException as error:  # whatever it is, the parent must learn of it
        reporter.hold("agent-error", case=case["id"], detail=f"{type(error).__name__}: {error}"[:2000])
        reporter.try_flush()
    finally:
        os._exit(status)


def _made(reporter: Reporter, lib: Libbpf, case: dict[str, Any]) -> Case:
    """Return what runs a case."""
    return Scenario(reporter, lib, case) if "scenario" in case else Case(reporter, lib, case)


def end_processes(keep: int = 0) -> None:
    """End what a case's process has started and not waited for: such a process becomes a child of this one.

    One that is to be kept is not ended.
    """
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                others = [child for child in children_of(os.getpid(), keep) if child != keep]
                if keep and not others:
                    return
                for child in others:
                    os.kill(child, SIGKILL)  # its number is its own until it is waited for
                os.waitpid(others[0] if keep else -1, 0)


def children_of(parent: int, known: int = 0) -> list[int]:
    """Return the processes of which a process is the parent (proc(5): the second word behind the name in stat).

    Where one is `known`, and the kernel lists those of the parent's first thread with it (CONFIG_PROC_CHILDREN), these
    are all: to look at every process takes longer.
    """
    listed = [int(pid) for pid in (read_text(f"/proc/{parent}/task/{parent}/children") or "").split()] if known else []
    if known in listed:
        return listed
    stats = [(int(pid), read_text(f"/proc/{pid}/stat")) for pid in os.listdir("/proc") if pid.isdigit()]
    return [pid for pid, stat in stats if stat and int(stat.rpartition(")")[2].split()[1]) == parent]
