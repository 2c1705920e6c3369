"""What is known of one case on one kernel when its guest is done with it: the agent's lines, and the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.judge.kernel_log import fatal_line
from harness.model import OutcomeKind

TAIL_LINES = 30


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Why a case has no completion marker: the kernel died (`crashed`), or no answer came (`lost`)."""

    kind: OutcomeKind
    reason: str
    console_tail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CaseRecord:
    """The agent's lines about one case. `end` is its `case-end` line, or None where that never came."""

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
    lines = console.splitlines()
    tail = tuple(lines[-TAIL_LINES:])
    fatal = fatal_line(lines)
    if fatal is not None:
        return Ending(kind=OutcomeKind.CRASHED, reason=f"the kernel died: {fatal}", console_tail=tail)
    if qemu_gone and qemu_reason in ("guest-reset", "guest-panic"):
        reason = "the kernel reset the machine without a word on its console (as a triple fault does)"
        return Ending(kind=OutcomeKind.CRASHED, reason=reason, console_tail=tail)
    if qemu_gone:
        words = qemu_words or f"QEMU ended ({qemu_reason or 'no reason given'})"
        return Ending(kind=OutcomeKind.LOST, reason=f"{what}: {words}", console_tail=tail)
    return Ending(kind=OutcomeKind.LOST, reason=what, console_tail=tail)
