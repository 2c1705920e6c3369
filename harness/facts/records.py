"""What is known of one case on one kernel when its guest is done with it: the agent's lines, and the end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.facts.kernel_log import crash_excerpt, fatal_line, find_splats
from harness.model.results import OutcomeKind

TAIL_LINES = 30
OUT_OF_MEMORY = "Out of memory: "
"""What the kernel says where it kills for memory (mm/oom_kill.c, oom_kill_process())."""
SHARED_LOAD = ".shared"
"""What stands for the case where a step loads an object for several cases (harness/agent/sharing.py)."""
NO_READER = "BrokenPipeError: "
"""What the agent's traceback ends with where nobody reads its lines any more."""
STEP_MARK = re.compile(r"^bpfmatrix: step (?P<case>\S+) (?P<index>\d+)(?: (?P<announced>[a-z-]+ [a-z-]+(?: .*)?))?$")
"""What the agent writes to the console before each step (harness/agent/reporter.py, mark())."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Why a case has no completion marker: the kernel died (`crashed`), or no answer came (`lost`).

    `step` is the step that had begun last, as the console says it: the case's id, and the step's index from 0; of a
    scenario's step `announced` says its stage, what it does, and to what. `crash`
    is the kernel's first complaint since that step began, with its trace; `earlier` are the complaints in the steps of
    the same case before it; `reset` is QEMU's reason where the machine was reset without a complaint. `agent_killed`
    says that the agent, or what brings its lines, ended while the kernel went on, and that the console shows neither a
    mistake of the agent's own nor a want of memory. `silent` says that QEMU went on, and that no answer came, or no
    more of it, though the agent had made no mistake.
    """

    kind: OutcomeKind
    reason: str
    console_tail: tuple[str, ...] = ()
    step: tuple[str, int] | None = None
    announced: str = ""
    crash: str = ""
    earlier: tuple[str, ...] = ()
    reset: str = ""
    agent_killed: bool = False
    silent: bool = False


@dataclass(frozen=True, kw_only=True)
class KernelLog:
    """Messages of a guest's kernel in their order, and how many are missing among them."""

    lines: tuple[str, ...] = ()
    lost: int = 0


@dataclass(frozen=True, kw_only=True)
class CaseRecord:
    """The agent's lines about one case.

    `announced` are the steps of a scenario as each began, whether it has ended or not.
    `output` has the lines with what its commands wrote, `files` the text of those files of theirs that were brought, by
    path. `parts` are the records of its sub-results (the programs of an object, the test cases of a command) by name.
    `late_log` are the kernel's messages that came after `end`, before the next case began or the agent was done, and
    `late_lost` is how many of those are missing.

    `config` has the options that the case's rules ask for, with their values in the kernel's configuration.

    `end` is its `case-end` line, or None where that never came. `again` says that this is what came of it in a second
    guest, since the first had been silenced while a program was attached.
    """

    steps: tuple[dict[str, Any], ...] = ()
    announced: tuple[dict[str, Any], ...] = ()
    events: tuple[dict[str, Any], ...] = ()
    output: tuple[dict[str, Any], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    end: dict[str, Any] | None = None
    ending: Ending | None = None
    late_log: tuple[str, ...] = ()
    late_lost: int = 0
    config: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    parts: Mapping[str, CaseRecord] = field(default_factory=dict)


def ending_of(
    *,
    what: str,
    console: str,
    qemu_reason: str | None,
    qemu_gone: bool,
    qemu_words: str = "",
    agent_ended: bool = False,
    unanswered: bool = False,
) -> Ending:
    """Tell a dead kernel from every other way of giving no answer.

    `what` says what was being waited for or which deadline passed; `qemu_reason` is the reason of QEMU's
    SHUTDOWN event. A kernel that panics resets the machine (`panic=-1`), which under `-no-reboot` ends QEMU
    with the reason `guest-reset`; a triple fault does the same, without a word on the console. QEMU's exit
    code is no evidence of anything. `agent_ended` says that the stream of the agent's lines has ended, `unanswered`
    that a deadline passed, or that the connection broke.
    """
    kind, reason, reset = OutcomeKind.LOST, what, ""
    lines = console.splitlines()
    step, announced, before, during = _divided(lines)
    fatal = fatal_line(during)
    if fatal is not None:
        kind, reason = OutcomeKind.CRASHED, f"the kernel died: {fatal}"
    elif qemu_gone and qemu_reason in ("guest-reset", "guest-panic"):
        kind, reset = OutcomeKind.CRASHED, qemu_reason
        reason = "the kernel reset the machine without any text on its console (as a triple fault does)"
    elif qemu_gone:
        said = qemu_words or f"QEMU ended ({qemu_reason or 'no reason given'})"
        reason = f"{what}: {said}"
    lost_alive = kind == OutcomeKind.LOST and not qemu_gone
    ended_well = agent_ended and not _own_end((what, *during))
    return Ending(
        kind=kind,
        reason=reason,
        console_tail=console_tail(lines),
        step=step,
        announced=announced,
        crash=crash_excerpt(during) if fatal is not None else "",
        earlier=find_splats(before),
        reset=reset,
        agent_killed=lost_alive and ended_well,
        silent=lost_alive and (ended_well or unanswered),
    )


def _own_end(lines: Sequence[str]) -> bool:
    """Say whether an agent ended for want of memory, or for a mistake of its own.

    It is none that it can bring no lines any more, since what brings them was killed.
    """
    if any(text in line for line in lines for text in (OUT_OF_MEMORY, "MemoryError", "segfault at")):
        return True
    return any(line.startswith("Traceback ") for line in lines) and not any(NO_READER in line for line in lines)


def console_tail(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the last lines of a console's text that are the guest's own text, not the agent's marks."""
    return tuple([line for line in lines if not STEP_MARK.match(line)][-TAIL_LINES:])


def _divided(lines: Sequence[str]) -> tuple[tuple[str, int] | None, str, list[str], list[str]]:
    """Return the step that had begun last, what was announced of it, the console's lines of its case before it, and
    those since it began.

    Without any step the last are all lines.
    """
    marks = [(number, mark) for number, line in enumerate(lines) if (mark := STEP_MARK.match(line))]
    if not marks:
        return None, "", [], list(lines)
    last, mark = marks[-1]
    first = next(number for number, each in marks if each["case"] == mark["case"])
    before = [line for line in lines[first:last] if not STEP_MARK.match(line)]
    return (mark["case"], int(mark["index"])), mark["announced"] or "", before, list(lines[last + 1 :])
