"""An object that is loaded once for several cases: real processes, and a load that is played."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from agent_pipe import Pipe
from agent_samples import Clean, Played, Quiet

from harness.agent import sharing
from harness.agent.child import run_child
from harness.agent.refusal import Refused
from harness.agent.reporter import Reporter
from harness.agent.sharing import MOST_REFUSED, SharedLoads, prepared, variables

DONE = {"complete": True, "signal": None, "timed_out": False}


class Object:
    """An object whose load refuses the first of these programs that is to be loaded."""

    refused: tuple[str, ...] = ()
    ends: Callable[[], None] = staticmethod(lambda: None)
    handle = 1

    def __init__(self) -> None:
        self.only: list[str] = []
        self.loaded_by = 0

    def load(self, *, stats: bool, again: bool) -> None:
        assert (stats, again) == (True, False)
        type(self).ends()
        for name in self.only:
            if name in self.refused:
                raise Refused(errno.EINVAL, f"libbpf: prog 'x': more; libbpf: prog '{name}': BPF program load failed")
        self.loaded_by = os.getpid()


class OpensIt:
    """Stands for the case whose steps the loading process does."""

    def __init__(self, reporter: Any, lib: Any, case: Any) -> None:
        self.objects = {"object": Object()}

    def do_open(self, step: dict[str, Any]) -> None:
        self.objects["object"].only = step["only"]


class TriesIt:
    """Stands for a case that has its object; what it does then is `behave`."""

    behave: Callable[[str], None] = staticmethod(lambda name: None)

    def __init__(self, reporter: Any, lib: Any, case: Any) -> None:
        self.reporter, self.case = reporter, case
        self.loaded_by = 0

    def take(self, objects: Any) -> None:
        self.loaded_by = objects["object"].loaded_by

    def run(self) -> None:
        skipped = [step["op"] for step in self.case["steps"] if "skip" in step]
        self.reporter.send("step", case=self.case["id"], by=self.loaded_by, parent=os.getppid(), skipped=skipped)
        type(self).behave(self.case["id"])


class Around(Clean):
    """Notes what is taken in and let out."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def take_aside(self) -> None:
        self.done.append("aside")

    def take_in(self) -> None:
        self.done.append("in")

    def let_out(self) -> None:
        self.done.append("out")


