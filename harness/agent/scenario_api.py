"""What a scenario.py works with: the guest that its function `scenario` gets, and what that opens, attaches and reads.

Each call that reaches the kernel, and each expectation, is a step of the case: it is reported, judged and named like
those of a case in YAML. Where the kernel or libbpf refuses one, it raises StepRefused; a scenario that does not catch
that ends there, and its cell is `refused`.
"""

from __future__ import annotations

from harness.agent.scenario_base import Mistake, StepRefused, check_place
from harness.agent.scenario_reading import Globals, Map, Records
from harness.agent.scenario_triggers import Connection, Ended, Triggers

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping, Sequence
    from typing import Any

    from harness.agent.scenario_base import Runner

__all__ = [
    "Connection",
    "Ended",
    "Globals",
    "Guest",
    "Link",
    "Map",
    "Mistake",
    "Object",
    "Records",
    "StepRefused",
    "Triggers",
]

MOST_SHOWN = 300


class Guest:
    """The guest in which the scenario runs: opens objects, makes them run, reads what they emit, expects.

    `release` is the kernel's release (`uname -r`), `machine` the architecture as the kernel calls it, `folder` the
    case's own, where its `files` lie; `trigger` makes programs run. All else that a scenario does (files, sockets,
    processes) it does with Python's own modules: it runs as root, in a process of its own.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.release: str = runner.release
        self.machine: str = runner.machine
        self.folder: str = runner.folder
        self.trigger: Triggers = Triggers(runner)

    def open(
        self,
        file: str,
        *,
        only: Sequence[str] | None = None,
        maps: Sequence[str] | None = None,
        rodata: Mapping[str, Any] | None = None,
        sizes: Mapping[str, int] | None = None,
        autoload: Mapping[str, bool] | None = None,
        pins: Mapping[str, str] | None = None,
    ) -> Object:
        """Open an object of the case by its source (`target.bpf.c`), its file, or its name (`target`).

        With `only`, just these programs are loaded; with `maps`, all other maps are left out. `rodata` gives global
        variables their first values, by name or path (`limits.ports[2]`); `sizes` gives maps another number of entries,
        `autoload` says of programs whether they are loaded, `pins` where maps are pinned.
        """
        name, path = self._runner.named(file)
        asked = {"only": only and list(only), "maps": None if maps is None else list(maps), "rodata": rodata}
        asked |= {"sizes": sizes, "autoload": autoload, "pins": pins}
        given = {key: value for key, value in asked.items() if value is not None}
        self._runner.step("open", "open", name, object=name, path=path, **given)
        return Object(self._runner, name)

    def ring_buffer(self, owner: Object, name: str, *, record: str = "") -> Records:
        """Read a ring buffer of a loaded object.

        `record` names the structure that its records are (`struct event`), which then come as dictionaries; without it
        they come as bytes. Of a ring buffer all records come that nobody has read, those before this call, too.
        """
        owner.map(name)
        self._runner.step("open", "listen-records", name, object=owner.name, map=name)
        return Records(self._runner, owner.name, name, record)

    def perf_buffer(self, owner: Object, name: str, *, record: str = "") -> Records:
        """Read a perf event array of a loaded object, from now on; `record` is as for `ring_buffer`.

        Bytes have a few more at their end: the kernel pads such records to a multiple of eight, less four.
        """
        owner.map(name)
        self._runner.step("open", "listen-records", name, object=owner.name, map=name)
        return Records(self._runner, owner.name, name, record)

    def expect(self, condition: object, reason: str) -> bool:
        """Expect that a condition holds; where it does not, the cell is `misbehaves`, and the scenario goes on.

        `reason` says what must be, the same on every kernel: the step is called `expect <reason>`, and that is how a
        rule of the case names it. Returns whether it holds.
        """
        self._runner.step("observe", "expect", _line(reason), holds=bool(condition))
        return bool(condition)

    def expect_equal(self, seen: object, wanted: object, reason: str) -> bool:
        """Expect that two values are equal; where they are not, the reports show both. Else as `expect`."""
        text = "" if seen == wanted else f"must be {_line(repr(wanted))}, but is {_line(repr(seen))}"
        self._runner.step("observe", "expect", _line(reason), holds=not text, shown=text)
        return not text

    def must_refuse(
        self, *errnos: str, message: str | None = None, origin: Sequence[str] = ()
    ) -> contextlib.AbstractContextManager[None]:
        """Let the call in a `with` block be one that must be refused, with one of these errnos.

        `message` is a regular expression that the verifier's log or libbpf's text must match. `origin` says who must
        refuse it, as in a rule (`["libbpf"]`); without it the kernel, or libbpf after reading it. The scenario goes on
        behind the block; a call that is accepted, or refused with another errno, makes the cell `misbehaves`.
        """
        return self._runner.refusing(errnos, message=message, origin=list(origin))

    def enable_stats(self) -> None:
        """Count the runs of programs until the case ends (`Object.info`, `run_cnt`)."""
        self._runner.step("open", "enable-stats")

    def unpin(self, path: str) -> None:
        """Remove what is pinned at a path."""
        self._runner.step("detach", "unpin", path, path=path)

    def wait(self, seconds: float) -> None:
        """Let time pass, for what the kernel does later (RCU, workqueues)."""
        self._runner.step("observe", "wait", f"{seconds:g} s", seconds=seconds)


class Object:
    """An object that is open: prepared, then loaded, then attached. `name` is what steps call it."""

    def __init__(self, runner: Runner, name: str) -> None:
        self._runner = runner
        self.name: str = name
        self.globals: Globals = Globals(runner, name)
        self._role = "target"

    @property
    def programs(self) -> list[str]:
        """The names of its programs."""
        return self._runner.programs(self.name)

    def program(self, name: str) -> str:
        """Return the name of a program; an error with the line of the scenario where the object has none such."""
        if name not in self.programs:
            raise Mistake(f"{self.name} has no program {name}", name, self.programs)
        return name

    def load(self, *, unprivileged: bool = False, stats: bool = False) -> None:
        """Load its maps and programs; with `unprivileged` as a user without capabilities.

        With `stats` the verifier's numbers are kept for `measure`.
        """
        args = {"unprivileged": True} if unprivileged else {}
        args |= {"stats": True} if stats else {}
        self._runner.step(f"load-{self._role}", "load", self.name, object=self.name, **args)

    def attach_to(self, program: str, target: Object, target_program: str, function: str | None = None) -> None:
        """Say before the load which program of a loaded object one of its tracers is for.

        `function` is a function inside that program; without it the program's own. The object's load and attachments
        are from then on those of a tracer (`load-tracer`, `attach-tracer`).
        """
        self.program(program)
        target.program(target_program)
        self._role = "tracer"
        self._runner.step(
            "load-tracer",
            "set-attach-target",
            program,
            object=self.name,
            program=program,
            target_object=target.name,
            target=target_program,
            function=function or target_program,
        )

    def share_map(self, name: str, owner: Object, owners_map: str | None = None) -> None:
        """Use a map of a loaded object in place of its own, before its load."""
        self.map(name)
        source = owner.map(owners_map or name).name
        self._runner.step(
            f"load-{self._role}", "share-map", name, object=self.name, map=name, from_object=owner.name, from_map=source
        )

    def attach(
        self,
        program: str,
        *,
        to: str | Sequence[str] | Mapping[str, Any] | None = None,
        link: str | None = None,
    ) -> Link:
        """Attach a program as its section says; `link` names the link, else it has the program's name.

        `to` is what would be behind the section's slash (or a list of functions, for kprobe.multi), or a place that the
        `setup` of the case's case.yaml has made: `{"device": "a", "mode": "native"}`, `{"cgroup": "one"}`,
        `{"namespace": "other"}` (docs/setup.md).
        """
        self.program(program)
        name = link or program
        args: dict[str, Any] = {"object": self.name, "program": program, "link": name, **_chosen(self._runner, to)}
        report = self._runner.step(f"attach-{self._role}", "attach", name, **args)
        return Link(self._runner, name, xdp=report.get("xdp", ""))

    def pin(self, name: str, path: str) -> None:
        """Pin a program or a map at a path in a bpffs; it is gone after the case."""
        if name in self.programs:
            self._runner.step(f"load-{self._role}", "pin", name, object=self.name, program=name, path=path)
        else:
            self.map(name)
            self._runner.step(f"load-{self._role}", "pin", name, object=self.name, map=name, path=path)

    def attach_map(self, name: str, *, link: str | None = None) -> Link:
        """Attach a struct_ops map, all its programs at once."""
        self.map(name)
        self._runner.step(f"attach-{self._role}", "attach-map", name, object=self.name, map=name, link=link or name)
        return Link(self._runner, link or name)

    def fill_slot(self, array: str, index: int, program: str, owner: Object | None = None) -> None:
        """Put a program, its own or another object's, into a slot of its program array."""
        self.map(array)
        holder = owner or self
        holder.program(program)
        self._slot(array, index, holder.name, program)

    def empty_slot(self, array: str, index: int) -> None:
        """Empty a slot of its program array."""
        self.map(array)
        self._slot(array, index, self.name, "")

    def _slot(self, array: str, index: int, holder: str, program: str) -> None:
        of = {"object": self.name, "map": array, "index": index, "program_object": holder, "program": program}
        self._runner.step(f"attach-{self._role}", "tail-call", program or array, **of)

    def map(self, name: str) -> Map:
        """Return a map by its name; one of global data by its section (`.bss`)."""
        there = self._runner.maps(self.name)
        if name not in there:
            raise Mistake(f"{self.name} has no map {name}", name, there)
        return Map(self._runner, self.name, name)

    def info(self, program: str) -> dict[str, Any]:
        """Return what the kernel says of a loaded program: the numbers of struct bpf_prog_info, and its name."""
        self.program(program)
        found: dict[str, Any] = self._runner.step("observe", "info", program, object=self.name, program=program)["info"]
        return found

    def measure(self, program: str) -> dict[str, Any]:
        """Return what is measured of a loaded program: instructions, bytes, and the verifier's numbers."""
        self.program(program)
        report = self._runner.step("observe", "measure", program, object=self.name, program=program)
        found: dict[str, Any] = report["measured"]
        return found


