"""All cases of a job, one after the other."""

from __future__ import annotations

import os
import resource
import time

from harness.agent.child import end_processes, run_child
from harness.agent.environment import clear_warn_once, environment
from harness.agent.kernel_config import configured_otherwise, values_of
from harness.agent.leftovers import Surroundings
from harness.agent.modules import load_modules, loaded_modules
from harness.agent.reporter import Reporter
from harness.agent.setup import missing_folders, remove_folders
from harness.agent.sharing import SharedLoads
from harness.agent.sysctls import put_back, set_sysctls

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any

    from harness.agent.kernel_log import KernelLog
    from harness.agent.libbpf import Libbpf

PROTOCOL = 2
MAKING = ("call", "exec", "open", "rename", "unlink", "mkdir", "mount")
"""The triggers that make files, folders or mounts (CaseState.made)."""
LAST_WORDS_SECONDS = 0.03


def run_case(
    reporter: Reporter,
    lib: Libbpf,
    log: KernelLog,
    case: dict[str, Any],
    *,
    before: Surroundings,
    loads: SharedLoads | None = None,
) -> str | None:
    """Run one case with its modules and sysctls, and report its end with the kernel's new messages.

    A case that needs another configuration of the kernel ends before that.
    `before` is what the guest was like before its first case (Surroundings), `loads` are the objects that several cases
    share. Return why no other case may run in this guest, or None.
    """
    load = loads.of(case) if loads is not None else None
    modules = case.get("modules", ()) if load is None else ()  # those of a shared load are there with it
    start = time.monotonic()
    clear_warn_once()
    reporter.at(-1)
    config = {"config": values_of(case["options"])} if "options" in case else {}
    reporter.send("case", case=case["id"], **config, **log.read())  # with the end of the case before
    changed: dict[str, str] = {}
    folders = missing_folders(case)
    before.prepare()
    try:
        end = configured_otherwise(case.get("kconfig", {})) or load_modules(modules)
        own = loaded_modules() if modules else set()
        end = end or set_sysctls(case.get("sysctls", {}), changed) or run_child(reporter, lib, case, load)
    finally:
        end_processes(keep=loads.pid if loads is not None else 0)
        stuck = [f"the sysctl {name}" for name in put_back(changed)]
    found = before.restore(case["id"])
    remove_folders(folders)
    # A module that this kernel does not let go is nothing that the case did.
    left = [each for each in found if each["kind"] != "module" or each["name"] not in own]
    stuck += [f"the {each['kind']} {each['name']}" for each in found]
    if not end["complete"] and makes_files(case):
        stuck.append("files that its process may have made and could not remove")
    seconds = round(time.monotonic() - start, 6)
    reporter.hold("case-end", case=case["id"], seconds=seconds, step=reporter.step, left=left, **end, **log.read())
    return f"after {case['id']} the guest is not as it was before: {', '.join(stuck)}"[:500] if stuck else None


def makes_files(case: dict[str, Any]) -> bool:
    """Say whether a case may make files, which its process removes at its end if it comes to that."""
    return "scenario" in case or any(step.get("kind") in MAKING for step in case.get("steps", ()))


def open_console() -> int:
    """Return a file descriptor of the console that never makes a writer wait, or -1 where there is none."""
    try:
        return os.open("/dev/console", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return -1


def serve(job: dict[str, Any], *, lib: Libbpf, log: KernelLog, fd: int) -> None:
    """Run all cases of a job and write the protocol's lines to `fd`; the last one says how many there were."""
    reporter = Reporter(fd, console=open_console())
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    uptime = round(time.monotonic(), 3)
    reporter.hold("hello", protocol=PROTOCOL, uptime=uptime, environment=environment(lib), **log.read())
    if sum(step.get("stats", False) for case in job["cases"] for step in case.get("steps", ())) > 1:
        lib.share_kernel_btf()
    before, ran, stopped = Surroundings(), 0, None
    loads = SharedLoads(job, reporter, lib, log, before)
    for case in job["cases"]:
        if stopped is None:
            stopped = run_case(reporter, lib, log, case, before=before, loads=loads)
            ran += 1
    loads.close()
    left = before.settle()
    if ran == len(job["cases"]):
        stopped = None
    last = log.read(wait=LAST_WORDS_SECONDS)  # what a kernel has to say of a case may come when its programs are freed
    reporter.send("done", cases=ran, left=left, stopped=stopped, lines=reporter.lines + 1, **last)