class Says(Quiet):
    """A kernel that says this during a load."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    @contextlib.contextmanager
    def aside(self) -> Iterator[list[str]]:
        said: list[str] = []
        yield said
        said += self.lines


class NoMaps(Played):
    def maps(self, handle: int) -> list[int]:
        return []


def case(name: str, *only: str, shares: str = "my") -> dict[str, Any]:
    steps = [{"op": "open", "object": "object", "only": only or (name,)}, {"op": "load"}, {"op": "attach"}]
    return {"id": name, "deadline": 20.0, "shares": shares, "steps": steps}


CASES = [case("a"), case("b"), case("c"), case("all", "a", "b", "c")]


@pytest.fixture
def world(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[SharedLoads, Reporter]]]:
    made: list[SharedLoads] = []

    def build(
        *refused: str,
        cases: list[dict[str, Any]] = CASES,
        says: tuple[str, ...] = (),
        ends: Callable[[], None] = lambda: None,
        behave: Callable[[str], None] = lambda name: None,
        around: Around | None = None,
    ) -> tuple[SharedLoads, Reporter]:
        monkeypatch.setattr("harness.agent.sharing.Case", OpensIt)
        monkeypatch.setattr(Object, "refused", refused)
        monkeypatch.setattr(Object, "ends", staticmethod(ends))
        monkeypatch.setattr("harness.agent.child.Case", type("Tries", (TriesIt,), {"behave": staticmethod(behave)}))
        reporter = Reporter(pipe.writing)
        opening = {
            "op": "open",
            "object": "object",
            "only": sorted({name for each in cases for name in each["steps"][0]["only"]}),
        }
        shared = {"id": "my", "deadline": 20.0, "steps": [opening, {"op": "load", "object": "object"}]}
        job = {"cases": cases, "shared": [shared]}
        loads = SharedLoads(job, reporter, NoMaps(), Says(*says), around or Around())
        made.append(loads)
        return loads, reporter

    yield build
    for loads in made:
        loads.close()


def test_each_case_has_a_process_of_its_own_that_has_the_object(world: Any, pipe: Pipe) -> None:
    around = Around()
    loads, reporter = world(around=around)
    for each in CASES:
        load = loads.of(each)
        assert load is not None
        assert run_child(reporter, Played(), each, load) == DONE
    lines = pipe.lines()
    assert [line["case"] for line in lines] == ["a", "b", "c", "all"]
    assert {line["by"] for line in lines} == {line["parent"] for line in lines} == {loads.pid}
    assert {tuple(line["skipped"]) for line in lines} == {("open", "load")}
    assert reporter.lines == 4
    assert around.done == ["aside", "in"]
    loads.close()
    assert (around.done, loads.pid) == (["aside", "in", "out"], 0)


def test_what_is_refused_is_left_to_its_own_case_and_all_of_them_too(world: Any) -> None:
    loads, _ = world("b")
    assert [loads.of(each) is not None for each in CASES] == [True, False, True, False]


def test_where_much_is_refused_each_case_loads_by_itself(world: Any) -> None:
    names = [f"p{index:02}" for index in range(4 * MOST_REFUSED)]
    loads, _ = world(*names[: MOST_REFUSED * 2], cases=[case(name) for name in names])
    assert loads.of(case(names[-1])) is None
    assert loads.pid == 0


def test_a_load_that_dies_is_no_answer(world: Any) -> None:
    loads, _ = world(ends=lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert [loads.of(each) for each in CASES] == [None] * 4


def test_a_load_that_comes_to_no_end_is_given_up(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "SECONDS", 0.05)
    loads, _ = world(ends=signal.pause)
    assert loads.of(CASES[0]) is None


@pytest.mark.parametrize(("line", "shared"), [("<4> a fault", False), ("<0> more", False), ("<6> a note", True)])
def test_a_load_of_which_the_kernel_complains_is_not_shared(line: str, shared: bool, world: Any) -> None:
    """The cases say by which program."""
    loads, _ = world(says=(line,))
    assert (loads.of(CASES[0]) is not None) == shared


def test_a_case_that_is_killed_ends_alone(world: Any) -> None:
    def behave(name: str) -> None:
        if name == "a":
            os.kill(os.getpid(), signal.SIGKILL)

    loads, reporter = world(behave=behave)
    ends = [run_child(reporter, Played(), each, loads.of(each)) for each in CASES[:2]]
    assert ends == [{"complete": False, "signal": "SIGKILL", "timed_out": False}, DONE]


def test_a_case_that_hangs_is_ended_at_its_deadline(world: Any) -> None:
    cases = [{**case("a"), "deadline": 0.1}, *CASES[1:]]
    loads, reporter = world(cases=cases, behave=lambda name: signal.pause() if name == "a" else None)
    end = run_child(reporter, Played(), cases[0], loads.of(cases[0]))
    assert end == {"complete": False, "signal": "SIGKILL", "timed_out": True}
    assert run_child(reporter, Played(), cases[1], loads.of(cases[1])) == DONE


def test_a_case_that_kills_what_has_its_object_says_so_and_the_next_loads_by_itself(world: Any) -> None:
    def behave(name: str) -> None:
        parent = os.getppid()
        os.kill(parent, signal.SIGKILL)
        while os.getppid() == parent:
            time.sleep(0.001)

    loads, reporter = world(behave=behave)
    end = run_child(reporter, Played(), CASES[0], loads.of(CASES[0]))
    assert end == {"complete": False, "signal": "SIGKILL", "timed_out": False}
    assert loads.of(CASES[1]) is None


def test_cases_of_another_object_end_it(world: Any) -> None:
    loads, _ = world()
    assert loads.of(CASES[0]) is not None
    assert loads.of(case("other", shares="")) is None
    assert loads.pid == 0


def test_steps_that_are_done_find_it_so() -> None:
    steps = [{"op": name} for name in ("open", "set-attach-target", "load", "tail-call", "measure", "attach")]
    assert [step["op"] for step in prepared({"id": "a", "steps": steps})["steps"] if "skip" in step] == [
        "open",
        "set-attach-target",
        "load",
        "tail-call",
    ]


class Maps(Played):
    """Maps by their handles: what libbpf says of each, and the memory of its value."""

    KINDS: ClassVar = {1: (2, 0), 2: (2, sharing.BPF_F_RDONLY_PROG), 3: (1, 0), 4: (2, 0)}

    def __init__(self) -> None:
        super().__init__()
        self.memory = ctypes.create_string_buffer(b"12345678", 8)

    def maps(self, handle: int) -> list[int]:
        return list(self.KINDS)

    def found(self, name: str, *arguments: Any) -> Any:
        kind, flags = self.KINDS[arguments[0]]
        if name == "bpf_map__initial_value":
            if arguments[0] == 4:
                return None
            arguments[1]._obj.value = 8
            return ctypes.addressof(self.memory)
        return {"bpf_map__type": kind, "bpf_map__map_flags": flags}[name]


def test_global_variables_are_what_programs_may_change() -> None:
    lib: Any = Maps()
    item: Any = Object()
    assert variables(lib, item) == [(ctypes.addressof(lib.memory), b"12345678")]
