"""What is known of a refused step, and the conditions that rows of tables put on it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

LIBBPF = "libbpf: "
"""What every message of libbpf begins with (pr_warn() and its like)."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One refused step, as the agent reported it (docs/agent-protocol.md).

    `op` is the step's kind (`load`, `attach`, ...), `errno` the errno's name, `log` the verifier's text, `said` what
    libbpf (or the agent) said of it, `asked` the call that failed, and section, types, sizes of what it was for;
    `debug` are the last lines of libbpf below its warnings.
    """

    op: str
    errno: str = ""
    log: str = ""
    said: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    debug: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """All that was said: the verifier's text, then libbpf's."""
        return f"{self.log}\n{self.said}"

    @property
    def silent(self) -> bool:
        """Whether libbpf failed without a message; what is left then is the C library's text for the errno."""
        return LIBBPF not in self.said


def evidence_of(step: Mapping[str, Any]) -> Evidence:
    """Return the evidence that a step of the agent's protocol holds; a step of an older agent says less."""
    return Evidence(
        op=step["op"],
        errno=step.get("errno_name") or "",
        log=step.get("log") or "",
        said=step.get("detail") or "",
        asked=asked if isinstance(asked := step.get("asked"), dict) else {},
        debug=tuple(map(str, debug)) if isinstance(debug := step.get("debug"), list) else (),
    )


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a step must be like. Whatever is left out may be anything.

    `text` is searched in the verifier's text and libbpf's messages, `log` in the verifier's text alone; `asked` maps
    a key of what was asked to a pattern for its whole value (`False` for the boolean). `silent` wants a failure
    without a message of libbpf.
    """

    ops: frozenset[str] = frozenset()
    errnos: frozenset[str] = frozenset()
    text: str = ""
    log: str = ""
    asked: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False

    def holds(self, evidence: Evidence) -> bool:
        """Whether a refused step is like that."""
        return (
            (not self.ops or evidence.op in self.ops)
            and (not self.errnos or evidence.errno in self.errnos)
            and (not self.silent or evidence.silent)
            and all(self._has(evidence, key, pattern) for key, pattern in self.asked.items())
            and (not self.log or re.search(self.log, evidence.log) is not None)
            and (not self.text or re.search(self.text, evidence.text) is not None)
        )

    @staticmethod
    def _has(evidence: Evidence, key: str, pattern: str) -> bool:
        return key in evidence.asked and re.fullmatch(pattern, str(evidence.asked[key])) is not None


def when(
    ops: str = "", errnos: str = "", text: str = "", *, log: str = "", silent: bool = False, **asked: str
) -> Condition:
    """Return a condition, with its sets as words of a text: `when("load attach", "EINVAL", r"...", type="tracing")`."""
    return Condition(
        ops=frozenset(ops.split()), errnos=frozenset(errnos.split()), text=text, log=log, asked=asked, silent=silent
    )


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One row of the classes. `place` is the function of the kernel (or of libbpf) that says it."""

    name: str
    condition: Condition
    place: str
    advice: str


def row(name: str, condition: Condition, place: str, advice: str) -> Refusal:
    """Return a row; a table reads better without the names of its columns."""
    return Refusal(name=name, condition=condition, place=place, advice=advice)
