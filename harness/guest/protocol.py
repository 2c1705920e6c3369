"""Reading the agent's lines: every line numbered, every case from its start to its completion marker."""

from __future__ import annotations

import json
from typing import Any

from harness.errors import AgentError
from harness.judge.records import CaseRecord, Ending

PROTOCOL = 1
LINES_LIMIT = 200_000


def parse_line(line: bytes) -> dict[str, Any]:
    """Return one line of the agent as a dictionary; raise AgentError where it is not one of the protocol."""
    try:
        record = json.loads(line)
    except ValueError as error:
        raise AgentError(f"the agent wrote something that is not its protocol: {line[:200]!r}") from error
    if not isinstance(record, dict) or not isinstance(record.get("type"), str) or "n" not in record:
        raise AgentError(f"the agent wrote something that is not its protocol: {line[:200]!r}")
    return record


class Transcript:
    """The agent's lines so far, sorted by case."""

    def __init__(self) -> None:
        self.environment: dict[str, Any] = {}
        self.boot_log: list[str] = []
        self.done = False
        self._lines = 0
        self._started: list[str] = []
        self._parts: dict[str, dict[str, Any]] = {}

    def feed(self, line: bytes) -> dict[str, Any] | None:
        """Take in one line and return it, or None for an empty one.

        Raises AgentError on a malformed line, a gap in the numbers, or another version of the protocol.
        """
        if not line.strip():
            return None
        record = parse_line(line)
        self._lines += 1
        if record["n"] != self._lines or self._lines > LINES_LIMIT:
            raise AgentError(f"line {self._lines} of the agent is numbered {record['n']}: lines were lost")
        kind = record["type"]
        if kind == "hello":
            if record.get("protocol") != PROTOCOL:
                raise AgentError(f"the agent speaks protocol {record.get('protocol')}, not {PROTOCOL}")
            self.environment = record["environment"]
            self.boot_log = record["kernel_log"]
        elif kind == "done":
            if record["lines"] != self._lines:
                raise AgentError(f"the agent wrote {record['lines']} lines, but {self._lines} came")
            self.done = True
        elif kind == "case":
            self._started.append(record["case"])
            self._parts[record["case"]] = {"steps": [], "events": [], "errors": [], "end": None}
        else:
            self._add(kind, record)
        return record

    @property
    def current(self) -> str | None:
        """The case that was started last and has not ended, or None."""
        if self._started and self._parts[self._started[-1]]["end"] is None:
            return self._started[-1]
        return None

    def ended(self) -> list[str]:
        """Return the cases that have their completion marker, in order."""
        return [case for case in self._started if self._parts[case]["end"] is not None]

    def record(self, case: str, ending: Ending | None = None) -> CaseRecord:
        """Return what is known of a case, which may never have been started."""
        parts = self._parts.get(case, {"steps": [], "events": [], "errors": [], "end": None})
        return CaseRecord(
            steps=tuple(parts["steps"]),
            events=tuple(parts["events"]),
            errors=tuple(parts["errors"]),
            end=parts["end"],
            ending=ending,
        )

    def _add(self, kind: str, record: dict[str, Any]) -> None:
        parts = self._parts.get(record.get("case", ""))
        if parts is None or parts["end"] is not None:
            raise AgentError(f"the agent wrote a line of type {kind} outside of a case")
        if kind == "step":
            parts["steps"].append(record)
        elif kind == "event":
            parts["events"].append(record)
        elif kind == "agent-error":
            parts["errors"].append(record["detail"])
        elif kind == "case-end":
            parts["end"] = record
        else:
            raise AgentError(f"the agent wrote a line of unknown type {kind}")
