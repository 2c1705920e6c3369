"""The guest agent: the log of a refusal, modules of a case's own, and that nothing of a case is left behind."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

agent: Any = importlib.import_module("harness.guest_agent")

# --- the verifier's log -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "memory", "room"),
    [
        ("6.1.0-50-cloud-amd64", 2**30, 64 * 2**20),
        ("5.2.0", 2**30, 64 * 2**20),
        ("5.1.21-mine", 2**30, 2**24 - 1),
        ("4.19", 2**30, 2**24 - 1),
        ("6.12.107+deb13-cloud-amd64", 2**27, 2**25),
        ("strange", 2**30, 2**24 - 1),
    ],
)
def test_the_log_has_as_much_room_as_the_kernel_and_the_guest_allow(release: str, memory: int, room: int) -> None:
    assert agent.log_room(release, memory) == room


def written(text: str, size: int = 1 << 20) -> Any:
    log = agent.VerifierLog(size)
    log.memory[: len(text)] = text.encode()
    return log


def test_a_log_that_fits_is_whole() -> None:
    log = written("R1 type=ctx expected=fp\n")
    assert (log.text(), log.full()) == ("R1 type=ctx expected=fp", False)
    log.clear()
    assert log.text() == ""


def test_of_a_long_log_the_beginning_and_the_end_are_kept_in_whole_lines() -> None:
    lines = [f"{number}: (b7) r0 = {number}" for number in range(20_000)]
    whole = "\n".join([*lines, "R0 invalid mem access 'map_value_or_null'", ""])
    text = written(whole).text()
    first, _, rest = text.partition("[bpfmatrix: ")
    left_out, _, last = rest.partition("]\n")
    assert whole.startswith(first)
    assert whole.endswith(last + "\n")
    assert last.endswith("R0 invalid mem access 'map_value_or_null'")
    assert left_out == f"{len(whole) - len(first) - len(last) - 1} of {len(whole)} bytes are left out here"
    assert len(text) < agent.LOG_HEAD + agent.LOG_TAIL + 100


class Libbpf:
    """Plays libbpf and a verifier: what it refuses a program with, and how long its log is at which level."""

    def __init__(self, *, size: int, logs: dict[int, str], number: int = errno.EACCES) -> None:
        self.log = agent.VerifierLog(size)
        self.logs, self.number, self.level = logs, number, 1
        self.calls: list[Any] = []
        self.handles = 0

    def programs(self, handle: int) -> dict[str, int]:
        return {"main": 10 + handle}

    def pointer(self, name: str, *arguments: Any) -> int:
        self.handles += 1
        return self.handles

    def call(self, name: str, *arguments: Any) -> int:
        self.calls.append((name, *arguments))
        if name == "bpf_program__set_log_level":
            self.level = arguments[1]
        if name == "bpf_object__load":
            log = self.logs[self.level].encode()
            kept = log[: self.log.size - 1]
            self.log.memory[: len(kept) + 1] = kept + b"\0"
            raise agent.Refused(errno.ENOSPC if kept != log else self.number, "load failed")
        return 3


def refusal(act: Callable[[], Any]) -> Any:
    with pytest.raises(agent.Refused) as caught:
        act()
    return caught.value


def test_a_refusal_has_the_kernels_errno_and_the_logs_end() -> None:
    lib = Libbpf(size=1 << 20, logs={1: "x\n" * 200_000 + "R0 invalid"})
    found = refusal(agent.BpfObject(lib, "/x").load)
    assert found.number == errno.EACCES
    assert found.log.endswith("R0 invalid")
    assert lib.handles == 1


def test_a_log_for_which_there_is_no_room_does_not_hide_the_errno() -> None:
    """An object can be loaded once; another one is prepared like it, and loaded without the log of each state."""
    lib = Libbpf(size=1 << 16, logs={1: "x\n" * 200_000, agent.BPF_LOG_STATS: "R0 invalid mem access\n"})
    item = agent.BpfObject(lib, "/x")
    item.prepare(lambda each: lib.call("prepare", each.program("main")))
    found = refusal(item.load)
    assert found.number == errno.EACCES
    assert found.log.endswith("R0 invalid mem access")
    assert found.log.startswith("x\n")
    assert [call[1] for call in lib.calls if call[0] == "prepare"] == [11, 12], "the second one, too"
    assert [call[1] for call in lib.calls if call[0] == "bpf_object__load"] == [1, 2]


def test_a_kernel_that_has_no_space_for_something_else_says_so() -> None:
    lib = Libbpf(size=1 << 16, logs={1: ""}, number=errno.ENOSPC)
    found = refusal(agent.BpfObject(lib, "/x").load)
    assert (found.number, lib.handles) == (errno.ENOSPC, 1)


# --- kprobe.multi -----------------------------------------------------------------------------------------------------


class Kprobes:
    """Plays libbpf: which functions it is asked to attach to by name, and which sections it attaches by itself."""

    def __init__(self, section: str, failure: int = 0) -> None:
        self._section, self.failure = section, failure
        self.asked: list[str] = []
        self.messages = ["of the first try"]

    def section(self, program: int) -> str:
        return self._section

    def pointer(self, name: str, *arguments: Any) -> int:
        if name == "bpf_program__attach_kprobe_multi_opts":
            made = arguments[2]._obj
            symbols = (agent.TEXT * 1).from_address(made.f0)
            kind = ("return " if made.f4 else "") + ("session " if made.f5 else "")
            self.asked.append(kind + symbols[0].decode())
            if self.failure:
                raise agent.Refused(self.failure, "by name")
        else:
            self.asked.append(name)
        return 5


def attach(lib: Kprobes) -> Any:
    return agent.ATTACHERS[lib.section(1).partition("/")[0]](agent.Case(None, lib, {"id": "c"}), 1)


@pytest.mark.parametrize(
    ("section", "asked"),
    [
        ("kprobe.multi/tcp_v4_connect", "tcp_v4_connect"),
        ("kretprobe.multi/tcp_v4_connect", "return tcp_v4_connect"),
        ("kprobe.session/tcp_v4_connect", "session tcp_v4_connect"),
        ("kprobe.multi/tcp_v4_conn*", "bpf_program__attach"),
        ("kretprobe.multi/tcp_v?_connect", "bpf_program__attach"),
        ("kprobe.session/tcp_*", "bpf_program__attach"),
        ("kprobe.multi", "bpf_program__attach"),
        ("kretprobe.multi", "bpf_program__attach"),
        ("kprobe.session", "bpf_program__attach"),
    ],
)
def test_a_pattern_is_for_libbpf_and_a_name_for_the_kernel(section: str, asked: str) -> None:
    lib = Kprobes(section)
    attach(lib)
    assert lib.asked == [asked]


def test_libbpf_has_the_last_word_on_a_function_that_the_kernel_does_not_know() -> None:
    lib = Kprobes("kprobe.multi/no_such", failure=errno.ESRCH)
    attach(lib)
    assert lib.asked == ["no_such", "bpf_program__attach"]
    assert lib.messages == []
    lib = Kprobes("kprobe.multi/f", failure=errno.EINVAL)
    assert refusal(lambda: attach(lib)).number == errno.EINVAL
    assert lib.asked == ["f"]


# --- modules ----------------------------------------------------------------------------------------------------------


class Calls:
    """Plays the C library: notes system calls and answers them."""

    def __init__(self, *failures: int) -> None:
        self.failures = list(failures)
        self.made: list[Any] = []

    def syscall(self, number: int, *arguments: Any) -> int:
        self.made.append((number, *arguments))
        failure = self.failures.pop(0) if self.failures else 0
        agent.ctypes.set_errno(failure)
        return -1 if failure else 0


def load(modules: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, *failures: int) -> tuple[Any, Calls]:
    calls = Calls(*failures)
    monkeypatch.setattr(agent.ctypes, "CDLL", lambda name, use_errno=False: calls)
    return agent.load_modules(modules), calls


def module(name: str, *files: Path, built_in: bool = False) -> dict[str, Any]:
    return {"name": name, "files": [str(path) for path in files], "built_in": built_in}


def test_a_cases_modules_are_loaded_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in ("tunnel4.ko", "sit.ko")]
    for path in files:
        path.touch()
    found, calls = load([module("sit", *files), module("tls", built_in=True)], monkeypatch, errno.EEXIST)
    assert found is None, "one that is loaded already does not matter"
    assert [call[0] for call in calls.made] == [agent.FINIT_MODULE[os.uname().machine]] * 2


def test_a_module_that_there_is_not_ends_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    found, calls = load([module("vehth")], monkeypatch)
    wanted = {"cause": "module", "name": "vehth", "value": None, "errno_name": "ENOENT", "missing": True}
    assert found["precondition"] == wanted
    assert calls.made == []


def test_a_module_that_the_kernel_refuses_ends_the_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "veth.ko").touch()
    found, _ = load([module("veth", tmp_path / "veth.ko")], monkeypatch, errno.EKEYREJECTED)
    wanted = {"cause": "module", "name": "veth", "value": None, "errno_name": "EKEYREJECTED", "missing": False}
    assert found["precondition"] == wanted


def test_what_the_kernel_has_a_folder_for_is_there() -> None:
    name = next(path.name for path in Path("/sys/module").iterdir())
    assert agent.load_modules([module(name.replace("_", "-"))]) is None


# --- what a case leaves behind ----------------------------------------------------------------------------------------


class Things:
    """Plays one kind of what a case may leave behind."""

    def __init__(self, *there: str, stays: bool = False, goes_after: int = 0) -> None:
        self.there, self.stays, self.goes_after = set(there), stays, goes_after
        self.removed: list[str] = []

    def listed(self) -> set[str]:
        if self.goes_after:
            self.goes_after -= 1
            if not self.goes_after:
                self.there.clear()
        return set(self.there)

    def remove(self, name: str) -> None:
        self.removed.append(name)
        if self.stays or any(other.startswith(f"{name}/") for other in self.there):
            raise OSError(errno.EBUSY, "busy")
        self.there.discard(name)


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is mounted and unmounted, in order; nothing of it is, on the host."""
    done: list[str] = []
    monkeypatch.setattr(agent, "mount_bpffs", lambda: done.append("mount"))
    monkeypatch.setattr(agent, "unmount_bpffs", lambda: done.append("unmount"))
    return done


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Things, Any]]:
    def surroundings(*before: str, removable: bool = True, stays: bool = False) -> tuple[Things, Any]:
        made = Things(*before, stays=stays)
        kind = agent.Leftover("thing", made.listed, remove=made.remove if removable else None, name=str.upper)
        monkeypatch.setattr(agent, "LEFTOVERS", [kind])
        monkeypatch.setattr(agent, "MAPS", agent.Leftover("map", set))
        monkeypatch.setattr(agent, "LEFT_SECONDS", 0.05)
        return made, agent.Surroundings()

    return surroundings


