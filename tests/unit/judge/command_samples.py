"""A case of a command, and what the agent may say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.facts.records import CaseRecord
from harness.scenario.case import Case
from harness.scenario.from_command import Command, case_of


def command_case(*argv: str, **more: Any) -> Case:
    """The case of a command."""
    return case_of(Command(argv=argv or ("./my-test", "-v"), **more), id="my-test", title="./my-test -v")


def command_record(
    output: str = "",
    *,
    cut: int = 0,
    files: Mapping[str, str] | None = None,
    left_out: tuple[str, ...] = (),
    **end: Any,
) -> CaseRecord:
    """What is known of a command that ended with exit code 0, but for what `end` says; `files` are its JUnit files."""
    run: dict[str, Any] = {"index": 0, "stage": "trigger", "op": "command", "what": "my-test", "ok": True, "exit": 0}
    steps = [{**run, "signal": None, "timed_out": False, "bytes": len(output), "cut": cut, **end}]
    if files is not None:
        brought = {"index": 1, "stage": "observe", "op": "collect", "what": "junit", "ok": True, "files": len(files)}
        steps.append({**brought, "left_out": list(left_out)})
    last: dict[str, Any] = {
        "complete": True,
        "signal": None,
        "timed_out": False,
        "seconds": 0.1,
        "kernel_log": [],
        "left": [],
    }
    lines = ({"text": output[:5], "cut": 0}, {"text": output[5:], "cut": cut}) if output else ()
    return CaseRecord(steps=tuple(steps), output=lines, files=files or {}, end={**last, "kernel_log_lost": 0})
