"""From a command as it was asked for to the case as a value: one guest of its own, in which the command runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from harness.model.results import Expectation, Stage
from harness.scenario.case import COLLECT, COMMAND, AgentStep, Case

WORK = "/root"
"""The folder of the guest in which a command starts, and below which relative files are put."""
DEADLINE = 60.0
"""Seconds that a command may take that has no deadline of its own."""
AFTERWARDS_SECONDS = 10.0
"""Seconds that a case has beyond its command's deadline: its output is still to be sent then."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command and what it needs, as it was asked for.

    `argv` is the command with its arguments, `env` the variables beside the guest's own, `cwd` the folder of the guest
    in which it starts. `exit` is the exit code that it must end with, `output` a pattern that some of its output must
    match. `deadline` is in seconds; `junit` is a pattern of the JUnit files that it writes in the guest, "" for none.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = WORK
    exit: int = 0
    output: str | None = None
    deadline: float = DEADLINE
    junit: str = ""

    @property
    def name(self) -> str:
        """What the command is called in sentences and in the names of steps: the last part of its path."""
        return PurePosixPath(self.argv[0]).name or self.argv[0]


def case_of(
    command: Command,
    *,
    id: str,
    title: str,
    description: str = "",
    memory: int | None = None,
    cpus: int | None = None,
    modules: Sequence[str] = (),
    expect: Sequence[Expectation] = (),
) -> Case:
    """Return the case of a command; `modules` are loaded before it runs."""
    return Case(
        id=id,
        title=title,
        description=description,
        isolated=True,
        deadline=command.deadline + AFTERWARDS_SECONDS,
        steps=steps_of(command),
        memory=memory,
        cpus=cpus,
        modules=tuple(modules),
        expect=tuple(expect),
    )


def steps_of(command: Command) -> tuple[AgentStep, ...]:
    """Return what the agent does: run the command, and bring its JUnit files."""
    args = {
        "argv": list(command.argv),
        "env": dict(command.env),
        "cwd": command.cwd,
        "deadline": command.deadline,
    }
    run = AgentStep(
        stage=Stage.TRIGGER, op=COMMAND, what=command.name, args=args, exit=command.exit, output=command.output
    )
    if not command.junit:
        return (run,)
    pattern = str(PurePosixPath(command.cwd) / command.junit)
    return run, AgentStep(stage=Stage.OBSERVE, op=COLLECT, what="junit", args={"pattern": pattern})


def started_as(case: Case, argv: Sequence[str], env: Mapping[str, str]) -> Case:
    """Return a case whose command is started as `argv`, with more variables; its name stays."""
    steps = tuple(
        replace(step, args={**step.args, "argv": list(argv), "env": {**env, **step.args["env"]}})
        if step.op == COMMAND
        else step
        for step in case.steps
    )
    return replace(case, steps=steps)


def id_of(name: str) -> str:
    """Return the id of a case that runs a command of this name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "command"
