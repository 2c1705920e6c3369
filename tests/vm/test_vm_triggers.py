"""What triggers make happen is seen by programs of real guests; a trigger that does something else is red."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import Any

import pytest
from projects import INPUTS, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ["5.10-x86_64", "6.12-x86_64"]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """Programs, a trigger, and the variables and records that they leave; `wrong` is in the reason where it is red."""

    attach: str | list[str]
    trigger: dict[str, Any]
    globals: dict[str, Any] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)
    wrong: str = ""
    outcome: str = "misbehaves"

    @property
    def keys(self) -> dict[str, Any]:
        attach = [self.attach] if isinstance(self.attach, str) else self.attach
        return {
            "title": "a trigger",
            "target": {"object": "prog.bpf.c", "attach": attach, "rodata": {"my_pid": "$trigger-pid"}},
            "trigger": self.trigger,
            "observe": {"globals": self.globals, "records": self.records},
        }


def call(name: str) -> dict[str, Any]:
    return {"kind": "call", "name": name}


def started(comm: str) -> dict[str, Any]:
    return {"programs": [{"pid": "$child-pid", "comm": comm}]}


PATH = "/tmp/a-folder/a-file"
TRIED = {
    "exec": Tried(
        attach="on_exec",
        trigger={"kind": "exec", "command": ["/bin/true"]},
        globals={"execs": 1},
        records=started("true"),
    ),
    "exec-by-name": Tried(
        attach="on_exec",
        trigger={"kind": "exec", "command": "false", "exit": 1},
        records=started("false"),
    ),
    "exec-any-exit": Tried(
        attach="on_exec",
        trigger={"kind": "exec", "command": ["/bin/sh", "-c", "exit $CODE"], "env": {"CODE": 3}, "exit": "any"},
        records=started("sh"),
    ),
    "exec-wrong-exit": Tried(
        attach="on_exec",
        trigger={"kind": "exec", "command": ["/bin/sh", "-c", "echo what it wrote; exit 3"]},
        wrong="sh ended with exit code 3: what it wrote",
    ),
    "exec-too-slow": Tried(
        attach="on_exec",
        trigger={"kind": "exec", "command": "sleep 60", "deadline": 0.5},
        wrong="sleep did not end within its deadline of 0.5 s",
    ),
    "exec-not-there": Tried(
        attach="on_exec",
        trigger={"kind": "exec", "command": ["/usr/bin/no-such-program"]},
        wrong="/usr/bin/no-such-program is not in the guest",
        outcome="lost",
    ),
    "fork": Tried(attach="on_fork", trigger={"kind": "fork", "exit": 7}, globals={"forks": 1}),
    "signal": Tried(
        attach="on_signal",
        trigger={"kind": "signal", "number": "SIGUSR2"},
        globals={"signals": 1, "last_signal": 12},
    ),
    "signal-to-child": Tried(
        attach="on_kill",
        trigger={"kind": "signal", "number": "SIGKILL", "to": "child"},
        globals={"kills": 1},
    ),
    "open": Tried(
        attach=["on_read", "on_openat"],  # libbpf opens files to attach
        trigger={"kind": "open", "path": PATH, "bytes": 10},
        globals={"opens": 1, "reads": {"at-least": 1}},
    ),
    "create": Tried(
        attach=["on_create", "on_openat"],
        trigger={"kind": "open", "mode": "create"},
        globals={"opens": 1, "creates": 1},
    ),
    "rename": Tried(attach="on_rename", trigger={"kind": "rename"}, globals={"renames": 1}),
    "rename-to": Tried(
        attach=["on_rename", "on_unlink"],
        trigger={"kind": "rename", "path": PATH, "to": "/tmp/another-folder/b"},
        globals={"renames": 1, "unlinks": 0},
    ),
    "unlink": Tried(attach="on_unlink", trigger={"kind": "unlink"}, globals={"unlinks": 1}),
    "not-the-guests": Tried(
        attach="on_unlink",
        trigger={"kind": "unlink", "path": "/usr/bin/busybox"},
        wrong="/usr/bin/busybox is the guest's",
        outcome="lost",
    ),
    "mkdir": Tried(attach="on_mkdir", trigger={"kind": "mkdir", "path": "/tmp/one"}, globals={"mkdirs": 1}),
    "mount": Tried(attach=["on_mount", "on_umount"], trigger={"kind": "mount"}, globals={"mounts": 1, "umounts": 1}),
    "no-file-system": Tried(
        attach="on_mount",
        trigger={"kind": "mount", "type": "nosuchfs"},
        wrong="the trigger mount needs nosuchfs, which this kernel does not have (ENODEV)",
        outcome="not-applicable",
    ),
    "call-openat": Tried(attach="on_openat", trigger=call("openat"), globals={"opens": 1}),
    "call-rename": Tried(attach="on_rename", trigger=call("rename"), globals={"renames": 1}),
    "call-unlink": Tried(attach="on_unlink", trigger=call("unlink"), globals={"unlinks": 1}),
    "call-mkdir": Tried(attach="on_mkdir", trigger=call("mkdir"), globals={"mkdirs": 1}),
    "call-kill": Tried(attach="on_kill", trigger=call("kill"), globals={"kills": 1}),
    "call-mount": Tried(attach="on_mount", trigger=call("mount"), globals={"mounts": 1}),
    "call-fork": Tried(attach="on_fork", trigger=call("fork"), globals={"forks": 1}),
    "call-read": Tried(attach="on_read", trigger=call("read"), globals={"reads": 1}),
    "call-write": Tried(attach="on_write", trigger=call("write"), globals={"writes": {"at-least": 1}}),
    "udp": Tried(
        attach="on_udp4",
        trigger={"kind": "udp", "bytes": 1200, "count": 3, "port": 4712},
        globals={"udp4": 3},
    ),
    "udp6": Tried(attach="on_udp6", trigger={"kind": "udp", "to": "::1"}, globals={"udp6": 1}),
    "tcp": Tried(
        attach="on_tcp4",
        trigger={"kind": "tcp", "bytes": 300_000, "count": 2, "port": 4713},
        globals={"tcp4": 2},
    ),
    "tcp6": Tried(attach="on_tcp6", trigger={"kind": "tcp", "to": "::1"}, globals={"tcp6": 1}),
    "ping": Tried(
        attach="on_echo",
        trigger={"kind": "ping", "count": 2},
        globals={"echoes": 4},
    ),
    "ping6": Tried(attach="on_echo6", trigger={"kind": "ping", "to": "::1"}, globals={"echoes6": 2}),
    "dropped": Tried(
        attach="drop",
        trigger={"kind": "udp", "count": 2, "arrive": "none"},
        globals={"dropped": 2},
    ),
    "not-dropped": Tried(
        attach="pass",
        trigger={"kind": "udp", "arrive": "none"},
        wrong="of 1 x udp to 127.0.0.1 0 must arrive, but 1 did",
    ),
    "dropped-unasked": Tried(
        attach="drop",
        trigger={"kind": "tcp"},
        wrong="of 1 x tcp to 127.0.0.1 1 must arrive, but 0 did (ETIMEDOUT)",
    ),
    "whatever-arrives": Tried(
        attach="drop",
        trigger={"kind": "ping", "arrive": "any"},
        globals={"dropped": 1},
    ),
    "no-address": Tried(
        attach="on_udp4",
        trigger={"kind": "udp", "to": "192.0.2.77"},
        wrong="192.0.2.77 is no address of the case's network namespace",
        outcome="lost",
    ),
    "workload": Tried(
        attach=["on_rename", "on_mount", "on_tcp4"],
        trigger={"kind": "workload", "pieces": ["files"]},
        globals={"renames": 1, "mounts": 0, "tcp4": 0},
    ),
    "whole-workload": Tried(
        attach=["on_rename", "on_mount", "on_tcp4"],
        trigger={"kind": "workload"},
        globals={"renames": {"at-least": 1}, "mounts": {"at-least": 1}, "tcp4": {"at-least": 1}},
    ),
    "nothing-happens": Tried(
        attach="on_rename",
        trigger=call("nanosleep"),
        globals={"renames": 1},
        wrong="the variable renames must be 1, but is 0",
    ),
}
NAMES = ["refused-17-exec", "refused-17b-openat"]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("triggers")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    for name in NAMES:
        shutil.copytree(INPUTS / name, project.folder / "bpf" / name)
    for name, tried in TRIED.items():
        copy = project.folder / "bpf" / name
        shutil.copytree(INPUTS / "triggers", copy)
        (copy / "case.yaml").write_text(json.dumps(tried.keys))
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=800)
    report = json.loads((folder / "r/latest/report.json").read_text())
    assert report["cells"], done.output
    return {(cell["kernel"], cell["case"]): cell for cell in report["cells"]}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", [*NAMES, *(name for name, tried in TRIED.items() if not tried.wrong)])
def test_what_a_trigger_does_is_seen(kernel: str, name: str, cells: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert cells[kernel, name]["verdict"] == "pass", cells[kernel, name]["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", [name for name, tried in TRIED.items() if tried.wrong])
def test_what_is_wrong_is_said(kernel: str, name: str, cells: dict[tuple[str, str], dict[str, Any]]) -> None:
    tried, cell = TRIED[name], cells[kernel, name]
    assert cell["outcome"] == tried.outcome, cell["reason"]
    assert tried.wrong in cell["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_a_program_wrote_is_kept(kernel: str, cells: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert cells[kernel, "exec-wrong-exit"]["output"] == "what it wrote\n"
