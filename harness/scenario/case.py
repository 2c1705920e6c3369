"""A case as a value: what is done in a guest, what must be seen, and what is expected of which kernels. Pure.

Nothing here knows in what form a case was written. All fields are plain data, so that a run can keep its cases as JSON
and judge by them later: `pydantic.TypeAdapter(Case)` writes them and reads them back equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from harness.model.budgets import Most
from harness.model.results import Expectation, Origin, Stage

GUEST_FOLDER = PurePosixPath("/run/bpfmatrix")
"""The folder in a guest below which each case has one of its own."""
LOOKS = frozenset({"observe", "read-trace", "inspect"})
"""Steps that report what was emitted."""
COMMAND = "command"
"""The step that runs a command."""
COLLECT = "collect"
"""The step that brings files that a command has written."""
SCENARIO_END = "scenario"
"""The last step of a scenario: that its function came to its end, or why it did not."""
EXPECT = "expect"
"""An expectation of a scenario."""
TRIGGER = "trigger"
"""The step that makes programs run."""
STARTING = frozenset({"exec", "fork"})
"""The kinds of trigger that wait for a process, whose end is compared with `exit`."""
MAKE = "make"
"""The step that makes a thing of the case's setup."""
OPEN = "open"
"""The step that has the path of an object."""
LOAD = "load"
"""The step that loads it."""