class Link:
    """A program that is attached, by the name of its link.

    `xdp` says of an XDP program how it runs, as the kernel has it: `native` or `generic`.
    """

    def __init__(self, runner: Runner, name: str, *, xdp: str = "") -> None:
        self._runner = runner
        self.name: str = name
        self.xdp: str = xdp

    def detach(self) -> None:
        """Detach it; what is pinned stays attached until it is unpinned, too."""
        self._runner.step("detach", "detach", self.name, link=self.name)

    def update(self, owner: Object, program: str) -> None:
        """Put another program, or another struct_ops map, into the place of the one that is attached."""
        if program in owner.programs:
            args = {"object": owner.name, "program": program}
        else:
            args = {"object": owner.name, "map": owner.map(program).name}
        self._runner.step("attach-target", "update-link", self.name, link=self.name, **args)

    def pin(self, path: str) -> None:
        """Pin it at a path in a bpffs; it is gone after the case."""
        self._runner.step("attach-target", "pin", self.name, link=self.name, path=path)

    def info(self) -> dict[str, Any]:
        """Return what the kernel says of the link: the numbers of struct bpf_link_info."""
        found: dict[str, Any] = self._runner.step("observe", "info", self.name, link=self.name)["info"]
        return found


def _chosen(runner: Runner, to: Any) -> dict[str, Any]:
    """Return how a step says where a program is attached; raise Mistake where the case's setup has no such place."""
    if to is None:
        return {}
    if not hasattr(to, "keys"):
        return {"to": to if hasattr(to, "encode") else list(to)}
    check_place(to, runner.made)
    return {"place": dict(to)}


def _line(text: str) -> str:
    """Return a text as one line of bounded length."""
    one = " ".join(text.split())
    return one if len(one) <= MOST_SHOWN else one[: MOST_SHOWN - 3] + "..."
