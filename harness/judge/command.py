"""How a command ended and what it wrote, compared with what its case says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from harness.facts.records import CaseRecord
from harness.model.results import Difference, DifferenceKind
from harness.scenario.case import COMMAND, AgentStep, Case, step_names

DEADLINE = "deadline"
"""What is seen instead of an exit code where a command did not end before its deadline."""
CHILD_SECONDS = 5.0
"""How long the agent waits for a child that does nothing (harness/agent/triggers_processes.py)."""
TAIL_CHARACTERS = 300
"""How much of a command's last output a sentence quotes."""
PUSH = "push it (--push, `files:`), or take the Debian package that has it (--package, `packages:`)"
NAME = "name it in `files:`, or give one that the guest has"
"""What to do where a file is missing that a command needs, and where one is that a trigger needs."""

NOT_THERE = "is not in the guest"
"""How the agent's sentence ends of what is missing."""

_MISSING = (
    (
        re.compile(r"error while loading shared libraries: (?P<name>[^:\s]+): cannot open shared object file"),
        "the shared library {name} is not in the guest: {bring}",
    ),
    (
        re.compile(r"version [`'](?P<name>GLIBC(?:XX)?_[0-9.]+)' not found"),
        "it needs {name}, which the guest's C library does not have: link it statically, or build it on this machine, "
        "whose library is then pushed with it",
    ),
    (
        re.compile(r"^(?:.*: )?(?P<name>[^\s:]+): (?:not found|command not found|applet not found)$", re.MULTILINE),
        "the command {name} is not in the guest: {bring}",
    ),
)
"""What a command's output says where something is not in the guest, and what to do about it."""


def output_of(record: CaseRecord) -> str:
    """Return what a case's commands wrote; where some of it was left out, a line says how much."""
    texts: list[str] = []
    for line in record.output:
        if line.get("cut"):
            texts.append(f"\n[{line['cut']} bytes of the output are left out here]\n")
        texts.append(line["text"])
    return "".join(texts)


def command_differences(
    step: AgentStep, name: str, report: Mapping[str, Any], record: CaseRecord
) -> Iterator[Difference]:
    """Yield how a command ended otherwise than it must, and that its output is not as it must be.

    `seen` is its exit code, else the name of the signal that ended it, or `deadline`.
    """
    output = output_of(record)
    seen, how = _end(report, step)
    if seen != step.exit and (step.exit is not None or not isinstance(seen, int)):
        wanted = f", and must with exit code {step.exit}" if step.exit else ""
        text = f"{_called(step)} {how}{wanted}{_why(report, output, bring=_bring(step))}"
        yield Difference(step=name, stage=step.stage, kind=DifferenceKind.EXIT, text=text, seen=seen)
    if step.output is not None and not re.search(step.output, output, re.MULTILINE):
        text = f"nothing in the output of {step.what} matches /{step.output}/"
        yield Difference(step=name, stage=step.stage, kind=DifferenceKind.OUTPUT, text=text)


def reason_of_works(steps: Sequence[AgentStep]) -> str:
    """Return what a case is said to have shown where all is as it must be."""
    codes = [step.exit for step in steps if step.op == COMMAND]
    if not codes:
        return "all that must be seen was seen, and nothing else"
    wanted = next((step.output for step in steps if step.output is not None), None)
    shown = "" if wanted is None else f", and its output matches /{wanted}/"
    return f"the command ended with exit code {codes[-1]}{shown}"


def not_started(report: Mapping[str, Any], step: AgentStep) -> str:
    """Return why a command or a trigger could not do what its case says, and what to do about it."""
    detail = str(report.get("detail") or report.get("errno_name") or "no reason given")
    advice = f": {_bring(step)}" if detail.endswith(NOT_THERE) else ""
    if step.op != COMMAND:
        return f"the trigger {step.what} could not be made: {detail}{advice}"
    return f"the command did not start: {detail}{advice}"


def _bring(step: AgentStep) -> str:
    """Return what to do about a file that is missing: `packages` are a key of commands alone."""
    return PUSH if step.op == COMMAND else NAME


def _end(report: Mapping[str, Any], step: AgentStep) -> tuple[int | str | None, str]:
    """Return how a command ended, as a value and in words."""
    if report.get("timed_out"):
        return (
            DEADLINE,
            f"did not end within its deadline of {step.args.get('deadline', CHILD_SECONDS):g} s, and was killed",
        )
    if report.get("signal"):
        return str(report["signal"]), f"was killed by {report['signal']}"
    code = report.get("exit")
    return code if isinstance(code, int) else None, f"ended with exit code {code}"


def _called(step: AgentStep) -> str:
    """Return what sentences call a command, or the process of a trigger."""
    if step.op == COMMAND:
        return step.what
    argv = step.args.get("command")
    return PurePosixPath(argv[0]).name or argv[0] if argv else "the child"


def _why(report: Mapping[str, Any], output: str, *, bring: str) -> str:
    """Return what is known of the cause: what is missing in the guest, else the end of the output."""
    if report.get("exit") not in (0, None):
        for pattern, text in _MISSING:
            found = pattern.search(output)
            if found:
                return f": {text.format(name=found['name'], bring=bring)}"
    tail = output.strip()[-TAIL_CHARACTERS:]
    return f": {tail}" if tail else ", and wrote nothing"


def ended_as_wanted(case: Case, record: CaseRecord) -> bool:
    """Say whether the commands of a case were started, and ended as they must."""
    if len(record.steps) < len(case.steps):
        return False
    return all(
        report.get("ok") and not list(command_differences(step, name, report, record))
        for step, name, report in zip(case.steps, step_names(case.steps), record.steps, strict=False)
        if step.waits
    )
