"""One line of text for each event of a case, the same in every report and on the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from harness.reports.text import one_line

_ENDPOINTS = ("saddr", "sport", "daddr", "dport")

_UNSHOWN = frozenset({"kind", "phase", "time_ns"})

PHASES = {"again": "with other programs in the slots:", "control": "with the tracers detached:"}
"""What introduces the events of a phase; those of the phase `observe`, and of none, need no words."""


def event_lines(events: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return one line for each of `events`, and a line of its own before those of another `phase`."""
    lines: list[str] = []
    phase = ""
    for event in events:
        introduction = PHASES.get(str(event.get("phase")), "")
        if introduction and introduction != phase:
            lines.append(introduction)
        phase = introduction
        lines.append(event_line(event))
    return tuple(lines)


def event_line(event: Mapping[str, Any]) -> str:
    """Return one line for `event`, cleaned of control characters and bounded.

    An event with addresses and ports is a TCP connection and reads as the seed prints it:
    `new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fentry)`, with the return value behind the kind
    where there is one: `(fexit: 0)`. Any other event reads as its kind and its `key=value` pairs, without
    its phase and its time.
    """
    kind = _value(event.get("kind", "event"))
    if any(event.get(key) is None for key in _ENDPOINTS):
        pairs = [f"{key}={_value(value)}" for key, value in event.items() if key not in _UNSHOWN]
        return one_line(" ".join([kind, *pairs]))
    source = _endpoint(event["saddr"], event["sport"])
    destination = _endpoint(event["daddr"], event["dport"])
    retval = event.get("retval")
    shown = kind if retval is None else f"{kind}: {_value(retval)}"
    return one_line(f"new tcp connection: {source} -> {destination} ({shown})")


def _endpoint(address: Any, port: Any) -> str:
    text = _value(address)
    return f"[{text}]:{_value(port)}" if ":" in text else f"{text}:{_value(port)}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else json.dumps(value, default=str)
