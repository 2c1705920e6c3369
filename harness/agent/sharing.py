"""An object that is loaded once, by a process of its own, for several cases, whose processes are made by that one.

Such a process has the object as if it had loaded it itself: its programs and maps are open files, which are inherited.
What it attaches goes with it. The loading process reports nothing: programs that it has to leave out, or all where it
comes to no end, are loaded by their own cases, which say what is wrong.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import struct

from harness.agent.child import in_child
from harness.agent.modules import load_modules
from harness.agent.refusal import Refused
from harness.agent.signals import SIGKILL
from harness.agent.steps import Case, between

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from harness.agent.bpf_object import BpfObject
    from harness.agent.kernel_log import KernelLog
    from harness.agent.leftovers import Surroundings
    from harness.agent.libbpf import Libbpf
    from harness.agent.reporter import Reporter

LOADING = frozenset({"open", "set-attach-target", "load", "tail-call"})
"""The steps that are done once (harness/scenario/sharing.py)."""
MARK = ".shared"
"""What the console calls such a load, in the place of a case (harness/facts/records.py)."""
SECONDS = 10.0
"""How long a load may take."""
MOST_REFUSED = 8
"""How many programs are left out, one after the other, before each case is left to itself."""
CLEAN = 5
"""Messages of the kernel of this level, and above it, say nothing of a fault (KERN_NOTICE)."""
BPF_F_RDONLY_PROG, ARRAY = 1 << 7, 2
NUMBER = struct.Struct("=i")


class SharedLoads:
    """The shared loads of a job, one at a time: each from its first case to its last."""

    def __init__(
        self, job: dict[str, Any], reporter: Reporter, lib: Libbpf, log: KernelLog, before: Surroundings
    ) -> None:
        self._cases, self._loads = job["cases"], {each["id"]: each for each in job.get("shared", ())}
        self._reporter, self._lib, self._log, self._before = reporter, lib, log, before
        self._name, self._current = "", None

    _current: SharedLoad | None

    @property
    def pid(self) -> int:
        """The loading process, 0 where there is none."""
        return self._current.pid if self._current is not None else 0

    def of(self, case: dict[str, Any]) -> SharedLoad | None:
        """Return the load that a case shares, None where it has to load its object by itself."""
        name = case.get("shares", "")
        if name != self._name:
            self.close()
            self._name = name
            if name in self._loads:
                self._open(self._loads[name])
        load = self._current
        if load is not None and not load.lives():
            self.close()
            load = None
        return load if load is not None and load.has(case) else None

    def _open(self, shared: dict[str, Any]) -> None:
        self._reporter.flush()  # should the guest not survive it
        self._before.take_aside()
        sharing = [case for case in self._cases if case.get("shares") == shared["id"]]
        load_modules(module for case in sharing for module in case.get("modules", ()))  # all of them are optional
        with self._log.aside() as said:
            load = SharedLoad(self._cases, self._reporter, self._lib, shared)
        self._before.take_in()
        self._current = load
        if any(int(line[1]) < CLEAN for line in said):
            load.alive = False  # the cases will say which program makes the kernel say it

    def close(self) -> None:
        """End the present load, and wait until what it had is gone."""
        if self._current is not None:
            self._current.end()
            self._before.let_out()
            self._current = None


class SharedLoad:
    """The process that has loaded an object, and makes the processes of cases, one at a time."""

    def __init__(
        self, cases: Sequence[dict[str, Any]], reporter: Reporter, lib: Libbpf, shared: dict[str, Any]
    ) -> None:
        """Start it, and wait until it has loaded what it can: `alive`, if it can anything."""
        self._cases = cases
        self._left_out: frozenset[str] = frozenset()
        reporter.mark(MARK, 0)
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._orders)
                os.close(self._answers)
                Loading(reporter, lib, shared).serve(cases, orders, answers)
            finally:
                os._exit(0)
        os.close(orders)
        os.close(answers)
        size = self._answer(min(SECONDS, shared["deadline"]))
        self.alive = size is not None
        if size is not None:
            self._left_out = frozenset(json.loads(os.read(self._answers, size)))
        reporter.at(-1)

    def has(self, case: dict[str, Any]) -> bool:
        """Say whether it has loaded all that a case needs."""
        opened = next(step for step in case["steps"] if step["op"] == "open")
        return self._left_out.isdisjoint(opened["only"])

    def start(self, case: dict[str, Any]) -> Forked:
        """Start the process of a case."""
        with contextlib.suppress(BrokenPipeError):  # then there is no answer
            os.write(self._orders, NUMBER.pack(self._cases.index(case)))
        return Forked(self, self._answer() or 0)

    def lives(self) -> bool:
        """Say whether it can still be asked for a process."""
        with contextlib.suppress(ChildProcessError):
            return self.alive and os.waitpid(self.pid, os.WNOHANG)[0] == 0
        return False

    def ends_within(self, seconds: float) -> bool:
        """Wait so many seconds for the end of the process of the case, or of this one, and say whether it came."""
        return bool(select.select([self._answers], [], [], seconds)[0])

    def status(self) -> int:
        """Return how the process of the case ended, as waitpid(2) has it; how this one did where it is no more."""
        status = self._answer()
        self.alive = status is not None
        return os.waitpid(self.pid, 0)[1] if status is None else status

    def _answer(self, seconds: float | None = None) -> int | None:
        """Return the next number that it writes, None where none comes in time, or ever."""
        if not select.select([self._answers], [], [], seconds)[0]:
            return None
        data = os.read(self._answers, NUMBER.size)
        return int(NUMBER.unpack(data)[0]) if len(data) == NUMBER.size else None

    def end(self) -> None:
        """End it."""
        os.close(self._orders)
        os.close(self._answers)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


class Forked:
    """The process of a case, made by one that has loaded its object. `pid` is 0 where that was no more."""

    def __init__(self, load: SharedLoad, pid: int) -> None:
        self._load, self.pid = load, pid

    def ends_within(self, seconds: float) -> bool:
        """Wait so many seconds for its end, and say whether that came."""
        return self._load.ends_within(seconds)

    def status(self) -> int:
        """Wait for its end; return its status as waitpid(2) has it."""
        return self._load.status()


class Loading:
    """What the loading process does."""

    def __init__(self, reporter: Reporter, lib: Libbpf, shared: dict[str, Any]) -> None:
        self._reporter, self._lib, self._shared = reporter, lib, shared
        self._left_out: list[str] = []
        self._values: list[tuple[int, bytes]] = []

    def serve(self, cases: Sequence[dict[str, Any]], orders: int, answers: int) -> None:
        """Load the object, and say which programs were left out; then make the process of each case asked for."""
        objects = self._loaded()
        if objects is None:
            return
        self._values = [found for item in objects.values() for found in variables(self._lib, item)]
        said = json.dumps(self._left_out).encode()
        os.write(answers, NUMBER.pack(len(said)) + said)
        while len(order := os.read(orders, NUMBER.size)) == NUMBER.size:
            case = cases[NUMBER.unpack(order)[0]]
            for address, value in self._values:
                if ctypes.string_at(address, len(value)) != value:
                    ctypes.memmove(address, value, len(value))
            pid = os.fork()
            if pid == 0:
                os.close(orders)
                os.close(answers)
                in_child(self._reporter, self._lib, prepared(case), objects=objects)
            os.write(answers, NUMBER.pack(pid))
            os.write(answers, NUMBER.pack(os.waitpid(pid, 0)[1]))

    def _loaded(self) -> dict[str, BpfObject] | None:
        """Return the object, loaded without those programs that are refused; None where that cannot be.

        Each attempt loads all programs before the refused one again, so there are few; and none where so many were
        refused by then that at this rate there would be more.
        """
        names: list[str] = next(step for step in self._shared["steps"] if step["op"] == "open")["only"]
        while True:
            self._lib.messages.clear()
            try:
                return self._attempt()
            except Refused as refusal:
                name = between(refusal.detail[refusal.detail.rfind("prog '") :], "prog '", "'")
            if name not in names or name in self._left_out:
                return None
            self._left_out.append(name)
            if len(self._left_out) * len(names) > MOST_REFUSED * (names.index(name) + 1):
                return None

    def _attempt(self) -> dict[str, BpfObject]:
        """Return the object, loaded without those programs that were refused before; Refused where another one is."""
        case = Case(self._reporter, self._lib, self._shared)
        for step in self._shared["steps"]:
            if step.get("program") in self._left_out:
                continue
            if step["op"] == "open":
                case.do_open({**step, "only": [name for name in step["only"] if name not in self._left_out]})
            elif step["op"] == "load":
                case.objects[step["object"]].load(stats=True, again=False)
            else:
                getattr(case, "do_" + step["op"].replace("-", "_"))(step)
        return case.objects


def variables(lib: Libbpf, item: BpfObject) -> list[tuple[int, bytes]]:
    """Return where the global variables of a loaded object are that its programs may change, and their values."""
    found = []
    for handle in lib.maps(item.handle):
        if lib.found("bpf_map__type", handle) != ARRAY or lib.found("bpf_map__map_flags", handle) & BPF_F_RDONLY_PROG:
            continue
        size = ctypes.c_size_t(0)
        address = lib.found("bpf_map__initial_value", handle, ctypes.byref(size))
        if address:
            found.append((address, ctypes.string_at(address, size.value)))
    return found


def prepared(case: dict[str, Any]) -> dict[str, Any]:
    """Return a case whose object is loaded already: the steps for that find it so."""
    return {**case, "steps": [{**step, "skip": {}} if step["op"] in LOADING else step for step in case["steps"]]}