def test_what_was_there_before_stays(things: Callable[..., tuple[Things, Any]]) -> None:
    made, surroundings = things("a", "b")
    assert surroundings.restore("c") == []
    assert made.removed == []


def test_each_case_has_a_bpffs_of_its_own_which_is_gone_before_programs_are_looked_for(
    things: Callable[..., tuple[Things, Any]], mounted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is pinned there would stay, else."""
    made, surroundings = things(removable=False)
    monkeypatch.setattr(agent, "unmount_bpffs", made.there.clear)
    surroundings.prepare()
    made.there.add("pinned")
    assert surroundings.restore("c") == []
    assert mounted == ["mount"]


def test_what_a_case_leaves_behind_is_removed_from_within(things: Callable[..., tuple[Things, Any]]) -> None:
    made, surroundings = things("a")
    made.there |= {"b", "b/c", "b/c/d"}
    assert surroundings.restore("c") == []
    assert made.removed == ["b/c/d", "b/c", "b"]
    assert made.there == {"a"}


@pytest.mark.parametrize("removable", [True, False])
def test_what_cannot_be_removed_is_reported(removable: bool, things: Callable[..., tuple[Things, Any]]) -> None:
    made, surroundings = things("a", removable=removable, stays=True)
    made.there |= {"c", "b"}
    assert surroundings.restore("c") == [{"kind": "thing", "name": "B"}, {"kind": "thing", "name": "C"}]


def test_what_goes_by_itself_is_waited_for(things: Callable[..., tuple[Things, Any]]) -> None:
    made, surroundings = things(removable=False)
    made.there.add("b")
    made.goes_after = 4
    assert surroundings.restore("c") == []


def maps(monkeypatch: pytest.MonkeyPatch, *there: int) -> tuple[set[int], Any]:
    """The ids of maps that there are, to be changed, and the surroundings."""
    ids = set(there)
    monkeypatch.setattr(agent, "LEFTOVERS", [])
    monkeypatch.setattr(agent, "MAPS", agent.Leftover("map", lambda: set(ids)))
    monkeypatch.setattr(agent, "LEFT_SECONDS", 0.02)
    return ids, agent.Surroundings()


def test_maps_may_go_while_the_next_case_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, surroundings = maps(monkeypatch, 1)
    ids.add(2)
    assert surroundings.restore("a") == []
    ids.remove(2)
    ids.add(3)
    assert surroundings.restore("b") == []
    ids.remove(3)
    assert surroundings.settle() == []


def test_maps_that_stay_are_reported_as_what_their_case_left(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, surroundings = maps(monkeypatch)
    ids.add(2)
    assert surroundings.restore("a") == []
    ids.add(3)
    assert surroundings.restore("b") == [{"kind": "map", "name": "2", "case": "a"}]
    assert surroundings.settle() == [{"kind": "map", "name": "3", "case": "b"}]
    assert surroundings.settle() == []


def test_processes_that_a_case_has_started_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose parent has ended becomes the agent's."""
    script = f"""
import os, sys, time
sys.path.insert(0, {str(Path(agent.__file__).parent.parent)!r})
from harness import guest_agent as agent
agent.LEFTOVERS = []
agent.Surroundings()
if os.fork() == 0:
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
    os.write(1, b"%d\\n" % pid)
    os._exit(0)
os.wait()
agent.end_processes()
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("none")
"""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=50)
    pid, none = done.stdout.split()
    assert none == "none"
    assert not Path(f"/proc/{pid}").exists()
    assert time.monotonic() - begun < 50


def test_the_folders_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("a")
    assert agent.subfolders(str(tmp_path)) == [str(tmp_path / "a"), str(tmp_path / "a/b")]
    assert agent.subfolders("/no/such") == []


def test_each_kind_can_be_listed_on_any_machine() -> None:
    assert {leftover.kind for leftover in agent.LEFTOVERS} >= {"module", "cgroup", "device", "program", "link"}
    for leftover in [*agent.LEFTOVERS, agent.MAPS]:
        assert isinstance(leftover.listed(), set), leftover.kind
