"""Reading the agent's lines: every line numbered, every case from its start to its completion marker."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import AgentError
from harness.facts.records import CaseRecord, Ending, KernelLog
from harness.model.results import Stage

PROTOCOL = 2
LINES_LIMIT = 200_000


class _Line(BaseModel):
    """What every line holds. The guest is not trusted, so whoever reads a line later can rely on these fields."""

    model_config = ConfigDict(strict=True)

    n: int
    type: str


class _Logged(_Line):
    """A line with the kernel's messages since the line before that had some, and how many are missing there."""

    kernel_log: list[str]
    kernel_log_lost: Annotated[int, Field(ge=0)]


class _Hello(_Logged):
    protocol: int
    uptime: Annotated[float, Field(ge=0)]
    environment: dict[str, Any]


class _Case(_Line):
    case: str


class _Begin(_Case, _Logged):
    pass


class _Ends(BaseModel):
    """Both ends of the trigger's connection, each as [address, port]."""

    client: Annotated[list[str | int], Field(min_length=2, max_length=2)]
    server: Annotated[list[str | int], Field(min_length=2, max_length=2)]


class _Step(_Case):
    stage: Annotated[Stage, Field(strict=False)]
    op: str
    what: str
    ok: bool
    errno: int | None = None
    errno_name: str | None = None
    detail: str | None = None
    log: str | None = None
    phase: str | None = None
    ends: _Ends | None = None
    events: int | None = None
    lost: int | None = None


class _Announced(_Case):
    """A step of a scenario that begins; those of any other case the host knows."""

    index: int
    stage: Annotated[Stage, Field(strict=False)]
    op: str
    what: str
    line: int
    must_refuse: list[str] | None = None
    message: str | None = None
    origin: list[str] | None = None


class _Event(_Case):
    phase: str
    ours: bool
    event: dict[str, Any]


class _Output(_Case):
    """Some of what a command or a scenario has written; `cut` bytes before it are left out."""

    text: str
    cut: Annotated[int, Field(ge=0)] = 0


class _File(_Case):
    """The next piece of a file that a command has written."""

    path: str
    text: str


class _AgentTrouble(_Case):
    detail: str


class _Precondition(BaseModel):
    """What a case needs and cannot have: a sysctl that the kernel refuses, a module that it does not load, an
    option of its configuration (`kconfig`), or a function of libbpf that the agent calls for it (`value` is the version
    that does not have it).

    `missing`: the kernel has no such sysctl; the module is neither a file of this kernel nor built in; the option is
    not set. `found` is the value of an option that has another.
    """

    cause: Literal["sysctl", "module", "kconfig", "libbpf"]
    name: str
    value: str | int | None
    errno_name: str
    missing: bool
    found: str | None = None


class _Left(BaseModel):
    """One thing that a case left behind and that could not be removed: what kind of thing, and which.

    With `case` it was left by that case, which has ended already: maps go late.
    """

    kind: str
    name: str
    case: str | None = None


class _CaseEnd(_Case, _Logged):
    seconds: float
    complete: bool
    signal: str | None
    timed_out: bool
    step: int | None
    left: list[_Left]
    precondition: _Precondition | None = None


class _Done(_Logged):
    cases: int
    left: list[_Left]
    stopped: str | None
    lines: int


_LINES: dict[str, type[_Line]] = {
    "hello": _Hello,
    "case": _Begin,
    "step": _Step,
    "announced": _Announced,
    "event": _Event,
    "output": _Output,
    "file": _File,
    "agent-error": _AgentTrouble,
    "case-end": _CaseEnd,
    "done": _Done,
}


def parse_line(line: bytes) -> dict[str, Any]:
    """Return one line of the agent as a dictionary; raise AgentError where it is not one of the protocol."""
    try:
        record: dict[str, Any] = json.loads(line)
        _LINES[record["type"]].model_validate(record)
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        why = error.errors()[0] if isinstance(error, ValidationError) else None
        where = f" ({'.'.join(map(str, why['loc']))}: {why['msg']})" if why else ""
        raise AgentError(f"the agent wrote something that is not its protocol: {line[:200]!r}{where}") from error
    return record


def _nothing() -> dict[str, Any]:
    return {"steps": [], "announced": [], "events": [], "output": [], "files": {}, "errors": [], "end": None}