@dataclass(frozen=True, kw_only=True)
class ExpectedEvent:
    """One event that must be seen, or `times` of them in a row.

    `retval` and `value` are what it must carry, None for anything; a text as `value` names the field of a program's
    info that it must equal (`object.program:field`).
    """

    kind: str
    retval: int | None = None
    value: int | str | None = None
    times: int = 1

    def keys(self) -> dict[str, Any]:
        """Return the keys of an event that this fixes, with their values."""
        keys = {"kind": self.kind, "retval": self.retval, "value": self.value}
        return {key: value for key, value in keys.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """One thing that is looked at beside events, and what must be found.

    `kind` is `records` (of a ring buffer or perf event array), `printk`, `global`, `map` or `runs`; `name` is what the
    case calls it. Of records and lines `how` is `exactly`, `at-least`, `any-order` or `none`, and `wanted` has a
    pattern for each; of a map it is `count`, or `values` with pairs of key and value; else `wanted` has one value.
    """

    kind: str
    name: str
    how: str = "exactly"
    wanted: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Look:
    """What must be seen at one look: all of these events, in this order, and no others; None where nobody looks.

    `how` says of the trace where it is otherwise: `at-least`, `any-order` or `none`. `inspected` are other things.
    """

    client: tuple[ExpectedEvent, ...] | None = None
    listener: tuple[ExpectedEvent, ...] | None = None
    trace: tuple[ExpectedEvent, ...] | None = None
    how: str = "exactly"
    inspected: tuple[Inspected, ...] = ()

    def sides(self) -> dict[str, tuple[ExpectedEvent, ...]]:
        """Return what must be seen on the sides of a connection that are looked at, by side."""
        both = {"client": self.client, "listener": self.listener}
        return {side: events for side, events in both.items() if events is not None}


@dataclass(frozen=True, kw_only=True)
class AgentStep:
    """One step: what the agent gets (`stage`, `op`, `what`, `phase`, `args`), and what the host expects of it.

    `refused` names the errnos of which one must come (empty: the step must succeed), `message` what the log of
    that refusal must match, `origin` who must refuse (empty: the kernel, or libbpf after reading it), `retval` what a
    test run must return, `look` what must be seen, `fields` what the kernel must say of a link or program. `exit` is
    the exit code that a command or a started process must end with (None: any), `output` a pattern that some of a
    command's output must match, `arrived` how many of the packets or connections that a trigger makes must arrive.
    """

    stage: Stage
    op: str
    what: str = ""
    phase: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    message: str | None = None
    origin: tuple[Origin, ...] = ()
    retval: int | None = None
    look: Look | None = None
    fields: Mapping[str, int | str] = field(default_factory=dict)
    exit: int | None = 0
    output: str | None = None
    arrived: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for a process, whose end is reported."""
        return self.op == COMMAND or (self.op == TRIGGER and self.args.get("kind") in STARTING)

    def job(self, paths: Mapping[str, PurePosixPath] | None = None) -> dict[str, Any]:
        """Return the step as the job file has it; `paths` maps an object's file name to its path in the guest.

        Without `paths` the file's name stands for the path.
        """
        job = {"stage": self.stage.value, "op": self.op, "what": self.what, **self.args}
        if self.op == OPEN and paths is not None:
            job["path"] = str(paths[job["path"]])
        if self.phase:
            job["phase"] = self.phase
        if self.refused:
            job["go_on"] = True
        return job


@dataclass(frozen=True, kw_only=True)
class Own:
    """Where the files lie that a case brings into its guest, and how programs among them are started.

    `folder` is the case's own in the guest, "" where it needs none. `starts` maps programs that run by a loader of
    their own to the words before them, `env` has variables of all programs.
    """

    folder: str = ""
    starts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Script:
    """A scenario.py: its text, and what messages call it (`bpf/my-case/scenario.py`)."""

    file: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of several things that a case tries, each by itself: a program of an object, all of them together.

    `name` is unique in its case and has no space; `about` says what it is, such as a program's section. `expect` are
    its own rules, which come before those of the case; `uncounted` says why no kernel counts its runs, "" where kernels
    do; `attachers` are modules that bpfmatrix attaches its programs by (harness/scenario/attaching.py).
    With `shares` the object may be loaded once for all parts that say so (harness/scenario/sharing.py).
    """

    name: str
    steps: tuple[AgentStep, ...] = ()
    expect: tuple[Expectation, ...] = ()
    uncounted: str = ""
    about: str = ""
    attachers: tuple[str, ...] = ()
    shares: bool = False


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing tried on every kernel.

    A case with `parts` has no steps of its own: each part runs by itself, as `units` says, and the cell is what they
    come to. `uncounted` is that of a part; with `require_run` a program that was attached and did not run is a
    difference.

    A case with a `scenario` has no steps before it has run: those are what its scenario announces in the guest. Before
    them come those of `setup`, which cases of other forms have at the beginning of their steps.

    `own` says where its files lie in the guest.

    `objects` maps the name of each object to its file, that of one architecture where each has its own. `sysctls` are
    set and `modules` loaded before the first step, and `attachers` as far as a kernel has them; `kconfig` says what the
    kernel's configuration must say, one of several values each. `expect` has the rules: the first that covers a kernel
    counts, and where none does, the case should work. `missing` names what the case gives though its objects do not
    have it, on purpose. `memory` (MiB, at least) and `cpus` are those of its guest, where it needs more than the
    kernel's. `btf` is the file, by the name that it has among those of the case, whose types of a kernel its objects
    are opened with, "" for those of the kernel that runs. Cases with the same `shares` may have one load of their
    object. `budget` says what each program may need at most, by measure (harness/model/measures.py).
    """

    id: str
    title: str
    description: str = ""
    isolated: bool = False
    cmdline: str = ""
    deadline: float | None = None
    sysctls: Mapping[str, int | str] = field(default_factory=dict)
    kconfig: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    objects: Mapping[str, str] = field(default_factory=dict)
    scenario: Script | None = None
    setup: tuple[AgentStep, ...] = ()
    steps: tuple[AgentStep, ...] = ()
    expect: tuple[Expectation, ...] = ()
    missing: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    uncounted: str = ""
    attachers: tuple[str, ...] = ()
    require_run: bool = False
    memory: int | None = None
    cpus: int | None = None
    btf: str = ""
    own: Own = field(default_factory=Own)
    shares: str = ""
    budget: Mapping[str, Most] = field(default_factory=dict)

    @property
    def alone(self) -> bool:
        """Whether the case has a guest of its own."""
        return self.isolated or bool(self.cmdline) or self.memory is not None or self.cpus is not None

    @property
    def measures_loads(self) -> bool:
        """Whether all that it loads is measured: it has a budget, and does not ask for the numbers of its programs."""
        asks = any(step.op == LOAD and step.args.get("stats") for step in self.steps)
        return bool(self.budget) and not asks and not self.parts


def unit_id(case: str, part: str) -> str:
    """Return the id under which a part of a case runs and is recorded."""
    return f"{case}/{part}"


def units(case: Case) -> tuple[Case, ...]:
    """Return what runs in guests, each in a process of its own: the case itself, or each of its parts as a case."""
    if not case.parts:
        return (case,)
    return tuple(
        replace(
            case,
            id=unit_id(case.id, part.name),
            steps=part.steps,
            expect=(*part.expect, *case.expect),
            uncounted=part.uncounted,
            attachers=part.attachers,
            shares=case.id if part.shares and not case.alone else "",
            parts=(),
        )
        for part in case.parts
    )


def step_names(steps: Sequence[AgentStep]) -> list[str]:
    """Return what rules call the steps of a case, in their order.

    A look at what was emitted is called by its phase (`observe`, `control`, `look-1`, ...), any other step by what it
    does to what (`attach fexit`, `trigger run`, `load tracer`); the second of that name is `attach fexit #2`.
    """
    names: list[str] = []
    counts: dict[str, int] = {}
    for step in steps:
        if step.op in LOOKS:
            names.append(step.phase)
            continue
        name = f"{step.op} {step.what}".strip()
        counts[name] = number = counts.get(name, 0) + 1
        names.append(name if number == 1 else f"{name} #{number}")
    return names
