"""What a scenario.py makes happen is seen by programs of real guests, each kind of trigger, and what came of it."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import Any

import pytest
from projects import INPUTS, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ["5.10-x86_64", "6.12-x86_64"]
SETUP = [
    {"make": "namespace", "name": "other"},
    {"make": "veth", "name": "a", "peer": "b", "address": "10.9.8.1/24", "peer-address": "10.9.8.2/24"}
    | {"peer-namespace": "other"},
]
HEAD = """
import os, signal
target = guest.open("prog.bpf.c", rodata={"my_pid": os.getpid()})
target.load()
trigger = guest.trigger
def counted(number, counter, program, call, what):
    link = target.attach(program)
    before = target.globals[counter]
    found = call()
    guest.expect_equal(target.globals[counter] - before, number, f"{what} is seen by {program}")
    link.detach()
    return found
"""
ALL = """
programs = guest.ring_buffer(target, "programs", record="struct started")
command = ["/bin/sh", "-c", "exit $CODE"]
ended = counted(1, "execs", "on_exec", lambda: trigger.exec(command, env={"CODE": "3"}), "exec")
guest.expect_equal((ended.exit, ended.signal, ended.timed_out), (3, "", False), "how it ended is known")
guest.expect_equal(programs.read(count=1), [{"pid": ended.pid, "comm": "sh"}], "and which process it was")
ended = trigger.exec(["sleep", "60"], deadline=0.2)
guest.expect_equal((ended.exit, ended.signal, ended.timed_out), (None, "SIGKILL", True), "the deadline ends it")
ended = counted(1, "forks", "on_fork", lambda: trigger.fork(7), "fork")
guest.expect_equal((ended.exit, ended.pid != os.getpid()), (7, True), "a child ended")

counted(1, "signals", "on_signal", lambda: trigger.signal(signal.SIGUSR2), "signal")
guest.expect_equal(target.globals["last_signal"], 12, "it is the one that was sent")
counted(1, "kills", "on_kill", lambda: trigger.signal(signal.SIGKILL, child=True), "signal to a child")

path = "/tmp/a-folder/a-file"
counted(1, "opens", "on_openat", lambda: trigger.open(path, bytes=10), "open")
counted(1, "creates", "on_create", lambda: trigger.open(mode="create"), "create")
counted(1, "renames", "on_rename", lambda: trigger.rename(path, "/tmp/a-folder/b"), "rename")
guest.expect(os.path.exists("/tmp/a-folder/b") and not os.path.exists(path), "the file has another name")
counted(1, "renames", "on_rename", lambda: trigger.rename(), "rename of its own")
counted(1, "unlinks", "on_unlink", lambda: trigger.unlink("/tmp/a-folder/b"), "unlink")
counted(1, "unlinks", "on_unlink", lambda: trigger.unlink(), "unlink of its own")
counted(1, "mkdirs", "on_mkdir", lambda: trigger.mkdir("/tmp/one"), "mkdir")
counted(1, "mkdirs", "on_mkdir", lambda: trigger.mkdir(), "mkdir of its own")
counted(1, "mounts", "on_mount", lambda: trigger.mount(), "mount")
counted(1, "umounts", "on_umount", lambda: trigger.mount(at="/tmp/place"), "umount")
counted(1, "opens", "on_openat", lambda: trigger.call("openat"), "a call")

def arrived(number, *seen):
    guest.expect_equal(counted(*seen), number, f"{seen[-1]} arrives")
arrived(3, 3, "udp4", "on_udp4", lambda: trigger.udp(count=3, bytes=1200, port=4712, arrive=3), "udp")
arrived(1, 1, "udp6", "on_udp6", lambda: trigger.udp("::1"), "udp over IPv6")
arrived(2, 2, "tcp4", "on_tcp4", lambda: trigger.tcp(count=2, bytes=300_000, arrive=2), "tcp")
arrived(1, 1, "tcp6", "on_tcp6", lambda: trigger.tcp("::1", port=4713, arrive=1), "tcp over IPv6")
arrived(2, 4, "echoes", "on_echo", lambda: trigger.ping(count=2, bytes=100, arrive=2), "ping")
arrived(1, 2, "echoes6", "on_echo6", lambda: trigger.ping("::1", arrive=1), "ping over IPv6")
arrived(0, 2, "dropped", "drop", lambda: trigger.udp(count=2, arrive=0), "nothing that a program drops")
arrived(2, 2, "dropped", "pass", lambda: trigger.udp(count=2, arrive=2), "all that a program passes")
there = {"to_namespace": "other", "arrive": 1}
arrived(1, 1, "udp4", "on_udp4", lambda: trigger.udp("10.9.8.2", **there), "udp to a namespace")
arrived(1, 1, "tcp4", "on_tcp4", lambda: trigger.tcp("10.9.8.2", **there), "tcp to a namespace")
def received():
    line = next(line for line in open("/proc/self/net/dev") if line.strip().startswith("a:"))
    return int(line.split()[2])