class Transcript:
    """The agent's lines so far, sorted by case."""

    def __init__(self) -> None:
        self.environment: dict[str, Any] = {}
        self.hello: dict[str, Any] = {}
        self.last: dict[str, Any] = {}
        """The first and the last line; both have messages of the kernel, as each case's first line does (`begin`)."""
        self.done = False
        self._lines = 0
        self._started: list[str] = []
        self._parts: dict[str, dict[str, Any]] = {}

    def feed(self, line: bytes) -> dict[str, Any] | None:
        """Take in one line and return it, or None for an empty one.

        Raises AgentError on a malformed line, a gap in the numbers, a line out of its place, or another version
        of the protocol.
        """
        if not line.strip():
            return None
        record = parse_line(line)
        self._lines += 1
        if record["n"] != self._lines or self._lines > LINES_LIMIT:
            raise AgentError(f"line {self._lines} of the agent is numbered {record['n']}: lines were lost")
        kind = record["type"]
        if (kind == "hello") != (self._lines == 1) or self.done:
            raise AgentError(f"line {self._lines} of the agent, of type {kind}, is in the wrong place")
        if kind == "hello":
            if record.get("protocol") != PROTOCOL:
                raise AgentError(f"the agent speaks protocol {record.get('protocol')}, not {PROTOCOL}")
            self.environment = record["environment"]
            self.hello = record
        elif kind == "done":
            if record["lines"] != self._lines:
                raise AgentError(f"the agent wrote {record['lines']} lines, but {self._lines} came")
            if self.current is not None:
                raise AgentError(f"the agent ended, but case {self.current} did not")
            if record["cases"] != len(self._started):
                raise AgentError(f"the agent says that it ran {record['cases']} cases, but {len(self._started)} came")
            self._sort_left(record)
            self.done, self.last = True, record
        elif kind == "case":
            if record["case"] in self._parts or self.current is not None:
                raise AgentError(f"the agent started case {record['case']} a second time, or within another")
            self._started.append(record["case"])
            self._parts[record["case"]] = {"begin": record, **_nothing()}
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
        parts = self._parts.get(case, _nothing())
        later = self._after(case)
        return CaseRecord(
            steps=tuple(parts["steps"]),
            announced=tuple(parts["announced"]),
            events=tuple(parts["events"]),
            output=tuple(parts["output"]),
            files={path: "".join(pieces) for path, pieces in parts["files"].items()},
            errors=tuple(parts["errors"]),
            end=parts["end"],
            ending=ending,
            late_log=tuple(later.get("kernel_log", ())),
            late_lost=later.get("kernel_log_lost", 0),
            config=parts.get("begin", {}).get("config", {}),
        )

    def boot_log(self) -> KernelLog:
        """Return the kernel's messages before the first case began, as far as they are known."""
        lines = [self.hello] + ([self._parts[self._started[0]]["begin"]] if self._started else [])
        return KernelLog(
            lines=tuple(text for line in lines for text in line.get("kernel_log", ())),
            lost=sum(line.get("kernel_log_lost", 0) for line in lines),
        )

    def _after(self, case: str) -> dict[str, Any]:
        """Return the line with the kernel's messages after a case: the next one's first, or the last of all."""
        if case not in self._started:
            return {}
        index = self._started.index(case) + 1
        return self._parts[self._started[index]]["begin"] if index < len(self._started) else self.last

    def _add(self, kind: str, record: dict[str, Any]) -> None:
        parts = self._parts.get(record["case"])
        if parts is None or record["case"] != self.current:
            raise AgentError(f"the agent wrote a line of type {kind} outside of a case")
        if kind == "step":
            parts["steps"].append(record)
        elif kind == "announced":
            parts["announced"].append(record)
        elif kind == "event":
            parts["events"].append(record)
        elif kind == "output":
            parts["output"].append(record)
        elif kind == "file":
            parts["files"].setdefault(record["path"], []).append(record["text"])
        elif kind == "agent-error":
            parts["errors"].append(record["detail"])
        else:
            self._sort_left(record)
            parts["end"] = record

    def _sort_left(self, record: dict[str, Any]) -> None:
        """Give what an earlier case has left behind to the end of that case."""
        for left in record["left"]:
            if left.get("case") is None:
                continue
            parts = self._parts.get(left["case"])
            if parts is None or parts["end"] is None:
                raise AgentError(
                    f"the agent wrote that case {left['case']} left something behind, but it has not ended"
                )
            parts["end"]["left"].append({"kind": left["kind"], "name": left["name"]})
        record["left"] = [left for left in record["left"] if left.get("case") is None]
