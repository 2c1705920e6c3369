"""What is known of one case on one kernel when its guest is done with it: the agent's lines, and the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.judge.kernel_log import fatal_line
from harness.model import OutcomeKind

TAIL_LINES = 30
STEP_MARK = re.compile(r"^bpfmatrix: step (?P<case>\S+) (?P<index>\d+)$")
"""What the agent writes to the console before each step (harness/guest_agent.py, Reporter.mark())."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Why a case has no completion marker: the kernel died (`crashed`), or no answer came (`lost`).

    `step` is the step that had begun last, as the console says it: the case's id, and the step's index from 0.
    """

    kind: OutcomeKind
    reason: str
    console_tail: tuple[str, ...] = ()
    step: tuple[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class CaseRecord:
    """The agent's lines about one case.

    `begin` and `end` are its `case` and its `case-end` line, or None where that never came.
    """

    begin: dict[str, Any] | None = None
    steps: tuple[dict[str, Any], ...] = ()
    events: tuple[dict[str, Any], ...] = ()
    errors: tuple[str, ...] = ()
    end: dict[str, Any] | None = None
    ending: Ending | None = None


def ending_of(*, what: str, console: str, qemu_reason: str | None, qemu_gone: bool, qemu_words: str = "") -> Ending:
    """Tell a dead kernel from every other way of giving no answer.

    `what` says what was being waited for or which deadline passed; `qemu_reason` is the reason of QEMU's
    SHUTDOWN event. A kernel that panics resets the machine (`panic=-1`), which under `-no-reboot` ends QEMU
    with the reason `guest-reset`; a triple fault does the same, without a word on the console. QEMU's exit
    code is no evidence of anything.
    """
    kind, reason = OutcomeKind.LOST, what
    lines = console.splitlines()
    fatal = fatal_line(lines)
    if fatal is not None:
        kind, reason = OutcomeKind.CRASHED, f"the kernel died: {fatal}"
    elif qemu_gone and qemu_reason in ("guest-reset", "guest-panic"):
        kind = OutcomeKind.CRASHED
        reason = "the kernel reset the machine without a word on its console (as a triple fault does)"
    elif qemu_gone:
        words = qemu_words or f"QEMU ended ({qemu_reason or 'no reason given'})"
        reason = f"{what}: {words}"
    return Ending(kind=kind, reason=reason, console_tail=console_tail(lines), step=_last_step(lines))


def console_tail(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the last lines of a console's text that are the guest's own words, not the agent's marks."""
    return tuple([line for line in lines if not STEP_MARK.match(line)][-TAIL_LINES:])


def _last_step(lines: Sequence[str]) -> tuple[str, int] | None:
    mark = next((found for line in reversed(lines) if (found := STEP_MARK.match(line))), None)
    return (mark["case"], int(mark["index"])) if mark else None