before = received()
back = {"from_namespace": "other", "arrive": 1}
arrived(1, 1, "udp4", "on_udp4", lambda: trigger.udp("10.9.8.1", **back), "udp from a namespace")
arrived(1, 2, "echoes", "on_echo", lambda: trigger.ping("10.9.8.1", **back), "ping from a namespace")
guest.expect_equal(received() - before, 2, "both come over the pair")

done = counted(1, "renames", "on_rename", lambda: trigger.workload("files"), "a piece of the workload")
guest.expect_equal(done, ["files"], "only that is done")
before = target.globals["tcp4"]
target.attach("on_tcp4")
guest.expect({"files", "tcp", "udp", "mounts"} <= set(trigger.workload()), "the whole workload is done")
guest.expect(target.globals["tcp4"] > before, "and seen")
"""
OTHERS = {
    "no-program": (
        'trigger.exec(["/usr/bin/no-such-program"])',
        "lost",
        "/usr/bin/no-such-program is not in the guest",
    ),
    "no-name": ('trigger.exec(["no-such-program"])', "lost", "no-such-program is not in the guest"),
    "not-the-guests": ('trigger.unlink("/usr/bin/busybox")', "lost", "/usr/bin/busybox is the guest's"),
    "no-address": (
        'trigger.udp("192.0.2.77", arrive=1)',
        "lost",
        "192.0.2.77 is no address of the case's network namespace",
    ),
    "no-namespace": ('trigger.udp(to_namespace="else")', "lost", "there is no network namespace else"),
    "no-file-system": (
        'trigger.mount("nosuchfs")',
        "not-applicable",
        "needs nosuchfs, which this kernel does not have",
    ),
    "no-piece": ('trigger.workload("file")', "lost", "file"),
    "no-call": ('trigger.call("opennat")', "lost", "opennat"),
    "y-killed": (
        'trigger.mkdir("/tmp/place")\nos.kill(os.getpid(), signal.SIGKILL)',
        "lost",
        "SIGKILL",
    ),
    "z-after": (
        """
found = [name for name in os.listdir("/tmp") if name.startswith(("bpfmatrix-", "a-folder", "one", "place"))]
guest.expect_equal([*found, os.path.lexists("/usr/bin/no-such-program")], [False], "nothing is left of the others")
        """,
        "works",
        "its expectation holds",
    ),
    "not-seen": (
        'counted(1, "renames", "on_rename", lambda: trigger.unlink(), "rename")',
        "misbehaves",
        "rename is seen by on_rename",
    ),
}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("scenario-triggers")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    for name, lines in {"all": ALL, **{name: lines for name, (lines, _, _) in OTHERS.items()}}.items():
        copy = project.folder / "bpf" / name
        shutil.copytree(INPUTS / "triggers", copy)
        (copy / "case.yaml").write_text(json.dumps({"title": "t", "setup": SETUP if name == "all" else []}))
        (copy / "scenario.py").write_text("def scenario(guest):\n" + textwrap.indent(HEAD + lines, "    "))
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=800)
    report = json.loads((folder / "r/latest/report.json").read_text())
    assert report["cells"], done.output
    return {(cell["kernel"], cell["case"]): cell for cell in report["cells"]}


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_kind_of_trigger_does_what_a_scenario_asks_for(kernel: str, cells: dict[tuple[str, str], Any]) -> None:
    assert cells[kernel, "all"]["verdict"] == "pass", cells[kernel, "all"]["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", OTHERS)
def test_what_is_wrong_is_said_and_nothing_is_left(name: str, kernel: str, cells: dict[tuple[str, str], Any]) -> None:
    _, outcome, reason = OTHERS[name]
    cell = cells[kernel, name]
    assert (cell["outcome"], reason in cell["reason"]) == (outcome, True), cell["reason"]
